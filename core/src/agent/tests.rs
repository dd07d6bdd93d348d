//! The rules of the agent configuration, one by one.

use serde_json::{Map, Value, json};

use super::*;
use crate::events::configuration_errors;

fn evaluate(section: Value) -> (Verdict, Configurator) {
    let mut configurator = Configurator::new(AgentOptions::default());
    let verdict = configurator.evaluate(&json!({ SECTION: section }), None);
    (verdict, configurator)
}

fn agent(configurator: &Configurator) -> &AgentConfiguration {
    configurator.evaluation().effective.agent().unwrap()
}

/// Refused keys with their messages.
fn messages(configurator: &Configurator) -> Vec<String> {
    let errors = configurator.evaluation().errors();
    errors.map(|(_, refusal)| refusal.message.clone()).collect()
}

fn outcome(configurator: &Configurator, key: &str) -> &'static str {
    let mut properties = configurator.evaluation().properties.iter();
    properties
        .find(|property| property.key == key)
        .unwrap()
        .outcome
        .as_str()
}

fn pointer(configurator: &Configurator, key: &str) -> String {
    let mut properties = configurator.evaluation().properties.iter();
    properties
        .find(|property| property.key == key)
        .unwrap()
        .pointer
        .clone()
}

#[test]
fn an_absent_or_null_section_gives_the_defaults() {
    for desired in [
        json!({}),
        json!({ SECTION: null }),
        json!({ SECTION: {} }),
        json!({ "$version": 4, "other": 1 }),
        json!({ LEGACY_SECTION: { "maxMessageSizeInBytes": 4096 } }),
    ] {
        let mut configurator = Configurator::new(AgentOptions::default());
        assert_eq!(configurator.evaluate(&desired, Some(4)), Verdict::Applied);
        assert_eq!(agent(&configurator), &AgentConfiguration::default());
        assert_eq!(configurator.evaluation().desired_version, Some(4));
        assert!(configurator.evaluation().unknown.is_empty());
    }
}

#[test]
fn a_section_that_is_no_object_is_refused_by_its_own_name() {
    for section in [json!("x"), json!([]), json!(1), json!(true)] {
        let (verdict, configurator) = evaluate(section);
        assert_eq!(verdict, Verdict::Rejected);
        let evaluation = configurator.evaluation();
        assert_eq!(evaluation.state, EvaluationState::Failed);
        assert_eq!(evaluation.properties.len(), 1);
        assert_eq!(evaluation.properties[0].key, SECTION);
        assert_eq!(
            evaluation.properties[0].pointer,
            "/ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"
        );
        assert_eq!(
            messages(&configurator),
            [format!("{SECTION}: expected an object")]
        );
    }
}

#[test]
fn a_document_that_is_no_object_is_refused() {
    for desired in [json!(null), json!([]), json!("x")] {
        for profile in [Profile::Current, Profile::Legacy, Profile::MicroAgent] {
            let mut configurator = Configurator::new(AgentOptions::default().with_profile(profile));
            assert_eq!(configurator.evaluate(&desired, None), Verdict::Rejected);
            assert_eq!(configurator.evaluation().properties[0].pointer, "");
        }
    }
}

#[test]
fn a_property_is_an_object_with_a_value() {
    for property in [
        json!({}),
        json!({ "value": null }),
        json!({ "Value": 8192 }),
        json!({ "NoValue": 8192 }),
        json!(8192),
        json!("8192"),
        json!([8192]),
        json!(false),
    ] {
        let (verdict, configurator) = evaluate(json!({ "maxMessageSizeInBytes": property }));
        assert_eq!(verdict, Verdict::Rejected, "{property}");
        assert_eq!(
            messages(&configurator),
            ["maxMessageSizeInBytes: expected an object with a member \"value\""]
        );
        assert_eq!(
            pointer(&configurator, "maxMessageSizeInBytes"),
            format!("/{SECTION}/maxMessageSizeInBytes")
        );
    }
    let more_members = json!({ "value": 8192, "unit": "bytes", "Value": "x" });
    let (verdict, configurator) = evaluate(json!({ "maxMessageSizeInBytes": more_members }));
    assert_eq!(verdict, Verdict::Applied);
    assert_eq!(agent(&configurator).max_message_size_in_bytes, 8192);
    assert_eq!(
        pointer(&configurator, "maxMessageSizeInBytes"),
        format!("/{SECTION}/maxMessageSizeInBytes/value")
    );
}

