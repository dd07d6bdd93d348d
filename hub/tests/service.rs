//! The REST API: addresses, rights, ETags, errors, bounds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};
use support::*;
use tokio_rustls::rustls::version;
use twinguard_hub::Hub;

fn call(hub: &Hub, method: &str, path: &str, body: &str) -> (u16, String, Value) {
    rest(hub, method, path, &[("Authorization", &owner(hub))], body)
}

fn guarded(hub: &Hub, method: &str, path: &str, etag: &str, body: &str) -> (u16, String, Value) {
    let headers = [("Authorization", &*owner(hub)), ("If-Match", etag)];
    rest(hub, method, path, &headers, body)
}

#[test]
fn identities_from_birth_to_death() {
    let hub = start();
    let (status, _, device) = call(&hub, "PUT", "/devices/d?api-version=2021-04-12", "{}");
    assert_eq!((status, &device["status"]), (200, &json!("enabled")));
    let key = device["authentication"]["symmetricKey"]["primaryKey"]
        .as_str()
        .unwrap();
    assert_eq!(key.len(), 44);
    let (status, code, body) = call(&hub, "PUT", "/devices/d", "{}");
    assert_eq!((status, &*code), (409, "DeviceAlreadyExists"));
    assert!(
        body["Message"]
            .as_str()
            .unwrap()
            .starts_with("ErrorCode:DeviceAlreadyExists;")
    );
    assert!(
        body["ExceptionMessage"]
            .as_str()
            .unwrap()
            .starts_with("Tracking ID:")
    );
}

