//! The C API against the local hub, end to end. The scenarios are in `tests/c/e2e.c`; here is who
//! plays operator and hub for them. The two sides talk by lines.

mod native;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use native::{Link, Program, limited, valgrind};
use serde_json::{Value, json};
use twinguard_hub::{Hub, HubOptions};
use twinguard_tests::support::*;

/// The program, compiled once for all tests of this file.
fn program() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| Program::new("e2e").compile(Link::Shared))
}

/// Under what the program runs.
type Under = fn(&Path) -> Command;

/// Valgrind without its check for uninitialised bytes: the AES-GCM code of ring, in assembly, reads
/// whole blocks that are only partly filled, and valgrind follows them into all that is encrypted.
/// Bad accesses and leaks are what this is for.
fn memcheck(program: &Path) -> Command {
    let mut command = valgrind(program);
    command.env("VALGRIND_OPTS", "--undef-value-errors=no");
    command
}

/// How the program finds its module.
struct Access {
    connection_string: String,
    ca: PathBuf,
}

/// A module of a hub in this process; made if need be.
fn module(hub: &Hub) -> Access {
    Access {
        connection_string: hub.create_module(DEVICE, MODULE).unwrap(),
        ca: hub.ca_file().to_owned(),
    }
}

/// A hub that can be killed and stopped, and its module.
fn process(storage: &[&str]) -> (HubProcess, Access) {
    let name = format!("{DEVICE}/{MODULE}");
    let ports = ["--mqtt-port", "0", "--https-port", "0"];
    let process = HubProcess::start(&[storage, &["--module", &name], &ports].concat());
    let access = Access {
        connection_string: process.connection_string(),
        ca: process.facts["caFile"].as_str().unwrap().into(),
    };
    (process, access)
}

/// A scenario that runs. When a test gives up, its input ends, and then so does the program.
struct Scenario {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Scenario {
    fn start(name: &'static str, access: &Access) -> Self {
        Self::start_under(limited, name, access, None)
    }

    fn start_under(under: Under, name: &'static str, at: &Access, store: Option<&Path>) -> Self {
        let mut command = under(program());
        command.arg(name).arg(&at.connection_string).arg(&at.ca);
        command.args(store);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            name,
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Waits until the program says this.
    fn says(&mut self, wanted: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), wanted, "{}", self.name);
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Waits for the end; the program's own checks count.
    fn passes(mut self) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}; {rest}", self.name);
        assert!(rest.ends_with("all checks passed\n"), "{rest:?}");
        print!("{rest}");
    }
}

fn desired(hub: &Hub, patch: Value) {
    hub.patch_desired(DEVICE, MODULE, patch).unwrap();
}

fn offline(under: Under) {
    let hub = hub();
    let scratch = tempfile::tempdir().unwrap();
    let store = scratch.path().join("store");
    let access = module(&hub);
    let start = |name| Scenario::start_under(under, name, &access, Some(&store));
    desired(
        &hub,
        json!({"keep": 1, "change": 1, "drop": {"deep": true}}),
    );
    start("offline-first").passes();
    desired(&hub, json!({"change": 2, "drop": null}));
    for (name, mark) in [("offline-second", 1), ("offline-third", 2)] {
        let mut program = start(name);
        program.says("running");
        desired(&hub, json!({ "mark": mark }));
        program.passes();
    }
}

#[test]
fn a_change_and_a_deletion_while_offline_are_seen_once() {
    offline(limited);
}

#[test]
fn a_change_and_a_deletion_while_offline_are_seen_once_under_valgrind() {
    offline(memcheck);
}

#[test]
fn a_hub_killed_and_restarted_finds_the_module_in_step() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("hub");
    let in_data = || Hub::start(HubOptions::directory(&data)).unwrap();
    let before = in_data();
    module(&before);
    desired(&before, json!({"a": 1}));
    before.stop();
    let (process, access) = process(&["--data", data.to_str().unwrap()]);
    let [mqtt, https] = process.ports();
    let mut program = Scenario::start("restart", &access);
    program.says("running");
    process.kill();
    program.says("lost");
    // A hub that the operator reaches and the module does not: it listens elsewhere.
    desired(&in_data(), json!({"a": 2}));
    let mut options = HubOptions::directory(&data);
    options.mqtt_port = mqtt.parse().unwrap();
    options.https_port = https.parse().unwrap();
    let hub = Hub::start(options).unwrap();
    program.says("back");
    assert_eq!(
        reported_at(&hub, DEVICE, MODULE)["set"],
        "while it was dead"
    );
    desired(&hub, json!({"mark": 1}));
    program.passes();
}