#[test]
fn a_null_property_has_its_default() {
    let (verdict, configurator) = evaluate(json!({ "snapshotFrequency": null }));
    assert_eq!(verdict, Verdict::Applied);
    assert_eq!(outcome(&configurator, "snapshotFrequency"), "default");
    assert_eq!(agent(&configurator), &AgentConfiguration::default());
}

#[test]
fn a_key_in_other_letters_is_unknown() {
    let (verdict, configurator) = evaluate(json!({
        "MaxMessageSizeInBytes": { "value": "nonsense" },
        "maxmessagesizeinbytes": { "value": 1 },
    }));
    assert_eq!(verdict, Verdict::Applied);
    assert_eq!(
        configurator.evaluation().unknown,
        ["MaxMessageSizeInBytes", "maxmessagesizeinbytes"]
    );
    assert_eq!(agent(&configurator), &AgentConfiguration::default());
}

#[test]
fn every_key_takes_a_value_and_reports_it() {
    let section = json!({
        "maxLocalCacheSizeInBytes": { "value": 4_294_967_295_u64 },
        "maxMessageSizeInBytes": { "value": 262_144 },
        "lowPriorityMessageFrequency": { "value": "P1D" },
        "highPriorityMessageFrequency": { "value": "PT1S" },
        "snapshotFrequency": { "value": "P366D" },
        "eventPriorityConnectedHardware": { "value": "Off" },
        "eventPriorityListeningPorts": { "value": "Off" },
        "eventPriorityProcessCreate": { "value": "Off" },
        "eventPriorityProcessTerminate": { "value": "Off" },
        "eventPrioritySystemInformation": { "value": "Off" },
        "eventPriorityLocalUsers": { "value": "Off" },
        "eventPriorityLogin": { "value": "Off" },
        "eventPriorityConnectionCreate": { "value": "Off" },
        "eventPriorityFirewallConfiguration": { "value": "Off" },
        "eventPriorityOSBaseline": { "value": "Off" },
        "eventPriorityDiagnostic": { "value": "Off" },
        "eventPriorityConfigurationError": { "value": "Off" },
        "eventPriorityDroppedEventsStatistics": { "value": "Off" },
        "eventPriorityMessageStatistics": { "value": "Off" },
        "aggregationEnabledProcessCreate": { "value": false },
        "aggregationIntervalProcessCreate": { "value": "PT1M" },
        "aggregationEnabledConnectionCreate": { "value": false },
        "aggregationIntervalConnectionCreate": { "value": "PT2M" },
        "aggregationEnabledProcessTerminate": { "value": false },
        "aggregationIntervalProcessTerminate": { "value": "PT3M" },
        "baselineCustomChecksEnabled": { "value": true },
        "baselineCustomChecksFilePath": { "value": "/p" },
        "baselineCustomChecksFileHash": { "value": "#h" },
        "hubResourceId": { "value": "/subscriptions/s" },
    });
    let (verdict, configurator) = evaluate(section.clone());
    assert_eq!(verdict, Verdict::Applied);
    assert_eq!(configurator.evaluation().reported_section(), section);
    let defaults = AgentConfiguration::default().to_json();
    let effective = agent(&configurator).to_json();
    for (key, value) in effective.as_object().unwrap() {
        assert_ne!(value, &defaults[key], "{key}");
        assert_eq!(outcome(&configurator, key), "applied", "{key}");
    }
    assert_eq!(effective.as_object().unwrap().len(), 29);
}

