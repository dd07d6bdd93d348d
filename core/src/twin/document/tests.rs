use proptest::prelude::*;
use serde_json::json;

use super::*;

fn known(value: Value, version: Option<u64>) -> DesiredDocument {
    DesiredDocument::from_parts(value, version).unwrap()
}

#[test]
fn a_new_document_is_empty_and_waits_for_the_full_one() {
    let mut document = DesiredDocument::default();
    assert_eq!(
        (&**document.value(), document.version()),
        (&json!({}), None)
    );
    assert_eq!(
        document.apply_patch(&json!({"a": 1, "$version": 2})),
        Ok(Applied::Gap)
    );
    assert_eq!(document, DesiredDocument::new());
}

#[test]
fn a_full_document_loses_what_belongs_to_the_hub() {
    let mut document = DesiredDocument::new();
    let full = json!({
        "a": {"$inner": 1}, "b": null, "$version": 4, "$metadata": {"a": {}}, "$etag": "x"
    });
    assert_eq!(
        document.apply_full(full, Freshness::NotOlder),
        Ok(Applied::Changed)
    );
    assert_eq!(**document.value(), json!({"a": {"$inner": 1}}));
    assert_eq!(document.version(), Some(4));
}

#[test]
fn patches_apply_in_order_only() {
    let cases = [
        (
            json!({"$version": 4, "a": 2}),
            Applied::Stale,
            json!({"a": 1}),
            Some(5),
        ),
        (
            json!({"$version": 5, "a": 2}),
            Applied::Stale,
            json!({"a": 1}),
            Some(5),
        ),
        (
            json!({"$version": 6, "a": 2}),
            Applied::Changed,
            json!({"a": 2}),
            Some(6),
        ),
        (
            json!({"$version": 6, "a": null}),
            Applied::Changed,
            json!({}),
            Some(6),
        ),
        (
            json!({"$version": 6, "a": 1, "x": null}),
            Applied::Same,
            json!({"a": 1}),
            Some(6),
        ),
        (
            json!({"$version": 6}),
            Applied::Same,
            json!({"a": 1}),
            Some(6),
        ),
        (
            json!({"$version": 7, "a": 2}),
            Applied::Gap,
            json!({"a": 1}),
            Some(5),
        ),
        (
            json!({"$version": u64::MAX, "a": 2}),
            Applied::Gap,
            json!({"a": 1}),
            Some(5),
        ),
        (json!({"a": 2}), Applied::Changed, json!({"a": 2}), Some(5)),
    ];
    for (patch, applied, value, version) in cases {
        let mut document = known(json!({"a": 1}), Some(5));
        assert_eq!(document.apply_patch(&patch), Ok(applied), "{patch}");
        assert_eq!(
            (&**document.value(), document.version()),
            (&value, version),
            "{patch}"
        );
    }
}

#[test]
fn a_full_document_may_go_back_only_as_the_truth() {
    let older = json!({"a": 0, "$version": 3});
    let mut document = known(json!({"a": 1}), Some(5));
    assert_eq!(
        document.apply_full(older.clone(), Freshness::NotOlder),
        Ok(Applied::Stale)
    );
    assert_eq!(
        (&**document.value(), document.version()),
        (&json!({"a": 1}), Some(5))
    );
    assert_eq!(
        document.apply_full(older, Freshness::Authoritative),
        Ok(Applied::Changed)
    );
    assert_eq!(
        (&**document.value(), document.version()),
        (&json!({"a": 0}), Some(3))
    );
    // The same version again is not older, and the newest word counts.
    let again = json!({"a": 2, "$version": 3});
    assert_eq!(
        document.apply_full(again, Freshness::NotOlder),
        Ok(Applied::Changed)
    );
    let same = json!({"a": 2, "$version": 3});
    assert_eq!(
        document.apply_full(same, Freshness::NotOlder),
        Ok(Applied::Same)
    );
    let newer = json!({"a": 2, "$version": 9});
    assert_eq!(
        document.apply_full(newer, Freshness::NotOlder),
        Ok(Applied::Same)
    );
    assert_eq!(document.version(), Some(9));
    let unversioned = json!({"b": 1});
    assert_eq!(
        document.apply_full(unversioned, Freshness::NotOlder),
        Ok(Applied::Changed)
    );
    assert_eq!(
        (&**document.value(), document.version()),
        (&json!({"b": 1}), Some(9))
    );
}

