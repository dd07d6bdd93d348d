//! A life with a good hub: sign in, read, report, follow, close.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout};
use serde_json::json;
use support::{Ca, LONG, Peer, Twin, event_where, good_hub, packet, publish, running};
use twinguard_client::{ErrorKind, Event, ModuleClient, Origin, Runtime, State};

fn readable(client: &ModuleClient) -> bool {
    let mut fds = [PollFd::new(client.event_fd(), PollFlags::POLLIN)];
    nix::poll::poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
}

#[test]
fn it_signs_in_reads_its_twin_reports_and_closes() {
    let ca = Ca::new();
    let twin = Twin::new(json!({ "a": 1 }));
    let hub = good_hub(&ca, twin.clone());
    let client = running(hub.options(&ca)).unwrap();
    assert_eq!(client.state(), State::Running);
    let known = client.twin();
    assert_eq!(
        (&*known.desired, known.desired_version, known.synced),
        (&json!({"a": 1}), Some(7), true)
    );

    let generation = client.set_reported(json!({ "mine": [1, 2] })).unwrap();
    assert!(client.wait_reported(generation, LONG).unwrap().is_some());
    assert_eq!(twin.lock().unwrap().reported["mine"], json!([1, 2]));
    client
        .patch_reported(&json!({ "mine": null, "other": true }))
        .unwrap();
    let generation = client.patch_reported(&json!({ "more": "x" })).unwrap();
    client.wait_reported(generation, LONG).unwrap();
    assert_eq!(twin.lock().unwrap().reported.get("mine"), None);
    assert_eq!(twin.lock().unwrap().reported["other"], json!(true));

    twin.lock().unwrap().desired = json!({ "a": 1, "b": 2 });
    let fresh = client.get_twin(LONG).unwrap();
    assert_eq!(fresh.reported.unwrap()["more"], json!("x"));

    let statistics = client.statistics();
    assert_eq!(
        (statistics.connections, statistics.connections_lost),
        (1, 0)
    );
    assert!(
        statistics.bytes_in > 100 && statistics.bytes_out > 100,
        "{statistics:?}"
    );
    client.close(LONG).unwrap();
    assert_eq!(client.state(), State::Closed);
    client.close(LONG).unwrap();
}

#[test]
fn a_twin_that_is_requested_is_told_by_an_event_and_one_that_is_waited_for_is_not() {
    let ca = Ca::new();
    let twin = Twin::new(json!({ "a": 1 }));
    let hub = good_hub(&ca, twin.clone());
    let client = running(hub.options(&ca)).unwrap();
    while client.next_event(Duration::ZERO).unwrap().is_some() {}
    client.get_twin(LONG).unwrap();
    assert!(!readable(&client));
    let read = client.request_twin().unwrap();
    let told = event_where(&client, |event| match event {
        Event::Read(outcome) => Some(outcome.refresh),
        _ => None,
    });
    assert!(told >= read);
    let fresh = client.wait_twin(read, Duration::ZERO).unwrap();
    assert_eq!(*fresh.desired, json!({ "a": 1 }));
    client.close(LONG).unwrap();
}

#[test]
fn a_notification_becomes_an_event_with_old_and_new() {
    let ca = Ca::new();
    let twin = Twin::new(json!({ "a": 1, "gone": true }));
    let hub = Peer::tls(ca.server("localhost"), move |_, mut stream| {
        use std::io::Write;
        loop {
            let (first, body) = packet(&mut stream)?;
            let Some(answer) = support::answer(first, &body, &twin) else {
                return Ok(());
            };
            stream.write_all(&answer)?;
            if first == 0x30 && body.windows(8).any(|part| part == b"twin/GET") {
                let patch = br#"{"a":2,"gone":null,"$version":8}"#;
                let topic = "$iothub/twin/PATCH/properties/desired/?$version=8";
                stream.write_all(&publish(topic, patch))?;
            }
            stream.flush()?;
        }
    });
    let client = running(hub.options(&ca)).unwrap();
    let change = event_where(&client, |event| match event {
        Event::Desired(change) if change.version == Some(8) => Some(change.clone()),
        _ => None,
    });
    assert_eq!(change.origin, Origin::Hub);
    let changes = change.changes();
    let of = |pointer: &str| {
        changes
            .iter()
            .find(|change| change.pointer == pointer)
            .unwrap()
    };
    assert_eq!(
        (&of("/a").old, &of("/a").new),
        (&Some(json!(1)), &Some(json!(2)))
    );
    assert!(of("/gone").is_deletion());
    client.close(LONG).unwrap();
}