#[test]
fn modules_live_and_die_under_etags() {
    let hub = start();
    hub.create_device("d").unwrap();
    // An id with everything that is allowed, percent-encoded as clients do.
    let module = "/devices/d/modules/a%2Bb%25c%23%3F%40%24%27";
    let (status, _, body) = call(&hub, "PUT", module, r#"{"managedBy":"me"}"#);
    assert_eq!((status, &body["moduleId"]), (200, &json!("a+b%c#?@$'")));
    assert_eq!(call(&hub, "GET", module, "").2["managedBy"], "me");
    assert_eq!(
        call(&hub, "GET", "/devices/d/modules", "")
            .2
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        call(&hub, "GET", "/devices?top=1", "")
            .2
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let etag = format!("\"{}\"", body["etag"].as_str().unwrap());
    assert_eq!(guarded(&hub, "PUT", module, &etag, "{}").0, 200);
    assert_eq!(
        guarded(&hub, "PUT", module, &etag, "{}").1,
        "PreconditionFailed"
    );
    assert_eq!(guarded(&hub, "PUT", module, "\"*\"", "{}").0, 200);
    assert_eq!(
        guarded(&hub, "PUT", "/devices/x", "*", "{}").1,
        "DeviceNotFound"
    );
    assert_eq!(guarded(&hub, "DELETE", module, "\"AAAA\"", "").0, 412);
    assert_eq!(guarded(&hub, "DELETE", "/devices/d", "*", "").0, 204);
    assert_eq!(call(&hub, "GET", module, "").1, "DeviceNotFound");
    assert_eq!(
        call(&hub, "GET", &format!("/twins/{DEVICE}/modules/x"), "").1,
        "ModuleNotFound"
    );
}

#[test]
fn bad_identities_are_refused() {
    let hub = start();
    for (path, body) in [
        ("/devices/a%20b", "{}"),
        ("/devices/a%2Fb", "{}"),
        ("/devices/d", ""),
        ("/devices/d", "[]"),
        ("/devices/d", r#"{"deviceId":"e"}"#),
        ("/devices/d", r#"{"status":"asleep"}"#),
        (
            "/devices/d",
            r#"{"authentication":{"symmetricKey":{"primaryKey":"short"}}}"#,
        ),
        (
            "/devices/d",
            r#"{"authentication":{"symmetricKey":{"primaryKey":"!!"}}}"#,
        ),
        ("/devices/d", r#"{"authentication":{"type":"magic"}}"#),
        ("/devices/%FF", "{}"),
    ] {
        assert_eq!(call(&hub, "PUT", path, body).0, 400, "{path} {body}");
    }
    assert_eq!(
        call(&hub, "PUT", "/devices/nobody/modules/m", "{}").1,
        "DeviceNotFound"
    );
    for n in 1..50 {
        hub.create_module(DEVICE, &format!("m{n}")).unwrap();
    }
    let fifty_first = format!("/devices/{DEVICE}/modules/m50");
    assert_eq!(
        call(&hub, "PUT", &fifty_first, "{}").1,
        "TooManyModulesOnDevice"
    );
}

#[test]
fn twins_are_patched_and_replaced_under_etags() {
    let hub = start();
    let path = format!("/twins/{DEVICE}/modules/{MODULE}?api-version=2021-04-12");
    let (_, _, twin) = call(&hub, "GET", &path, "");
    assert_eq!(
        (&twin["etag"], &twin["version"]),
        (&json!("AAAAAAAAAAE="), &json!(2))
    );
    let patch = r#"{"tags":{"t":1},"properties":{"desired":{"a":1,"b":null}}}"#;
    let (status, _, twin) = guarded(&hub, "PATCH", &path, "\"AAAAAAAAAAE=\"", patch);
    assert_eq!((status, &twin["tags"]), (200, &json!({"t": 1})));
    assert_eq!(twin["properties"]["desired"]["$version"], 2);
    assert_eq!(
        guarded(&hub, "PATCH", &path, "\"AAAAAAAAAAE=\"", patch).0,
        412
    );
    for any in ["*", "\"*\""] {
        assert_eq!(guarded(&hub, "PATCH", &path, any, patch).0, 200);
    }
    // A whole twin sent back, metadata and all.
    let (_, _, twin) = call(&hub, "GET", &path, "");
    assert_eq!(call(&hub, "PUT", &path, &twin.to_string()).0, 200);
    let (_, _, twin) = call(&hub, "PUT", &path, r#"{"properties":{"desired":{"c":1}}}"#);
    assert_eq!(twin["tags"], json!({}));
    assert!(twin["properties"]["desired"].get("a").is_none());
    for bad in [
        "",
        "[]",
        r#"{"properties":1}"#,
        r#"{"tags":1}"#,
        r#"{"properties":{"desired":[]}}"#,
        r#"{"properties":{"desired":{"a.b":1}}}"#,
        r#"{"properties":{"desired":{"a":99999999999999999999}}}"#,
        r#"{"tags":{"$t":1}}"#,
    ] {
        assert_eq!(
            call(&hub, "PATCH", &path, bad).1,
            "ArgumentInvalid",
            "{bad}"
        );
    }
    assert_eq!(call(&hub, "GET", &path, "").2["etag"], twin["etag"]);
}

#[test]
fn every_policy_has_its_rights_and_no_more() {
    let hub = start();
    let twin = format!("/twins/{DEVICE}/modules/{MODULE}");
    let device = format!("/devices/{DEVICE}");
    for (policy, may) in [
        ("iothubowner", [200, 200, 200]),
        ("service", [401, 401, 200]),
        ("registryRead", [200, 401, 401]),
        ("registryReadWrite", [200, 200, 401]),
        ("device", [401, 401, 401]),
    ] {
        let connection_string = hub.policy_connection_string(policy).unwrap();
        let key = part(&connection_string, "SharedAccessKey");
        let token = token(key, "localhost:8443", unix_now() + 60, Some(policy));
        let ask = |method, path: &str, body| {
            let headers = [("Authorization", &*token), ("If-Match", "*")];
            rest(&hub, method, path, &headers, body).0
        };
        let got = [
            ask("GET", &device, ""),
            ask("PUT", &device, "{}"),
            ask("GET", &twin, ""),
        ];
        assert_eq!(got, may, "{policy}");
    }
}

#[test]
fn tokens_are_checked_before_anything_else() {
    let hub = start();
    let key = hub.service_connection_string();
    let key = part(&key, "SharedAccessKey");
    let now = unix_now();
    let owner = |resource: &str, expiry| token(key, resource, expiry, Some("iothubowner"));
    for (what, token) in [
        ("expired", owner("localhost", now - 302)),
        ("another hub", owner("example.com", now + 60)),
        (
            "another resource",
            owner("localhost/devices/other", now + 60),
        ),
        ("no policy", token(key, "localhost", now + 60, None)),
        (
            "unknown policy",
            token(key, "localhost", now + 60, Some("root")),
        ),
        ("not a token", "Basic YTpi".to_owned()),
    ] {
        let answer = rest(
            &hub,
            "GET",
            "/devices/nobody",
            &[("Authorization", &token)],
            "",
        );
        assert_eq!(
            (answer.0, &*answer.1),
            (401, "IotHubUnauthorizedAccess"),
            "{what}"
        );
    }
    for (method, path) in [
        ("GET", "/devices/nobody"),
        ("PUT", "/devices/d"),
        ("GET", "/x"),
    ] {
        assert_eq!(rest(&hub, method, path, &[], "").0, 401, "{path}");
    }
    let narrow = owner(&format!("localhost/devices/{DEVICE}"), now + 60);
    let path = format!("/devices/{DEVICE}");
    assert_eq!(
        rest(&hub, "GET", &path, &[("Authorization", &narrow)], "").0,
        200
    );
}

#[test]
fn messages_and_faults_by_rest() {
    let hub = start();
    let mut client = Client::connect(&hub);
    let topic = format!("devices/{DEVICE}/modules/{MODULE}/messages/events/");
    for n in 1..=3 {
        client.send(&publish(&topic, b"{}", 1, n));
        client.receive();
    }
    let path = format!("/twinguard/messages?deviceId={DEVICE}&moduleId={MODULE}");
    let (_, _, all) = call(&hub, "GET", &path, "");
    assert_eq!(all.as_array().unwrap().len(), 3);
    let (_, _, one) = call(&hub, "GET", &format!("{path}&after=1&top=1"), "");
    assert_eq!(one[0]["sequenceNumber"], 2);
    assert_eq!(call(&hub, "DELETE", &path, "").2, json!({"cleared": 3}));
    assert_eq!(call(&hub, "GET", &path, "").2, json!([]));
    assert_eq!(call(&hub, "GET", &format!("{path}&top=x"), "").0, 400);

    let fault = json!({"deviceId": DEVICE, "moduleId": MODULE, "fault": {"kind": "cut"}});
    assert_eq!(
        call(&hub, "POST", "/twinguard/faults", &fault.to_string()).0,
        204
    );
    assert_eq!(client.ended(), Ended::Reset);
    for bad in [
        r#"{"kind":"magic"}"#,
        r#"{"kind":"refuseWith","code":0}"#,
        r#"{"kind":"answerTwinWith","status":200,"count":1}"#,
        r#"{"kind":"delay","milliseconds":99999999999}"#,
        r#"{"kind":"garbage"}"#,
    ] {
        let body = format!(r#"{{"deviceId":"{DEVICE}","fault":{bad}}}"#);
        assert_eq!(
            call(&hub, "POST", "/twinguard/faults", &body).0,
            400,
            "{bad}"
        );
    }
    let path = "/twinguard/faults";
    let nobody = r#"{"deviceId":"nobody","fault":{"kind":"cut"}}"#;
    assert_eq!(call(&hub, "POST", path, nobody).1, "DeviceNotFound");
}

#[test]
fn hostile_requests_hurt_nobody_else() {
    let hub = start();
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/devices/d"),
        ("GET", "/devices/d/modules/m/x"),
        ("TRACE", "/twins/d"),
        ("GET", "/twinguard/nothing"),
    ] {
        assert_eq!(call(&hub, method, path, "").0, 404, "{method} {path}");
    }
    let big = format!("{{\"tags\":{{\"a\":\"{}\"}}}}", "x".repeat(5 << 20));
    let path = format!("/twins/{DEVICE}");
    let mut tls = connect_tls(&hub, hub.https_addr(), &[&version::TLS12]);
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        big.len()
    );
    let _ = tls
        .write_all(head.as_bytes())
        .and_then(|()| tls.write_all(big.as_bytes()));
    let mut answer = [0; 12];
    if tls.read_exact(&mut answer).is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    let mut garbage = connect_tls(&hub, hub.https_addr(), &[&version::TLS13]);
    garbage.write_all(b"\x16\x03\x01 not http\r\n\r\n").unwrap();
    let _ = garbage.read(&mut [0; 64]);
    assert_eq!(call(&hub, "GET", &format!("/devices/{DEVICE}"), "").0, 200);
}
