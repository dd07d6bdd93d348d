//! Twins over MQTT: topics, shapes, status codes, versions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::*;

#[test]
fn read_write_read() {
    let hub = start();
    let mut client = Client::ready(&hub);
    assert_eq!(
        client.get_twin(),
        json!({"desired": {"$version": 1}, "reported": {"$version": 1}})
    );
    let (topic, body) = client.report(br#"{"a":{"b":1},"c":[1,"x"]}"#);
    assert_eq!(topic, "$iothub/twin/res/204/?$rid=r&$version=2");
    assert_eq!(body, b"");
    let (topic, _) = client.report(br#"{"a":null}"#);
    assert_eq!(topic, "$iothub/twin/res/204/?$rid=r&$version=3");
    hub.patch_desired(DEVICE, MODULE, json!({"x": 1.5}))
        .unwrap();
    client.message();
    assert_eq!(
        client.get_twin(),
        json!({"desired": {"x": 1.5, "$version": 2}, "reported": {"c": [1, "x"], "$version": 3}})
    );
    let twin = hub.module_twin(DEVICE, MODULE).unwrap();
    assert_eq!(twin["connectionState"], "Connected");
    assert!(twin["properties"]["reported"]["$metadata"]["c"]["$lastUpdated"].is_string());
}

#[test]
fn qos_1_is_acknowledged_before_the_answer() {
    let hub = start();
    let mut client = Client::ready(&hub);
    client.send(&publish("$iothub/twin/GET/?$rid=q", b" ", 1, 77));
    assert_eq!(client.receive(), (0x40, vec![0, 77]));
    assert_eq!(client.message().0, "$iothub/twin/res/200/?$rid=q");
    client.send(&publish("$iothub/methods/res/200/?$rid=1", b"{}", 1, 78));
    assert_eq!(client.receive(), (0x40, vec![0, 78]));
}

#[test]
fn every_broken_rule_is_a_400_with_a_body() {
    let hub = start();
    let mut client = Client::ready(&hub);
    let deep = (0..12).fold("1".to_owned(), |inner, _| format!("{{\"a\":{inner}}}"));
    let big: Value = (0..9)
        .map(|n| (n.to_string(), Value::from("x".repeat(4000))))
        .collect();
    for bad in [
        "",
        "{",
        "[]",
        "\"text\"",
        "{\"a b\":1}",
        "{\"a.b\":1}",
        "{\"$a\":1}",
        "{\"a\":4503599627370496}",
        "{\"a\":123456789012345678901234567890}",
        "{\"a\":[null]}",
        &format!("{{\"a\":\"{}\"}}", "x".repeat(4097)),
        &format!("{{\"{}\":1}}", "k".repeat(1025)),
        &deep,
        &big.to_string(),
    ] {
        let (topic, body) = client.report(bad.as_bytes());
        assert_eq!(topic, "$iothub/twin/res/400/?$rid=r", "{bad:.60}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errorCode"], 400_004, "{bad:.60}");
        for field in ["trackingId", "message", "timestampUtc"] {
            assert!(body[field].is_string(), "{field}");
        }
    }
    client.report(b"\xFF");
    assert_eq!(client.get_twin()["reported"], json!({"$version": 1}));
}

#[test]
fn a_patch_without_a_request_id_is_applied_in_silence() {
    let hub = start();
    let mut client = Client::ready(&hub);
    client.send(&publish(
        "$iothub/twin/PATCH/properties/reported/",
        b"{\"a\":1}",
        1,
        5,
    ));
    assert_eq!(client.receive(), (0x40, vec![0, 5]));
    assert_eq!(
        client.get_twin()["reported"],
        json!({"a": 1, "$version": 2})
    );
}

#[test]
fn notifications_of_patch_and_replace() {
    let hub = start();
    let mut client = Client::ready(&hub);
    let mut next = || -> (String, Value) {
        let (topic, body) = client.message();
        (topic, serde_json::from_slice(&body).unwrap())
    };
    for (version, replace, change, told) in [
        (
            2,
            false,
            json!({"a": 1, "n": {"x": 1, "y": 2}}),
            json!({"a": 1, "n": {"x": 1, "y": 2}}),
        ),
        (3, false, json!({"a": 1}), json!({"a": 1})),
        (
            4,
            false,
            json!({"n": {"x": null}}),
            json!({"n": {"x": null}}),
        ),
        (
            5,
            true,
            json!({"n": {"z": 1}}),
            json!({"a": null, "n": {"y": null, "z": 1}}),
        ),
        (6, true, json!({}), json!({"n": null})),
    ] {
        if replace {
            hub.replace_desired(DEVICE, MODULE, change).unwrap();
        } else {
            hub.patch_desired(DEVICE, MODULE, change).unwrap();
        }
        let mut told = told;
        told["$version"] = version.into();
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        assert_eq!(next(), (topic, told));
    }
}

#[test]
fn nothing_is_queued_for_who_is_away() {
    let hub = start();
    drop(Client::ready(&hub));
    until("the disconnect", || !hub.is_connected(DEVICE, MODULE));
    hub.patch_desired(DEVICE, MODULE, json!({"a": 1})).unwrap();
    let mut client = Client::connect(&hub);
    client.ping();
    assert_eq!(client.get_twin()["desired"], json!({"a": 1, "$version": 2}));
}

#[test]
fn a_device_has_a_twin_of_its_own() {
    let hub = start();
    let connection_string = hub.create_device("alone").unwrap();
    let key = part(&connection_string, "SharedAccessKey");
    let login = Login {
        client_id: "alone".into(),
        username: "localhost/alone/?api-version=2021-04-12".into(),
        password: token(key, "localhost/devices/alone", unix_now() + 60, None),
        ..Login::new(&hub)
    };
    let (mut client, _, code) = Client::login(&hub, &login);
    assert_eq!(code, 0);
    client.subscribe(&[(RES, 0), ("devices/alone/messages/devicebound/#", 1)]);
    assert!(client.report(b"{\"a\":1}").0.contains("/204/"));
    client.send(&publish("devices/alone/messages/events/", b"hi", 1, 9));
    assert_eq!(client.receive(), (0x40, vec![0, 9]));
    assert_eq!(hub.messages("alone", None)[0]["moduleId"], Value::Null);
}

#[test]
fn messages_are_kept_with_their_properties() {
    let hub = start();
    let mut client = Client::connect(&hub);
    // The hub never sends a client its own messages, whatever it subscribed to.
    client.subscribe(&[(&format!("devices/{DEVICE}/modules/{MODULE}/#"), 1)]);
    let topic = format!("devices/{DEVICE}/modules/{MODULE}/messages/events/%24.ct=a%2fb&k=v&n");
    let mut bytes = publish(&topic, b"\xFF\x00", 1, 3);
    bytes[0] |= 0b1001;
    client.send(&bytes);
    assert_eq!(client.receive(), (0x40, vec![0, 3]));
    client.ping();
    let message = &hub.messages(DEVICE, MODULE)[0];
    assert_eq!(message["body"], Value::Null);
    assert_eq!(message["bodyBase64"], "/wA=");
    assert_eq!(
        message["properties"],
        json!({"k": "v", "n": null, "mqtt-retain": "true", "mqtt-dup": "true"})
    );
    assert_eq!(message["systemProperties"]["content-type"], "a/b");
    assert_eq!(
        message["systemProperties"]["iothub-message-source"],
        "Telemetry"
    );
    let method = &message["systemProperties"]["iothub-connection-auth-method"];
    assert_eq!(
        method,
        r#"{"issuer":"iothub","scope":"module","type":"sas"}"#
    );
}

#[test]
fn faults_do_what_they_say() {
    let hub = start();
    let mut client = Client::ready(&hub);

    hub.drop_twin_replies(DEVICE, MODULE, 1).unwrap();
    client.send(&publish(
        "$iothub/twin/PATCH/properties/reported/?$rid=1",
        b"{\"a\":1}",
        0,
        0,
    ));
    client.ping();
    assert_eq!(
        client.get_twin()["reported"],
        json!({"a": 1, "$version": 2}),
        "carried out"
    );

    hub.answer_twin_with(DEVICE, MODULE, 429, 1).unwrap();
    let (topic, body) = client.report(b"{\"a\":2}");
    assert_eq!(topic, "$iothub/twin/res/429/?$rid=r");
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap()["errorCode"],
        429_001
    );
    assert_eq!(client.get_twin()["reported"]["a"], 1, "not carried out");

    hub.garbage(DEVICE, MODULE, 1).unwrap();
    client.send(&publish("$iothub/twin/GET/?$rid=g", b"", 0, 0));
    assert!(serde_json::from_slice::<Value>(&client.message().1).is_err());

    hub.delay(DEVICE, MODULE, Duration::from_millis(300))
        .unwrap();
    let asked = std::time::Instant::now();
    client.ping();
    assert!(asked.elapsed().as_millis() >= 300);
    hub.clear_faults(DEVICE, MODULE).unwrap();

    hub.close_mid_packet(DEVICE, MODULE).unwrap();
    client.send(&publish("$iothub/twin/GET/?$rid=half", b"", 0, 0));
    assert!(client.try_receive().is_err());

    let mut client = Client::ready(&hub);
    hub.cut(DEVICE, MODULE).unwrap();
    assert_eq!(client.ended(), Ended::Reset);

    for code in [3, 5] {
        hub.refuse_with(DEVICE, MODULE, code).unwrap();
        assert_eq!(Client::login(&hub, &Login::new(&hub)).2, code);
    }
    hub.clear_faults(DEVICE, MODULE).unwrap();
    Client::connect(&hub).ping();
    assert!(hub.cut(DEVICE, "nobody").is_err());
}
