//! A module against the local hub, end to end: real TLS, real files, real processes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use twinguard_client::{ErrorKind, Event, Runtime, State};
use twinguard_core::identity::sas::create_token;
use twinguard_core::identity::{ConnectionString, Credential};
use twinguard_tests::support::*;

const QUIET: Duration = Duration::from_millis(300);

#[test]
fn a_module_signs_in_follows_and_reports() {
    let hub = hub();
    let mut module = Follower::running(options(&hub, DEVICE, MODULE));
    let section = json!({ SECTION: {"highPriorityMessageFrequency": {"value": "PT1M"}} });
    hub.patch_desired(DEVICE, MODULE, section).unwrap();
    eventually("the configuration in force is reported", || {
        let frequency = &reported_at(&hub, DEVICE, MODULE)[SECTION]["highPriorityMessageFrequency"];
        frequency["value"] == "PT1M"
    });
    module.until("the change", |f| {
        f.view[SECTION]["highPriorityMessageFrequency"]["value"] == "PT1M"
    });
    let generation = module
        .client
        .set_reported(json!({"firmware": "1.2"}))
        .unwrap();
    module.until("acknowledged", |f| f.acknowledged(generation));
    assert_eq!(reported_at(&hub, DEVICE, MODULE)["firmware"], "1.2");
    let twin = module.client.get_twin(PATIENCE).unwrap();
    assert_eq!(*twin.desired, module.view);
    module.close();
}

#[test]
fn a_change_and_a_deletion_while_offline_are_seen_once() {
    let hub = hub();
    let scratch = tempfile::tempdir().unwrap();
    hub.create_module(DEVICE, MODULE).unwrap();
    hub.patch_desired(
        DEVICE,
        MODULE,
        json!({"keep": 1, "change": 1, "drop": {"deep": true}}),
    )
    .unwrap();
    let with_store = || {
        let mut options = options(&hub, DEVICE, MODULE);
        options.store_directory(scratch.path().join("store"));
        options
    };
    let mut first = Follower::running(with_store());
    first.until("the first document", |f| f.view["drop"]["deep"] == true);
    let view = first.view.clone();
    first.close();
    hub.patch_desired(DEVICE, MODULE, json!({"change": 2, "drop": null}))
        .unwrap();

    let mut second = Follower::start(with_store());
    second.until("running", |f| f.client.state() == State::Running);
    second.settle(QUIET);
    assert_eq!(
        second.changes_of("/change", 0),
        [(None, Some(json!(1))), (Some(json!(1)), Some(json!(2)))]
    );
    let dropped = second.changes_of("/drop", 0);
    assert_eq!(
        dropped.last(),
        Some(&(Some(json!({"deep": true})), None)),
        "the deletion is told"
    );
    assert_eq!(dropped.len(), 2, "restored once, deleted once: {dropped:?}");
    assert_eq!(
        second.changes_of("/keep", 0).len(),
        1,
        "what did not change is told once, on restoring"
    );
    assert_ne!(second.view, view);
    second.close();
}

#[test]
fn a_cut_connection_is_back_at_once_and_in_step() {
    let hub = hub();
    let mut module = Follower::running(options(&hub, DEVICE, MODULE));
    hub.patch_desired(DEVICE, MODULE, json!({"a": 1, "b": 1}))
        .unwrap();
    module.until("the document", |f| f.view == json!({"a": 1, "b": 1}));
    for round in 2..6 {
        let skip = module.events.len();
        let cut = Instant::now();
        hub.cut(DEVICE, MODULE).unwrap();
        hub.patch_desired(DEVICE, MODULE, json!({"a": round, "b": null}))
            .unwrap();
        hub.patch_desired(DEVICE, MODULE, json!({"b": round}))
            .unwrap();
        module.until("the newest", |f| f.view == json!({"a": round, "b": round}));
        module.until("running again", |f| f.client.state() == State::Running);
        assert_eq!(module.changes_of("/a", skip).len(), 1, "told once");
        // The goal for the first loss is 20 ms; later ones so soon after wait by the back-off.
        assert!(
            round > 2 || cut.elapsed() < Duration::from_secs(2),
            "{:?}",
            cut.elapsed()
        );
    }
    module.close();
}

