//! What outlives a hub, and what a data folder that is not in order looks like.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use redb::{Database, TableDefinition};
use serde_json::json;
use support::*;
use twinguard_hub::{Hub, HubError, HubOptions};

#[test]
fn a_restart_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let hub = start_with(HubOptions::directory(&data));
    let ca = hub.ca_pem().to_owned();
    let policy = hub.service_connection_string();
    let module = hub.create_module(DEVICE, MODULE).unwrap();
    let mut client = Client::ready(&hub);
    client.report(b"{\"a\":1}");
    hub.patch_desired(DEVICE, MODULE, json!({"b": 2})).unwrap();
    client.message();
    hub.create_device("doomed").unwrap();
    rest(
        &hub,
        "DELETE",
        "/devices/doomed",
        &[("Authorization", &owner(&hub))],
        "",
    );
    let twin = hub.module_twin(DEVICE, MODULE).unwrap();
    hub.stop();

    let hub = Hub::start(HubOptions::directory(&data)).unwrap();
    assert_eq!(hub.ca_pem(), ca);
    assert_eq!(
        part(&hub.service_connection_string(), "SharedAccessKey"),
        part(&policy, "SharedAccessKey")
    );
    let again = hub.module_twin(DEVICE, MODULE).unwrap();
    assert_eq!(again["properties"], twin["properties"]);
    assert_eq!(again["etag"], twin["etag"]);
    assert_eq!(
        part(
            &hub.create_module(DEVICE, MODULE).unwrap(),
            "SharedAccessKey"
        ),
        part(&module, "SharedAccessKey")
    );
    assert!(hub.module_twin("doomed", MODULE).is_err());
    let (mut client, present, code) = Client::login(&hub, &Login::new(&hub));
    assert_eq!((present, code), (1, 0));
    assert_eq!(
        client.get_twin()["reported"],
        json!({"a": 1, "$version": 2})
    );
    hub.patch_desired(DEVICE, MODULE, json!({"c": 3})).unwrap();
    assert!(client.message().0.ends_with("$version=3"));
}

#[test]
fn nobody_else_can_read_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _hub = start_with(HubOptions::directory(&data));
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("."), 0o700);
    for file in ["hub.redb", "ca-key.pem", "server-key.pem"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

#[test]
fn a_folder_belongs_to_one_hub_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(HubOptions::directory(folder.path())).unwrap();
    let error = Hub::start(HubOptions::directory(folder.path())).unwrap_err();
    assert!(matches!(error, HubError::DataInUse(_)), "{error}");
    assert!(
        error.to_string().contains(folder.path().to_str().unwrap()),
        "{error}"
    );
    hub.stop();
    Hub::start(HubOptions::directory(folder.path())).unwrap();
}

#[test]
fn data_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    Hub::start(HubOptions::directory(folder.path()))
        .unwrap()
        .stop();
    let table: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("settings");
    let database = Database::create(folder.path().join("hub.redb")).unwrap();
    let write = database.begin_write().unwrap();
    write
        .open_table(table)
        .unwrap()
        .insert("format", &b"2"[..])
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let error = Hub::start(HubOptions::directory(folder.path())).unwrap_err();
    assert!(
        matches!(error, HubError::DataNewer { found: 2, .. }),
        "{error}"
    );
}

#[test]
fn damage_is_named() {
    for (file, content) in [
        (
            "hub.redb",
            &b"this is not a database, but it is long enough to look at"[..],
        ),
        ("ca-key.pem", b"-----BEGIN NOTHING-----"),
        ("server-key.pem", b"\xFF\xFE"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        Hub::start(HubOptions::directory(folder.path()))
            .unwrap()
            .stop();
        fs::write(folder.path().join(file), content).unwrap();
        let error = Hub::start(HubOptions::directory(folder.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains(file), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), b"").unwrap();
    let error = Hub::start(HubOptions::directory(folder.path().join("file"))).unwrap_err();
    assert!(matches!(error, HubError::File { .. }), "{error}");
}

#[test]
fn a_taken_port_and_a_bad_name_are_named() {
    let hub = start();
    let mut options = HubOptions::memory();
    options.mqtt_port = hub.mqtt_addr().port();
    let error = Hub::start(options).unwrap_err();
    assert!(
        error.to_string().contains(&hub.mqtt_addr().to_string()),
        "{error}"
    );
    let mut options = HubOptions::memory();
    options.host_names = vec!["not a name".into()];
    let error = Hub::start(options).unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Option {
                option: "--host-name",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_ca_folder_is_kept_apart_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = HubOptions::memory();
    options.ca_dir = Some(folder.path().join("ca"));
    options.host_names = vec!["my-hub.example".into()];
    let hub = Hub::start(options.clone()).unwrap();
    let ca = hub.ca_pem().to_owned();
    assert_eq!(hub.host_name(), "my-hub.example");
    hub.stop();
    let hub = Hub::start(options).unwrap();
    assert_eq!(hub.ca_pem(), ca);
    assert_eq!(fs::read_to_string(hub.ca_file()).unwrap(), ca);
    hub.create_module(DEVICE, MODULE).unwrap();
    Client::connect(&hub).ping();
}
