use proptest::prelude::*;

use super::*;

#[test]
fn a_bag_is_written_encoded_and_by_name() {
    let mut bag = PropertyBag::new();
    bag.set("flag", None);
    bag.set("$.ct", Some("application/json"));
    bag.set("empty", Some(""));
    bag.set("a b", Some("+&=#é"));
    assert_eq!(
        bag.encode().unwrap(),
        "%24.ct=application%2Fjson&a%20b=%2B%26%3D%23%C3%A9&empty=&flag"
    );
    assert_eq!(bag.len(), 4);
    assert_eq!(PropertyBag::new().encode().unwrap(), "");
}

#[test]
fn bags_of_every_client_are_read() {
    let bag = PropertyBag::decode("?$.ct=a%2fB%2Fc&flag&empty=&k=a=b+c&%24.on=out").unwrap();
    assert_eq!(bag.get("$.ct"), Some(Some("a/B/c")));
    assert_eq!(bag.get("flag"), Some(None));
    assert_eq!(bag.get("empty"), Some(Some("")));
    assert_eq!(bag.get("k"), Some(Some("a=b+c")));
    assert_eq!(bag.get("$.on"), Some(Some("out")));
    assert_eq!(bag.get("missing"), None);
    for empty in ["", "?"] {
        assert!(PropertyBag::decode(empty).unwrap().is_empty());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("a&", "property bag holds a property without a name"),
        ("&a", "property bag holds a property without a name"),
        ("=v", "property bag holds a property without a name"),
        ("a=1&%61=2", "property a given twice"),
        ("a=%", "property a: '%' is not followed by two hex digits"),
        ("a=%4", "property a: '%' is not followed by two hex digits"),
        ("%zz", "property %zz: '%' is not followed by two hex digits"),
        ("a=%ff", "property a: percent-decoded bytes are not UTF-8"),
        ("a%0A=1&a%0A", "property a\\u{a} given twice"),
    ];
    for (text, message) in cases {
        assert_eq!(
            PropertyBag::decode(text).unwrap_err().to_string(),
            message,
            "{text}"
        );
    }
    let mut nameless = PropertyBag::new();
    nameless.set("", Some("v"));
    assert_eq!(nameless.encode(), Err(BagError::EmptyName));
}

#[test]
fn size_is_bounded_both_ways() {
    let fits = "x".repeat(MAX_BAG_BYTES);
    assert_eq!(PropertyBag::decode(&fits).unwrap().encode().unwrap(), fits);
    let over = BagError::TooLong {
        actual: MAX_BAG_BYTES + 1,
    };
    assert_eq!(PropertyBag::decode(&format!("{fits}x")), Err(over.clone()));
    let mut bag = PropertyBag::new();
    bag.set(format!("{fits}x"), None);
    assert_eq!(bag.encode(), Err(over));
}

proptest! {
    #[test]
    fn a_bag_survives_the_way_there_and_back(
        entries in prop::collection::btree_map(".{1,20}", prop::option::of(".{0,30}"), 0..8)
    ) {
        let bag = PropertyBag(entries);
        let text = bag.encode().unwrap();
        prop_assert!(!text.contains(['/', '+', '#', '?']));
        prop_assert_eq!(PropertyBag::decode(&text).unwrap(), bag);
    }

    #[test]
    fn hex_case_does_not_matter(value in ".{0,30}") {
        let lower = percent::encode(&value).to_ascii_lowercase();
        let value = value.to_ascii_lowercase();
        let bag = PropertyBag::decode(&format!("n={lower}")).unwrap();
        prop_assert_eq!(bag.get("n"), Some(Some(value.as_str())));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = PropertyBag::decode(&text);
    }
}