#[test]
fn each_kind_says_what_it_expected() {
    let bad = json!({ "value": ["no"] });
    let keys = AgentConfiguration::default().to_json();
    let section: Map<String, Value> = keys
        .as_object()
        .unwrap()
        .keys()
        .map(|key| (key.clone(), bad.clone()))
        .collect();
    let (verdict, configurator) = evaluate(Value::Object(section));
    assert_eq!(verdict, Verdict::Rejected);
    let messages = messages(&configurator);
    assert_eq!(messages.len(), 29);
    for message in [
        "maxLocalCacheSizeInBytes: expected an integer",
        "snapshotFrequency: expected an ISO 8601 duration",
        "eventPriorityOSBaseline: expected High, Low or Off",
        "aggregationEnabledProcessCreate: expected a boolean",
        "aggregationIntervalProcessCreate: expected an ISO 8601 duration",
        "baselineCustomChecksEnabled: expected a boolean",
        "baselineCustomChecksFilePath: expected a string",
        "hubResourceId: expected a string",
    ] {
        assert!(messages.iter().any(|it| it == message), "{message}");
    }
}

#[test]
fn a_value_outside_its_range_is_told_the_range() {
    let (_, configurator) = evaluate(json!({
        "maxLocalCacheSizeInBytes": { "value": 4_294_967_296_u64 },
        "maxMessageSizeInBytes": { "value": 262_145 },
        "lowPriorityMessageFrequency": { "value": "P367D" },
        "snapshotFrequency": { "value": "PT1.0005S" },
        "hubResourceId": { "value": "x".repeat(MAX_TEXT_BYTES + 1) },
    }));
    assert_eq!(
        messages(&configurator),
        [
            "maxLocalCacheSizeInBytes: expected an integer from 1 to 4294967295",
            "maxMessageSizeInBytes: expected an integer from 1 to 262144",
            "lowPriorityMessageFrequency: expected an ISO 8601 duration from PT1S to P366D",
            "snapshotFrequency: expected an ISO 8601 duration of whole milliseconds",
            "hubResourceId: expected a string of at most 4096 bytes",
        ]
    );
}

#[test]
fn a_number_is_no_duration() {
    let (verdict, _) = evaluate(json!({ "snapshotFrequency": { "value": 5 } }));
    assert_eq!(verdict, Verdict::Rejected);
}

#[test]
fn one_bad_property_refuses_all_and_withholds_the_good() {
    let mut configurator = Configurator::new(AgentOptions::default());
    let good = json!({ SECTION: { "eventPriorityLogin": { "value": "Low" } } });
    let _ = configurator.evaluate(&good, Some(1));
    let before = configurator.evaluation().effective.clone();
    let mixed = json!({ SECTION: {
        "eventPriorityLogin": { "value": "Off" },
        "maxMessageSizeInBytes": { "value": "abc" },
        "eventPriorityDiagnostic": { "value": 1 },
    } });
    assert_eq!(configurator.evaluate(&mixed, Some(2)), Verdict::Rejected);
    assert_eq!(configurator.evaluation().effective, before);
    assert_eq!(outcome(&configurator, "eventPriorityLogin"), "withheld");
    assert_eq!(outcome(&configurator, "maxMessageSizeInBytes"), "refused");
    assert_eq!(outcome(&configurator, "snapshotFrequency"), "default");
    assert_eq!(messages(&configurator).len(), 2, "all bad keys are named");
    assert_eq!(configurator.evaluation().desired_version, Some(2));
}

#[test]
fn per_property_the_good_apply_and_the_bad_keep_what_was() {
    let options = AgentOptions::default().with_acceptance(Acceptance::PerProperty);
    let mut configurator = Configurator::new(options);
    let desired = json!({ SECTION: {
        "maxMessageSizeInBytes": { "value": 8192 },
        "eventPriorityOperational": { "value": "Off" },
    } });
    let _ = configurator.evaluate(&desired, None);
    let desired = json!({ SECTION: {
        "maxMessageSizeInBytes": { "value": "abc" },
        "eventPriorityLogin": { "value": "Off" },
        "eventPriorityOperational": { "value": "abc" },
        "eventPriorityMessageStatistics": { "value": "High" },
    } });
    assert_eq!(configurator.evaluate(&desired, None), Verdict::Applied);
    let evaluation = configurator.evaluation();
    assert_eq!(evaluation.state, EvaluationState::Failed);
    let configuration = agent(&configurator);
    assert_eq!(configuration.max_message_size_in_bytes, 8192);
    assert_eq!(configuration.event_priority_login, Priority::Off);
    assert_eq!(
        configuration.event_priority_configuration_error,
        Priority::Off
    );
    assert_eq!(
        configuration.event_priority_message_statistics,
        Priority::High
    );
    assert_eq!(configurator.evaluate(&desired, None), Verdict::Unchanged);
    let section = json!({ SECTION: 1 });
    assert_eq!(configurator.evaluate(&section, None), Verdict::Rejected);
}

