//! The twin in a simulated world: gaps, garbage, silence, refusals, restarts.

use serde_json::{Value, json};
use twinguard_core::agent::{AgentOptions, SECTION};
use twinguard_core::module::{
    Authentication, Module, ModuleOptions, Now, RecordError, STATUS_KEY, State, TroubleKind,
};
use twinguard_core::testing::{Answer, World};
use twinguard_core::twin::limits::LimitKind;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn running(world: &mut World) {
    world.connect();
    world.run_for(5 * SECOND);
    assert_eq!(world.host.state, State::Running);
}

/// A world that reports nothing of its own.
fn plain(seed: u64) -> World {
    World::with(seed, |options| options.report_configuration = false)
}

fn desired_at_hub(world: &World) -> Value {
    Value::Object(world.hub.twin(world.client_id()).desired.clone())
}

fn reported_at_hub(world: &World) -> Value {
    Value::Object(world.hub.twin(world.client_id()).reported.clone())
}

fn troubles(world: &World, kind: TroubleKind) -> usize {
    world
        .host
        .troubles
        .iter()
        .filter(|t| t.kind == kind)
        .count()
}

/// Changes the twin without telling the module.
fn silently(world: &mut World, key: &str, value: Value) {
    let client = world.client_id();
    world
        .hub
        .patch_desired_silently(client, json!({ key: value }));
}

/// A document of about 30 KiB whose members are all called after `name`.
fn large(name: &str, members: usize) -> Value {
    let room = 30_000_usize.checked_div(members).unwrap_or_default();
    let value = "v".repeat(room.saturating_sub(name.len()).saturating_sub(10));
    let member = |n| (format!("{name}{n:05}"), json!(value));
    Value::Object((0..members).map(member).collect())
}

/// One patch from one to the other would be larger than any patch may be.
#[test]
fn a_large_document_replaces_another_large_one() {
    for (members, seed) in [(30, 40), (600, 41), (1_500, 42)] {
        let mut world = plain(seed);
        running(&mut world);
        // Long names, so that the deletions alone are more than one patch may hold.
        let name = "n".repeat(30_000 / members - 19);
        let (old, new) = (large(&name, members), large("other", members));
        for document in [&old, &new, &old] {
            let generation = world.set_reported(document.clone()).unwrap();
            world.run_for(10 * SECOND);
            assert_eq!(reported_at_hub(&world), *document, "{members} members");
            assert_eq!(world.host.acknowledged, generation);
        }
        assert_eq!(world.module().statistics().patches_refused, 0);
    }
}

/// The connection goes while half of a large change is done.
#[test]
fn a_large_change_that_is_cut_in_the_middle_is_finished() {
    let mut world = plain(43);
    running(&mut world);
    world.set_reported(large("old", 600)).unwrap();
    world.run_for(SECOND);
    let generation = world.set_reported(large("new", 600)).unwrap();
    for _ in 0..1_000 {
        if reported_at_hub(&world).get("old00000").is_none() {
            break;
        }
        world.run_for(1);
    }
    assert!(
        world.host.acknowledged < generation,
        "half of it is not acknowledged"
    );
    world.cut();
    world.run_for(MINUTE);
    assert_eq!(reported_at_hub(&world), large("new", 600));
    assert_eq!(world.host.acknowledged, generation);
}

#[test]
fn changes_and_deletions_made_offline_are_told_once() {
    let mut world = plain(1);
    let client = world.client_id();
    running(&mut world);
    world.hub.patch_desired(
        client,
        json!({"keep": 1, "drop": {"x": 1}, "nest": {"a": 1, "b": 2}}),
    );
    world.run_for(SECOND);
    assert_eq!(world.host.changes, 1);
    world.profile.dial_fails = 1.0;
    world.cut();
    world.run_for(MINUTE);
    world
        .hub
        .patch_desired(client, json!({"drop": null, "nest": {"a": null}}));
    world
        .hub
        .replace_desired(client, json!({"keep": 1, "nest": {"b": 3}, "new": []}));
    world.profile.dial_fails = 0.0;
    world.run_for(2 * MINUTE);
    assert_eq!(
        world.host.desired,
        json!({"keep": 1, "nest": {"b": 3}, "new": []})
    );
    assert_eq!(world.host.changes, 2);
    world.cut();
    world.run_for(2 * MINUTE);
    assert_eq!(world.host.changes, 2, "nothing changed, nothing told");
}

