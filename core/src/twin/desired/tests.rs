use serde_json::json;

use super::*;

fn notify(sync: &mut DesiredSync, version: u64, patch: Value) -> Heard {
    let mut patch = patch;
    patch["$version"] = version.into();
    sync.notified(patch.to_string().as_bytes(), Some(version))
        .unwrap()
}

fn read(sync: &mut DesiredSync, version: u64, document: Value) -> Heard {
    let mut document = document;
    document["$version"] = version.into();
    sync.read(document).unwrap()
}

fn value(sync: &DesiredSync) -> &Value {
    sync.document().value()
}

#[test]
fn what_comes_before_the_first_read_waits_and_is_merged_in_order() {
    let mut sync = DesiredSync::new();
    assert_eq!(notify(&mut sync, 7, json!({"b": 7})), Heard::Behind);
    assert_eq!(notify(&mut sync, 5, json!({"old": 1})), Heard::Behind);
    assert_eq!(
        notify(&mut sync, 6, json!({"b": 6, "a": null})),
        Heard::Behind
    );
    assert_eq!(read(&mut sync, 5, json!({"a": 5})), Heard::Current);
    assert_eq!(*value(&sync), json!({"b": 7}));
    assert_eq!(sync.document().version(), Some(7));
}

#[test]
fn a_gap_asks_for_a_read_and_keeps_what_came_after() {
    let mut sync = DesiredSync::new();
    assert_eq!(read(&mut sync, 1, json!({})), Heard::Current);
    assert_eq!(notify(&mut sync, 4, json!({"d": 4})), Heard::Gap);
    assert!(!sync.is_in_step());
    assert_eq!(notify(&mut sync, 5, json!({"e": 5})), Heard::Behind);
    assert_eq!(read(&mut sync, 3, json!({"c": 3})), Heard::Current);
    assert_eq!(*value(&sync), json!({"c": 3, "d": 4, "e": 5}));
}

#[test]
fn a_read_that_is_older_counts_only_at_the_start_of_a_connection() {
    let mut sync = DesiredSync::new();
    assert_eq!(read(&mut sync, 9, json!({"n": 9})), Heard::Current);
    assert_eq!(read(&mut sync, 8, json!({"n": 8})), Heard::Current);
    assert_eq!(*value(&sync), json!({"n": 9}), "a late answer");
    sync.disconnected();
    assert!(!sync.is_in_step());
    assert_eq!(read(&mut sync, 2, json!({"n": 2})), Heard::Current);
    assert_eq!(*value(&sync), json!({"n": 2}), "a fail-over");
}

#[test]
fn versions_that_never_come_are_given_up_after_three_reads() {
    let mut sync = DesiredSync::new();
    assert_eq!(notify(&mut sync, 99, json!({"x": 1})), Heard::Behind);
    let steps: Vec<Heard> = (0..3)
        .map(|_| read(&mut sync, 1, json!({"a": 1})))
        .collect();
    assert_eq!(steps, [Heard::Gap, Heard::Gap, Heard::GaveUp]);
    assert!(sync.is_in_step());
    assert_eq!(*value(&sync), json!({"a": 1}));
    assert_eq!(notify(&mut sync, 2, json!({"b": 2})), Heard::Current);
}

#[test]
fn waiting_is_bounded_and_what_was_dropped_is_read_again() {
    let mut sync = DesiredSync::new();
    let large = "x".repeat(2_000);
    for version in 2..5_000 {
        notify(&mut sync, version, json!({ "k": large }));
        assert!(sync.waiting.len() <= MAX_WAITING);
        assert!(sync.waiting_bytes <= MAX_WAITING_BYTES);
        let bytes: usize = sync.waiting.values().map(|(_, bytes)| bytes).sum();
        assert_eq!(bytes, sync.waiting_bytes);
    }
    assert_eq!(
        read(&mut sync, 300, json!({})),
        Heard::Gap,
        "older than what was dropped"
    );
    assert_eq!(read(&mut sync, 4_999, json!({"k": 1})), Heard::Current);
}

#[test]
fn a_notification_that_is_not_understood_needs_a_read() {
    let bad: [(&[u8], Option<u64>); 5] = [
        (b"nonsense", Some(2)),
        (b"[]", Some(2)),
        (b"{\"a\":1}", None),
        (b"{\"a\":1,\"$version\":3}", Some(2)),
        (b"{\"a\":1,\"a\":2}", Some(2)),
    ];
    for (payload, topic) in bad {
        let mut sync = DesiredSync::new();
        assert_eq!(read(&mut sync, 1, json!({"a": 0})), Heard::Current);
        let error = sync.notified(payload, topic).unwrap_err().to_string();
        assert!(error.starts_with("desired notification: "), "{error}");
        assert!(!sync.is_in_step());
        assert_eq!(*value(&sync), json!({"a": 0}));
    }
    let mut sync = DesiredSync::new();
    assert_eq!(read(&mut sync, 1, json!({})), Heard::Current);
    assert_eq!(
        sync.notified(b"{\"a\":1}", Some(2)).unwrap(),
        Heard::Current
    );
    assert_eq!(
        sync.document().version(),
        Some(2),
        "the version of the topic counts too"
    );
}

#[test]
fn a_read_older_than_what_was_dropped_is_not_enough() {
    let mut sync = DesiredSync::new();
    let newest = u64::try_from(MAX_WAITING).unwrap().saturating_add(2);
    for version in 2..=newest {
        notify(&mut sync, version, json!({"n": version}));
    }
    assert!(sync.waiting.is_empty(), "the last one was too many");
    assert_eq!(read(&mut sync, 100, json!({"n": 100})), Heard::Gap);
    assert!(!sync.is_in_step());
    assert_eq!(
        read(&mut sync, newest, json!({"n": newest})),
        Heard::Current
    );
}
