use proptest::prelude::*;

use super::*;

const T: &str = "2026-01-02T03:04:05.1234567Z";

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn desired(value: Value) -> Update {
    Update {
        desired: Some(object(value)),
        tags: None,
    }
}

fn twin_with(value: Value) -> Twin {
    let mut twin = Twin::new(T);
    twin.update(Mode::Patch, desired(value), T).unwrap();
    twin
}

fn notified(twin: &mut Twin, mode: Mode, value: Value) -> Value {
    twin.update(mode, desired(value), T)
        .unwrap()
        .map_or(Value::Null, Value::Object)
}

#[test]
fn a_new_twin_is_empty_at_version_1() {
    let twin = Twin::new(T);
    assert_eq!(
        twin.device_view(),
        json!({"desired": {"$version": 1}, "reported": {"$version": 1}})
    );
    assert_eq!(twin.etag(), "AAAAAAAAAAE=");
    let view = Value::Object(twin.service_view());
    assert_eq!(
        view["properties"]["desired"]["$metadata"],
        json!({"$lastUpdated": T, "$lastUpdatedVersion": 1})
    );
    assert_eq!(
        view["properties"]["reported"]["$metadata"],
        json!({"$lastUpdated": T})
    );
}

// The table of the IoT Hub team's answer in azure-iot-sdk-csharp issue 954.
#[test]
fn notifications_of_patch_and_replace() {
    let start = || twin_with(json!({"a": 1, "b": 2}));
    assert_eq!(
        notified(&mut start(), Mode::Patch, json!({"a": -1})),
        json!({"a": -1, "$version": 3})
    );
    assert_eq!(
        notified(&mut start(), Mode::Patch, json!({"a": 1, "b": 2})),
        json!({"a": 1, "b": 2, "$version": 3})
    );
    assert_eq!(
        notified(&mut start(), Mode::Replace, json!({"a": 1, "c": 100})),
        json!({"a": 1, "b": null, "c": 100, "$version": 3})
    );
}

#[test]
fn replace_nulls_are_recursive() {
    let mut twin =
        twin_with(json!({"x": {"keep": 1, "gone": {"deep": 1}}, "y": [1], "z": {"a": 1}}));
    assert_eq!(
        notified(&mut twin, Mode::Replace, json!({"x": {"keep": 2}, "z": 5})),
        json!({"x": {"keep": 2, "gone": null}, "y": null, "z": 5, "$version": 3})
    );
    assert_eq!(
        twin.device_view()["desired"],
        json!({"x": {"keep": 2}, "z": 5, "$version": 3})
    );
}

#[test]
fn a_replacement_holds_no_nulls() {
    let mut twin = twin_with(json!({"a": 1}));
    let before = twin.device_view();
    let error = twin
        .update(Mode::Replace, desired(json!({"x": {"y": null}})), T)
        .unwrap_err();
    assert_eq!(error.pointer, "/properties/desired/x/y");
    let tags = Update {
        tags: Some(object(json!({"t": null}))),
        desired: None,
    };
    assert_eq!(
        twin.update(Mode::Replace, tags, T).unwrap_err().pointer,
        "/tags/t"
    );
    assert_eq!(twin.device_view(), before);
}

#[test]
fn a_patch_that_touches_nothing_is_not_an_update() {
    let mut twin = twin_with(json!({"a": {"b": 1}}));
    let etag = twin.etag();
    for patch in [
        json!({}),
        json!({"x": null}),
        json!({"x": {}}),
        json!({"a": {"c": null}}),
    ] {
        assert_eq!(notified(&mut twin, Mode::Patch, patch), Value::Null);
    }
    assert_eq!(twin.etag(), etag);
    assert_eq!(
        twin.device_view()["desired"],
        json!({"a": {"b": 1}, "$version": 2})
    );
}

#[test]
fn metadata_mirrors_the_tree() {
    let mut twin = twin_with(json!({"a": {"b": 1, "c": 2}}));
    twin.update(
        Mode::Patch,
        desired(json!({"a": {"b": 5}, "d": [1, {"e": 1}]})),
        "LATER",
    )
    .unwrap();
    let metadata = twin.service_view()["properties"]["desired"]["$metadata"].clone();
    let later = json!({"$lastUpdated": "LATER", "$lastUpdatedVersion": 3});
    assert_eq!(metadata["$lastUpdatedVersion"], 3);
    assert_eq!(metadata["a"]["b"], later);
    assert_eq!(metadata["a"]["$lastUpdatedVersion"], 3);
    assert_eq!(
        metadata["a"]["c"],
        json!({"$lastUpdated": T, "$lastUpdatedVersion": 2})
    );
    assert_eq!(metadata["d"], later);
    twin.update(Mode::Patch, desired(json!({"a": null})), "LAST")
        .unwrap();
    assert!(
        twin.service_view()["properties"]["desired"]["$metadata"]
            .get("a")
            .is_none()
    );
}

#[test]
fn reported_counts_every_patch_and_leaves_the_etag() {
    let mut twin = Twin::new(T);
    let etag = twin.etag();
    let patch = object(json!({"s": {"ok": true}}));
    assert_eq!(twin.report(&patch, T), Ok(2));
    assert_eq!(twin.report(&patch, T), Ok(3));
    assert_eq!(twin.report(&object(json!({"s": null})), T), Ok(4));
    assert_eq!(twin.device_view()["reported"], json!({"$version": 4}));
    assert_eq!(twin.etag(), etag);
}

