//! The bodies of the fuzz targets: one function a parser, each given arbitrary bytes.
//!
//! `fuzz/` feeds them from libFuzzer, `tests/rust/fuzz_seeds.rs` from the committed seeds. They
//! panic when a law is broken; a parser that refuses its input is fine.

use std::fs;

use serde_json::Value;
use twinguard_client::{FileStore, Store};
use twinguard_core::agent::{Acceptance, AgentOptions, Configurator, Profile, Shadow, Verdict};
use twinguard_core::hub::bag::PropertyBag;
use twinguard_core::hub::topic;
use twinguard_core::identity::{ConnectionString, SasToken};
use twinguard_core::module::{
    Action, Authentication, ConnectionId, Input, Module, ModuleOptions, Now,
};
use twinguard_core::twin::json::parse_object;
use twinguard_core::twin::limits::{check_reported, check_reported_patch};
use twinguard_core::twin::patch::{self, apply_change};

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by the name of its file in `fuzz/fuzz_targets` and its folder in `fuzz/seeds`.
pub const TARGETS: [Target; 7] = [
    ("connection_string", connection_string),
    ("topic_and_bag", topic_and_bag),
    ("twin_sequence", twin_sequence),
    ("agent_configuration", agent_configuration),
    ("store_record", store_record),
    ("module_record", module_record),
    ("module_session", module_session),
];

const MAX_JSON: usize = 128 * 1024;

/// Connection strings and ready tokens: what is taken can be used, and errors hold no secret.
pub fn connection_string(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
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

/// The value of `SharedAccessKey=`, when it is long enough to be told from chance and stands
/// nowhere else: a host name that is the same text may be shown.
fn secret_of(text: &str) -> Option<&str> {
    let key = text
        .split(';')
        .find_map(|pair| pair.strip_prefix("SharedAccessKey="))?;
    (key.len() >= 16 && text.matches(key).count() == 1).then_some(key)
}

/// Topics and property bags: total on any text; what was encoded decodes to the same.
pub fn topic_and_bag(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = topic::parse(text);
    if let Ok(decoded) = PropertyBag::decode(text)
        && let Ok(encoded) = decoded.encode()
    {
        let again = PropertyBag::decode(&encoded);
        assert_eq!(
            again.as_ref(),
            Ok(&decoded),
            "a bag that does not survive a round trip"
        );
    }
}

/// A document and a run of patches, one JSON text a line: the laws of merge, diff and changes.
pub fn twin_sequence(data: &[u8]) {
    let mut documents = data.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut value = parse_object(line, MAX_JSON).ok()?;
        let _ = (check_reported(&value), check_reported_patch(&value));
        Some(std::mem::take(&mut value))
    });
    let Some(mut known) = documents.next() else {
        return;
    };
    patch::strip_nulls(&mut known);
    for next in documents.take(64) {
        let mut merged = known.clone();
        patch::merge(&mut merged, &next);
        let mut by_diff = known.clone();
        if let Some(diff) = patch::diff(&known, &merged) {
            patch::merge(&mut by_diff, &diff);
        }
        assert_eq!(
            by_diff, merged,
            "diff does not lead from one document to the other"
        );
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
    let Ok(document) = parse_object(data, MAX_JSON) else {
        return;
    };
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
        assert_eq!(
            configurator.evaluation().effective,
            before,
            "a refused update has effect"
        );
    }
    let evaluation = configurator.evaluation().clone();
    let _ = (
        evaluation.to_json(),
        evaluation.reported_section(),
        evaluation.status(),
    );
    let again = configurator.evaluate(document, Some(1));
    assert!(
        again != Verdict::Applied,
        "the same document has effect twice"
    );
}

/// Files that hold a record: whatever is in them, the store opens and gives an answer or a named
/// error; what it gives survives being saved again.
pub fn store_record(data: &[u8]) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a temporary folder");
    }
    FOLDER.with(|folder| {
        let directory = folder.path().join("store");
        let mut store = FileStore::open(&directory).expect("a fresh folder");
        fs::write(directory.join("twin.record"), data).expect("a file in it");
        if let Ok(Some(record)) = store.load() {
            store.save(&record).expect("room in a temporary folder");
            assert_eq!(store.load().ok().flatten(), Some(record));
        }
    });
}

/// The engine's record: restoring is total, and what is refused leaves the module as it was.
pub fn module_record(data: &[u8]) {
    let now = Now {
        mono_ms: 1_000,
        unix_ms: 1_800_000_000_000,
    };
    let mut module = Module::new(module_options(), now).expect("sound options");
    if module.restore(data).is_err() {
        assert!(!module.synced() && module.poll_action().is_none());
    }
    module.connect(now);
    while module.poll_action().is_some() || module.poll_event().is_some() {}
}

/// A session with a hub that says what it likes: each line is one message, its topic chosen by
/// the first byte, or a step of the clock. The engine never panics and never grows without bound.
pub fn module_session(data: &[u8]) {
    let mut now = Now {
        mono_ms: 1_000,
        unix_ms: 1_800_000_000_000,
    };
    let mut module = Module::new(module_options(), now).expect("sound options");
    module.connect(now);
    let mut rid = String::new();
    for line in data.split(|byte| *byte == b'\n').take(256) {
        let connection = answer_actions(&mut module, now, &mut rid);
        let Some((kind, payload)) = line.split_first() else {
            continue;
        };
        let topic = match kind % 6 {
            0 => format!("$iothub/twin/res/200/?$rid={rid}"),
            1 => format!("$iothub/twin/res/204/?$rid={rid}&$version=3"),
            2 => format!("$iothub/twin/res/429/?$rid={rid}"),
            3 => "$iothub/twin/PATCH/properties/desired/?$version=5".to_owned(),
            4 => String::from_utf8_lossy(payload).into_owned(),
            _ => {
                now.mono_ms += u64::from(*kind) * 500;
                module.handle_timeout(now);
                continue;
            }
        };
        module.handle(
            now,
            Input::Message {
                connection,
                topic: &topic,
                payload,
            },
        );
    }
    let mut waiting = 0;
    while module.poll_event().is_some() {
        waiting += 1;
    }
    assert!(waiting <= 4 * 64, "{waiting} events wait");
}

fn module_options() -> ModuleOptions {
    let text = "HostName=h.azure-devices.net;DeviceId=d;ModuleId=m;SharedAccessKey=AAECAwQ=";
    let parsed = ConnectionString::parse(text).expect("a sound connection string");
    ModuleOptions::new(parsed.identity, Authentication::Key, 7)
}

/// Plays a friendly driver: every action is carried out at once. Gives the newest connection.
fn answer_actions(module: &mut Module, now: Now, rid: &mut String) -> ConnectionId {
    let mut newest = ConnectionId(0);
    while let Some(action) = module.poll_action() {
        match action {
            Action::Sign { id, .. } => {
                module.handle(
                    now,
                    Input::Signed {
                        id,
                        result: Ok([7; 32]),
                    },
                );
            }
            Action::Connect(request) => {
                newest = request.connection;
                let connection = newest;
                module.handle(
                    now,
                    Input::Connected {
                        connection,
                        session_present: false,
                    },
                );
            }
            Action::Subscribe { connection, id, .. } => {
                newest = connection;
                module.handle(
                    now,
                    Input::Subscribed {
                        connection,
                        id,
                        granted: true,
                    },
                );
            }
            Action::Publish {
                connection, topic, ..
            } => {
                newest = connection;
                if let Some((_, tail)) = topic.split_once("$rid=") {
                    rid.clear();
                    rid.push_str(tail);
                }
            }
            _ => {}
        }
    }
    newest
}
