use serde_json::json;

use super::*;

const SECTION: &str = "section";

fn sync() -> ReportedSync {
    ReportedSync::new(vec![SECTION.to_owned()])
}

fn read(sync: &mut ReportedSync, document: Value) -> Option<Outcome> {
    sync.read(ReportedSync::parse(document).unwrap())
}

fn library(sync: &mut ReportedSync, section: Value) {
    sync.report(Map::from_iter([(SECTION.to_owned(), section)]));
}

fn patch(sync: &mut ReportedSync) -> Value {
    match sync.next() {
        Next::Patch(patch) => patch,
        other => panic!("expected a patch, got {other:?}"),
    }
}

fn acknowledged(generation: u64, version: u64) -> Outcome {
    Outcome::Acknowledged {
        generation,
        version: Some(version),
    }
}

#[test]
fn nothing_is_sent_before_the_hub_is_known_or_without_a_wish() {
    let mut sync = sync();
    assert_eq!(sync.set(json!({"a": 1})), Ok(1));
    assert_eq!(sync.next(), Next::Nothing);
    let mut sync = self::sync();
    assert_eq!(read(&mut sync, json!({"theirs": 1, "$version": 3})), None);
    assert_eq!(sync.next(), Next::Nothing);
    assert!(!sync.is_eager());
}

#[test]
fn one_patch_at_a_time_and_the_newest_wish_next() {
    let mut sync = sync();
    read(&mut sync, json!({"a": 1, "gone": true}));
    sync.set(json!({"a": 2})).unwrap();
    assert_eq!(patch(&mut sync), json!({"a": 2, "gone": null}));
    sync.set(json!({"a": 3})).unwrap();
    sync.set(json!({"a": 2, "b": {}})).unwrap();
    assert_eq!(sync.next(), Next::Nothing, "one is in flight");
    assert_eq!(sync.acknowledged(Some(8)), Some(acknowledged(1, 8)));
    assert_eq!(patch(&mut sync), json!({"b": {}}));
    assert_eq!(sync.acknowledged(Some(9)), Some(acknowledged(3, 9)));
    assert_eq!(sync.next(), Next::Nothing);
}

#[test]
fn a_wish_that_is_fulfilled_already_is_acknowledged_without_a_patch() {
    let mut sync = sync();
    read(&mut sync, json!({"a": 1, "$version": 4}));
    sync.set(json!({"a": 1})).unwrap();
    assert_eq!(sync.next(), Next::Outcome(acknowledged(1, 4)));
    assert_eq!(sync.next(), Next::Nothing);
}

#[test]
fn the_section_is_written_beside_the_document_and_its_unset_members_vanish() {
    let mut sync = sync();
    read(
        &mut sync,
        json!({"host": 1, SECTION: {"text": "old", "n": 1}}),
    );
    library(&mut sync, json!({"text": null, "n": 2}));
    assert_eq!(patch(&mut sync), json!({SECTION: {"text": null, "n": 2}}));
    assert_eq!(
        sync.acknowledged(Some(2)),
        None,
        "no wish of the host in it"
    );
    sync.set(json!({})).unwrap();
    assert_eq!(
        patch(&mut sync),
        json!({"host": null}),
        "the section is not the host's to delete"
    );
}

#[test]
fn when_both_are_refused_each_goes_alone() {
    let mut sync = sync();
    read(&mut sync, json!({}));
    sync.set(json!({"host": 1})).unwrap();
    library(&mut sync, json!({"n": 1}));
    assert_eq!(patch(&mut sync), json!({"host": 1, SECTION: {"n": 1}}));
    assert_eq!(
        sync.refused(400, "no".into()),
        None,
        "whose fault it was is not known yet"
    );
    assert_eq!(patch(&mut sync), json!({SECTION: {"n": 1}}));
    assert_eq!(sync.acknowledged(Some(2)), None);
    assert_eq!(patch(&mut sync), json!({"host": 1}));
    let refused = Outcome::Refused {
        generation: 1,
        status: 400,
        message: "no".into(),
    };
    assert_eq!(sync.refused(400, "no".into()), Some(refused));
    assert_eq!(sync.next(), Next::Nothing);
    sync.doubt();
    read(&mut sync, json!({SECTION: {"n": 1}}));
    assert_eq!(sync.next(), Next::Nothing, "not even on another connection");
    library(&mut sync, json!({"n": 2}));
    assert_eq!(patch(&mut sync), json!({SECTION: {"n": 2}}));
    assert_eq!(
        sync.acknowledged(Some(3)),
        None,
        "what was refused is not acknowledged"
    );
    sync.set(json!({"host": 2})).unwrap();
    assert_eq!(patch(&mut sync), json!({"host": 2}));
    assert_eq!(sync.acknowledged(Some(4)), Some(acknowledged(2, 4)));
}

#[test]
fn a_refused_document_that_was_replaced_meanwhile_does_not_stop_the_new_one() {
    let mut sync = sync();
    read(&mut sync, json!({}));
    sync.set(json!({"bad": 1})).unwrap();
    patch(&mut sync);
    sync.set(json!({"good": 1})).unwrap();
    assert!(matches!(
        sync.refused(400, "no".into()),
        Some(Outcome::Refused { generation: 1, .. })
    ));
    assert_eq!(patch(&mut sync), json!({"good": 1}));
    assert_eq!(
        sync.acknowledged(None),
        Some(Outcome::Acknowledged {
            generation: 2,
            version: None
        })
    );
}

#[test]
fn after_doubt_the_hub_is_read_first() {
    let mut sync = sync();
    read(&mut sync, json!({}));
    sync.set(json!({"a": 1})).unwrap();
    patch(&mut sync);
    sync.doubt();
    assert!(sync.is_in_doubt());
    assert_eq!(sync.next(), Next::Nothing);
    read(&mut sync, json!({"a": 1, "$version": 2}));
    assert_eq!(
        sync.next(),
        Next::Outcome(acknowledged(1, 2)),
        "it had been carried out"
    );
}

#[test]
fn early_patches_are_bounded() {
    let mut sync = sync();
    let deletions = |n| {
        Value::Object(
            (0..100)
                .map(|k| (format!("{n}-{k}"), Value::Null))
                .collect(),
        )
    };
    let refused = (0..).find_map(|n: u32| sync.patch(&deletions(n)).err());
    assert_eq!(refused.unwrap().kind, limits::LimitKind::SectionText);
    let text = serde_json::to_string(sync.wanted()).unwrap();
    assert!(text.len() < 70_000, "{}", text.len());
}
