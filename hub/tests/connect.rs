//! Who gets in, who is refused how, and what ends a connection.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use support::*;
use tokio_rustls::rustls::version;
use twinguard_hub::HubOptions;

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let hub = start();
    for version in [&version::TLS12, &version::TLS13] {
        let mut client = Client {
            tls: connect_tls(&hub, hub.mqtt_addr(), &[version]),
        };
        let clean = Login {
            clean_session: true,
            ..Login::new(&hub)
        };
        client.send(&clean.packet());
        assert_eq!(client.receive(), (0x20, vec![0, 0]));
        client.ping();
    }
}

#[test]
fn a_client_certificate_is_asked_for_and_never_demanded() {
    let hub = start();
    let key = rcgen::generate_simple_self_signed([DEVICE.to_owned()]).unwrap();
    for version in [&version::TLS12, &version::TLS13] {
        let certificate = Some((key.cert.der().clone(), key.signing_key.serialize_der()));
        let tls = connect_tls_with(&hub, hub.mqtt_addr(), &[version], certificate);
        let mut client = Client { tls };
        client.send(&Login::new(&hub).packet());
        assert_eq!(client.receive().1[1], 0);
        assert_eq!(client.tls.conn.peer_certificates().map(<[_]>::len), Some(1));
    }
}

#[test]
fn every_failure_to_prove_who_one_is_gets_return_code_5() {
    let hub = start();
    let good = Login::new(&hub);
    let key = hub.create_module(DEVICE, MODULE).unwrap();
    let key = part(&key, "SharedAccessKey").to_owned();
    let resource = format!("localhost/devices/{DEVICE}/modules/{MODULE}");
    let later = unix_now() + 3600;
    let with = |change: &dyn Fn(&mut Login)| {
        let mut login = good.clone();
        change(&mut login);
        login
    };
    let device = format!("localhost/devices/{DEVICE}-2/modules/{MODULE}");
    for (what, login) in [
        ("no password", with(&|l| l.password.clear())),
        ("not a token", with(&|l| l.password = "x".into())),
        (
            "expired",
            with(&|l| l.password = token(&key, &resource, unix_now() - 302, None)),
        ),
        (
            "other resource",
            with(&|l| l.password = token(&key, &device, later, None)),
        ),
        (
            "unknown policy",
            with(&|l| l.password = token(&key, &resource, later, Some("x"))),
        ),
        (
            "policy without right",
            with(&|l| l.password = token(&key, "localhost", later, Some("service"))),
        ),
        (
            "unknown module",
            with(&|l| {
                l.client_id = format!("{DEVICE}/x");
                l.username = format!("localhost/{DEVICE}/x/?api-version=1");
            }),
        ),
        ("other client id", with(&|l| l.client_id = DEVICE.into())),
        (
            "other hub",
            with(&|l| l.username = l.username.replace("localhost", "example.com")),
        ),
        ("bad user name", with(&|l| l.username = "me".into())),
    ] {
        let (mut client, present, code) = Client::login(&hub, &login);
        assert_eq!((present, code), (0, 5), "{what}");
        assert_eq!(client.ended(), Ended::Closed, "{what}");
    }
}

#[test]
fn the_host_is_compared_without_case_and_port() {
    let hub = start();
    let key = hub.create_module(DEVICE, MODULE).unwrap();
    let key = part(&key, "SharedAccessKey").to_owned();
    for host in ["LOCALHOST", "localhost:8883", "127.0.0.1", "[::1]:1"] {
        let resource = format!("{host}/devices/{DEVICE}/modules/{MODULE}");
        let mut login = Login::new(&hub);
        login.username = format!("{host}/{DEVICE}/{MODULE}/?api-version=1&DeviceClientType=x%2F");
        login.password = token(&key, &resource, unix_now() + 60, None);
        assert_eq!(Client::login(&hub, &login).2, 0, "{host}");
    }
}

