//! Log records, and host code that misbehaves on the threads of the library.

mod support;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::json;
use support::{Ca, LONG, Twin, good_hub, running};
use twinguard_client::{
    ErrorKind, Event, LogLevel, LogRecord, LogSink, ModuleClient, Runtime, State, Store,
    StoreError, StoreErrorKind, TroubleKind,
};

#[derive(Default)]
struct Lines(Mutex<Vec<(LogLevel, String)>>);

impl LogSink for Lines {
    fn log(&self, record: &LogRecord<'_>) {
        let line = format!("{} {}: {}", record.module, record.target, record.message);
        self.0.lock().unwrap().push((record.level, line));
    }
}

#[test]
fn records_name_the_module_and_show_no_secret_and_no_content() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({ "a": "in the twin" })));
    let lines = Arc::new(Lines::default());
    let mut options = hub.options(&ca);
    options.log_sink(LogLevel::Trace, lines.clone());
    let client = running(options).unwrap();
    let generation = client
        .set_reported(json!({ "b": "in the report" }))
        .unwrap();
    client.wait_reported(generation, LONG).unwrap();
    client.close(LONG).unwrap();
    let lines = lines.0.lock().unwrap();
    let text = lines
        .iter()
        .map(|(_, line)| line.as_str())
        .collect::<Vec<_>>()
        .join("\n");
    for expected in ["signing in", "CONNACK", "PUBLISH with", "Running", "Closed"] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    assert!(
        lines
            .iter()
            .all(|(_, line)| line.starts_with("pump-7/azureiotsecurity "))
    );
    for secret in [
        "c2VjcmV0",
        "sig=",
        "SharedAccessSignature",
        "in the twin",
        "in the report",
    ] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}

#[test]
fn a_level_leaves_out_what_matters_less() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let lines = Arc::new(Lines::default());
    let mut options = hub.options(&ca);
    options.log_sink(LogLevel::Info, lines.clone());
    running(options).unwrap().close(LONG).unwrap();
    let lines = lines.0.lock().unwrap();
    assert!(!lines.is_empty());
    assert!(
        lines.iter().all(|(level, _)| *level <= LogLevel::Info),
        "{lines:?}"
    );
}

/// Calls back into the client from the I/O thread.
#[derive(Default)]
struct Caller {
    client: OnceLock<ModuleClient>,
    answers: Mutex<Vec<ErrorKind>>,
    states: Mutex<Vec<State>>,
}

impl LogSink for Caller {
    fn log(&self, record: &LogRecord<'_>) {
        let Some(client) = self.client.get() else {
            return;
        };
        if !record.message.starts_with("received CONNACK") {
            return;
        }
        self.states.lock().unwrap().push(client.state());
        client.set_reported(json!({ "from": "the sink" })).unwrap();
        for result in [
            client.wait_running(LONG).map(drop),
            client.get_twin(LONG).map(drop),
            client.next_event(LONG).map(drop),
            client.close(LONG),
        ] {
            self.answers
                .lock()
                .unwrap()
                .push(result.unwrap_err().kind());
        }
    }
}

#[test]
fn calls_that_would_wait_for_their_own_thread_are_refused_and_others_work() {
    let ca = Ca::new();
    let twin = Twin::new(json!({}));
    let hub = good_hub(&ca, twin.clone());
    let caller = Arc::new(Caller::default());
    let mut options = hub.options(&ca);
    options.log_sink(LogLevel::Trace, caller.clone());
    let client = options.build().unwrap();
    caller.client.set(client.clone()).unwrap();
    client.connect().unwrap();
    client.wait_running(LONG).unwrap();
    client.wait_reported(1, LONG).unwrap();
    assert_eq!(twin.lock().unwrap().reported["from"], json!("the sink"));
    assert_eq!(*caller.answers.lock().unwrap(), [ErrorKind::Reentrant; 4]);
    assert_eq!(*caller.states.lock().unwrap(), [State::Connecting]);
    client.close(LONG).unwrap();
}

struct Panics;

impl LogSink for Panics {
    fn log(&self, record: &LogRecord<'_>) {
        assert!(
            !record.message.starts_with("received CONNACK"),
            "on purpose"
        );
    }
}

#[test]
fn a_panic_on_the_io_thread_ends_one_module_and_not_its_neighbour() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let runtime = Runtime::new().unwrap();
    let mut options = hub.options(&ca);
    options.runtime(&runtime);
    let neighbour = running(options).unwrap();
    let mut options = hub.options(&ca);
    options
        .runtime(&runtime)
        .log_sink(LogLevel::Trace, Arc::new(Panics));
    let broken = options.build().unwrap();
    broken.connect().unwrap();
    assert_eq!(
        broken.wait_running(LONG).unwrap_err().kind(),
        ErrorKind::Poisoned
    );
    assert_eq!(broken.state(), State::Closed);
    assert_eq!(
        broken.set_reported(json!({})).unwrap_err().kind(),
        ErrorKind::Poisoned
    );
    let error = broken.close(Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    neighbour.get_twin(LONG).unwrap();
    neighbour.close(LONG).unwrap();
}

/// Panics at every record that the I/O thread has to tell, the one about its panic included.
struct AlwaysPanics;

impl LogSink for AlwaysPanics {
    fn log(&self, _: &LogRecord<'_>) {
        let name = std::thread::current().name().map(str::to_owned);
        assert!(name.as_deref() != Some("twinguard"), "on purpose");
    }
}

#[test]
fn a_sink_that_panics_again_and_again_does_not_end_the_neighbours() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let runtime = Runtime::new().unwrap();
    let mut options = hub.options(&ca);
    options.runtime(&runtime);
    let neighbour = running(options).unwrap();
    let mut options = hub.options(&ca);
    options
        .runtime(&runtime)
        .log_sink(LogLevel::Trace, Arc::new(AlwaysPanics));
    let broken = options.build().unwrap();
    broken.connect().unwrap();
    let error = broken.wait_running(LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    neighbour.get_twin(LONG).unwrap();
    neighbour.close(LONG).unwrap();
}

struct FullStore;

impl Store for FullStore {
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn save(&mut self, _: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::new(StoreErrorKind::Full, "no room"))
    }
}

struct PanicsAtTrouble;

impl LogSink for PanicsAtTrouble {
    fn log(&self, record: &LogRecord<'_>) {
        assert!(record.message != "no room", "on purpose");
    }
}

#[test]
fn a_sink_that_panics_about_the_store_does_not_hold_up_close() {
    let ca = Ca::new();
    let mut options = support::options("localhost:1", &ca);
    options
        .store(Box::new(FullStore))
        .log_sink(LogLevel::Warn, Arc::new(PanicsAtTrouble));
    let client = options.build().unwrap();
    client.set_reported(json!({ "a": 1 })).unwrap();
    support::event_where(&client, |event| {
        matches!(event, Event::Trouble(trouble) if trouble.kind == TroubleKind::Store).then_some(())
    });
    client.close(Duration::from_secs(5)).unwrap();
}
