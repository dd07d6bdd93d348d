//! What needs a driver that misbehaves; the histories with a good one are in `core/tests`.

use serde_json::json;

use super::*;
use crate::identity::{Identity, SignError};

fn at(mono_ms: u64) -> Now {
    Now {
        mono_ms,
        unix_ms: mono_ms.saturating_add(1_700_000_000_000),
    }
}

fn module() -> Module {
    let parts = (
        "h.example".parse().unwrap(),
        "d".parse().unwrap(),
        "m".parse().unwrap(),
    );
    let identity = Identity::new(parts.0, parts.1, Some(parts.2));
    Module::new(ModuleOptions::new(identity, Authentication::Key, 1), at(0)).unwrap()
}

fn actions(module: &mut Module) -> Vec<Action> {
    std::iter::from_fn(|| module.poll_action()).collect()
}

fn connect(module: &mut Module, now: u64) -> ConnectionId {
    module.connect(at(now));
    let id = actions(module)
        .iter()
        .find_map(|a| {
            if let Action::Sign { id, .. } = a {
                Some(*id)
            } else {
                None
            }
        })
        .unwrap();
    module.handle(
        at(now),
        Input::Signed {
            id,
            result: Ok([1; 32]),
        },
    );
    actions(module)
        .iter()
        .find_map(|a| {
            if let Action::Connect(c) = a {
                Some(c.connection)
            } else {
                None
            }
        })
        .unwrap()
}

/// Signed in and subscribed; gives the connection and the topic of the read.
fn reading(module: &mut Module) -> (ConnectionId, String) {
    let connection = connect(module, 0);
    module.handle(
        at(1),
        Input::Connected {
            connection,
            session_present: false,
        },
    );
    let subscribe = actions(module);
    let [Action::Subscribe { id, filters, .. }] = subscribe.as_slice() else {
        panic!("one SUBSCRIBE, not {subscribe:?}");
    };
    assert_eq!(filters.len(), 2);
    module.handle(
        at(2),
        Input::Subscribed {
            connection,
            id: *id,
            granted: true,
        },
    );
    let read = actions(module);
    let [
        Action::Publish {
            topic,
            qos: QoS::AtMostOnce,
            ..
        },
    ] = read.as_slice()
    else {
        panic!("one read, not {read:?}");
    };
    (connection, topic.clone())
}

#[test]
fn the_order_is_sign_connect_subscribe_read() {
    let mut module = module();
    let (connection, topic) = reading(&mut module);
    let answer = answer_to(&topic);
    let message = |connection| Input::Message {
        connection,
        topic: &answer,
        payload: EMPTY_TWIN,
    };
    module.handle(at(3), message(ConnectionId(77)));
    assert_eq!(
        module.state(),
        State::WaitingForTwin,
        "another connection's message"
    );
    module.handle(at(4), message(connection));
    assert_eq!(module.state(), State::Running);
    module.handle(at(5), message(connection));
    assert_eq!(module.statistics().messages_ignored, 2);
}

#[test]
fn a_foreign_record_is_told_in_one_short_line() {
    let identity = format!("x\ny{}", "z".repeat(100_000));
    let record = json!({"format": 1, "identity": identity}).to_string();
    let refused = module().restore(record.as_bytes()).unwrap_err().to_string();
    assert!(refused.contains("not of h.example"), "{refused}");
    assert!(!refused.contains('\n') && refused.len() < 500);
}

#[test]
fn late_news_is_ignored() {
    let mut module = module();
    let connection = running(&mut module);
    let cause = || CloseCause {
        kind: CloseKind::Peer,
        detail: String::new(),
    };
    let old = ConnectionId(connection.0.wrapping_sub(1));
    let late = [
        Input::Closed {
            connection: old,
            cause: cause(),
        },
        Input::Refused {
            connection,
            code: 5,
        },
        Input::Connected {
            connection,
            session_present: true,
        },
        Input::Signed {
            id: SignId(1),
            result: Err(SignError::new("late")),
        },
        Input::Acknowledged {
            connection,
            id: PacketId(9),
        },
        Input::Subscribed {
            connection,
            id: PacketId(1),
            granted: false,
        },
    ];
    for input in late {
        module.handle(at(6), input);
        assert_eq!(module.state(), State::Running);
        assert!(actions(&mut module).is_empty());
    }
    module.handle(
        at(7),
        Input::Closed {
            connection,
            cause: cause(),
        },
    );
    assert_eq!(module.state(), State::Connecting, "the next attempt");
}