#[test]
fn a_hub_that_lost_the_session_is_no_trouble() {
    let hub = hub();
    let mut module = Follower::running(options(&hub, DEVICE, MODULE));
    hub.clear_session(DEVICE, MODULE).unwrap();
    hub.patch_desired(DEVICE, MODULE, json!({"a": 1})).unwrap();
    module.until("a change after the loss", |f| f.view == json!({"a": 1}));
    module.until("running", |f| f.client.state() == State::Running);
    hub.patch_desired(DEVICE, MODULE, json!({"a": 2})).unwrap();
    module.until("a notification, which needs the subscription", |f| {
        f.view == json!({"a": 2})
    });
    module.close();
}

#[test]
fn what_is_set_while_offline_arrives_and_only_the_last_state() {
    let hub = hub();
    let module = options(&hub, DEVICE, MODULE).build().unwrap();
    for n in 0..100 {
        module
            .set_reported(json!({"n": n, "gone": (n < 50)}))
            .unwrap();
    }
    let last = module.set_reported(json!({"n": 100})).unwrap();
    module.connect().unwrap();
    module.wait_reported(last, PATIENCE).unwrap();
    let reported = reported_at(&hub, DEVICE, MODULE);
    assert_eq!((&reported["n"], reported.get("gone")), (&json!(100), None));
    let version =
        hub.module_twin(DEVICE, MODULE).unwrap()["properties"]["reported"]["$version"].clone();
    assert!(
        version.as_u64().unwrap() <= 4,
        "coalesced, not a hundred patches: version {version}"
    );
    module.close(PATIENCE).unwrap();
}

#[test]
fn a_lost_answer_is_not_waited_for_for_ever() {
    let hub = hub();
    let mut options = options(&hub, DEVICE, MODULE);
    options.request_timeout(Duration::from_secs(1));
    let module = Follower::running(options);
    hub.drop_twin_replies(DEVICE, MODULE, 1).unwrap();
    let generation = module.client.set_reported(json!({"a": 1})).unwrap();
    module.client.wait_reported(generation, PATIENCE).unwrap();
    assert_eq!(reported_at(&hub, DEVICE, MODULE)["a"], 1);
    hub.drop_twin_replies(DEVICE, MODULE, 1).unwrap();
    let started = Instant::now();
    let answer = module.client.get_twin(PATIENCE);
    assert!(
        started.elapsed() < PATIENCE,
        "it ended by itself: {answer:?}"
    );
    module.close();
}

#[test]
fn statuses_are_taken_by_their_meaning() {
    let hub = hub();
    let mut module = Follower::running(options(&hub, DEVICE, MODULE));
    for status in [429, 500] {
        hub.answer_twin_with(DEVICE, MODULE, status, 1).unwrap();
        let generation = module
            .client
            .set_reported(json!({"status": status}))
            .unwrap();
        module.until("sent again", |f| f.acknowledged(generation));
        assert_eq!(reported_at(&hub, DEVICE, MODULE)["status"], status);
    }
    hub.answer_twin_with(DEVICE, MODULE, 400, 1).unwrap();
    let refused = module
        .client
        .set_reported(json!({"status": "refused"}))
        .unwrap();
    let error = module.client.wait_reported(refused, PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReportedRefused, "{error}");
    let next = module
        .client
        .set_reported(json!({"status": "fine"}))
        .unwrap();
    module.client.wait_reported(next, PATIENCE).unwrap();
    hub.garbage(DEVICE, MODULE, 1).unwrap();
    let _ = module.client.get_twin(PATIENCE);
    hub.patch_desired(DEVICE, MODULE, json!({"after": "garbage"}))
        .unwrap();
    module.until("going on after garbage", |f| f.view["after"] == "garbage");
    module.close();
}

#[test]
fn a_packet_cut_in_the_middle_loses_nothing() {
    let hub = hub();
    let mut module = Follower::running(options(&hub, DEVICE, MODULE));
    hub.close_mid_packet(DEVICE, MODULE).unwrap();
    hub.patch_desired(DEVICE, MODULE, json!({"a": "x".repeat(3000)}))
        .unwrap();
    module.until("the change, by the next connection", |f| {
        f.view["a"].is_string()
    });
    module.close();
}

