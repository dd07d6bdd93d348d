use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Pointer, limit, actual and text of the refusal.
fn refused(document: &Value) -> (String, i128, i128, String) {
    let error = check_reported(document).unwrap_err();
    let text = error.to_string();
    (error.pointer, error.limit, error.actual, text)
}

/// A container `levels` deep below the section.
fn nested(levels: usize, open: &str, close: &str) -> Value {
    let text = format!("{{\"k\":{}1{}}}", open.repeat(levels), close.repeat(levels));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_section_within_the_limits_passes() {
    let document = json!({
        "a": [1, "x", true, {"b": [1.5]}, []], "é~/:_-": {}, "": 1,
        "low": MIN_INTEGER, "high": MAX_INTEGER, "float": 1e300,
        "string": "x".repeat(MAX_STRING_BYTES), ("k".repeat(MAX_KEY_BYTES)): 1,
    });
    assert_eq!(check_reported(&document), Ok(()));
    assert_eq!(check_reported_patch(&document), Ok(()));
}

#[test]
fn a_section_is_an_object() {
    let (pointer, .., text) = refused(&json!([]));
    assert_eq!(pointer, "");
    assert_eq!(
        text,
        "reported properties, the document: expected a JSON object"
    );
}

#[test]
fn ten_levels_and_no_more() {
    for (open, close) in [("{\"k\":", "}"), ("[", "]")] {
        assert_eq!(check_reported(&nested(10, open, close)), Ok(()));
        let (pointer, limit, actual, _) = refused(&nested(11, open, close));
        assert_eq!((pointer.matches('/').count(), limit, actual), (11, 10, 11));
    }
    let error = check_reported(&nested(12, "[", "]")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "reported properties, /k/0/0/0/0/0/0/0/0/0/0: nested 11 levels deep, at most 10 allowed"
    );
}

#[test]
fn keys_have_a_length_in_bytes() {
    let key = "é".repeat(513);
    let (pointer, limit, actual, text) = refused(&json!({"a": {key.as_str(): 1}}));
    assert_eq!((pointer, limit, actual), (format!("/a/{key}"), 1024, 1026));
    assert!(
        text.ends_with("…: key of 1026 bytes (UTF-8), at most 1024 allowed"),
        "{text}"
    );
}

#[test]
fn keys_have_characters_they_may_not_hold() {
    for c in [
        '.', '$', '#', ' ', '\t', '\n', '\0', '\u{7f}', '\u{85}', '\u{9f}', '\u{a0}', '\u{2003}',
    ] {
        let document = json!({"a": [{format!("x{c}y"): 1}]});
        for check in [check_reported, check_reported_patch] {
            let error = check(&document).unwrap_err();
            assert_eq!(error.kind, LimitKind::KeyCharacter(c));
            assert_eq!(error.pointer, format!("/a/0/x{c}y"));
            assert!(!error.to_string().contains('\n'));
        }
    }
    assert_eq!(
        refused(&json!({"$version": 1})).3,
        "reported properties, /$version: key holds $ (U+0024); control characters, white space, \
         '.', '$' and '#' are not allowed"
    );
}

#[test]
fn strings_and_integers_have_a_range() {
    let (pointer, limit, actual, _) = refused(&json!({"a": ["é".repeat(2049)]}));
    assert_eq!((pointer.as_str(), limit, actual), ("/a/0", 4096, 4098));
    for (number, limit, actual) in [
        (json!(MAX_INTEGER + 1), MAX_INTEGER, 1_i128 << 52),
        (json!(MIN_INTEGER - 1), MIN_INTEGER, -(1_i128 << 52) - 1),
        (json!(i64::MIN), MIN_INTEGER, i128::from(i64::MIN)),
        (json!(u64::MAX), MAX_INTEGER, i128::from(u64::MAX)),
    ] {
        let expected = ("/n".to_owned(), i128::from(limit), actual);
        let (pointer, limit, actual, text) = refused(&json!({"n": number}));
        assert_eq!((pointer, limit, actual), expected);
        assert!(
            text.contains("allowed are -4503599627370496 to 4503599627370495"),
            "{text}"
        );
    }
}

#[test]
fn null_deletes_a_member_of_a_patch_and_is_nothing_else() {
    let member = json!({"a": {"b": null}});
    assert_eq!(check_reported_patch(&member), Ok(()));
    let error = check_reported(&member).unwrap_err();
    assert_eq!(
        (error.kind, error.pointer.as_str()),
        (LimitKind::NullMember, "/a/b")
    );
    for in_array in [
        json!({"a": [null]}),
        json!({"a": [[null]]}),
        json!({"a": [{"b": null}]}),
    ] {
        for check in [check_reported, check_reported_patch] {
            assert_eq!(
                check(&in_array).unwrap_err().kind,
                LimitKind::NullInArray,
                "{in_array}"
            );
        }
    }
}

/// A section of short strings with exactly `bytes` of JSON text.
fn section_of(bytes: usize) -> Value {
    let mut document = json!({});
    for index in 0..8 {
        document[format!("key{index}")] = json!("x".repeat(4000));
    }
    document["rest"] = json!("");
    let missing = bytes.checked_sub(serialized_len(&document)).unwrap();
    document["rest"] = json!("x".repeat(missing));
    document
}

#[test]
fn the_text_of_a_section_is_at_most_32_kib() {
    assert_eq!(check_reported(&section_of(32 * 1024)), Ok(()));
    let over = section_of(32 * 1024 + 1);
    assert_eq!(
        refused(&over).3,
        "reported properties, the document: is 32769 bytes of JSON text, at most 32768 allowed"
    );
    assert_eq!(
        check_reported_patch(&over).unwrap_err().kind,
        LimitKind::SectionText
    );
}

#[test]
fn the_count_of_a_section_is_at_most_32_kib() {
    // One digit is two bytes of text with its comma, but counts eight; so does this key.
    let numbers = |count: usize| json!({ "numbers_": vec![1; count] });
    assert_eq!(check_reported(&numbers(4095)), Ok(()), "exactly 32 KiB");
    let error = check_reported(&numbers(4096)).unwrap_err();
    assert_eq!(
        (error.kind, error.actual),
        (LimitKind::SectionSize, 32 * 1024 + 8)
    );
    // true: four of the count, five of the text; keys count, control characters do not.
    assert_eq!(check_reported(&json!({ "b": vec![true; 6500] })), Ok(()));
    let mut controls = numbers(4000);
    controls["c"] = json!("\u{85}".repeat(2048));
    assert_eq!(check_reported(&controls), Ok(()));
    controls["c"] = json!("é".repeat(2048));
    assert_eq!(
        check_reported(&controls).unwrap_err().kind,
        LimitKind::SectionSize
    );
}

proptest! {
    #[test]
    fn no_value_makes_it_panic(value in crate::twin::patch::tests::document()) {
        let whole = check_reported(&value);
        // What is good as a whole document is good as a patch.
        prop_assert!(whole.is_err() || check_reported_patch(&value).is_ok());
    }
}
