//! A hub that is wrong, broken, slow or hostile: the cause has the right name, `close` returns in
//! time, and the module goes on trying.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use serde_json::json;
use support::{
    Ca, LONG, Peer, Twin, accept, encode, good_hub, hold, lost, options, packet, publish, running,
    tls,
};
use twinguard_client::{
    ClientOptions, CloseKind, ErrorKind, ModuleClient, State, Trouble, TroubleKind,
};

/// Far more than `close` needs, far less than any time-out of the network.
const CLOSE: Duration = Duration::from_millis(800);

/// Connects, gives the first trouble, and closes in time in whatever state the module is.
fn trouble_of(options: ClientOptions) -> Trouble {
    let client = options.build().unwrap();
    client.connect().unwrap();
    let trouble = lost(&client);
    closes_in_time(&client);
    trouble
}

fn closes_in_time(client: &ModuleClient) {
    let started = Instant::now();
    client.close(CLOSE).unwrap();
    assert!(
        started.elapsed() < CLOSE + Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(client.state(), State::Closed);
}

fn is(trouble: &Trouble, kind: CloseKind, words: &str) {
    assert_eq!(
        trouble.kind,
        TroubleKind::Connection(kind),
        "{}",
        trouble.message
    );
    assert!(
        trouble.message.contains(words),
        "{}: expected {words:?}",
        trouble.message
    );
    assert!(!trouble.message.contains('\n'));
}

#[test]
fn a_certificate_of_another_ca_is_refused_by_name() {
    let (ca, other) = (Ca::new(), Ca::new());
    let hub = good_hub(&other, Twin::new(json!({})));
    let trouble = trouble_of(hub.options(&ca));
    is(&trouble, CloseKind::Certificate, "unknown CA");
    assert!(trouble.message.contains("localhost"), "{}", trouble.message);
}

#[test]
fn a_certificate_for_another_name_is_refused_by_name() {
    let ca = Ca::new();
    let hub = Peer::tls(ca.server("elsewhere.example"), |_, stream| hold(stream));
    let trouble = trouble_of(hub.options(&ca));
    is(&trouble, CloseKind::Certificate, "wrong name");
    assert!(
        trouble.message.contains("elsewhere.example"),
        "{}",
        trouble.message
    );
}

#[test]
fn an_expired_certificate_is_refused_by_name() {
    let ca = Ca::new();
    let hub = Peer::tls(ca.server_valid("localhost", (2020, 2021)), |_, stream| {
        hold(stream)
    });
    is(
        &trouble_of(hub.options(&ca)),
        CloseKind::Certificate,
        "expired",
    );
}

#[test]
fn the_bundled_roots_do_not_trust_a_local_ca() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let text = format!(
        "HostName=localhost:{};DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0",
        hub.address.port()
    );
    let options = ClientOptions::from_connection_string(&text).unwrap();
    is(&trouble_of(options), CloseKind::Certificate, "unknown CA");
}

#[test]
fn a_refused_tcp_connection_is_told_with_its_address() {
    let ca = Ca::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let trouble = trouble_of(options(&format!("127.0.0.1:{port}"), &ca));
    is(&trouble, CloseKind::Network, &format!("127.0.0.1:{port}"));
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    let ca = Ca::new();
    // RFC 6761: .invalid never resolves. A machine without DNS fails sooner, or not in time.
    let trouble = trouble_of(options("hub.invalid", &ca));
    let kinds = [CloseKind::Dns, CloseKind::Timeout].map(TroubleKind::Connection);
    assert!(kinds.contains(&trouble.kind), "{trouble:?}");
    assert!(
        trouble.message.contains("hub.invalid"),
        "{}",
        trouble.message
    );
}

#[test]
fn a_peer_that_never_answers_tls_is_given_up_in_time() {
    let ca = Ca::new();
    let hub = Peer::start(|_, socket| hold(socket));
    is(&trouble_of(hub.options(&ca)), CloseKind::Timeout, "TLS");
}

#[test]
fn a_hub_that_never_answers_connect_is_given_up_in_time() {
    let ca = Ca::new();
    let hub = Peer::tls(ca.server("localhost"), |_, stream| hold(stream));
    is(&trouble_of(hub.options(&ca)), CloseKind::Timeout, "CONNACK");
}

#[test]
fn a_tcp_backlog_that_never_accepts_is_given_up_in_time() {
    let ca = Ca::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", silent.local_addr().unwrap().port());
    is(
        &trouble_of(options(&host, &ca)),
        CloseKind::Timeout,
        "localhost",
    );
}

#[test]
fn bytes_that_are_not_tls_are_told() {
    let ca = Ca::new();
    let hub = Peer::start(|_, mut socket| {
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        hold(socket)
    });
    is(&trouble_of(hub.options(&ca)), CloseKind::Tls, "localhost");
}