#[test]
fn patches_of_every_shape_lead_to_the_hubs_document() {
    let mut world = plain(2);
    let client = world.client_id();
    running(&mut world);
    let patches = [
        json!({"a": {"b": {"c": 1}}}),
        json!({"a": {"b": {"c": null, "d": [1, {"e": 2}]}}}),
        json!({"a": {"b": {"d": []}}, "x": {}}),
        json!({}),
        json!({"missing": null}),
        json!({"a": 7}),
        json!({"a": {"back": {"to": "an object"}}}),
    ];
    for patch in patches {
        world.hub.patch_desired(client, patch);
        world.run_for(SECOND);
        assert_eq!(world.host.desired, desired_at_hub(&world));
    }
    world
        .hub
        .replace_desired(client, json!({"a": {"back": {}}, "y": 1}));
    world.run_for(SECOND);
    assert_eq!(world.host.desired, json!({"a": {"back": {}}, "y": 1}));
    assert_eq!(
        world.module().statistics().twin_reads,
        1,
        "patches were enough"
    );
}

#[test]
fn two_hundred_lost_notifications_cost_one_read_and_one_event() {
    let mut world = plain(3);
    let client = world.client_id();
    running(&mut world);
    (0..200).for_each(|n| silently(&mut world, &format!("k{n}"), json!(n)));
    world.hub.patch_desired(client, json!({"last": true}));
    world.run_for(5 * SECOND);
    assert_eq!(world.host.desired, desired_at_hub(&world));
    assert_eq!(world.host.changes, 1);
    let statistics = world.module().statistics();
    assert_eq!((statistics.twin_reads, statistics.gaps), (2, 1));
}

#[test]
fn more_notifications_than_can_wait_for_a_read_are_made_good() {
    let mut world = plain(4);
    let client = world.client_id();
    world.hub.script.push_back(Answer::Silence);
    world.connect();
    world.run_for(SECOND);
    assert_eq!(world.host.state, State::WaitingForTwin);
    for n in 0..1_000 {
        world.hub.patch_desired(
            client,
            json!({"n": n, (format!("k{}", n % 50)): "x".repeat(500)}),
        );
        world.run_for(5);
    }
    world.run_for(MINUTE);
    assert_eq!(world.host.desired, desired_at_hub(&world));
    assert_eq!(world.host.state, State::Running);
}

#[test]
fn a_version_that_the_twin_does_not_have_is_given_up() {
    let mut world = plain(5);
    let client = world.client_id();
    running(&mut world);
    let topic = format!(
        "$iothub/twin/PATCH/properties/desired/?$version={}",
        u64::MAX
    );
    let payload = format!("{{\"evil\":1,\"$version\":{}}}", u64::MAX);
    world.inject_message(&topic, payload.as_bytes());
    world.run_for(5 * MINUTE);
    assert!(world.module().statistics().twin_reads < 8);
    assert_eq!(world.host.desired, json!({}));
    assert_eq!(troubles(&world, TroubleKind::Protocol), 1);
    world.hub.patch_desired(client, json!({"good": 1}));
    world.run_for(5 * SECOND);
    assert_eq!(world.host.desired, json!({"good": 1}));
}

#[test]
fn garbage_changes_nothing_and_kills_nothing() {
    let mut world = plain(6);
    let client = world.client_id();
    running(&mut world);
    world.hub.patch_desired(client, json!({"a": 1}));
    world.run_for(SECOND);
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(300_000));
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let payloads: [&[u8]; 9] = [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b"{\"a\":2}",
        b"{\"a\":1,\"a\":2,\"$version\":3}",
        b"{\"a\":1e999,\"$version\":3}",
        huge.as_bytes(),
        deep.as_bytes(),
    ];
    let topics = [
        "$iothub/twin/PATCH/properties/desired/",
        "$iothub/twin/PATCH/properties/desired/?$version=x",
        "$iothub/twin/res/200/?$rid=1",
        "$iothub/twin/res/99999/?$rid=",
        "$iothub/twin/res/",
        "$iothub/methods/POST/x/?$rid=1",
        "",
    ];
    for topic in topics {
        for payload in payloads {
            world.inject_message(topic, payload);
        }
    }
    world.run_for(MINUTE);
    assert_eq!(world.host.desired, json!({"a": 1}));
    assert_eq!(world.host.state, State::Running);
    assert!(world.module().synced());
    assert!(world.module().statistics().twin_reads < 10);
    assert!(world.module().statistics().messages_ignored >= 45);
}

