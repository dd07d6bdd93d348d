//! The bodies of the fuzz targets: one function a parser, each given arbitrary bytes.
//!
//! `fuzz/` feeds them from libFuzzer, `tests/rust/fuzz_seeds.rs` from the committed seeds. They
//! panic when a law is broken; a parser that refuses its input is fine.

use serde_json::Value;
use twinguard_client::store;
use twinguard_core::agent::{Acceptance, AgentOptions, Configurator, Profile, Shadow, Verdict};
use twinguard_core::hub::{bag, topic};
use twinguard_core::identity::{ConnectionString, SasToken};
use twinguard_core::twin::patch::{self, apply_change};
use twinguard_core::twin::{check_reported, check_reported_patch, parse_object};

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by the name of its file in `fuzz/fuzz_targets` and its folder in `fuzz/seeds`.
pub const TARGETS: [Target; 5] = [
    ("connection_string", connection_string),
    ("topic_and_bag", topic_and_bag),
    ("twin_sequence", twin_sequence),
    ("agent_configuration", agent_configuration),
    ("store_record", store_record),
];

const MAX_JSON: usize = 128 * 1024;

/// Connection strings and ready tokens: what is taken can be used, and errors hold no secret.
pub fn connection_string(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = SasToken::parse(text);
    match ConnectionString::parse(text) {
        Ok(parsed) => {
            let shown = format!("{parsed:?}");
            if let Some(key) = secret_of(text) {
                assert!(!shown.contains(key), "a secret in Debug");
            }
            assert!(parsed.identity.resource().contains("/devices/"));
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            if let Some(key) = secret_of(text) {
                assert!(!shown.contains(key), "a secret in an error");
            }
        }
    }
}

/// The value of `SharedAccessKey=`, when it is long enough to be told from chance.
fn secret_of(text: &str) -> Option<&str> {
    let key = text.split(';').find_map(|pair| pair.strip_prefix("SharedAccessKey="))?;
    (key.len() >= 16 && !"SharedAccessSignature".contains(key)).then_some(key)
}

/// Topics and property bags: total on any text; what was encoded decodes to the same.
pub fn topic_and_bag(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = topic::parse(text);
    if let Ok(decoded) = bag::decode(text) {
        let again = bag::decode(&bag::encode(&decoded));
        assert_eq!(again.as_ref(), Ok(&decoded), "a bag that does not survive a round trip");
    }
}

/// A document and a run of patches, one JSON text a line: the laws of merge, diff and changes.
pub fn twin_sequence(data: &[u8]) {
    let mut documents = data.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut value = parse_object(line, MAX_JSON).ok()?;
        let _ = (check_reported(&value), check_reported_patch(&value));
        Some(std::mem::take(&mut value))
    });
    let Some(mut known) = documents.next() else { return };
    patch::strip_nulls(&mut known);
    for next in documents.take(64) {
        let mut merged = known.clone();
        patch::merge(&mut merged, &next);
        let mut by_diff = known.clone();
        if let Some(diff) = patch::diff(&known, &merged) {
            patch::merge(&mut by_diff, &diff);
        }
        assert_eq!(by_diff, merged, "diff does not lead from one document to the other");
        let mut by_changes = known.clone();
        for change in patch::changes(&known, &merged) {
            assert_eq!(apply_change(&mut by_changes, &change), Ok(()));
        }
        assert_eq!(by_changes, merged, "changes do not rebuild the document");
        known = merged;
    }
}

/// Desired documents in every profile: evaluation is total, and a second look changes nothing.
pub fn agent_configuration(data: &[u8]) {
    let Ok(document) = parse_object(data, MAX_JSON) else { return };
    for profile in [Profile::Current, Profile::Legacy, Profile::MicroAgent] {
        for acceptance in [Acceptance::Whole, Acceptance::PerProperty] {
            let mut options = AgentOptions::default();
            options.profile = profile;
            options.acceptance = acceptance;
            evaluate_twice(&options, &document);
            let mut shadow = Shadow::new(options);
            let _ = shadow.apply_full(document.clone());
            let _ = shadow.apply_patch(&document);
        }
    }
}

fn evaluate_twice(options: &AgentOptions, document: &Value) {
    let mut configurator = Configurator::new(options.clone());
    let before = configurator.evaluation().effective.clone();
    let verdict = configurator.evaluate(document, Some(1));
    if verdict == Verdict::Rejected && options.acceptance == Acceptance::Whole {
        assert_eq!(configurator.evaluation().effective, before, "a refused update has effect");
    }
    let evaluation = configurator.evaluation().clone();
    let _ = (evaluation.to_json(), evaluation.reported_section(), evaluation.status());
    let again = configurator.evaluate(document, Some(1));
    assert!(again != Verdict::Applied, "the same document has effect twice");
}

/// Files that hold a record: whatever is in them, an answer or a named error.
pub fn store_record(data: &[u8]) {
    if let Ok(record) = store::decode(data) {
        assert_eq!(store::decode(&store::encode(&record)).ok(), Some(record));
    }
}