#[test]
fn the_operational_alias_stands_for_the_keys_that_are_absent() {
    let (_, configurator) = evaluate(json!({
        "eventPriorityOperational": { "value": "high" },
        "eventPriorityMessageStatistics": { "value": "Low" },
        "eventPriorityConfigurationError": null,
    }));
    let configuration = agent(&configurator);
    assert_eq!(
        configuration.event_priority_configuration_error,
        Priority::High
    );
    assert_eq!(
        configuration.event_priority_dropped_events_statistics,
        Priority::High
    );
    assert_eq!(
        configuration.event_priority_message_statistics,
        Priority::Low
    );
    assert!(configurator.evaluation().unknown.is_empty());
    assert_eq!(
        outcome(&configurator, "eventPriorityOperational"),
        "applied"
    );
    let reported = configurator.evaluation().reported_section();
    assert_eq!(reported.get("eventPriorityOperational"), None);

    let (verdict, configurator) = evaluate(json!({ "eventPriorityOperational": { "value": 3 } }));
    assert_eq!(verdict, Verdict::Rejected);
    let errors = configuration_errors(configurator.evaluation());
    assert_eq!(errors[0].configuration_name, "eventPriorityOperational");
    assert_eq!(errors[0].used_configuration, "Low");
}

#[test]
fn priorities_are_found_by_event_name() {
    let configuration = AgentConfiguration::default();
    assert_eq!(configuration.priority_of("Login"), Some(Priority::High));
    assert_eq!(configuration.priority_of("OSBaseline"), Some(Priority::Low));
    for name in ["", "login", "Operational", "eventPriorityLogin", "Unheard"] {
        assert_eq!(configuration.priority_of(name), None, "{name}");
    }
}

#[test]
fn an_empty_resource_id_is_not_set_and_other_empty_texts_are() {
    let (_, configurator) = evaluate(json!({
        "hubResourceId": { "value": "" },
        "baselineCustomChecksFilePath": { "value": "" },
    }));
    assert_eq!(agent(&configurator).hub_resource_id, None);
    assert_eq!(
        agent(&configurator).baseline_custom_checks_file_path,
        Some(String::new())
    );
}

#[test]
fn contradictions_apply_with_warnings_in_a_fixed_order() {
    let (verdict, configurator) = evaluate(json!({
        "maxLocalCacheSizeInBytes": { "value": 7000 },
        "maxMessageSizeInBytes": { "value": 8000 },
        "highPriorityMessageFrequency": { "value": "PT6H" },
    }));
    assert_eq!(verdict, Verdict::Applied);
    let evaluation = configurator.evaluation();
    assert_eq!(evaluation.state, EvaluationState::Success);
    let found: Vec<_> = evaluation
        .warnings
        .iter()
        .map(|warning| (warning.key.as_str(), warning.kind, warning.used.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("maxLocalCacheSizeInBytes", ErrorKind::Conflict, "7000"),
            ("maxMessageSizeInBytes", ErrorKind::NotOptimal, "8000"),
            ("highPriorityMessageFrequency", ErrorKind::Conflict, "PT6H"),
        ]
    );
    let (_, equal) = evaluate(json!({
        "maxLocalCacheSizeInBytes": { "value": 8192 },
        "maxMessageSizeInBytes": { "value": 8192 },
        "highPriorityMessageFrequency": { "value": "PT5H" },
    }));
    assert!(equal.evaluation().warnings.is_empty());
}