#[test]
fn a_refused_credential_is_told_and_does_not_hammer_the_hub() {
    let hub = hub();
    let good = hub.create_module(DEVICE, MODULE).unwrap();
    let (start, _) = good.split_once("SharedAccessKey=").unwrap();
    let wrong = format!("{start}SharedAccessKey=d3Jvbmcga2V5");
    let module = options_for(&wrong, hub.ca_pem()).build().unwrap();
    module.connect().unwrap();
    let error = module.wait_running(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(
        !format!("{error} {error:?}").contains("d3Jvbmcga2V5"),
        "no secret in an error"
    );
    std::thread::sleep(Duration::from_secs(2));
    assert!(
        module.statistics().connect_attempts <= 2,
        "{:?}",
        module.statistics()
    );
    module.close(PATIENCE).unwrap();
}

#[test]
fn a_wrong_ca_and_an_unknown_module_are_named() {
    let (hub, other) = (hub(), hub());
    let connection_string = hub.create_module(DEVICE, MODULE).unwrap();
    let stranger = options_for(&connection_string, other.ca_pem())
        .build()
        .unwrap();
    stranger.connect().unwrap();
    let error = stranger.wait_running(Duration::from_secs(3)).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    stranger.close(PATIENCE).unwrap();
    let unknown = connection_string.replace(MODULE, "nobody");
    let unknown = options_for(&unknown, hub.ca_pem()).build().unwrap();
    unknown.connect().unwrap();
    assert_eq!(
        unknown.wait_running(PATIENCE).unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
    unknown.close(PATIENCE).unwrap();
}

#[test]
fn two_modules_share_one_thread() {
    let hub = hub();
    let runtime = Runtime::new().unwrap();
    let mut modules: Vec<Follower> = ["one", "two"]
        .map(|module| {
            let mut options = options(&hub, DEVICE, module);
            options.runtime(&runtime);
            Follower::running(options)
        })
        .into();
    assert_eq!(runtime.thread_count(), 1);
    hub.patch_desired(DEVICE, "one", json!({"me": 1})).unwrap();
    hub.patch_desired(DEVICE, "two", json!({"me": 2})).unwrap();
    for (module, me) in modules.iter_mut().zip(1..) {
        module.until("its own change", |f| f.view == json!({"me": me}));
    }
    modules.into_iter().for_each(Follower::close);
}

#[test]
fn a_hub_killed_and_restarted_finds_the_module_in_step() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("hub");
    let data = data.to_str().unwrap();
    let name = format!("{DEVICE}/{MODULE}");
    let process = HubProcess::start(&[
        "--data",
        data,
        "--module",
        &name,
        "--mqtt-port",
        "0",
        "--https-port",
        "0",
    ]);
    let mut options = options_for(&process.connection_string(), &process.ca_pem());
    options.backoff_max(Duration::from_secs(1));
    let mut module = Follower::running(options);
    let [mqtt, https] = process.ports();
    process.kill();
    module.until("the loss is told", |f| f.states(State::Disconnected, 0) > 0);
    let generation = module
        .client
        .set_reported(json!({"set": "while the hub was dead"}))
        .unwrap();
    let process =
        HubProcess::start(&["--data", data, "--mqtt-port", &mqtt, "--https-port", &https]);
    module.until("acknowledged after the restart", |f| {
        f.acknowledged(generation)
    });
    module.until("running", |f| f.client.state() == State::Running);
    drop(process);
    module.close();
}

#[test]
fn a_frozen_hub_is_noticed_by_the_keep_alive() {
    let name = format!("{DEVICE}/{MODULE}");
    let process = HubProcess::start(&[
        "--memory",
        "--module",
        &name,
        "--mqtt-port",
        "0",
        "--https-port",
        "0",
    ]);
    let mut options = options_for(&process.connection_string(), &process.ca_pem());
    options
        .keep_alive(Duration::from_secs(5))
        .backoff_max(Duration::from_secs(1));
    let mut module = Follower::running(options);
    process.signal("STOP");
    let frozen = Instant::now();
    module.until("the silence is told", |f| {
        f.states(State::Disconnected, 0) > 0
    });
    // 1.5 × 5 s is the goal; the bound leaves room for a slow machine.
    assert!(
        frozen.elapsed() < Duration::from_secs(12),
        "{:?}",
        frozen.elapsed()
    );
    process.signal("CONT");
    module.until("running again", |f| f.client.state() == State::Running);
    module.close();
}

#[test]
fn a_token_is_renewed_without_the_host_noticing() {
    let hub = hub();
    let mut options = options(&hub, DEVICE, MODULE);
    options.token_lifetime(Duration::from_secs(60));
    let mut module = Follower::running(options);
    module.settle(QUIET);
    let skip = module.events.len();
    let deadline = Instant::now() + Duration::from_secs(62);
    while Instant::now() < deadline {
        module.settle(Duration::from_secs(1));
    }
    hub.patch_desired(DEVICE, MODULE, json!({"after": "renewal"}))
        .unwrap();
    module.until("a change on the new connection", |f| {
        f.view == json!({"after": "renewal"})
    });
    let statistics = module.client.statistics();
    assert!(
        (1..=2).contains(&statistics.planned_renewals),
        "{statistics:?}"
    );
    let told: Vec<&Event> = module
        .events
        .iter()
        .skip(skip)
        .filter(|e| matches!(e, Event::State(_) | Event::Trouble(_)))
        .collect();
    assert!(told.is_empty(), "{told:?}");
    module.close();
}

#[test]
fn a_ready_token_is_used_until_it_expires() {
    let hub = hub();
    let key = hub.create_module(DEVICE, MODULE).unwrap();
    let with_token = |lifetime_s: i64| {
        let parsed = ConnectionString::parse(&key).unwrap();
        let Credential::SharedAccessKey(signer) = &parsed.credential else {
            unreachable!("the hub hands out keys")
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let expires = now.checked_add_signed(lifetime_s).unwrap();
        let token = create_token(signer, &parsed.identity.resource(), expires, None).unwrap();
        let (start, _) = key.split_once("SharedAccessKey=").unwrap();
        format!("{start}SharedAccessSignature={}", token.as_str())
    };
    let module = Follower::running(options_for(&with_token(600), hub.ca_pem()));
    module.close();
    let expired = options_for(&with_token(-600), hub.ca_pem())
        .build()
        .unwrap();
    expired.connect().unwrap();
    let error = expired.wait_running(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenExpired, "{error}");
    expired.close(PATIENCE).unwrap();
}

#[test]
fn what_the_hub_would_refuse_is_refused_here_with_its_place() {
    let hub = hub();
    let module = Follower::running(options(&hub, DEVICE, MODULE));
    let too_large = json!({"part": {"a": "x".repeat(4096), "b": vec!["y".repeat(4000); 8]}});
    let mut deep = json!(1);
    (0..12).for_each(|_| deep = json!({ "d": deep }));
    for (document, pointer) in [
        (too_large, ""),
        (json!({"long": {"text": "x".repeat(4097)}}), "/long/text"),
        (json!({"number": 4_503_599_627_370_496_u64}), "/number"),
        (json!({"a": {"bad key": 1}}), "/a/bad key"),
        (json!({"list": [1, null]}), "/list/1"),
        (deep, "/d/d/d/d/d/d/d/d/d/d/d"),
    ] {
        let error = module.client.set_reported(document).unwrap_err();
        assert_eq!(
            (error.kind(), error.pointer()),
            (ErrorKind::TwinLimit, Some(pointer))
        );
    }
    let generation = module.client.set_reported(json!({"fine": true})).unwrap();
    module.client.wait_reported(generation, PATIENCE).unwrap();
    let reported = reported_at(&hub, DEVICE, MODULE);
    let members: Vec<&String> = reported.as_object().unwrap().keys().collect();
    assert_eq!(members, ["fine", SECTION], "nothing of what was refused");
    module.close();
}