#[test]
fn the_last_version_there_is_has_no_successor() {
    let mut document = known(json!({}), Some(u64::MAX));
    assert_eq!(
        document.apply_patch(&json!({"$version": 0, "a": 1})),
        Ok(Applied::Stale)
    );
    assert_eq!(
        document.apply_patch(&json!({"$version": u64::MAX, "a": 1})),
        Ok(Applied::Stale)
    );
}

#[test]
fn what_is_no_section_is_refused_and_changes_nothing() {
    let cases = [
        (
            json!([1]),
            "desired section: expected a JSON object, found array",
        ),
        (
            json!(null),
            "desired section: expected a JSON object, found null",
        ),
        (
            json!({"$version": -1}),
            "desired section, /$version: expected a whole number from 0, found -1",
        ),
        (
            json!({"$version": 6.5}),
            "desired section, /$version: expected a whole number from 0, found 6.5",
        ),
        (
            json!({"$version": "6", "a": 2}),
            "desired section, /$version: expected a whole number from 0, found string",
        ),
        (
            json!({"$version": null, "a": 2}),
            "desired section, /$version: expected a whole number from 0, found null",
        ),
    ];
    for (bad, message) in cases {
        let mut document = known(json!({"a": 1}), Some(5));
        assert_eq!(document.apply_patch(&bad).unwrap_err().to_string(), message);
        let full = document.apply_full(bad, Freshness::Authoritative);
        assert_eq!(full.unwrap_err().to_string(), message);
        assert_eq!(document, known(json!({"a": 1}), Some(5)));
    }
}

#[test]
fn a_run_of_patches_cannot_pile_up_without_end() {
    let mut document = known(json!({}), Some(0));
    let mut refused = None;
    for version in 1..=20_u64 {
        let patch = json!({ format!("k{version}"): "x".repeat(30_000), "$version": version });
        let before = document.clone();
        if let Err(error) = document.apply_patch(&patch) {
            assert_eq!(document, before);
            refused = Some((version, error));
            break;
        }
    }
    let (version, error) = refused.unwrap();
    assert_eq!(version, 9);
    assert!(
        matches!(
            error,
            DocumentError::TooLarge {
                limit: MAX_DOCUMENT_BYTES,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_stored_record_is_checked_like_any_other() {
    let restored = known(json!({"a": null, "b": 1, "$version": 3}), Some(7));
    assert_eq!(
        (&**restored.value(), restored.version()),
        (&json!({"b": 1}), Some(7))
    );
    assert!(DesiredDocument::from_parts(json!("x"), None).is_err());
}

#[test]
fn a_value_handed_out_never_changes() {
    let mut document = known(json!({"a": 1}), Some(1));
    let before = Arc::clone(document.value());
    assert_eq!(
        document.apply_patch(&json!({"a": 2, "$version": 2})),
        Ok(Applied::Changed)
    );
    assert_eq!(*before, json!({"a": 1}));
}

proptest! {
    /// A hub's history, delivered with losses, repeats and in any order, with a GET on every gap:
    /// the module always holds a state the hub was in, and its version tells which.
    #[test]
    fn the_document_is_always_one_that_the_hub_had(
        steps in prop::collection::vec((0_u8..4, prop::option::of(0_i64..3)), 1..20),
        deliveries in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let patches: Vec<Value> = (2_u64..).zip(&steps)
            .map(|(version, (key, value))| json!({ format!("k{key}"): value, "$version": version }))
            .collect();
        let mut hub = vec![known(json!({}), Some(1))];
        for patch in &patches {
            let mut next = hub.last().unwrap().clone();
            prop_assert_ne!(next.apply_patch(patch).unwrap(), Applied::Gap);
            hub.push(next);
        }
        let mut module = hub[0].clone();
        for delivery in deliveries {
            if module.apply_patch(delivery.get(&patches)).unwrap() == Applied::Gap {
                let latest = hub.last().unwrap();
                let mut full = Value::clone(latest.value());
                full["$version"] = json!(latest.version());
                let _ = module.apply_full(full, Freshness::NotOlder).unwrap();
            }
            prop_assert!(hub.contains(&module));
        }
    }

    #[test]
    fn no_value_makes_it_panic(
        first in crate::twin::patch::tests::document(),
        patch in crate::twin::patch::tests::document(),
    ) {
        let mut document = DesiredDocument::new();
        let _ = document.apply_full(first, Freshness::NotOlder);
        let _ = document.apply_patch(&patch);
        prop_assert!(document.value().is_object());
    }
}