#[test]
fn a_read_that_is_refused_or_garbled_is_sent_again_with_pauses() {
    let mut world = plain(7);
    silently(&mut world, "a", json!(1));
    let bodies = [
        "",
        "nonsense",
        "[]",
        "{\"desired\":{\"$version\":1}}",
        "{\"desired\":[],\"reported\":{}}",
        "{\"desired\":{},\"reported\":{\"$version\":1}}",
        "{\"desired\":{\"$version\":-1},\"reported\":{}}",
    ];
    let mut script: Vec<Answer> = bodies
        .iter()
        .map(|body| Answer::Garbage(body.as_bytes().to_vec()))
        .collect();
    script.extend([429, 500, 404, 200].map(|status| Answer::Status(status, b"{}".to_vec())));
    world.hub.script.extend(script);
    world.connect();
    world.run_for(10 * SECOND);
    assert_eq!(world.host.state, State::WaitingForTwin);
    world.run_for(10 * MINUTE);
    assert_eq!(world.host.state, State::Running);
    assert_eq!(world.host.desired, json!({"a": 1}));
    assert_eq!(world.hub.reads, 12);
    assert_eq!(world.attempts.len(), 1, "the connection was not to blame");
    assert_eq!(world.module().statistics().requests_failed, 11);
}

#[test]
fn a_hub_that_never_answers_is_left() {
    let mut world = plain(8);
    world.hub.script.extend(vec![Answer::Silence; 6]);
    world.connect();
    world.run_for(6 * MINUTE);
    assert_eq!(world.host.state, State::Running);
    assert_eq!(
        world.attempts.len(),
        3,
        "three requests each, on two connections"
    );
    assert_eq!(world.module().statistics().requests_timed_out, 6);
    assert!(troubles(&world, TroubleKind::Twin) >= 1);
}

#[test]
fn after_a_fail_over_the_twin_may_be_older_and_is_the_truth() {
    let mut world = plain(9);
    world.host.versions_may_go_back = true;
    let client = world.client_id();
    running(&mut world);
    for n in 0..5 {
        world.hub.patch_desired(client, json!({"n": n}));
    }
    world.run_for(SECOND);
    let twin = world.hub.twin_mut(client);
    twin.desired_version = 2;
    twin.desired.insert("n".to_owned(), json!(0));
    world.hub_closes();
    world.run_for(MINUTE);
    assert_eq!(world.host.desired, json!({"n": 0}));
    assert_eq!(world.host.desired_version, Some(2));
    world.hub.patch_desired(client, json!({"n": 9}));
    world.run_for(SECOND);
    assert_eq!(world.host.desired, json!({"n": 9}));
}

#[test]
fn refreshes_share_reads_and_always_end() {
    let mut world = plain(10);
    running(&mut world);
    let before = world.hub.reads;
    let refreshes: Vec<u64> = (0..5).map(|_| world.refresh()).collect();
    assert_eq!(refreshes, [1, 2, 3, 4, 5]);
    world.run_for(SECOND);
    assert_eq!(world.host.read, Some((5, true)));
    assert_eq!(
        world.hub.reads - before,
        2,
        "one in flight, one for all who came later"
    );

    world.hub.script.push_back(Answer::Status(429, Vec::new()));
    world.refresh();
    world.run_for(SECOND);
    assert_eq!(
        world.host.read,
        Some((6, false)),
        "the host hears of the error at once"
    );

    world.profile.dial_fails = 1.0;
    world.cut();
    world.run_for(SECOND);
    world.refresh();
    world.run_for(25 * SECOND);
    assert_eq!(
        world.host.read,
        Some((7, false)),
        "no connection for the time of one request"
    );
    world.refresh();
    world.profile.dial_fails = 0.0;
    world.run_for(2 * MINUTE);
    assert!(world.host.read.is_some_and(|(refresh, _)| refresh == 8));
}

#[test]
fn a_reported_document_reaches_the_hub_as_a_difference() {
    let mut world = plain(11);
    let client = world.client_id();
    world
        .hub
        .twin_mut(client)
        .reported
        .insert("old".to_owned(), json!({"a": 1}));
    running(&mut world);
    assert_eq!(
        world.hub.patches, 0,
        "what the host never wrote is left alone"
    );
    assert_eq!(world.set_reported(json!({"new": {"b": 2}})), Ok(1));
    world.run_for(SECOND);
    assert_eq!(reported_at_hub(&world), json!({"new": {"b": 2}}));
    assert_eq!(world.host.acknowledged, 1);
    assert_eq!(world.set_reported(json!({"new": {"b": 2}})), Ok(2));
    world.run_for(SECOND);
    assert_eq!(
        (world.host.acknowledged, world.hub.patches),
        (2, 1),
        "no difference, no patch"
    );
}