#[test]
fn the_descriptor_is_readable_exactly_while_events_wait() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let client = hub.options(&ca).build().unwrap();
    assert!(!readable(&client));
    client.connect().unwrap();
    let mut fds = [PollFd::new(client.event_fd(), PollFlags::POLLIN)];
    assert_eq!(
        nix::poll::poll(&mut fds, PollTimeout::from(20_000_u16)).unwrap(),
        1
    );
    client.wait_running(LONG).unwrap();
    client.get_twin(LONG).unwrap();
    while readable(&client) {
        assert!(client.next_event(Duration::ZERO).unwrap().is_some());
    }
    assert!(client.next_event(Duration::ZERO).unwrap().is_none());
    client.close(LONG).unwrap();
    assert!(readable(&client));
    while client.next_event(Duration::ZERO).is_ok() {
        assert!(readable(&client));
    }
    assert!(readable(&client), "closed is readable for ever");
}

#[test]
fn waiting_calls_end_when_the_module_is_closed() {
    let ca = Ca::new();
    let hub = Peer::start(|_, socket| support::hold(socket));
    let client = hub.options(&ca).build().unwrap();
    client.connect().unwrap();
    let (tell, ended) = mpsc::channel();
    for call in [
        |client: &ModuleClient| client.wait_running(LONG).map(drop),
        |client: &ModuleClient| client.get_twin(LONG).map(drop),
        |client: &ModuleClient| {
            let generation = client.set_reported(json!({}))?;
            client.wait_reported(generation, LONG).map(drop)
        },
        |client: &ModuleClient| loop {
            client.next_event(LONG)?;
        },
    ] {
        let (client, tell) = (client.clone(), tell.clone());
        std::thread::spawn(move || tell.send(call(&client)));
    }
    // Both are right: a call that had not begun yet ends with Closed as well.
    while hub.connections() == 0 {
        std::thread::yield_now();
    }
    client.close(LONG).unwrap();
    for _ in 0..4 {
        let error = ended.recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    for error in [
        client.connect().unwrap_err(),
        client.set_reported(json!({})).unwrap_err(),
        client.get_twin(LONG).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}

#[test]
fn two_modules_share_one_thread_and_it_ends_with_them() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let runtime = Runtime::new().unwrap();
    assert_eq!(runtime.thread_count(), 0);
    let clients: Vec<ModuleClient> = (0..2)
        .map(|_| {
            let mut options = hub.options(&ca);
            options.runtime(&runtime);
            running(options).unwrap()
        })
        .collect();
    assert_eq!(runtime.thread_count(), 1);
    for client in &clients {
        client.get_twin(LONG).unwrap();
        client.close(LONG).unwrap();
    }
    assert_eq!(runtime.thread_count(), 1, "a handle is left");
    let mut options = hub.options(&ca);
    options.runtime(&runtime);
    let last = running(options).unwrap();
    drop(clients);
    last.close(LONG).unwrap();
}

#[test]
fn what_is_called_in_the_wrong_state_or_with_wrong_values_is_named() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let client = hub.options(&ca).build().unwrap();
    let error = client.wait_running(LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongState);
    let error = client
        .set_reported(json!({ "a": { "b.c": 1 } }))
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.pointer()),
        (ErrorKind::TwinLimit, Some("/a/b.c"))
    );
    let error = client.wait_reported(99, LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(client.next_event(Duration::ZERO).unwrap().is_none());
    client.close(LONG).unwrap();

    let mut options = hub.options(&ca);
    options.keep_alive(Duration::from_secs(2));
    let error = options.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("keep_alive"), "{error}");
    let mut options = hub.options(&ca);
    options.keep_alive(Duration::from_millis(5_500));
    let error = options.build().unwrap_err();
    assert!(error.to_string().contains("5.5s"), "{error}");
}

#[test]
fn a_reported_document_set_before_the_connection_arrives() {
    let ca = Ca::new();
    let twin = Twin::new(json!({}));
    let hub = good_hub(&ca, twin.clone());
    let client = hub.options(&ca).build().unwrap();
    let generation = client.set_reported(json!({ "early": 1 })).unwrap();
    client.connect().unwrap();
    client.wait_reported(generation, LONG).unwrap();
    assert_eq!(twin.lock().unwrap().reported["early"], json!(1));
    client.close(LONG).unwrap();
}
