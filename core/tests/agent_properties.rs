//! What holds for the agent configuration whatever the operator writes.

use proptest::prelude::*;
use serde_json::{Value, json};
use twinguard_core::agent::{
    Acceptance, AgentConfiguration, AgentOptions, Configurator, ErrorKind, Evaluation,
    EvaluationState, LEGACY_SECTION, MAX_UNKNOWN_KEYS, MicroAgentConfiguration, Profile, SECTION,
    Shadow, Update, Verdict,
};
use twinguard_core::events::configuration_errors;

/// A known key of any layout, or one that nobody knows.
fn key() -> impl Strategy<Value = String> {
    let known: Vec<String> = [
        AgentConfiguration::default().to_json(),
        MicroAgentConfiguration::default().to_json(),
        json!({ "eventPriorityOperational": null }),
    ]
    .iter()
    .filter_map(Value::as_object)
    .flat_map(|members| members.keys().cloned())
    .collect();
    prop_oneof![
        12 => proptest::sample::select(known),
        1 => "\\PC{0,8}",
        1 => Just("$version".to_owned()),
    ]
}

/// Values that are often good for some key.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => proptest::sample::select(vec![
            json!("High"), json!("low"), json!("OFF"), json!("Medium"), json!(true), json!(false),
            json!("PT1H"), json!("P366D"), json!("PT1.5S"), json!(4096), json!(8192.0), json!(1),
            json!(3), json!("30,120,1440"), json!("/a/path"), json!(""),
        ]),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => "P[0-9YMWDTHS.]{0,10}".prop_map(Value::from),
        1 => "\\PC{0,12}".prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("\\PC{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn property() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => leaf().prop_map(|value| json!({ "value": value })),
        2 => leaf(),
        1 => any_json(),
    ]
}

fn section() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => proptest::collection::btree_map(key(), property(), 0..6)
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        1 => any_json(),
    ]
}

fn desired() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => section().prop_map(|section| json!({ SECTION: section, "$version": 3 })),
        3 => section().prop_map(|section| json!({ LEGACY_SECTION: section })),
        3 => section(),
        1 => any_json(),
    ]
}

fn options() -> impl Strategy<Value = AgentOptions> {
    let acceptance = prop_oneof![Just(Acceptance::Whole), Just(Acceptance::PerProperty)];
    let profile = prop_oneof![
        3 => Just(Profile::Current),
        1 => Just(Profile::Legacy),
        1 => Just(Profile::MicroAgent),
    ];
    (acceptance, profile).prop_map(|(acceptance, profile)| {
        AgentOptions::default()
            .with_acceptance(acceptance)
            .with_profile(profile)
    })
}

fn all_but_version(evaluation: &Evaluation) -> Evaluation {
    let mut evaluation = evaluation.clone();
    evaluation.desired_version = None;
    evaluation
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn a_history_of_documents(
        options in options(),
        documents in proptest::collection::vec(desired(), 1..6),
    ) {
        let whole = options.acceptance == Acceptance::Whole;
        let mut configurator = Configurator::new(options);
        for (version, document) in (1..).zip(&documents) {
            let before = configurator.evaluation().clone();
            let verdict = configurator.evaluate(document, Some(version));
            let after = configurator.evaluation().clone();
            let failed = after.state == EvaluationState::Failed;

            prop_assert_eq!(failed, after.errors().next().is_some());
            prop_assert!(after.unknown.len() <= MAX_UNKNOWN_KEYS);
            prop_assert!(after.unknown.len() <= after.unknown_count);
            if verdict == Verdict::Rejected || (failed && whole) {
                prop_assert_eq!(&after.effective, &before.effective);
            }
            if verdict == Verdict::Unchanged {
                prop_assert_eq!(&after.effective, &before.effective);
                prop_assert_eq!(after.state, before.state);
            }
            let payloads = configuration_errors(&after);
            let refusals = payloads.iter().filter(|it| it.error_type == ErrorKind::TypeMismatch);
            prop_assert_eq!(refusals.count(), after.errors().count());
            prop_assert_eq!(payloads.is_empty(), !failed && after.warnings.is_empty());

            prop_assert_eq!(configurator.evaluate(document, None), Verdict::Unchanged);
            prop_assert_eq!(all_but_version(configurator.evaluation()), all_but_version(&after));
        }
    }

    #[test]
    fn reported_and_record_bring_the_same_configuration(
        options in options(),
        document in desired(),
    ) {
        let mut configurator = Configurator::new(options.clone());
        let _ = configurator.evaluate(&document, None);
        let effective = &configurator.evaluation().effective;

        let mut restored = Configurator::new(options.clone());
        prop_assert_eq!(restored.restore(&configurator.to_record()), Ok(()));
        prop_assert_eq!(&restored.evaluation().effective, effective);
        prop_assert_eq!(&restored.evaluation().warnings, &configurator.evaluation().warnings);

        if options.profile != Profile::MicroAgent {
            // Reported is wrapped whatever the profile.
            let mut again = Configurator::new(AgentOptions::default());
            let reported = json!({ SECTION: configurator.evaluation().reported_section() });
            prop_assert_eq!(again.evaluate(&reported, None), Verdict::Applied);
            prop_assert_eq!(&again.evaluation().effective, effective);
            prop_assert_eq!(again.evaluation().state, EvaluationState::Success);
        }
    }

    #[test]
    fn a_shadow_of_patches_agrees_with_the_whole_document(
        documents in proptest::collection::vec(section(), 1..5),
    ) {
        let options = AgentOptions::default().with_acceptance(Acceptance::PerProperty);
        let mut shadow = Shadow::new(options);
        for document in &documents {
            let update = shadow.apply_patch(&json!({ SECTION: document }));
            prop_assert!(!matches!(
                update,
                Ok(Update::IgnoredStale | Update::ResyncRequired) | Err(_)
            ));
        }
        let mut configurator = Configurator::new(AgentOptions::default());
        let verdict = configurator.evaluate(shadow.desired().value(), None);
        if verdict == Verdict::Applied {
            let evaluation = configurator.evaluation();
            prop_assert_eq!(&evaluation.effective, &shadow.evaluation().effective);
        }
    }

    #[test]
    fn a_record_is_never_trusted(
        options in options(),
        configuration in section(),
        odd in any_json(),
    ) {
        let mut configurator = Configurator::new(options);
        let before = configurator.evaluation().clone();
        prop_assert!(configurator.restore(&odd).is_err());
        let mut record = configurator.to_record();
        if let Some(members) = record.as_object_mut() {
            members.insert("configuration".to_owned(), configuration.clone());
        }
        if configurator.restore(&record).is_err() {
            prop_assert_eq!(configurator.evaluation(), &before);
        } else {
            prop_assert!(configuration.is_object());
        }
    }
}