#[test]
fn a_frozen_hub_is_noticed_by_the_keep_alive() {
    let (process, access) = process(&["--memory"]);
    let mut program = Scenario::start("frozen", &access);
    program.says("running");
    process.signal("STOP");
    program.tell("frozen");
    program.says("noticed");
    process.signal("CONT");
    program.passes();
}

#[test]
fn what_is_set_while_offline_arrives_and_only_the_last_state() {
    let hub = hub();
    Scenario::start("reported", &module(&hub)).passes();
    let reported = reported_at(&hub, DEVICE, MODULE);
    assert_eq!((&reported["n"], reported.get("gone")), (&json!(100), None));
    let twin = hub.module_twin(DEVICE, MODULE).unwrap();
    let version = twin["properties"]["reported"]["$version"].as_u64().unwrap();
    assert!(version <= 4, "coalesced, not a hundred: version {version}");
}

#[test]
fn what_was_never_sent_arrives_in_the_next_life() {
    let hub = hub();
    let scratch = tempfile::tempdir().unwrap();
    let store = scratch.path().join("store");
    let access = module(&hub);
    let start = |name| Scenario::start_under(limited, name, &access, Some(&store));
    start("reported-unsent").passes();
    assert_eq!(reported_at(&hub, DEVICE, MODULE), json!({}));
    let mut program = start("reported-sent");
    program.says("connecting");
    eventually("what the first life set is reported", || {
        reported_at(&hub, DEVICE, MODULE)["n"] == 2
    });
    assert_eq!(reported_at(&hub, DEVICE, MODULE).get("old"), None);
    program.tell("arrived");
    program.passes();
}

fn two(under: Under) {
    let hub = hub();
    let access = module(&hub);
    let other = hub.create_module(DEVICE, "other").unwrap();
    let mut program = Scenario::start_under(under, "two", &access, None);
    program.tell(&other);
    program.says("running");
    for (module, number) in [(MODULE, 1), ("other", 2)] {
        let patch = |patch| hub.patch_desired(DEVICE, module, patch).unwrap();
        patch(json!({ "me": number }));
        patch(json!({ "mark": number }));
    }
    program.passes();
}

#[test]
fn two_modules_share_one_thread() {
    two(limited);
}

#[test]
fn two_modules_share_one_thread_under_valgrind() {
    two(memcheck);
}

#[test]
fn two_hundred_cycles_leave_nothing_behind() {
    let hub = hub();
    Scenario::start("cycles", &module(&hub)).passes();
}

#[test]
fn a_wrong_ca_a_wrong_key_and_an_unknown_module_are_told_apart() {
    let (hub, stranger) = (hub(), hub());
    let right = module(&hub);
    let (start, _) = right.connection_string.split_once("AccessKey=").unwrap();
    let with = |connection_string: String| Access {
        connection_string,
        ca: right.ca.clone(),
    };
    let wrong_ca = Access {
        ca: stranger.ca_file().to_owned(),
        connection_string: right.connection_string.clone(),
    };
    let wrong_key = with(format!("{start}AccessKey=d3Jvbmcga2V5"));
    let unknown = with(right.connection_string.replace(MODULE, "nobody"));
    Scenario::start("untrusted", &wrong_ca).passes();
    Scenario::start("unauthorized", &wrong_key).passes();
    Scenario::start("unauthorized", &unknown).passes();
}

#[test]
fn closing_is_in_time_with_the_hub_gone() {
    let (process, access) = process(&["--memory"]);
    let mut program = Scenario::start("close-gone", &access);
    program.says("running");
    process.kill();
    program.passes();
}

#[test]
fn closing_is_in_time_with_the_hub_stopped() {
    let (process, access) = process(&["--memory"]);
    let mut program = Scenario::start("close-stopped", &access);
    program.says("running");
    process.signal("STOP");
    program.tell("stopped");
    program.passes();
}

#[test]
fn closing_is_in_time_with_a_handshake_half_done() {
    let hub = hub();
    let mut access = module(&hub);
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = |address: std::net::SocketAddr| format!("localhost:{}", address.port());
    access.connection_string = access
        .connection_string
        .replace(&port(hub.mqtt_addr()), &port(silent.local_addr().unwrap()));
    let mut program = Scenario::start("close-handshake", &access);
    let (mut connection, _) = silent.accept().unwrap();
    connection.read_exact(&mut [0]).unwrap(); // the client's hello is here
    program.tell("half done");
    program.passes();
}