#[test]
fn a_refused_subscription_is_a_lost_connection() {
    let mut module = module();
    let connection = connect(&mut module, 0);
    module.handle(
        at(1),
        Input::Connected {
            connection,
            session_present: false,
        },
    );
    let id = PacketId(1);
    module.handle(
        at(2),
        Input::Subscribed {
            connection,
            id,
            granted: false,
        },
    );
    assert_eq!(module.state(), State::Disconnected);
    assert!(matches!(
        actions(&mut module).first(),
        Some(Action::Disconnect { .. })
    ));
}

#[test]
fn an_unanswered_subscription_ends_in_time() {
    let mut module = module();
    let connection = connect(&mut module, 0);
    module.handle(
        at(1),
        Input::Connected {
            connection,
            session_present: false,
        },
    );
    let deadline = module.next_deadline().unwrap();
    assert_eq!(deadline, 20_001);
    module.handle_timeout(at(deadline - 1));
    assert_eq!(module.state(), State::WaitingForTwin);
    module.handle_timeout(at(deadline));
    assert_eq!(module.state(), State::Disconnected);
}

#[test]
fn a_driver_that_fetches_nothing_costs_bounded_memory() {
    let mut module = module();
    module.connect(at(0));
    let mut now = 0;
    for n in 0..20_000 {
        now = module.next_deadline().unwrap_or(now).max(now + 1);
        module.handle_timeout(at(now));
        module.handle(
            at(now),
            Input::Signed {
                id: SignId(n),
                result: Ok([0; 32]),
            },
        );
        module.set_reported(at(now), json!({ "n": n })).unwrap();
        module.refresh(at(now));
    }
    let actions = actions(&mut module);
    assert!(actions.len() < 10, "{} actions", actions.len());
    assert!(module.pending_events() <= 65);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut module = module();
    let _ = reading(&mut module);
    module.handle_timeout(at(10_000));
    let deadline = module.next_deadline();
    module.handle_timeout(at(0));
    module.refresh(at(0));
    assert_eq!(module.next_deadline(), deadline);
}

#[test]
fn closing_at_any_time_says_goodbye_and_nothing_else() {
    for steps in 0..4 {
        let mut module = module();
        let mut open = None;
        if steps > 0 {
            open = Some(connect(&mut module, 0));
        }
        if let (true, Some(connection)) = (steps > 1, open) {
            module.handle(
                at(1),
                Input::Connected {
                    connection,
                    session_present: false,
                },
            );
        }
        if steps > 2 {
            module.handle(
                at(2),
                Input::Subscribed {
                    connection: open.unwrap(),
                    id: PacketId(1),
                    granted: true,
                },
            );
        }
        actions(&mut module);
        module.close(at(3));
        let goodbye = actions(&mut module);
        match open {
            None => assert!(goodbye.is_empty()),
            Some(expected) => assert!(
                matches!(goodbye.as_slice(), [Action::Disconnect { connection }] if *connection == expected),
                "{goodbye:?}"
            ),
        }
        assert_eq!(module.state(), State::Closed);
        assert_eq!(module.next_deadline(), None);
        assert_eq!(module.requests_in_flight(), 0);
        module.handle_timeout(at(1_000_000));
        assert!(actions(&mut module).is_empty());
    }
}

