use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Keys from a small set, so that documents overlap; some need escaping in a pointer.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "a!", "x/y", "m~n", ""]).prop_map(str::to_owned)
}

/// Any JSON value, nulls everywhere included.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            3 => prop::collection::btree_map(key(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An object, nulls everywhere included.
pub(in crate::twin) fn document() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(key(), any_value(), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// A twin section in normal form.
fn normal() -> impl Strategy<Value = Value> {
    document().prop_map(|mut value| {
        strip_nulls(&mut value);
        value
    })
}

fn merged(target: &Value, patch: &Value) -> Value {
    let mut target = target.clone();
    merge(&mut target, patch);
    target
}

/// RFC 7396, appendix A.
#[test]
fn merge_matches_the_examples_of_the_rfc() {
    let cases = [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (
            json!({"a": "b"}),
            json!({"b": "c"}),
            json!({"a": "b", "b": "c"}),
        ),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (
            json!({"a": "b", "b": "c"}),
            json!({"a": null}),
            json!({"b": "c"}),
        ),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        ),
        (
            json!({"a": [{"b": "c"}]}),
            json!({"a": [1]}),
            json!({"a": [1]}),
        ),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
        (
            json!({"e": null}),
            json!({"a": 1}),
            json!({"e": null, "a": 1}),
        ),
        (
            json!([1, 2]),
            json!({"a": "b", "c": null}),
            json!({"a": "b"}),
        ),
        (
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        ),
    ];
    for (target, patch, expected) in cases {
        assert_eq!(merged(&target, &patch), expected, "{target} + {patch}");
    }
}

#[test]
fn a_diff_names_only_what_differs() {
    let from =
        json!({"same": {"x": 1}, "gone": {"y": 1}, "deep": {"a": 1, "b": 2}, "list": [1, 2]});
    let to = json!({"same": {"x": 1}, "new": {}, "deep": {"a": 1, "b": 3}, "list": [1]});
    let patch = json!({"gone": null, "new": {}, "deep": {"b": 3}, "list": [1]});
    assert_eq!(diff(&from, &to), Some(patch));
    assert_eq!(diff(&to, &to), None);
    assert_eq!(
        diff(&json!({"a": {"b": 1}}), &json!({"a": {}})),
        Some(json!({"a": {"b": null}}))
    );
    assert_eq!(
        diff(&json!({"a": 1}), &json!({"a": {}})),
        Some(json!({"a": {}}))
    );
}

#[test]
fn normal_form_keeps_nulls_in_arrays_only() {
    let mut value = json!({"a": null, "b": {"c": null, "d": [null, {"e": null}]}});
    strip_nulls(&mut value);
    assert_eq!(value, json!({"b": {"d": [null, {"e": null}]}}));
}

#[test]
fn changes_tell_old_and_new_in_pointer_order() {
    let from = json!({"a": {"x": 1, "y": 2}, "a!": 1, "list": [1], "turns": {"b": 1}, "u/v": 1});
    let to = json!({"a": {"x": 1, "y": 3}, "list": [2], "turns": 7, "new": {"deep": {"er": 1}}});
    let told: Vec<_> = changes(&from, &to)
        .into_iter()
        .map(|c| (c.is_deletion(), c.pointer, c.old, c.new))
        .collect();
    let expected = [
        (true, "/a!".to_owned(), Some(json!(1)), None),
        (false, "/a/y".to_owned(), Some(json!(2)), Some(json!(3))),
        (
            false,
            "/list".to_owned(),
            Some(json!([1])),
            Some(json!([2])),
        ),
        (
            false,
            "/new".to_owned(),
            None,
            Some(json!({"deep": {"er": 1}})),
        ),
        (
            false,
            "/turns".to_owned(),
            Some(json!({"b": 1})),
            Some(json!(7)),
        ),
        (true, "/u~1v".to_owned(), Some(json!(1)), None),
    ];
    assert_eq!(told, expected);
    let whole = changes(&json!(1), &json!({}));
    assert_eq!((whole.len(), whole[0].pointer.as_str()), (1, ""));
}

#[test]
fn a_change_that_does_not_fit_leaves_the_view_alone() {
    let cases = [
        (
            "a",
            Some(json!(1)),
            "change does not fit: a is not a JSON pointer",
        ),
        (
            "/a~",
            Some(json!(1)),
            "change does not fit: /a~ is not a JSON pointer",
        ),
        (
            "",
            None,
            "change does not fit: the document cannot be deleted",
        ),
        (
            "/x/y",
            Some(json!(1)),
            "change does not fit: /x/y has no parent object in this document",
        ),
        (
            "/a/y",
            Some(json!(1)),
            "change does not fit: /a/y has no parent object in this document",
        ),
        (
            "/l/0",
            Some(json!(1)),
            "change does not fit: /l/0 has no parent object in this document",
        ),
        (
            "/x",
            None,
            "change does not fit: /x is to be deleted but is not in this document",
        ),
    ];
    let view = json!({"a": 1, "l": [1]});
    for (pointer, new, message) in cases {
        let mut target = view.clone();
        let change = Change {
            pointer: pointer.to_owned(),
            old: None,
            new,
        };
        assert_eq!(
            apply_change(&mut target, &change).unwrap_err().to_string(),
            message
        );
        assert_eq!(target, view);
    }
}

proptest! {
    #[test]
    fn a_diff_merged_gives_the_other_document(from in normal(), to in normal()) {
        match diff(&from, &to) {
            Some(patch) => {
                prop_assert_ne!(&from, &to);
                prop_assert_eq!(merged(&from, &patch), to);
            }
            None => prop_assert_eq!(from, to),
        }
    }

    /// Whatever member one leaves out of a diff, it no longer leads to the goal.
    #[test]
    fn no_member_of_a_diff_is_idle(from in normal(), to in normal()) {
        if let Some(Value::Object(patch)) = diff(&from, &to) {
            for key in patch.keys() {
                let mut less = patch.clone();
                less.remove(key);
                prop_assert_ne!(merged(&from, &Value::Object(less)), to.clone());
            }
        }
    }

    #[test]
    fn changes_rebuild_the_other_document(from in document(), to in document(), turn in any::<u8>()) {
        let mut found = changes(&from, &to);
        prop_assert!(found.is_sorted_by(|a, b| a.pointer < b.pointer));
        prop_assert!(found.iter().all(|change| change.old != change.new));
        // The order does not matter.
        let middle = usize::from(turn).checked_rem(found.len()).unwrap_or(0);
        found.rotate_left(middle);
        let mut view = from;
        for change in &found {
            apply_change(&mut view, change).unwrap();
        }
        prop_assert_eq!(view, to);
    }

    #[test]
    fn merging_keeps_the_normal_form(target in normal(), patch in document()) {
        let result = merged(&target, &patch);
        let mut stripped = result.clone();
        strip_nulls(&mut stripped);
        prop_assert_eq!(&stripped, &result);
        prop_assert_eq!(merged(&result, &patch), result, "a patch applied twice");
    }

    #[test]
    fn nothing_panics_on_any_value(a in any_value(), b in any_value(), pointer in ".{0,12}") {
        let _ = (diff(&a, &b), changes(&a, &b), merged(&a, &b));
        let mut view = a;
        let change = Change { pointer, old: None, new: Some(b) };
        let _ = apply_change(&mut view, &change);
    }
}