#[test]
fn warnings_are_about_what_is_in_force() {
    let mut configurator = Configurator::new(AgentOptions::default());
    let wasteful = json!({ SECTION: { "maxMessageSizeInBytes": { "value": 8000 } } });
    let _ = configurator.evaluate(&wasteful, None);
    let bad = json!({ SECTION: {
        "maxMessageSizeInBytes": { "value": 8192 },
        "snapshotFrequency": { "value": "x" },
    } });
    let _ = configurator.evaluate(&bad, None);
    let errors = configuration_errors(configurator.evaluation());
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.configuration_name.as_str(), error.error_type.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("snapshotFrequency", "TypeMismatch"),
            ("maxMessageSizeInBytes", "NotOptimal"),
        ]
    );
}

#[test]
fn refusals_come_in_schema_order_with_the_value_in_force() {
    let (_, configurator) = evaluate(json!({
        "eventPriorityLogin": { "value": "" },
        "hubResourceId": { "value": 1 },
        "highPriorityMessageFrequency": { "value": "" },
        "lowPriorityMessageFrequency": { "value": "" },
        "maxMessageSizeInBytes": { "value": "" },
        "maxLocalCacheSizeInBytes": { "value": "" },
        "baselineCustomChecksEnabled": { "value": "" },
    }));
    let errors = configuration_errors(configurator.evaluation());
    let found: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error.configuration_name.as_str(),
                error.used_configuration.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("maxLocalCacheSizeInBytes", "2560000"),
            ("maxMessageSizeInBytes", "204800"),
            ("lowPriorityMessageFrequency", "PT5H"),
            ("highPriorityMessageFrequency", "PT7M"),
            ("eventPriorityLogin", "High"),
            ("baselineCustomChecksEnabled", "false"),
            ("hubResourceId", ""),
        ]
    );
    let (_, configurator) = evaluate(json!("x"));
    let errors = configuration_errors(configurator.evaluation());
    let used: Value = serde_json::from_str(&errors[0].used_configuration).unwrap();
    assert_eq!(used, AgentConfiguration::default().to_json());
}

#[test]
fn the_same_again_is_unchanged_and_a_repair_is_applied() {
    let mut configurator = Configurator::new(AgentOptions::default());
    let good = json!({ SECTION: { "eventPriorityLogin": { "value": "Low" } } });
    let bad = json!({ SECTION: { "eventPriorityLogin": { "value": "x" } } });
    let other_bad = json!({ SECTION: { "eventPriorityLogin": { "value": "y" } } });
    assert_eq!(configurator.evaluate(&good, Some(1)), Verdict::Applied);
    assert_eq!(configurator.evaluate(&good, Some(2)), Verdict::Unchanged);
    assert_eq!(configurator.evaluation().desired_version, Some(2));
    assert_eq!(configurator.evaluate(&bad, Some(3)), Verdict::Rejected);
    assert_eq!(configurator.evaluate(&bad, Some(4)), Verdict::Unchanged);
    assert_eq!(
        configurator.evaluate(&other_bad, Some(5)),
        Verdict::Rejected
    );
    // The value in force is the one before, but the status is good again.
    assert_eq!(configurator.evaluate(&good, Some(6)), Verdict::Applied);
    assert_eq!(configurator.evaluate(&bad, Some(7)), Verdict::Rejected);
}

#[test]
fn what_says_the_default_or_nothing_known_changes_nothing() {
    let mut configurator = Configurator::new(AgentOptions::default());
    let _ = configurator.evaluate(&json!({}), None);
    for section in [
        json!({ "eventPriorityLogin": { "value": "HIGH" } }),
        json!({ "snapshotFrequency": { "value": "PT780M" } }),
        json!({ "brandNew": { "value": 1 } }),
    ] {
        let desired = json!({ SECTION: section });
        assert_eq!(configurator.evaluate(&desired, None), Verdict::Unchanged);
    }
    assert_eq!(configurator.evaluation().unknown, ["brandNew"]);
}