#[test]
fn an_input_does_not_show_its_signature() {
    let (id, result) = (SignId(3), Ok([171; 32]));
    let shown = format!("{:?}", Input::Signed { id, result });
    assert!(shown.contains("hidden"), "{shown}");
    assert!(!shown.contains("171"), "{shown}");
}

/// The read was answered by the hub before it took the patch, and arrives after the patch's answer.
/// Taking it for what the hub has would lose the difference to the next document.
#[test]
fn a_read_overtaken_by_a_patch_says_nothing_about_the_reported_section() {
    for patch_first in [false, true] {
        let mut module = module_without_section();
        let connection = running(&mut module);
        let (mut read, mut patch) = (None, None);
        for step in [patch_first, !patch_first] {
            if step {
                module.set_reported(at(10), json!({"a": 1})).unwrap();
                patch = rid(&mut module);
            } else {
                module.refresh(at(10));
                read = rid(&mut module);
            }
        }
        let taken = format!("$iothub/twin/res/204/?$rid={}&$version=2", patch.unwrap());
        module.handle(
            at(20),
            Input::Message {
                connection,
                topic: &taken,
                payload: b"",
            },
        );
        let old = format!("$iothub/twin/res/200/?$rid={}", read.unwrap());
        module.handle(
            at(21),
            Input::Message {
                connection,
                topic: &old,
                payload: EMPTY_TWIN,
            },
        );
        module.set_reported(at(30), json!({})).unwrap();
        let sent = actions(&mut module);
        assert!(
            sent.iter().any(
                |a| matches!(a, Action::Publish { payload, .. } if payload == br#"{"a":null}"#)
            ),
            "{sent:?}"
        );
    }
}

/// A patch that timed out is answered after all, and after the read that was to find out.
#[test]
fn the_late_answer_to_a_patch_makes_the_hub_be_read_again() {
    let mut module = module_without_section();
    let connection = running(&mut module);
    module.set_reported(at(10), json!({"a": 1})).unwrap();
    let patch = rid(&mut module).unwrap();
    module.handle_timeout(at(20_010));
    let read = rid(&mut module).unwrap();
    module.set_reported(at(20_011), json!({})).unwrap();
    let answer = format!("$iothub/twin/res/200/?$rid={read}");
    module.handle(
        at(20_020),
        Input::Message {
            connection,
            topic: &answer,
            payload: EMPTY_TWIN,
        },
    );
    assert_eq!(
        rid(&mut module),
        None,
        "as far as anyone can tell, all is well"
    );
    let late = format!("$iothub/twin/res/204/?$rid={patch}&$version=2");
    module.handle(
        at(20_030),
        Input::Message {
            connection,
            topic: &late,
            payload: b"",
        },
    );
    assert!(rid(&mut module).is_some(), "a read");
    module.handle(
        at(20_040),
        Input::Message {
            connection,
            topic: &late,
            payload: b"",
        },
    );
    assert_eq!(rid(&mut module), None, "once");
}

const EMPTY_TWIN: &[u8] = br#"{"desired":{"$version":1},"reported":{"$version":1}}"#;

fn module_without_section() -> Module {
    let mut options = ModuleOptions::new(module().identity, Authentication::Key, 1);
    options.report_configuration = false;
    Module::new(options, at(0)).unwrap()
}

fn running(module: &mut Module) -> ConnectionId {
    let (connection, topic) = reading(module);
    let answer = answer_to(&topic);
    module.handle(
        at(3),
        Input::Message {
            connection,
            topic: &answer,
            payload: EMPTY_TWIN,
        },
    );
    assert_eq!(module.state(), State::Running);
    actions(module);
    connection
}

fn answer_to(topic: &str) -> String {
    format!(
        "$iothub/twin/res/200/?$rid={}",
        topic.rsplit('=').next().unwrap()
    )
}

/// The request id of the request that is to be sent now.
fn rid(module: &mut Module) -> Option<String> {
    actions(module).iter().find_map(|action| match action {
        Action::Publish { topic, .. } => topic.rsplit('=').next().map(str::to_owned),
        _ => None,
    })
}