#[test]
fn tags_stand_for_themselves() {
    let mut twin = Twin::new(T);
    let tags = |value| Update {
        tags: Some(object(value)),
        desired: None,
    };
    assert_eq!(
        twin.update(Mode::Patch, tags(json!({"site": "a", "x": 1})), T),
        Ok(None)
    );
    assert_eq!(twin.etag(), "AAAAAAAAAAI=");
    assert_eq!(
        twin.update(Mode::Replace, tags(json!({"site": "b"})), T),
        Ok(None)
    );
    assert_eq!(twin.service_view()["tags"], json!({"site": "b"}));
    assert_eq!(twin.device_view()["desired"], json!({"$version": 1}));
    let error = twin
        .update(Mode::Patch, tags(json!({"a b": 1})), T)
        .unwrap_err();
    assert_eq!(error.pointer, "/tags/a b");
    let big = Map::from_iter([("k".to_owned(), Value::from("v".repeat(4000)))]);
    let big = Update {
        tags: Some(Map::from_iter(
            [("1", big.clone()), ("2", big.clone()), ("3", big)]
                .map(|(k, v)| (k.to_owned(), Value::Object(v))),
        )),
        desired: None,
    };
    assert_eq!(
        twin.update(Mode::Patch, big, T).unwrap_err().pointer,
        "/tags"
    );
}

fn nested(levels: usize, inner: Value) -> Value {
    (0..levels).fold(inner, |value, _| json!({ "n": value }))
}

#[test]
fn limits_name_the_place() {
    let refused = |value: Value| Twin::new(T).report(&object(value), T).unwrap_err().pointer;
    assert_eq!(refused(json!({"a": {"b.c": 1}})), "/a/b.c");
    assert_eq!(refused(json!({"$x": 1})), "/$x");
    assert_eq!(refused(json!({"a\u{85}": 1})), "/a\u{85}");
    assert_eq!(
        refused(json!({"a/b": {"c~d": "x".repeat(4097)}})),
        "/a~1b/c~0d"
    );
    assert_eq!(
        refused(json!({"k".repeat(1025): 1})),
        format!("/{}", "k".repeat(1025))
    );
    assert_eq!(refused(json!({"a": 4_503_599_627_370_496_i64})), "/a");
    assert_eq!(refused(json!({"a": -4_503_599_627_370_497_i64})), "/a");
    assert_eq!(refused(json!({"a": u64::MAX})), "/a");
    assert_eq!(refused(json!({"a": [1, null]})), "/a/1");
    assert_eq!(refused(json!({"a": [{"b": null}]})), "/a/0/b");
    assert_eq!(
        refused(nested(12, json!(1))),
        format!("{}/n", "/n".repeat(10))
    );
    assert_eq!(
        refused(nested(11, json!([]))),
        format!("{}/n", "/n".repeat(10))
    );
}

#[test]
fn limits_allow_their_own_edge() {
    for good in [
        json!({"a": 4_503_599_627_370_495_i64, "b": -4_503_599_627_370_496_i64, "c": 1e300}),
        json!({"k".repeat(1024): "x".repeat(4096), "#": "ä", "\u{a0}": []}),
        nested(11, json!(1)),
        nested(10, json!([])),
    ] {
        Twin::new(T).report(&object(good), T).unwrap();
    }
}

#[test]
fn size_is_counted_over_the_merged_section() {
    let mut twin = Twin::new(T);
    let part = |key: &str, n: usize| object(json!({ key: "x".repeat(n) }));
    for n in 0..8 {
        twin.report(&part(&n.to_string(), 4095), T).unwrap();
    }
    assert_eq!(
        twin.report(&part("9", 1), T).unwrap_err().pointer,
        "/reported"
    );
    assert_eq!(twin.report(&part("7", 4095), T), Ok(10));
}

#[test]
fn huge_integers_are_not_taken_for_floats() {
    for bad in [
        "{\"a\":100000000000000000000}",
        "{\"s\":\"\\\"1\",\"a\":[-99999999999999999999]}",
    ] {
        assert!(
            parse_object(bad.as_bytes())
                .unwrap_err()
                .contains("integer"),
            "{bad}"
        );
    }
    for good in [
        "{\"a\":1e300}",
        "{\"a\":\"100000000000000000000\"}",
        "{\"a\\\\\":1.0}",
    ] {
        parse_object(good.as_bytes()).unwrap();
    }
    for bad in ["", "[]", "1", "{", "{\"a\":1}x", "\u{feff}{}"] {
        assert!(parse_object(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(parse_object(b"{\"a\":\"\xff\"}").is_err());
    assert!(parse_object(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()).is_err());
}

fn documents() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i16>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(json!([1, 2])),
    ];
    let value = leaf.prop_recursive(3, 20, 4, |inner| {
        proptest::collection::btree_map("[a-d]", inner, 0..4)
            .prop_map(|m| Value::Object(m.into_iter().collect()))
    });
    proptest::collection::btree_map("[a-d]", value, 0..4).prop_map(|m| m.into_iter().collect())
}

proptest! {
    /// A client that merges every notification holds the hub's own document.
    #[test]
    fn merging_notifications_gives_the_desired_section(
        steps in proptest::collection::vec((any::<bool>(), documents()), 1..8)
    ) {
        let mut twin = Twin::new(T);
        let mut client = Map::new();
        for (replace, document) in steps {
            let mode = if replace { Mode::Replace } else { Mode::Patch };
            let update = Update { desired: Some(document), tags: None };
            // A replacement with a null in it is refused and changes nothing.
            if let Ok(Some(mut patch)) = twin.update(mode, update, T) {
                let version = patch.remove("$version").unwrap();
                prop_assert_eq!(&version, &twin.device_view()["desired"]["$version"]);
                merge(&mut client, &mut Map::new(), &patch, &Stamp { time: "", version: None });
            }
            prop_assert_eq!(&client, &twin.desired.values);
        }
    }

    #[test]
    fn hostile_bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(patch) = parse_object(&body) {
            let _ = Twin::new(T).report(&patch, T);
        }
    }
}