#[test]
fn unknown_keys_are_counted_and_kept_in_bounds() {
    let mut section: Map<String, Value> =
        (0..5000).map(|n| (format!("x{n:04}"), json!(n))).collect();
    let long = "é".repeat(5000);
    section.insert(format!("a{long}"), json!(1));
    let (verdict, configurator) = evaluate(Value::Object(section));
    assert_eq!(verdict, Verdict::Applied);
    let evaluation = configurator.evaluation();
    assert_eq!(evaluation.unknown_count, 5001);
    assert_eq!(evaluation.unknown.len(), MAX_UNKNOWN_KEYS);
    // Cut between characters: `a` and 511 letters of two bytes.
    assert_eq!(evaluation.unknown[0].len(), MAX_UNKNOWN_KEY_BYTES - 1);
}

#[test]
fn a_refused_value_is_not_repeated() {
    let secret = "s3cret".repeat(100_000);
    let (_, configurator) = evaluate(json!({ "snapshotFrequency": { "value": secret } }));
    assert!(configurator.evaluation().to_json().to_string().len() < 16_384);
    assert!(!format!("{:?}", configurator.evaluation()).contains("s3cret"));
}

#[test]
fn a_deep_value_is_refused() {
    // As deep as a JSON parser lets a document be.
    let deep = (0..126).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let (verdict, _) = evaluate(json!({ "snapshotFrequency": { "value": deep } }));
    assert_eq!(verdict, Verdict::Rejected);
}

#[test]
fn another_section_name_is_read_and_reported() {
    let options = AgentOptions::default().with_section("my/section~1");
    let mut configurator = Configurator::new(options);
    let desired = json!({
        "my/section~1": { "eventPriorityLogin": { "value": "Off" } },
        SECTION: "ignored",
    });
    assert_eq!(configurator.evaluate(&desired, None), Verdict::Applied);
    assert_eq!(
        pointer(&configurator, "eventPriorityLogin"),
        "/my~1section~01/eventPriorityLogin/value"
    );
    let reported = configurator.reported();
    assert_eq!(
        reported["my/section~1"]["eventPriorityLogin"],
        json!({ "value": "Off" })
    );
}

#[test]
fn the_legacy_profile_reads_bare_values_under_the_old_name() {
    let legacy = AgentOptions::default().with_profile(Profile::Legacy);
    let mut configurator = Configurator::new(legacy.clone());
    let desired = json!({ LEGACY_SECTION: {
        "lowPriorityMessageFrequency": "PT1H",
        "eventPriorityLogin": null,
        "maxMessageSizeInBytes": 4096,
    } });
    assert_eq!(configurator.evaluate(&desired, None), Verdict::Applied);
    assert_eq!(agent(&configurator).max_message_size_in_bytes, 4096);
    let wrapped = json!({ LEGACY_SECTION: { "maxMessageSizeInBytes": { "value": 4096 } } });
    assert_eq!(configurator.evaluate(&wrapped, None), Verdict::Rejected);
    assert_eq!(
        pointer(&configurator, "maxMessageSizeInBytes"),
        "/azureiot*com^securityAgentConfiguration^1*0*0/maxMessageSizeInBytes"
    );
    assert_eq!(legacy.with_section("mine").section_name(), Some("mine"));
}

#[test]
fn reported_is_wrapped_and_leaves_out_what_is_not_set() {
    let (_, configurator) = evaluate(json!({ "eventPriorityLogin": { "value": "lOW" } }));
    let reported = configurator.reported();
    let section = reported[SECTION].as_object().unwrap();
    assert_eq!(section["eventPriorityLogin"], json!({ "value": "Low" }));
    assert_eq!(section["snapshotFrequency"], json!({ "value": "PT13H" }));
    assert_eq!(section.len(), 26, "29 keys, three texts not set");
    assert_eq!(section.get("hubResourceId"), None);
}

