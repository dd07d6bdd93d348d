use proptest::prelude::*;

use super::*;

#[test]
fn our_topics_are_the_documented_ones() {
    assert_eq!(twin_get(7), "$iothub/twin/GET/?$rid=7");
    assert_eq!(
        twin_patch_reported("a1"),
        "$iothub/twin/PATCH/properties/reported/?$rid=a1"
    );
    let device = Identity::new("h".parse().unwrap(), "d%1".parse().unwrap(), None);
    assert_eq!(
        telemetry(&device, "").unwrap(),
        "devices/d%1/messages/events/"
    );
    let module = "$m".parse().ok();
    let module = Identity::new("h".parse().unwrap(), "d".parse().unwrap(), module);
    let topic = telemetry(&module, "%24.ct=a").unwrap();
    assert_eq!(topic, "devices/d/modules/$m/messages/events/%24.ct=a");
    for id in ["a+b", "a#"] {
        let module = Identity::new("h".parse().unwrap(), "d".parse().unwrap(), id.parse().ok());
        assert!(telemetry(&module, "").is_err(), "{id}");
    }
}

#[test]
fn answers_are_understood_in_any_order() {
    let answer = |status, rid, version| Incoming::TwinResponse {
        status,
        rid,
        version,
    };
    let cases = [
        ("$iothub/twin/res/200/?$rid=7", answer(200, "7", None)),
        (
            "$iothub/twin/res/204/?$rid=a-b&$version=12",
            answer(204, "a-b", Some(12)),
        ),
        (
            "$iothub/twin/res/204/?$version=12&$rid=7",
            answer(204, "7", Some(12)),
        ),
        (
            "$iothub/twin/res/204/?new=1&$version=12&x&$rid=7&$rid=8",
            answer(204, "7", Some(12)),
        ),
        (
            "$iothub/twin/res/429/?$rid=7&retry-after=3",
            answer(429, "7", None),
        ),
        ("$iothub/twin/res/200/$rid=7", answer(200, "7", None)),
        (
            "$iothub/twin/res/204/?$rid=7&$version=-1",
            answer(204, "7", None),
        ),
        (
            "$iothub/twin/res/204/?$rid=7&$version=18446744073709551616",
            answer(204, "7", None),
        ),
        (
            "$iothub/twin/res/204/?$rid=7&$version=",
            answer(204, "7", None),
        ),
        (
            "$iothub/twin/res/204/?$rid=7&$version=18446744073709551615",
            answer(204, "7", Some(u64::MAX)),
        ),
    ];
    for (topic, expected) in cases {
        assert_eq!(parse(topic), expected, "{topic}");
    }
}

#[test]
fn changes_are_understood() {
    let desired = "$iothub/twin/PATCH/properties/desired";
    for (tail, version) in [
        ("/?$version=5", Some(5)),
        ("/$version=5", Some(5)),
        ("/?a=1&$version=5", Some(5)),
        ("/", None),
        ("", None),
        ("/?$version=five", None),
    ] {
        assert_eq!(
            parse(&format!("{desired}{tail}")),
            Incoming::DesiredPatch { version },
            "{tail}"
        );
    }
}

#[test]
fn what_is_malformed_or_foreign_is_other() {
    for topic in [
        "",
        "/",
        "$iothub",
        "$iothub/twin/res/",
        "$iothub/twin/res/200",
        "$iothub/twin/res/200/",
        "$iothub/twin/res/200/?$rid=",
        "$iothub/twin/res/200/?rid=7",
        "$iothub/twin/res/20/?$rid=7",
        "$iothub/twin/res/0200/?$rid=7",
        "$iothub/twin/res/099/?$rid=7",
        "$iothub/twin/res/+20/?$rid=7",
        "$iothub/twin/res/2é/?$rid=7",
        "$iothub/twin/res/99999999999999999999/?$rid=7",
        "$iothub/TWIN/res/200/?$rid=7",
        "$iothub/twin/PATCH/properties/desiredx",
        "$iothub/twin/PATCH/properties/reported/?$rid=1",
        "$iothub/methods/POST/reboot/?$rid=1",
        "devices/d/modules/m/messages/events/",
    ] {
        assert_eq!(parse(topic), Incoming::Other, "{topic}");
    }
}

proptest! {
    #[test]
    fn no_topic_makes_the_parser_panic(topic in any::<String>()) {
        let _ = parse(&topic);
    }

    #[test]
    fn no_tail_makes_the_parser_panic(
        head in prop::sample::select(vec!["$iothub/twin/res/", DESIRED]),
        tail in "[0-9/?$&=ridversonéx]{0,40}",
    ) {
        if let Incoming::TwinResponse { status, rid, .. } = parse(&format!("{head}{tail}")) {
            prop_assert!((100..=999).contains(&status) && !rid.is_empty());
        }
    }

    #[test]
    fn what_a_hub_writes_comes_back(
        status in 100_u16..1000,
        rid in "[a-zA-Z0-9-]{1,36}",
        version in any::<u64>(),
    ) {
        let topic = format!("$iothub/twin/res/{status}/?$rid={rid}&$version={version}");
        let expected = Incoming::TwinResponse { status, rid: &rid, version: Some(version) };
        prop_assert_eq!(parse(&topic), expected);
    }
}