#[test]
fn many_documents_in_a_row_become_few_patches() {
    let mut world = plain(12);
    running(&mut world);
    for n in 0..500 {
        world.set_reported(json!({"n": n})).unwrap();
    }
    world.run_for(5 * SECOND);
    assert_eq!(reported_at_hub(&world), json!({"n": 499}));
    assert_eq!(world.host.acknowledged, 500);
    assert_eq!(
        world.hub.patches, 2,
        "the first, and the newest when it was acknowledged"
    );
}

#[test]
fn what_was_set_offline_or_before_a_restart_is_delivered() {
    let mut world = World::new(13);
    let client = world.client_id();
    world
        .hub
        .twin_mut(client)
        .reported
        .insert("theirs".to_owned(), json!({"x": 1, "y": 2}));
    world
        .patch_reported(&json!({"theirs": {"x": null}, "mine": {"a": null, "b": 1}}))
        .unwrap();
    world.patch_reported(&json!({"mine": null})).unwrap();
    world.patch_reported(&json!({"mine": {"c": 3}})).unwrap();
    world.restart();
    world.run_for(MINUTE);
    running(&mut world);
    let reported = reported_at_hub(&world);
    assert_eq!(reported["theirs"], json!({"y": 2}));
    assert_eq!(reported["mine"], json!({"c": 3}));
    assert!(reported[SECTION]["maxMessageSizeInBytes"]["value"].is_number());

    world.profile.dial_fails = 1.0;
    world.cut();
    world.run_for(SECOND);
    world.set_reported(json!({"only": "this"})).unwrap();
    world.restart();
    world.profile.dial_fails = 0.0;
    running(&mut world);
    assert_eq!(reported_at_hub(&world)["only"], "this");
    assert_eq!(
        reported_at_hub(&world).as_object().map(|r| r.len()),
        Some(2),
        "and the section"
    );
}

#[test]
fn a_patch_of_unknown_outcome_is_looked_up_before_anything_is_sent() {
    let unknown = [
        Answer::Silence,
        Answer::StatusAfterAll(500),
        Answer::StatusAfterAll(408),
    ];
    for (seed, answer) in unknown.into_iter().enumerate() {
        let mut world = plain(14 + seed as u64);
        running(&mut world);
        let reads = world.hub.reads;
        world.hub.script.push_back(answer);
        world.set_reported(json!({"a": 1})).unwrap();
        world.run_for(SECOND);
        world.set_reported(json!({"b": 2})).unwrap();
        world.run_for(MINUTE);
        assert_eq!(reported_at_hub(&world), json!({"b": 2}));
        assert_eq!(world.host.acknowledged, 2);
        assert_eq!((world.hub.reads - reads, world.hub.patches), (1, 2));
    }
}

#[test]
fn a_throttled_patch_is_sent_again_later() {
    let mut world = plain(17);
    running(&mut world);
    world
        .hub
        .script
        .extend(vec![Answer::Status(429, Vec::new()); 5]);
    world.set_reported(json!({"a": 1})).unwrap();
    world.run_for(5 * MINUTE);
    assert_eq!(reported_at_hub(&world), json!({"a": 1}));
    assert_eq!((world.hub.patches, world.host.acknowledged), (6, 1));
    assert_eq!(troubles(&world, TroubleKind::Twin), 1, "told once");
}

#[test]
fn a_refused_document_is_told_and_does_not_hold_the_section_hostage() {
    let mut world = World::new(18);
    let client = world.client_id();
    running(&mut world);
    world.run_for(SECOND);
    // Both change at once: the host's document, which the hub will refuse, and the configuration.
    world.profile.latency_ms = 1..=1;
    let section = json!({SECTION: {"highPriorityMessageFrequency": {"value": "PT3M"}}});
    world.hub.script.push_back(Answer::Status(429, Vec::new()));
    world.set_reported(json!({"refuse-me": 1})).unwrap();
    world.hub.patch_desired(client, section);
    world.run_for(HOUR);
    assert_eq!(world.host.refused, Some((1, 400)));
    let reported = reported_at_hub(&world);
    assert_eq!(
        reported[SECTION]["highPriorityMessageFrequency"]["value"],
        "PT3M"
    );
    assert_eq!(reported.get("refuse-me"), None);
    let patches = world.hub.patches;
    world.cut();
    world.run_for(HOUR);
    assert_eq!(
        world.hub.patches, patches,
        "not sent again until the host has another"
    );
    world.set_reported(json!({"fine": 1})).unwrap();
    world.run_for(SECOND);
    assert_eq!(reported_at_hub(&world)["fine"], 1);
    assert_eq!(world.host.acknowledged, 2);
}

