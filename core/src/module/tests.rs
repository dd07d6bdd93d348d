//! What needs a driver that misbehaves; the histories with a good one are in `core/tests`.

use serde_json::json;

use super::*;
use crate::identity::{Identity, SignError};

fn at(mono_ms: u64) -> Now {
    Now {
        mono_ms,
        unix_ms: 1_700_000_000_000 + mono_ms,
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
fn the_order_is_sign_connect_subscribe_read_and_inputs_of_others_are_ignored() {
    let mut module = module();
    let (connection, topic) = reading(&mut module);
    let rid = topic.strip_prefix("$iothub/twin/GET/?$rid=").unwrap();
    let answer = format!("$iothub/twin/res/200/?$rid={rid}");
    let payload = br#"{"desired":{"a":1,"$version":2},"reported":{"$version":1}}"#;
    let message = |connection| Input::Message {
        connection,
        topic: &answer,
        payload,
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
    let old = ConnectionId(connection.0 - 1);
    let cause = || CloseCause {
        kind: CloseKind::Peer,
        detail: String::new(),
    };
    module.handle(
        at(6),
        Input::Closed {
            connection: old,
            cause: cause(),
        },
    );
    module.handle(
        at(6),
        Input::Refused {
            connection,
            code: 5,
        },
    );
    module.handle(
        at(6),
        Input::Connected {
            connection,
            session_present: true,
        },
    );
    module.handle(
        at(6),
        Input::Signed {
            id: SignId(1),
            result: Err(SignError::new("late")),
        },
    );
    module.handle(
        at(6),
        Input::Acknowledged {
            connection,
            id: PacketId(9),
        },
    );
    assert_eq!(module.state(), State::Running);
    module.handle(
        at(7),
        Input::Closed {
            connection,
            cause: cause(),
        },
    );
    assert_eq!(module.state(), State::Disconnected);
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