#[test]
fn bytes_that_are_not_mqtt_are_told() {
    let ca = Ca::new();
    for bytes in [
        &b"\x00\x00"[..],
        b"\xff\xff\xff\xff\xff",
        b"\x20\x01\x00",
        b"GET / HTTP/1.1\r\n",
    ] {
        let hub = Peer::tls(ca.server("localhost"), move |_, mut stream| {
            packet(&mut stream)?;
            stream.write_all(bytes)?;
            stream.flush()?;
            hold(stream)
        });
        is(
            &trouble_of(hub.options(&ca)),
            CloseKind::Protocol,
            "localhost",
        );
    }
}

#[test]
fn packets_that_no_hub_may_send_end_the_connection() {
    let ca = Ca::new();
    let qos2 = encode(0x34, b"\x00\x01t\x00\x01x");
    let bad_topic = encode(0x30, b"\x00\x02\xff\xfe");
    let unasked_suback = encode(0x90, &[0, 9, 0]);
    let unasked_puback = encode(0x40, &[0, 9]);
    let second_connack = encode(0x20, &[0, 0]);
    // Announces 268,435,455 bytes; nothing of that is allocated.
    let giant = b"\x30\xff\xff\xff\x7f".to_vec();
    for bytes in [
        bad_topic,
        qos2,
        unasked_suback,
        unasked_puback,
        second_connack,
        giant,
    ] {
        let sent = bytes.clone();
        let hub = Peer::tls(ca.server("localhost"), move |_, mut stream| {
            accept(&mut stream)?;
            stream.write_all(&sent)?;
            stream.flush()?;
            hold(stream)
        });
        let trouble = trouble_of(hub.options(&ca));
        assert!(
            trouble.message.contains("the hub"),
            "{bytes:?}: {}",
            trouble.message
        );
        is(&trouble, CloseKind::Protocol, "localhost");
    }
}

#[test]
fn a_hub_that_closes_in_the_middle_of_a_packet_is_a_peer_that_closed() {
    let ca = Ca::new();
    let hub = Peer::tls(ca.server("localhost"), |_, mut stream| {
        accept(&mut stream)?;
        stream.write_all(&publish("$iothub/twin/res/200/?$rid=1", b"{}")[..9])?;
        stream.flush()?;
        stream.sock.shutdown(Shutdown::Both)
    });
    is(&trouble_of(hub.options(&ca)), CloseKind::Peer, "closed");
}

#[test]
fn a_peer_that_closes_in_the_handshake_is_a_peer_that_closed() {
    let ca = Ca::new();
    let hub = Peer::start(|_, mut socket| {
        socket.read_exact(&mut [0; 16])?;
        socket.shutdown(Shutdown::Both)
    });
    let trouble = trouble_of(hub.options(&ca));
    assert_eq!(
        trouble.kind,
        TroubleKind::Connection(CloseKind::Peer),
        "{}",
        trouble.message
    );
}

#[test]
fn a_reset_is_noticed_at_once() {
    let ca = Ca::new();
    let server = ca.server("localhost");
    let (twin, first_twin) = (Twin::new(json!({})), std::sync::Once::new());
    let hub = Peer::start(move |_, socket| {
        let mut stream = tls(&server, socket)?;
        let mut reset = false;
        first_twin.call_once(|| reset = true);
        loop {
            let (first, body) = packet(&mut stream)?;
            let Some(answer) = support::answer(first, &body, &twin) else {
                return Ok(());
            };
            stream.write_all(&answer)?;
            stream.flush()?;
            if reset && first == 0x30 {
                // Closing with a linger time of zero sends RST.
                let linger = nix::libc::linger {
                    l_onoff: 1,
                    l_linger: 0,
                };
                setsockopt(&stream.sock, sockopt::Linger, &linger)?;
                return Ok(());
            }
        }
    });
    let client = hub.options(&ca).build().unwrap();
    client.connect().unwrap();
    let trouble = lost(&client);
    assert_eq!(
        trouble.kind,
        TroubleKind::Connection(CloseKind::Peer),
        "{}",
        trouble.message
    );
    client.wait_running(LONG).unwrap();
    assert!(client.statistics().connections_lost >= 1);
    closes_in_time(&client);
}

