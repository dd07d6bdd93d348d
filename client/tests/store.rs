//! What a store does to a module: restarts, records that cannot be used, saves that fail or hang.

mod support;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Ca, LONG, Twin, event_where, good_hub, options, running};
use twinguard_client::{
    ErrorKind, Event, ModuleClient, Origin, Store, StoreError, StoreErrorKind, TroubleKind,
};

/// A host's own store: what is saved, and an answer for each save.
#[derive(Clone, Default)]
struct Memory {
    record: Arc<Mutex<Option<Vec<u8>>>>,
    answer: Arc<Mutex<Option<StoreErrorKind>>>,
    gate: Option<Arc<Mutex<Receiver<()>>>>,
}

impl Store for Memory {
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.record.lock().unwrap().clone())
    }

    fn save(&mut self, record: &[u8]) -> Result<(), StoreError> {
        if let Some(gate) = &self.gate {
            let _ = gate.lock().unwrap().recv();
        }
        if let Some(kind) = *self.answer.lock().unwrap() {
            return Err(StoreError::new(kind, "memory: no room, on purpose"));
        }
        *self.record.lock().unwrap() = Some(record.to_vec());
        Ok(())
    }
}

fn store_trouble(client: &ModuleClient) -> String {
    event_where(client, |event| match event {
        Event::Trouble(trouble) if trouble.kind == TroubleKind::Store => {
            Some(trouble.message.clone())
        }
        _ => None,
    })
}

#[test]
fn a_restart_knows_the_twin_before_there_is_a_network() {
    let ca = Ca::new();
    let home = tempfile::tempdir().unwrap();
    let hub = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    let mut first = hub.options(&ca);
    first.store_directory(home.path().join("module"));
    let client = running(first).unwrap();
    client.close(LONG).unwrap();
    assert!(client.statistics().records_saved >= 1);
    drop(client);

    let mut second = hub.options(&ca);
    second.store_directory(home.path().join("module"));
    let client = second.build().unwrap();
    assert_eq!(*client.twin().desired, json!({ "a": 1 }));
    assert!(!client.twin().synced);
    let change = event_where(&client, |event| match event {
        Event::Desired(change) => Some(change.clone()),
        _ => None,
    });
    assert_eq!(change.origin, Origin::Stored);
    client.close(LONG).unwrap();
}

#[test]
fn what_was_reported_offline_arrives_after_a_restart() {
    let ca = Ca::new();
    let home = tempfile::tempdir().unwrap();
    let twin = Twin::new(json!({}));
    let hub = good_hub(&ca, twin.clone());
    let with_store = || {
        let mut options = hub.options(&ca);
        options.store_directory(home.path().join("module"));
        options
    };
    let client = with_store().build().unwrap();
    client.set_reported(json!({ "kept": true })).unwrap();
    client.close(LONG).unwrap();

    let client = running(with_store()).unwrap();
    let deadline = Instant::now() + LONG;
    while twin.lock().unwrap().reported.get("kept") != Some(&json!(true)) {
        assert!(
            Instant::now() < deadline,
            "the document of the run before does not arrive"
        );
        client.get_twin(LONG).unwrap();
    }
    client.close(LONG).unwrap();
}

#[test]
fn a_torn_a_foreign_and_another_modules_record_are_told_and_kept_and_the_module_runs() {
    let ca = Ca::new();
    let home = tempfile::tempdir().unwrap();
    let hub = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    let directory = home.path().join("module");
    let with_store = || {
        let mut options = hub.options(&ca);
        options.store_directory(&directory);
        options
    };
    let record = directory.join("twin.record");
    running(with_store()).unwrap().close(LONG).unwrap();
    let whole = fs::read(&record).unwrap();

    for (bytes, kept) in [
        (whole[..whole.len() - 1].to_vec(), "corrupt"),
        (b"something else".to_vec(), "foreign"),
    ] {
        fs::write(&record, &bytes).unwrap();
        let client = with_store().build().unwrap();
        let message = store_trouble(&client);
        assert!(message.contains("twin.record"), "{message}");
        assert_eq!(
            fs::read(directory.join(format!("twin.record.{kept}"))).unwrap(),
            bytes
        );
        client.connect().unwrap();
        client.wait_running(LONG).unwrap();
        client.close(LONG).unwrap();
        assert_ne!(fs::read(&record).unwrap(), bytes, "a good record again");
    }

    let text = format!(
        "HostName=localhost:{};DeviceId=other;ModuleId=m;SharedAccessKey=c2VjcmV0",
        hub.address.port()
    );
    let mut options = twinguard_client::ClientOptions::from_connection_string(&text).unwrap();
    options.store_directory(&directory);
    let client = options.build().unwrap();
    let message = store_trouble(&client);
    assert!(
        message.contains("pump-7") && message.contains("other"),
        "{message}"
    );
    assert!(directory.join("twin.record.foreign").exists());
    assert_eq!(*client.twin().desired, json!({}));
    client.close(LONG).unwrap();
}

#[test]
fn a_full_or_read_only_store_is_told_and_the_module_runs() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    for kind in [StoreErrorKind::Full, StoreErrorKind::ReadOnly] {
        let store = Memory::default();
        *store.answer.lock().unwrap() = Some(kind);
        let mut options = hub.options(&ca);
        options.store(Box::new(store.clone()));
        let client = running(options).unwrap();
        assert!(store_trouble(&client).contains("no room, on purpose"));
        *store.answer.lock().unwrap() = None;
        let generation = client.set_reported(json!({ "x": 1 })).unwrap();
        client.wait_reported(generation, LONG).unwrap();
        client.close(LONG).unwrap();
        assert!(
            store.record.lock().unwrap().is_some(),
            "saved as soon as there is room"
        );
    }
}

#[test]
fn a_store_that_hangs_holds_up_neither_the_module_nor_close() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    let (open, gate): (Sender<()>, Receiver<()>) = channel();
    let store = Memory {
        gate: Some(Arc::new(Mutex::new(gate))),
        ..Memory::default()
    };
    let mut options = hub.options(&ca);
    options.store(Box::new(store.clone()));
    let client = running(options).unwrap();
    for n in 0..10 {
        let generation = client.set_reported(json!({ "n": n })).unwrap();
        client.wait_reported(generation, LONG).unwrap();
    }
    let started = Instant::now();
    let error = client.close(Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(started.elapsed() < LONG / 2);
    drop(open);
    client.close(LONG).unwrap();
    let record = store.record.lock().unwrap().clone().unwrap();
    assert!(
        String::from_utf8_lossy(&record).contains("\"n\":9"),
        "the newest record was saved"
    );
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error_of_build() {
    let ca = Ca::new();
    let home = tempfile::tempdir().unwrap();
    let open = home.path().join("open");
    fs::DirBuilder::new().mode(0o755).create(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let with_store = |path: &std::path::Path| {
        let mut options = options("localhost", &ca);
        options.store_directory(path);
        options.build()
    };
    assert_eq!(
        with_store(&open).unwrap_err().kind(),
        ErrorKind::StorePermissions
    );
    let own = home.path().join("own");
    let client = with_store(&own).unwrap();
    assert_eq!(with_store(&own).unwrap_err().kind(), ErrorKind::StoreLocked);
    client.close(LONG).unwrap();
    with_store(&own).unwrap();
}
