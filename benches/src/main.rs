//! The figures of `docs/figures.md`: `make bench`.
//!
//! Everything is on loopback against the local hub in this process, beside a bare TLS echo in the
//! same run as the yardstick: compare rows of one run with each other, not runs. Arguments: the C
//! follower, the Python interpreter, the Python follower, the shared library.

mod echo;
mod followers;

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use twinguard_client::{ClientOptions, ModuleClient, RootMode};
use twinguard_hub::{Hub, HubOptions};

const WAIT: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [c, python, script, library] = arguments.as_slice() else {
        eprintln!("usage: figures C-FOLLOWER PYTHON PYTHON-FOLLOWER LIBRARY");
        std::process::exit(2);
    };
    let hub = Hub::start(HubOptions::memory()).expect("a hub on loopback");
    println!(
        "{:<44}{:>10}{:>10}{:>10}",
        "microseconds", "p50", "p99", "n"
    );
    row(
        "yardstick: TLS 1.3 echo of 100 bytes",
        echo::round_trips(5_000),
    );
    row("connect → first twin", connects(&hub, 100));
    let client = running(&hub, "bench");
    row("twin GET round trip", gets(&client, 3_000));
    row("reported PATCH round trip", patches(&client, 2_000));
    client.close(WAIT).expect("close");
    row("connection reset → running again", resets(&hub, 50));
    row("token renewal: out of step for", renewals(&hub, 1));
    row("desired change → Rust event", followers::rust(&hub, 1_000));
    row(
        "desired change → C event",
        followers::child(&hub, "c", Command::new(c), 1_000),
    );
    let mut interpreter = Command::new(python);
    interpreter.arg(script);
    row(
        "desired change → Python event",
        followers::child(&hub, "python", interpreter, 1_000),
    );
    println!();
    followers::idle(&hub, Command::new(c));
    sizes(Path::new(library));
}

/// A client of a module that is made for it, signed in.
fn running(hub: &Hub, module: &str) -> ModuleClient {
    let client = client(hub, module, |_| {});
    client.connect().expect("connect");
    client.wait_running(WAIT).expect("running");
    client
}

fn client(hub: &Hub, module: &str, set: impl Fn(&mut ClientOptions)) -> ModuleClient {
    let connection_string = hub.create_module("bench", module).expect("a module");
    let mut options = ClientOptions::from_connection_string(&connection_string).expect("sound");
    options
        .root_certificates_pem(hub.ca_pem().as_bytes(), RootMode::Replace)
        .expect("a CA");
    set(&mut options);
    options.build().expect("a client")
}

fn connects(hub: &Hub, count: usize) -> Vec<Duration> {
    let once = |_| {
        let client = client(hub, "connect", |_| {});
        let started = Instant::now();
        client.connect().expect("connect");
        client.wait_running(WAIT).expect("running");
        let took = started.elapsed();
        client.close(WAIT).expect("close");
        took
    };
    (0..count).map(once).collect()
}

fn gets(client: &ModuleClient, count: usize) -> Vec<Duration> {
    let once = |_| {
        let started = Instant::now();
        client.get_twin(WAIT).expect("a twin");
        started.elapsed()
    };
    (0..count).map(once).collect()
}

fn patches(client: &ModuleClient, count: usize) -> Vec<Duration> {
    let once = |n| {
        let started = Instant::now();
        let generation = client
            .set_reported(json!({ "n": n }))
            .expect("a small document");
        client
            .wait_reported(generation, WAIT)
            .expect("acknowledged");
        started.elapsed()
    };
    (0..count).map(once).collect()
}

/// Cuts the first connection of a client; later losses soon after would wait by the back-off.
fn resets(hub: &Hub, count: usize) -> Vec<Duration> {
    let once = |_| {
        let client = running(hub, "reset");
        let started = Instant::now();
        hub.cut("bench", "reset").expect("a connected module");
        while client.statistics().connections < 2 || !client.twin().synced {
            thread::sleep(Duration::from_micros(100));
        }
        let took = started.elapsed();
        client.close(WAIT).expect("close");
        took
    };
    (0..count).map(once).collect()
}

/// How long the twin is out of step while a token of the shortest life is renewed.
fn renewals(hub: &Hub, count: u64) -> Vec<Duration> {
    let client = client(hub, "renewal", |options| {
        options.token_lifetime(Duration::from_secs(60));
    });
    client.connect().expect("connect");
    client.wait_running(WAIT).expect("running");
    let mut times = Vec::new();
    for renewal in 1..=count {
        while client.twin().synced {
            thread::sleep(Duration::from_micros(50));
        }
        let started = Instant::now();
        while !client.twin().synced {
            thread::sleep(Duration::from_micros(50));
        }
        times.push(started.elapsed());
        assert_eq!(
            client.statistics().planned_renewals,
            renewal,
            "an unplanned reconnect"
        );
    }
    client.close(WAIT).expect("close");
    times
}

/// Prints the median and the 99th percentile.
fn row(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| {
        let index = (times.len().saturating_sub(1) as f64 * part) as usize;
        times
            .get(index)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    println!(
        "{name:<44}{:>10.0}{:>10.0}{:>10}",
        at(0.5),
        at(0.99),
        times.len()
    );
}

fn sizes(library: &Path) {
    let stripped = std::env::temp_dir().join(format!("twinguard-stripped-{}", std::process::id()));
    let strip = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(library)
        .status();
    match (strip, std::fs::metadata(&stripped)) {
        (Ok(status), Ok(metadata)) if status.success() => {
            println!(
                "{:<44}{:>10} KB",
                "shared library, stripped",
                metadata.len() / 1000
            );
        }
        _ => println!("shared library, stripped: not measured, `strip` is missing"),
    }
    let _ = std::fs::remove_file(stripped);
}