#[test]
fn a_refused_section_does_not_hold_the_document_hostage() {
    let mut world = World::with(19, |options| {
        options.agent = AgentOptions::default().with_section("refuse-me");
    });
    world.set_reported(json!({"mine": 1})).unwrap();
    world.connect();
    world.run_for(HOUR);
    assert_eq!(reported_at_hub(&world), json!({"mine": 1}));
    assert_eq!((world.host.acknowledged, world.host.refused), (1, None));
    assert_eq!(troubles(&world, TroubleKind::Twin), 1);
    assert!(world.hub.patches <= 3, "{}", world.hub.patches);
}

#[test]
fn limits_and_reserved_members_are_checked_before_anything_is_sent() {
    let mut world = World::with(20, |options| options.report_status = true);
    let error = world.set_reported(json!({"a": {"b.c": 1}})).unwrap_err();
    assert_eq!(error.pointer, "/a/b.c");
    for key in [SECTION, STATUS_KEY] {
        let set = world.set_reported(json!({key: {}})).unwrap_err();
        let patched = world.patch_reported(&json!({key: null})).unwrap_err();
        assert_eq!(
            (set.kind, patched.kind),
            (LimitKind::Reserved, LimitKind::Reserved)
        );
        assert_eq!(set.pointer, format!("/{key}"));
    }
    running(&mut world);
    let texts: Vec<String> = (0..8).map(|_| "x".repeat(3_700)).collect();
    let section = reported_at_hub(&world)[SECTION].to_string().len();
    assert!(section > 1_000);
    let error = world
        .set_reported(json!({"t": texts, "pad": "y".repeat(2_000)}))
        .unwrap_err();
    assert_eq!(
        error.kind,
        LimitKind::SectionText,
        "the section counts too: {error}"
    );
    assert_eq!(world.hub.patches, 1, "nothing but the section was sent");
}

/// Patches on an unknown section fit alone; on top of what the hub has they do not.
#[test]
fn patches_that_turn_out_too_large_are_refused_by_name() {
    let mut world = plain(21);
    let client = world.client_id();
    let texts = |name: &str| json!({name: (0..5).map(|_| "x".repeat(4_000)).collect::<Vec<_>>()});
    world.hub.twin_mut(client).reported = texts("theirs").as_object().unwrap().clone();
    world.patch_reported(&texts("mine")).unwrap();
    running(&mut world);
    assert_eq!(world.host.refused, Some((1, 0)));
    assert_eq!(world.hub.patches, 0);
    world
        .patch_reported(&json!({"theirs": null, "mine": 1}))
        .unwrap();
    world.run_for(SECOND);
    assert_eq!(reported_at_hub(&world), json!({"mine": 1}));
}

#[test]
fn the_stored_configuration_is_in_force_before_the_network() {
    let mut world = World::new(22);
    let client = world.client_id();
    running(&mut world);
    let frequency =
        |value: &str| json!({SECTION: {"highPriorityMessageFrequency": {"value": value}}});
    world.hub.patch_desired(client, frequency("PT3M"));
    world.run_for(SECOND);
    // Refused: the good one stays in force, here and after the restart.
    world.hub.patch_desired(client, frequency("never"));
    world.run_for(SECOND);
    world.profile.dial_fails = 1.0;
    let records = world.records;
    world.restart();
    assert_eq!(
        world.records, records,
        "what was just read is not written again"
    );
    assert_eq!(world.module().state(), State::Starting);
    assert_eq!(world.host.desired, desired_at_hub(&world));
    let evaluation = world.host.configuration.clone().unwrap();
    assert_eq!(evaluation.used("highPriorityMessageFrequency"), "PT3M");
    assert_eq!(evaluation.errors().count(), 1);
    world.profile.dial_fails = 0.0;
    running(&mut world);
    assert_eq!(
        (world.host.changes, world.host.configurations),
        (1, 1),
        "nothing told twice"
    );
}

