use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::module::event::{DesiredChange, Origin, ReadOutcome, State, StateChange};
use crate::module::io::CloseKind;

fn change(from: u64, to: u64) -> Event {
    let document = |n: u64| Arc::new(json!({ "n": n }));
    let (from, to_document) = (document(from), document(to));
    Event::Desired(DesiredChange {
        version: Some(to),
        from,
        to: to_document,
        origin: Origin::Hub,
    })
}

fn state(state: State) -> Event {
    Event::State(StateChange {
        state,
        trouble: None,
        retry_in_ms: None,
    })
}

fn acknowledged(generation: u64) -> Event {
    Event::Reported(ReportedOutcome::Acknowledged {
        generation,
        version: Some(generation),
    })
}

fn trouble(kind: TroubleKind, message: &str) -> Event {
    Event::Trouble(Trouble::new(kind, message, None))
}

fn drain(queue: &mut EventQueue) -> Vec<Event> {
    std::iter::from_fn(|| queue.pop()).collect()
}

#[test]
fn what_fits_comes_out_as_it_went_in() {
    let mut queue = EventQueue::new(8);
    let events = vec![
        state(State::Connecting),
        change(0, 1),
        state(State::Running),
        change(1, 2),
        acknowledged(1),
        acknowledged(2),
    ];
    events.iter().cloned().for_each(|event| queue.push(event));
    assert_eq!(queue.len(), 6);
    assert_eq!(drain(&mut queue), events);
    assert!(queue.is_empty());
    assert_eq!(queue.merged(), 0);
}

#[test]
fn when_full_each_kind_becomes_one_at_the_place_of_its_newest() {
    let mut queue = EventQueue::new(8);
    for n in 0..3 {
        queue.push(state(State::Disconnected));
        queue.push(change(n, n + 1));
        queue.push(acknowledged(n + 1));
    }
    let events = drain(&mut queue);
    assert!(
        matches!(&events[0], Event::Trouble(t) if t.kind == TroubleKind::Overflow),
        "merging is told first: {events:?}"
    );
    assert_eq!(
        events[1..],
        [state(State::Disconnected), change(0, 3), acknowledged(3)]
    );
    assert_eq!(queue.merged(), 6);
    queue.push(change(3, 4));
    assert_eq!(drain(&mut queue), [change(3, 4)], "overflow is told once");
}

#[test]
fn the_highest_outcome_of_each_kind_survives() {
    let refused = |generation| {
        let message = String::new();
        Event::Reported(ReportedOutcome::Refused {
            generation,
            status: 400,
            message,
        })
    };
    let read = |refresh| {
        Event::Read(ReadOutcome {
            refresh,
            trouble: None,
        })
    };
    let mut queue = EventQueue::new(8);
    for event in [
        refused(5),
        acknowledged(9),
        read(7),
        read(3),
        refused(2),
        acknowledged(4),
    ] {
        queue.push(event);
    }
    (0..3).for_each(|_| queue.push(state(State::Running)));
    let events = drain(&mut queue);
    for kept in [refused(5), acknowledged(9), read(7), state(State::Running)] {
        assert_eq!(events.iter().filter(|e| **e == kept).count(), 1, "{kept:?}");
    }
    assert_eq!(events.len(), 5);
}

#[test]
fn a_change_there_and_back_again_is_no_change() {
    let mut queue = EventQueue::new(8);
    for n in 0..6 {
        queue.push(change(n % 2, (n + 1) % 2));
    }
    (0..4).for_each(|_| queue.push(state(State::Running)));
    let events = drain(&mut queue);
    assert!(
        !events.iter().any(|e| matches!(e, Event::Desired(_))),
        "{events:?}"
    );
}

#[test]
fn unread_documents_are_few_even_when_there_is_room() {
    let mut queue = EventQueue::new(65_536);
    for n in 0..1_000 {
        queue.push(change(n, n + 1));
        queue.push(state(State::Running));
    }
    let events = drain(&mut queue);
    let changes: Vec<&DesiredChange> = events
        .iter()
        .filter_map(|e| {
            if let Event::Desired(change) = e {
                Some(change)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(changes.len(), MAX_DOCUMENTS);
    assert_eq!(*changes[0].from, json!({"n": 0}));
    assert_eq!(*changes[MAX_DOCUMENTS - 1].to, json!({"n": 1_000}));
    for pair in changes.windows(2) {
        assert_eq!(pair[0].to, pair[1].from, "no hole between changes");
    }
}

#[test]
fn nothing_makes_it_grow_and_the_newest_state_stays() {
    let kinds = [
        TroubleKind::Connection(CloseKind::Dns),
        TroubleKind::Connection(CloseKind::Tls),
        TroubleKind::Unauthorized,
        TroubleKind::Refused,
        TroubleKind::Signer,
        TroubleKind::TokenExpired,
        TroubleKind::Twin,
        TroubleKind::Protocol,
        TroubleKind::Store,
    ];
    let mut rng = fastrand::Rng::with_seed(3);
    let mut queue = EventQueue::new(0);
    let (mut version, mut seen, mut generation) = (0, Value::Null, 0);
    let mut last_state = State::Starting;
    for n in 0..20_000 {
        match rng.u8(0..5) {
            0 => {
                queue.push(change(version, version + 1));
                version += 1;
            }
            1 => {
                last_state = rng.choice([State::Running, State::Disconnected]).unwrap();
                queue.push(state(last_state));
            }
            2 => {
                generation += 1;
                queue.push(acknowledged(generation));
            }
            3 if rng.u8(0..9) == 0 => {
                for event in drain(&mut queue) {
                    if let Event::Desired(change) = event {
                        assert!(seen.is_null() || *change.from == seen);
                        seen = Value::clone(&change.to);
                    }
                }
            }
            _ => queue.push(trouble(rng.choice(kinds).unwrap(), &n.to_string())),
        }
        assert!(queue.len() <= MIN_CAPACITY + 1, "{}", queue.len());
    }
    queue.push(state(last_state));
    let events = drain(&mut queue);
    let newest = events.iter().rev().find(|e| matches!(e, Event::State(_)));
    assert_eq!(newest, Some(&state(last_state)));
}
