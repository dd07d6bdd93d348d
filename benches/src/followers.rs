//! From a change at the hub to the program that follows the twin.
//!
//! The change carries the time it was made (`CLOCK_MONOTONIC`, one for all processes of a
//! machine), so that a program in another process can tell how long it took.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use twinguard_client::Event;
use twinguard_hub::Hub;

use crate::{WAIT, running};

/// In this process, by `next_event`.
pub(crate) fn rust(hub: &Hub, count: usize) -> Vec<Duration> {
    let client = running(hub, "rust");
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        while client.next_event(Duration::ZERO).expect("open").is_some() {}
        let made = Instant::now();
        hub.patch_desired("bench", "rust", json!({ "n": n }))
            .expect("a change");
        while !matches!(
            client.next_event(WAIT).expect("open"),
            Some(Event::Desired(_))
        ) {}
        times.push(made.elapsed());
    }
    client.close(WAIT).expect("close");
    times
}

/// In a child that prints `ready` and then, for each change, the nanoseconds since `/t`.
pub(crate) fn child(hub: &Hub, module: &str, command: Command, count: usize) -> Vec<Duration> {
    let (mut child, mut lines) = start(hub, module, command);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let change = json!({ "t": monotonic_ns().to_string() });
        hub.patch_desired("bench", module, change)
            .expect("a change");
        let line = lines.next().expect("a line").expect("text");
        times.push(Duration::from_nanos(line.parse().expect("nanoseconds")));
    }
    end(&mut child);
    times
}

/// What a C program costs that follows its twin while nothing happens.
pub(crate) fn idle(hub: &Hub, command: Command) {
    let (mut child, _lines) = start(hub, "idle", command);
    thread::sleep(Duration::from_secs(2));
    let pid = child.id();
    let before = switches(pid);
    thread::sleep(Duration::from_secs(20));
    println!(
        "{:<44}{:>10}",
        "C program idle: wake-ups in 20 s",
        switches(pid) - before
    );
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("procfs");
    for (name, key) in [
        ("threads", "Threads:"),
        ("RSS KiB", "VmRSS:"),
        ("anonymous KiB", "RssAnon:"),
    ] {
        println!(
            "{:<44}{:>10}",
            format!("C program idle: {name}"),
            number(&status, key)
        );
    }
    end(&mut child);
}

type Lines = std::io::Lines<BufReader<std::process::ChildStdout>>;

fn start(hub: &Hub, module: &str, mut command: Command) -> (Child, Lines) {
    let connection_string = hub.create_module("bench", module).expect("a module");
    command.arg(connection_string).arg(hub.ca_file());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let out = child.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(out).lines();
    let first = lines.next().expect("a line").expect("text");
    assert_eq!(first, "ready");
    (child, lines)
}

/// The end of its input tells the child to end.
fn end(child: &mut Child) {
    if let Some(mut input) = child.stdin.take() {
        let _ = input.flush();
    }
    assert!(child.wait().expect("its end").success());
}

fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("procfs");
    let of = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        number(&status, "voluntary_ctxt_switches:")
    };
    tasks.filter_map(Result::ok).map(of).sum()
}

fn number(status: &str, key: &str) -> u64 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or_default()
}

/// `CLOCK_MONOTONIC`, as C and Python read it.
fn monotonic_ns() -> i64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a clock");
    now.tv_sec() * 1_000_000_000 + now.tv_nsec()
}
