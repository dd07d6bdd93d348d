//! A local hub, a client that follows it, and the view a host builds from events alone.

use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use twinguard_client::{ClientOptions, Event, ModuleClient, ReportedOutcome, RootMode, State};
use twinguard_core::twin::patch::apply_change;
use twinguard_hub::{Hub, HubOptions};

/// The device of every test.
pub const DEVICE: &str = "dev1";
/// The module of every test.
pub const MODULE: &str = "azureiotsecurity";
/// The section of the agent configuration.
pub const SECTION: &str = twinguard_core::agent::SECTION;
/// Patience of a test with another process or thread; nothing here is meant to take this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A hub in this process, in memory, on free ports.
pub fn hub() -> Hub {
    Hub::start(HubOptions::memory()).expect("a hub on loopback")
}

/// Settings for a module of `hub`, which is made if need be.
pub fn options(hub: &Hub, device: &str, module: &str) -> ClientOptions {
    let connection_string = hub.create_module(device, module).expect("a module");
    options_for(&connection_string, hub.ca_pem())
}

/// Settings for a connection string and a CA.
pub fn options_for(connection_string: &str, ca_pem: &str) -> ClientOptions {
    let mut options =
        ClientOptions::from_connection_string(connection_string).expect("well formed");
    options
        .root_certificates_pem(ca_pem.as_bytes(), RootMode::Replace)
        .expect("a certificate");
    options
}

/// A client with everything its events have said.
pub struct Follower {
    /// The client.
    pub client: ModuleClient,
    /// The desired section, rebuilt from the changes in events and nothing else.
    pub view: Value,
    /// Every event, in order.
    pub events: Vec<Event>,
}

impl Follower {
    /// Builds the client and asks it to connect.
    pub fn start(options: ClientOptions) -> Self {
        let client = options.build().expect("sound options");
        client.connect().expect("connect returns at once");
        Self {
            client,
            view: json!({}),
            events: Vec::new(),
        }
    }

    /// Builds, connects, and waits until the module runs.
    pub fn running(options: ClientOptions) -> Self {
        let mut follower = Self::start(options);
        follower.until("running", |f| f.client.state() == State::Running);
        follower
    }

    /// Takes events until the condition holds.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`].
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "not seen in time: {what}; events: {:#?}",
                self.events
            );
            self.take(left.min(Duration::from_millis(200)));
        }
    }

    /// Takes all events that come within `quiet` of each other.
    pub fn settle(&mut self, quiet: Duration) {
        while self.take(quiet) {}
    }

    fn take(&mut self, wait: Duration) -> bool {
        let Some(event) = self.client.next_event(wait).expect("an open client") else {
            return false;
        };
        if let Event::Desired(change) = &event {
            for change in change.changes() {
                apply_change(&mut self.view, &change).expect("a change that fits the view");
            }
        }
        self.events.push(event);
        true
    }

    /// How often each member of the desired section changed, by JSON pointer, in events after the
    /// first `skip`.
    pub fn changes_of(&self, pointer: &str, skip: usize) -> Vec<(Option<Value>, Option<Value>)> {
        let desired = self
            .events
            .iter()
            .skip(skip)
            .filter_map(|event| match event {
                Event::Desired(change) => Some(change.changes()),
                _ => None,
            });
        let matching = desired.flatten().filter(|change| change.pointer == pointer);
        matching.map(|change| (change.old, change.new)).collect()
    }

    /// How many state changes to `state` the host was told of, after the first `skip` events.
    pub fn states(&self, state: State, skip: usize) -> usize {
        let told = |event: &&Event| matches!(event, Event::State(change) if change.state == state);
        self.events.iter().skip(skip).filter(told).count()
    }

    /// Whether a reported document of at least this generation was acknowledged.
    pub fn acknowledged(&self, wanted: u64) -> bool {
        self.events.iter().any(|event| {
            matches!(event, Event::Reported(ReportedOutcome::Acknowledged { generation, .. })
                if *generation >= wanted)
        })
    }

    /// Closes the client.
    pub fn close(self) {
        self.client.close(PATIENCE).expect("close returns in time");
    }
}

/// The reported section at the hub, without `$` members at the top.
pub fn reported_at(hub: &Hub, device: &str, module: &str) -> Value {
    let mut reported =
        hub.module_twin(device, module).expect("a twin")["properties"]["reported"].take();
    if let Value::Object(members) = &mut reported {
        members.retain(|key, _| !key.starts_with('$'));
    }
    reported
}

/// Waits until a condition on something other than events holds.
///
/// # Panics
/// When it does not within [`PATIENCE`].
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The hub as a process of its own, which can be killed and frozen.
pub struct HubProcess {
    child: Child,
    _stdin: Option<ChildStdin>,
    /// What it printed when it was ready.
    pub facts: Value,
}

impl HubProcess {
    /// Starts the binary with these arguments and waits until it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(hub_binary())
            .args(["--json", "--stdin-guard"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the hub binary, built by `cargo build -p twinguard-hub`");
        let stdin = child.stdin.take();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        std::io::BufRead::read_line(&mut out, &mut line).expect("a line of facts");
        let facts = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        Self {
            child,
            _stdin: stdin,
            facts,
        }
    }

    /// The connection string of the first module that was named at the start.
    pub fn connection_string(&self) -> String {
        self.facts["modules"][0]["connectionString"]
            .as_str()
            .expect("a module")
            .to_owned()
    }

    /// The CA in PEM.
    pub fn ca_pem(&self) -> String {
        let path = self.facts["caFile"].as_str().expect("a path");
        std::fs::read_to_string(path).expect("the CA file")
    }

    /// Both ports, as arguments for a restart on the same ones.
    pub fn ports(&self) -> [String; 2] {
        ["mqttPort", "httpsPort"].map(|port| self.facts[port].to_string())
    }

    /// Sends a signal by name: `STOP`, `CONT`, `KILL`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(status.expect("kill").success());
    }

    /// Kills it at once and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().expect("a living child");
        self.child.wait().expect("its end");
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Path of the hub binary: `TWINGUARD_HUB_BIN`, or beside the test's own binary, where
/// `cargo test --workspace` has put it; built if it is not there.
pub fn hub_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("TWINGUARD_HUB_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("our own path");
    let target = test
        .ancestors()
        .nth(2)
        .expect("target/<profile>")
        .to_owned();
    let path = target.join("twinguard-hub");
    static BUILD: std::sync::Once = std::sync::Once::new();
    BUILD.call_once(|| {
        if path.exists() {
            return;
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "twinguard-hub"])
            .status();
        assert!(built.expect("cargo").success(), "the hub does not build");
    });
    path
}

/// Open descriptors and threads of this process.
pub fn descriptors_and_threads() -> (usize, usize) {
    let count = |path: &str| std::fs::read_dir(path).expect("procfs").count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}