#[test]
fn a_policy_key_and_a_token_for_the_device_path_work_too() {
    let hub = start();
    let mut login = Login::new(&hub);
    login.password = owner(&hub);
    assert_eq!(Client::login(&hub, &login).2, 0);
    let key = hub.create_module(DEVICE, MODULE).unwrap();
    let prefix = format!("localhost/devices/{DEVICE}");
    login.password = token(
        part(&key, "SharedAccessKey"),
        &prefix,
        unix_now() + 60,
        None,
    );
    assert_eq!(Client::login(&hub, &login).2, 0);
}

#[test]
fn protocol_faults_are_closed_without_connack() {
    let hub = start();
    let good = Login::new(&hub).packet();
    let level_5 = {
        let mut packet = good.clone();
        let level = packet.windows(4).position(|w| w == b"MQTT").unwrap() + 4;
        packet[level] = 5;
        packet
    };
    for (what, bytes) in [
        ("PINGREQ first", vec![0xC0, 0]),
        ("PUBLISH first", publish("a", b"", 0, 0)),
        ("MQTT 5", level_5),
        (
            "bad remaining length",
            vec![0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        ),
        ("huge CONNECT", vec![0x10, 0xFF, 0xFF, 0x7F]),
    ] {
        let mut client = Client::raw(&hub);
        client.send(&bytes);
        assert_eq!(client.ended(), Ended::Closed, "{what}");
    }
    Client::connect(&hub).ping();
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    let mut options = HubOptions::memory();
    options.request_timeout = Duration::from_millis(300);
    options.handshake_timeout = Duration::from_secs(2);
    let hub = start_with(options);
    assert_eq!(
        Client::raw(&hub)
            .tls
            .flush()
            .map(|()| Ended::Closed)
            .unwrap(),
        Ended::Closed
    );
    let mut client = Client::raw(&hub);
    client.send(&Login::new(&hub).packet()[..10]);
    assert_eq!(client.ended(), Ended::Closed);
    let mut silent = TcpStream::connect(hub.mqtt_addr()).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn what_a_module_may_not_send_ends_its_connection_alone() {
    let hub = start();
    hub.create_module(DEVICE, "other").unwrap();
    let telemetry = format!("devices/{DEVICE}/modules/{MODULE}/messages/events/");
    let too_big = vec![b'x'; 256 * 1024 + 1];
    let bag = format!("{telemetry}a={}", "b".repeat(2000));
    for (what, bytes) in [
        ("second CONNECT", Login::new(&hub).packet()),
        ("QoS 2", publish(&telemetry, b"x", 2, 1)),
        ("QoS 3", publish(&telemetry, b"x", 3, 1)),
        ("unknown topic", publish("a/b", b"x", 0, 0)),
        (
            "another module's topic",
            publish(&telemetry.replace(MODULE, "other"), b"x", 1, 1),
        ),
        (
            "the device's topic",
            publish(&format!("devices/{DEVICE}/messages/events/"), b"x", 1, 1),
        ),
        (
            "GET without a request id",
            publish("$iothub/twin/GET/", b"", 0, 0),
        ),
        ("bad UTF-8 topic", packet(0x30, &[0, 2, 0xC3, 0x28])),
        (
            "wildcard topic",
            publish("$iothub/twin/GET/?$rid=#", b"", 0, 0),
        ),
        (
            "bad UTF-8 bag",
            publish(&format!("{telemetry}a=%FF"), b"", 0, 0),
        ),
        ("oversize", publish(&telemetry, &too_big, 0, 0)),
        (
            "oversize with its properties",
            publish(&bag, &too_big[..256 * 1024 - 1000], 0, 0),
        ),
        ("huge packet", vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F]),
        ("bad filter", subscribe(1, &[("#", 0)])),
        (
            "filter of another module",
            subscribe(1, &[(&format!("devices/{DEVICE}/modules/other/#"), 0)]),
        ),
        ("packet id 0", publish(&telemetry, b"x", 1, 0)),
        ("CONNACK", vec![0x20, 2, 0, 0]),
        ("PUBREL", vec![0x62, 2, 0, 1]),
    ] {
        let mut client = Client::connect(&hub);
        client.send(&bytes);
        // An oversize packet may still be on its way when the hub resets.
        let end = client.ended();
        assert!(
            end == Ended::Closed || bytes.len() > 100_000,
            "{what}: {end:?}"
        );
    }
    assert_eq!(hub.messages(DEVICE, MODULE).len(), 0);
    Client::connect(&hub).ping();
}

#[test]
fn five_subscriptions_and_no_more() {
    let hub = start();
    let mut client = Client::connect(&hub);
    let inputs = format!("devices/{DEVICE}/modules/{MODULE}/inputs/#");
    let all = format!("devices/{DEVICE}/modules/{MODULE}/#");
    // QoS 2 is granted as 1; several filters in one packet are fine, and the same one again too.
    assert_eq!(
        client.subscribe(&[(RES, 2), (DESIRED, 1), (&inputs, 0)]),
        [1, 1, 0]
    );
    assert_eq!(
        client.subscribe(&[("$iothub/methods/POST/#", 2), (&all, 1), (RES, 0)]),
        [1, 1, 0]
    );
    client.send(&packet(
        0xA2,
        &[&[0, 9][..], &string(all.as_bytes())].concat(),
    ));
    assert_eq!(client.receive(), (0xB0, vec![0, 9]));
    assert_eq!(client.subscribe(&[(&all, 1)]), [1]);
    client.ping();
}

#[test]
fn mid_packet_ends_and_pieces_do_not_matter() {
    let hub = start();
    let bytes = Login::new(&hub).packet();
    for cut in [1, 2, 10, bytes.len() - 1] {
        Client::raw(&hub).send(&bytes[..cut]);
    }
    let mut client = Client::raw(&hub);
    for byte in bytes {
        client.send(&[byte]);
    }
    assert_eq!(client.receive(), (0x20, vec![0, 0]));
    // Several packets in one piece.
    client.send(&[0xC0, 0, 0xC0, 0, 0xC0, 0]);
    for _ in 0..3 {
        assert_eq!(client.receive().0, 0xD0);
    }
}

#[test]
fn the_newest_connection_wins() {
    let hub = start();
    let mut older = Client::ready(&hub);
    let (mut newer, present, code) = Client::login(&hub, &Login::new(&hub));
    assert_eq!((present, code), (1, 0));
    assert_eq!(older.ended(), Ended::Closed);
    assert!(hub.is_connected(DEVICE, MODULE));
    // The newcomer has the subscriptions of the session.
    hub.patch_desired(DEVICE, MODULE, json!({"a": 1})).unwrap();
    let (topic, body) = newer.message();
    assert_eq!(topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    assert_eq!(body, br#"{"$version":2,"a":1}"#);
}

#[test]
fn kept_sessions() {
    let hub = start();
    let clean = Login {
        clean_session: true,
        ..Login::new(&hub)
    };
    let kept = Login::new(&hub);
    assert_eq!(
        Client::login(&hub, &kept).1,
        0,
        "nothing kept before the first time"
    );
    assert_eq!(Client::login(&hub, &kept).1, 1);
    Client::ready(&hub);
    let (mut client, present, _) = Client::login(&hub, &clean);
    assert_eq!(present, 0);
    // Without the subscription there is no answer, only the PINGRESP.
    client.send(&publish("$iothub/twin/GET/?$rid=1", b"", 0, 0));
    client.ping();
    let (mut client, present, _) = Client::login(&hub, &kept);
    assert_eq!(present, 0, "a clean session wipes the kept one");
    client.subscribe(&[(RES, 0)]);
    drop(client);
    let (mut client, present, _) = Client::login(&hub, &kept);
    assert_eq!(present, 1);
    assert_eq!(client.get_twin()["desired"], json!({"$version": 1}));
    hub.clear_session(DEVICE, MODULE).unwrap();
    assert_eq!(client.ended(), Ended::Closed);
    assert_eq!(Client::login(&hub, &kept).1, 0);
}

#[test]
fn a_token_ends_its_connection() {
    let hub = start();
    let started = Instant::now();
    let (mut client, _, code) = Client::login(&hub, &Login::until(&hub, unix_now() + 3));
    assert_eq!(code, 0);
    client.ping();
    assert_eq!(client.ended(), Ended::Closed);
    assert!(
        started.elapsed() > Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
    // Within the clock skew a token still opens the door, and the connection stays.
    let (mut client, _, code) = Client::login(&hub, &Login::until(&hub, unix_now() - 200));
    assert_eq!(code, 0);
    client.ping();
}

#[test]
fn silence_ends_a_connection_after_one_and_a_half_keep_alives() {
    let hub = start();
    let login = Login {
        keep_alive: 2,
        ..Login::new(&hub)
    };
    let (mut client, _, _) = Client::login(&hub, &login);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_secs(1));
        client.ping();
    }
    let quiet = Instant::now();
    assert_eq!(client.ended(), Ended::Closed);
    assert!(
        quiet.elapsed() > Duration::from_secs(1),
        "{:?}",
        quiet.elapsed()
    );
    assert!(!hub.is_connected(DEVICE, MODULE));
}

#[test]
fn a_will_is_a_message_unless_the_client_says_goodbye() {
    let hub = start();
    let topic = format!("devices/{DEVICE}/modules/{MODULE}/messages/events/a=1");
    let login = Login {
        will: Some((topic, b"gone".to_vec())),
        ..Login::new(&hub)
    };
    let (mut client, _, _) = Client::login(&hub, &login);
    client.send(&[0xE0, 0]);
    assert_eq!(client.ended(), Ended::Closed);
    assert_eq!(hub.messages(DEVICE, MODULE).len(), 0);
    drop(Client::login(&hub, &login));
    until("the will", || hub.messages(DEVICE, MODULE).len() == 1);
    let message = &hub.messages(DEVICE, MODULE)[0];
    assert_eq!(message["body"], "gone");
    assert_eq!(
        message["properties"],
        json!({"a": "1", "iothub-MessageType": "Will"})
    );
}

#[test]
fn reasons_are_told_to_the_log_in_one_harmless_line() {
    let lines = Arc::new(Mutex::new(Vec::<String>::new()));
    let sink = Arc::clone(&lines);
    let mut options = HubOptions::memory();
    options.log = Some(Arc::new(move |line| {
        sink.lock().unwrap().push(line.to_owned())
    }));
    let hub = start_with(options);
    let mut login = Login::new(&hub);
    login.client_id = format!("evil\x1b[2J\n{}", "x".repeat(10_000));
    assert_eq!(Client::login(&hub, &login).2, 5);
    login = Login::new(&hub);
    login.password = login.password.replace("&se=", "&se=1");
    assert_eq!(Client::login(&hub, &login).2, 5);
    until("two lines", || lines.lock().unwrap().len() >= 2);
    let lines = lines.lock().unwrap();
    assert!(lines[0].starts_with("evil\u{fffd}[2J\u{fffd}x") && lines[0].len() < 1000);
    assert_eq!(
        lines[1],
        format!("{DEVICE}/{MODULE}: refused: token signature does not match")
    );
}

#[test]
fn one_connection_too_many_is_dropped() {
    let mut options = HubOptions::memory();
    options.max_connections = 2;
    let hub = start_with(options);
    let mut first = Client::connect(&hub);
    hub.create_module(DEVICE, "other").unwrap();
    let _second = TcpStream::connect(hub.mqtt_addr()).unwrap();
    let mut third = TcpStream::connect(hub.mqtt_addr()).unwrap();
    third
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(third.read(&mut [0; 16]).unwrap_or(0), 0);
    first.ping();
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let mut options = HubOptions::memory();
    options.max_queued_bytes = 256 * 1024;
    let hub = start_with(options);
    let _client = Client::ready(&hub);
    let big = json!({"a": "x".repeat(4000), "b": "x".repeat(4000), "c": "x".repeat(4000)});
    for _ in 0..20_000 {
        if !hub.is_connected(DEVICE, MODULE) {
            return;
        }
        hub.patch_desired(DEVICE, MODULE, big.clone()).unwrap();
    }
    panic!("240 MB were queued for a client that does not read");
}

#[test]
fn stopping_closes_connections() {
    let hub = start();
    let mut client = Client::connect(&hub);
    let address = hub.mqtt_addr();
    hub.stop();
    assert_eq!(client.ended(), Ended::Closed);
    assert!(TcpStream::connect(address).is_err());
}