#[test]
fn records_are_written_when_something_changed_and_not_else() {
    let mut world = World::new(23);
    let client = world.client_id();
    running(&mut world);
    let records = world.records;
    assert!(records > 0);
    world.cut();
    world.run_for(HOUR);
    world.hub.patch_desired(client, json!({}));
    world.run_for(SECOND);
    assert_eq!(world.records, records);
    world.hub.patch_desired(client, json!({"a": 1}));
    world.run_for(SECOND);
    assert_eq!(world.records, records + 1);
    world.store_fails = true;
    world.hub.patch_desired(client, json!({"a": 2}));
    world.run_for(SECOND);
    assert_eq!(troubles(&world, TroubleKind::Store), 1);
    assert_eq!(world.host.desired, json!({"a": 2}));
}

#[test]
fn a_record_that_is_not_ours_is_refused_by_name() {
    let mut world = World::new(24);
    world.patch_reported(&json!({"a": 1})).unwrap();
    let good = world.record.clone().unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let change = |from: &str, to: &str| text.replace(from, to).into_bytes();
    let now = Now {
        mono_ms: 0,
        unix_ms: 0,
    };
    let fresh = || Module::new(world.options().clone(), now).unwrap();
    let refusal = |record: &[u8]| fresh().restore(record).unwrap_err();
    assert!(matches!(refusal(b""), RecordError::Broken(_)));
    assert!(matches!(
        refusal(&good[..good.len() - 5]),
        RecordError::Broken(_)
    ));
    assert!(matches!(
        refusal(&change("\"format\":1", "\"format\":2")),
        RecordError::Format { .. }
    ));
    assert!(matches!(
        refusal(&change("dev/", "other/")),
        RecordError::Foreign { .. }
    ));
    let bad_key = change("\"a\":{\"replace\":1}", "\"a.b\":{\"replace\":1}");
    assert!(
        matches!(refusal(&bad_key), RecordError::Reported(_)),
        "{text}"
    );
    assert!(matches!(
        refusal(&vec![b' '; 3_000_000]),
        RecordError::TooLarge { .. }
    ));
    let mut module = fresh();
    module.restore(&good).unwrap();
    module.connect(now);
    assert!(matches!(module.restore(&good), Err(RecordError::TooLate)));
}

#[test]
fn a_host_that_takes_no_events_costs_bounded_memory_and_ends_up_right() {
    let mut world = World::with(25, |options| options.event_capacity = 8);
    let client = world.client_id();
    running(&mut world);
    world.host_polls = false;
    for n in 0..3_000 {
        let patch = json!({"n": n, SECTION: {"maxLocalCacheSizeInBytes": {"value": 200_000 + n}}});
        world.hub.patch_desired(client, patch);
        if n % 100 == 0 {
            world.set_reported(json!({"n": n})).unwrap();
            world.refresh();
            world.hub_closes();
        }
        world.run_for(500);
    }
    world.run_for(MINUTE);
    assert!(world.module().pending_events() <= 9);
    let before = world.host.events;
    world.poll_host();
    assert!(world.host.events - before <= 9);
    assert_eq!(world.host.desired, desired_at_hub(&world));
    assert_eq!(world.host.state, State::Running);
    assert_eq!(
        (world.host.acknowledged, world.host.read),
        (30, Some((30, true)))
    );
    assert_eq!(troubles(&world, TroubleKind::Overflow), 1);
    let told = world.host.configuration.as_ref().unwrap();
    assert_eq!(told.used("maxLocalCacheSizeInBytes"), "202999");
    assert!(world.module().statistics().events_merged > 2_000);
}

#[test]
fn settings_out_of_range_are_named() {
    type Change = fn(&mut ModuleOptions);
    let changes: [(&str, Change); 6] = [
        ("token_lifetime_s", |o| o.token_lifetime_s = 59),
        ("keep_alive_s", |o| o.keep_alive_s = 1_178),
        ("connect_timeout_ms", |o| o.connect_timeout_ms = 999),
        ("request_timeout_ms", |o| o.request_timeout_ms = 300_001),
        ("backoff_max_ms", |o| o.backoff_max_ms = 0),
        ("event_capacity", |o| o.event_capacity = 7),
    ];
    let good = World::new(26).options().clone();
    assert!(matches!(good.authentication, Authentication::Key));
    for (setting, change) in changes {
        let mut options = good.clone();
        change(&mut options);
        let error = Module::new(
            options,
            Now {
                mono_ms: 0,
                unix_ms: 0,
            },
        )
        .map(|_| ())
        .unwrap_err();
        assert_eq!(error.setting, setting);
        assert!(error.to_string().starts_with(setting), "{error}");
    }
}