#[test]
fn the_status_tells_version_state_and_fields() {
    let mut configurator = Configurator::new(AgentOptions::default());
    let bad = json!({ SECTION: { "eventPriorityLogin": { "value": "x" } } });
    let _ = configurator.evaluate(&bad, Some(9));
    assert_eq!(
        configurator.evaluation().status(),
        json!({
            "desiredVersion": 9,
            "state": "failed",
            "invalidFields": ["eventPriorityLogin"],
            "libraryVersion": env!("CARGO_PKG_VERSION"),
        })
    );
    let _ = configurator.evaluate(&json!({}), None);
    let status = configurator.evaluation().status();
    assert_eq!(status["state"], "success");
    assert_eq!(status.get("desiredVersion"), None);
}

#[test]
fn an_evaluation_as_json_has_everything() {
    let (_, configurator) = evaluate(json!({
        "eventPriorityLogin": { "value": "x" },
        "odd": 1,
    }));
    let json = configurator.evaluation().to_json();
    assert_eq!(json["state"], "failed");
    assert_eq!(json["desired_version"], Value::Null);
    assert_eq!(json["effective"], AgentConfiguration::default().to_json());
    assert_eq!(json["properties"].as_array().unwrap().len(), 30);
    assert_eq!(
        json["errors"],
        json!([{
            "key": "eventPriorityLogin",
            "pointer": format!("/{SECTION}/eventPriorityLogin/value"),
            "error": "TypeMismatch",
            "expected": "High, Low or Off",
            "message": "eventPriorityLogin: expected High, Low or Off",
            "used": "High",
        }])
    );
    assert_eq!(json["unknown_keys"], json!(["odd"]));
    assert_eq!(json["unknown_count"], 1);
}

#[test]
fn a_record_brings_the_configuration_back() {
    let (_, configurator) = evaluate(json!({
        "eventPriorityLogin": { "value": "Off" },
        "maxMessageSizeInBytes": { "value": 8000 },
        "hubResourceId": { "value": "/h" },
    }));
    let record = configurator.to_record();
    let mut restarted = Configurator::new(AgentOptions::default());
    restarted.restore(&record).unwrap();
    assert_eq!(agent(&restarted), agent(&configurator));
    assert_eq!(restarted.evaluation().warnings.len(), 1);
    // A bad document at the start leaves the restored configuration in force.
    let bad = json!({ SECTION: { "eventPriorityLogin": { "value": "x" } } });
    assert_eq!(restarted.evaluate(&bad, None), Verdict::Rejected);
    assert_eq!(agent(&restarted), agent(&configurator));
}

#[test]
fn a_record_outlives_versions_of_the_library() {
    let mut restarted = Configurator::new(AgentOptions::default());
    let record = json!({
        "format": 1, "layout": "agent", "written_by": "1.2.3",
        "configuration": { "eventPriorityLogin": "Off", "keyOfTheFuture": 1 },
    });
    restarted.restore(&record).unwrap();
    assert_eq!(agent(&restarted).event_priority_login, Priority::Off);
}

#[test]
fn a_bad_record_is_refused_with_the_place() {
    let good = Configurator::new(AgentOptions::default()).to_record();
    let with = |pointer: &str, value: Value| {
        let mut record = good.clone();
        *record.pointer_mut(pointer).unwrap() = value;
        record
    };
    let cases = [
        (json!(null), "/format: expected 1"),
        (json!({}), "/format: expected 1"),
        (with("/format", json!(2)), "/format: expected 1"),
        (
            with("/layout", json!("micro_agent")),
            "/layout: expected agent",
        ),
        (with("/layout", json!(1)), "/layout: expected agent"),
        (
            with("/configuration", json!([])),
            "/configuration: expected an object",
        ),
        (
            with("/configuration/maxMessageSizeInBytes", json!(0)),
            "/configuration/maxMessageSizeInBytes: expected an integer from 1 to 262144",
        ),
    ];
    let mut configurator = Configurator::new(AgentOptions::default());
    let desired = json!({ SECTION: { "eventPriorityLogin": { "value": "Off" } } });
    let _ = configurator.evaluate(&desired, Some(1));
    let before = configurator.evaluation().clone();
    for (record, place) in cases {
        let error = configurator.restore(&record).unwrap_err();
        assert_eq!(error.to_string(), format!("configuration record, {place}"));
        assert_eq!(configurator.evaluation(), &before);
    }
}