#[test]
fn a_refused_credential_ends_the_waiting_at_once() {
    let ca = Ca::new();
    let hub = Peer::tls(ca.server("localhost"), |_, mut stream| {
        packet(&mut stream)?;
        stream.write_all(&encode(0x20, &[0, 5]))?;
        stream.flush()
    });
    let client = hub.options(&ca).build().unwrap();
    client.connect().unwrap();
    let started = Instant::now();
    let error = client.wait_running(LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(started.elapsed() < LONG / 2);
    closes_in_time(&client);
}

#[test]
fn a_time_out_names_the_last_trouble_and_the_module_goes_on() {
    let ca = Ca::new();
    let (server, twin) = (ca.server("localhost"), Twin::new(json!({})));
    let hub = Peer::start(move |number, socket| {
        if number == 0 {
            return hold(socket);
        }
        support::serve(&mut tls(&server, socket)?, &twin)
    });
    let client = hub.options(&ca).build().unwrap();
    client.connect().unwrap();
    lost(&client);
    let error = client.wait_running(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        error.to_string().contains("no TLS handshake in time"),
        "{error}"
    );
    client.wait_running(LONG).unwrap();
    closes_in_time(&client);
}

#[test]
fn a_hub_that_falls_silent_is_noticed_within_one_and_a_half_keep_alives() {
    let ca = Ca::new();
    let twin = Twin::new(json!({}));
    let hub = Peer::tls(ca.server("localhost"), move |_, mut stream| {
        loop {
            let (first, body) = packet(&mut stream)?;
            if first == 0xc0 {
                // Reads on, but never answers again.
                return hold(stream);
            }
            let Some(answer) = support::answer(first, &body, &twin) else {
                return Ok(());
            };
            stream.write_all(&answer)?;
            stream.flush()?;
        }
    });
    let client = running(hub.options(&ca)).unwrap();
    let started = Instant::now();
    let trouble = lost(&client);
    is(&trouble, CloseKind::Timeout, "silent");
    assert!(
        started.elapsed() > Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    closes_in_time(&client);
}

#[test]
fn a_hub_that_does_not_read_does_not_hold_up_close_or_reports() {
    let ca = Ca::new();
    let hub = Peer::tls(ca.server("localhost"), |_, mut stream| {
        accept(&mut stream)?;
        std::thread::sleep(LONG);
        drop(stream);
        Ok(())
    });
    let client = hub.options(&ca).build().unwrap();
    client.connect().unwrap();
    let started = Instant::now();
    for count in 0..200 {
        let text = "x".repeat(4_000);
        client
            .set_reported(json!({ "n": count, "text": text }))
            .unwrap();
    }
    assert!(started.elapsed() < LONG / 2, "{:?}", started.elapsed());
    closes_in_time(&client);
}

#[test]
fn a_flood_does_not_starve_the_neighbour_on_the_same_thread() {
    let ca = Ca::new();
    let flood = Peer::tls(ca.server("localhost"), |_, mut stream| {
        accept(&mut stream)?;
        let message = publish("devices/x/modules/y/messages/devicebound/", &[b'x'; 60_000]);
        loop {
            stream.write_all(&message)?;
        }
    });
    let good = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    let runtime = twinguard_client::Runtime::new().unwrap();
    let mut options = flood.options(&ca);
    options.runtime(&runtime);
    let flooded = options.build().unwrap();
    flooded.connect().unwrap();
    while flooded.statistics().bytes_in < 1_000_000 {
        std::thread::yield_now();
    }
    let mut options = good.options(&ca);
    options.runtime(&runtime);
    let neighbour = running(options).unwrap();
    for _ in 0..20 {
        neighbour.get_twin(LONG).unwrap();
    }
    assert_eq!(runtime.thread_count(), 1);
    closes_in_time(&flooded);
    neighbour.get_twin(LONG).unwrap();
    closes_in_time(&neighbour);
}

#[test]
fn one_byte_at_a_time_is_as_good_as_any() {
    let ca = Ca::new();
    let twin = Twin::new(json!({ "a": [1, 2, 3] }));
    let hub = Peer::tls(ca.server("localhost"), move |_, mut stream| {
        loop {
            let (first, body) = packet(&mut stream)?;
            let Some(answer) = support::answer(first, &body, &twin) else {
                return Ok(());
            };
            for byte in answer {
                stream.write_all(&[byte])?;
                stream.flush()?;
            }
        }
    });
    let client = running(hub.options(&ca)).unwrap();
    assert_eq!(*client.twin().desired, json!({ "a": [1, 2, 3] }));
    closes_in_time(&client);
}

#[test]
fn a_second_connection_resumes_the_tls_session() {
    let ca = Ca::new();
    let kinds = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, twin, server) = (kinds.clone(), Twin::new(json!({})), ca.server("localhost"));
    let hub = Peer::start(move |_, socket| {
        let mut stream = tls(&server, socket)?;
        seen.lock().unwrap().push(stream.conn.handshake_kind());
        // One full answer round, then away: the client comes back.
        for _ in 0..3 {
            let (first, body) = packet(&mut stream)?;
            let Some(answer) = support::answer(first, &body, &twin) else {
                return Ok(());
            };
            stream.write_all(&answer)?;
            stream.flush()?;
        }
        stream.conn.send_close_notify();
        stream.flush()
    });
    let client = hub.options(&ca).build().unwrap();
    client.connect().unwrap();
    lost(&client);
    lost(&client);
    closes_in_time(&client);
    let kinds = kinds.lock().unwrap();
    assert_eq!(kinds[0], Some(rustls::HandshakeKind::Full));
    assert_eq!(kinds[1], Some(rustls::HandshakeKind::Resumed));
}

#[test]
fn a_hub_that_speaks_only_tls_1_2_is_as_good() {
    let ca = Ca::new();
    let versions = [&rustls::version::TLS12];
    let server = ca.server_speaking("localhost", (2020, 2090), &versions);
    let twin = Twin::new(json!({ "a": 1 }));
    let hub = Peer::tls(server, move |_, mut stream| {
        support::serve(&mut stream, &twin)
    });
    let client = running(hub.options(&ca)).unwrap();
    assert_eq!(*client.twin().desired, json!({ "a": 1 }));
    closes_in_time(&client);
}
