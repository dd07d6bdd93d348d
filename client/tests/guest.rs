//! A polite guest: what the process looks like while and after the library is at work. Each
//! scenario runs alone in a child process of its own, because it looks at the whole process.

#[path = "../src/transport/quiet.rs"]
mod quiet;
mod support;

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use serde_json::json;
use support::{Ca, LONG, Peer, Twin, good_hub, lost, packet, running, tls};
use twinguard_client::{ErrorKind, Event, ModuleClient, State, TroubleKind};

const SCENARIOS: &[(&str, fn())] = &[
    ("cycles_leave_descriptors_and_threads_flat", cycles),
    (
        "writing_to_a_closed_peer_is_an_error_and_no_signal",
        the_writer,
    ),
    ("a_closed_peer_raises_no_sigpipe", sigpipe),
    (
        "one_thread_that_sleeps_and_takes_no_signals",
        one_quiet_thread,
    ),
    ("descriptors_are_close_on_exec", close_on_exec),
    (
        "after_fork_the_child_gets_an_error_and_the_parent_goes_on",
        forked,
    ),
    ("a_file_size_limit_is_an_event_and_no_signal", size_limit),
    (
        "full_and_read_only_file_systems_are_events",
        real_file_systems,
    ),
    ("dropping_the_client_ends_its_thread", dropped),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, scenario)) = SCENARIOS.iter().find(|(known, _)| *known == name) {
        scenario();
        return ExitCode::SUCCESS;
    }
    let program = std::env::current_exe().unwrap();
    let mut failed = 0;
    for (scenario, _) in SCENARIOS
        .iter()
        .filter(|(scenario, _)| scenario.contains(&name))
    {
        let status = Command::new(&program).arg(scenario).status().unwrap();
        println!(
            "test {scenario} ... {}",
            if status.success() { "ok" } else { "FAILED" }
        );
        failed += usize::from(!status.success());
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Descriptor number and what it is.
fn descriptors() -> Vec<(String, String)> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let links = entries.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        Some((
            entry.file_name().into_string().unwrap(),
            target.to_string_lossy().into_owned(),
        ))
    });
    links
        .filter(|(_, target)| !target.starts_with("/proc/"))
        .collect()
}

/// Name and directory of each thread of ours.
fn own_threads() -> Vec<(String, std::path::PathBuf)> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let named = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm"))
            .ok()?
            .trim()
            .to_owned();
        Some((name, task.path()))
    });
    named
        .filter(|(name, _)| name.starts_with("twinguard"))
        .collect()
}

/// Waits until `done`, because peers and detached threads end when they do.
fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !done() {
        assert!(
            Instant::now() < deadline,
            "{what}: {:?} {:?}",
            own_threads(),
            descriptors()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn status(task: &std::path::Path, field: &str) -> u64 {
    let text = fs::read_to_string(task.join("status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    let value = line.split_whitespace().nth(1).unwrap();
    let radix = if field.starts_with("Sig") { 16 } else { 10 };
    u64::from_str_radix(value, radix).unwrap()
}

fn cycles() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    let cycle = |number: usize| {
        let client = hub.options(&ca).build().unwrap();
        client.connect().unwrap();
        // Closed in every state: at once, while connecting, while running.
        match number % 3 {
            0 => client.wait_running(LONG).unwrap(),
            1 => drop(client.next_event(LONG).unwrap()),
            _ => {}
        }
        client.close(LONG).unwrap();
        assert_eq!(client.state(), State::Closed);
    };
    (0..6).for_each(cycle);
    eventually("warm-up", || own_threads().is_empty());
    let sockets = |list: Vec<(String, String)>| list.len();
    let before = sockets(descriptors());
    (0..200).for_each(cycle);
    eventually("threads", || own_threads().is_empty());
    eventually("descriptors", || sockets(descriptors()) <= before);
}

/// As a C program has it; Rust programs ignore the signal from the start.
fn default_sigpipe() -> SigAction {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action runs no code of ours.
    unsafe { sigaction(Signal::SIGPIPE, &default) }.unwrap()
}

fn the_writer() {
    default_sigpipe();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    drop(listener.accept().unwrap());
    socket.set_nonblocking(true).unwrap();
    let socket = mio::net::TcpStream::from_std(socket);
    let parts = [std::io::IoSlice::new(b"one"), std::io::IoSlice::new(b"two")];
    for kind in ["write_vectored", "write"] {
        eventually(kind, || {
            let mut quiet = quiet::Quiet(&socket);
            let wrote = if kind == "write" {
                quiet.write(b"one").map(drop)
            } else {
                quiet.write_vectored(&parts).map(drop)
            };
            wrote.is_err_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
        });
    }
}

fn sigpipe() {
    default_sigpipe();
    let ca = Ca::new();
    let (server, twin) = (ca.server("localhost"), Twin::new(json!({})));
    let hub = Peer::start(move |_, socket| {
        let mut stream = tls(&server, socket)?;
        for _ in 0..2 {
            let (first, body) = packet(&mut stream)?;
            stream.write_all(&support::answer(first, &body, &twin).unwrap())?;
            stream.flush()?;
        }
        // Closing with bytes unread sends RST: the next write finds a closed peer.
        stream.sock.shutdown(std::net::Shutdown::Both)
    });
    let client = hub.options(&ca).build().unwrap();
    client.connect().unwrap();
    for round in 0..5 {
        for count in 0..20 {
            client
                .set_reported(json!({ "round": round, "count": count }))
                .unwrap();
        }
        lost(&client);
    }
    client.close(LONG).unwrap();
    let now = default_sigpipe();
    assert!(
        matches!(now.handler(), SigHandler::SigDfl),
        "the host's disposition is its own"
    );
}

fn one_quiet_thread() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let mut options = hub.options(&ca);
    options.keep_alive(Duration::from_secs(230));
    let started = Instant::now();
    let client = running(options).unwrap();
    println!("connect to running: {:?}", started.elapsed());
    eventually("helpers end", || own_threads().len() == 1);
    let (name, task) = own_threads().remove(0);
    assert_eq!(name, "twinguard");
    let blocked = status(&task, "SigBlk");
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGCHLD,
        Signal::SIGALRM,
    ] {
        assert!(
            blocked & (1 << (signal as u32 - 1)) != 0,
            "{signal} is blocked"
        );
    }
    // Time enough for any polling to show.
    std::thread::sleep(Duration::from_millis(200));
    let switches =
        || status(&task, "voluntary_ctxt_switches") + status(&task, "nonvoluntary_ctxt_switches");
    let before = switches();
    let seconds = std::env::var("TWINGUARD_IDLE_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok());
    std::thread::sleep(Duration::from_secs(seconds.unwrap_or(3)));
    let woken = switches() - before;
    println!(
        "wake-ups of the I/O thread in {} s idle: {woken}",
        seconds.unwrap_or(3)
    );
    assert_eq!(woken, 0, "an idle module does not wake up");
    client.close(LONG).unwrap();
    assert!(own_threads().is_empty(), "close has waited for the thread");
}

fn close_on_exec() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    let home = tempfile::tempdir().unwrap();
    let mut options = hub.options(&ca);
    options.store_directory(home.path().join("module"));
    let before = descriptors();
    let client = running(options).unwrap();
    let ours = descriptors();
    assert!(ours.len() > before.len());
    for (number, target) in ours.iter().filter(|entry| !before.contains(entry)) {
        let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else {
            continue;
        };
        let line = info
            .lines()
            .find(|line| line.starts_with("flags:"))
            .unwrap();
        let flags = u32::from_str_radix(line.split_whitespace().nth(1).unwrap(), 8).unwrap();
        assert!(
            flags & 0o2_000_000 != 0,
            "{number} ({target}) survives exec"
        );
    }
    client.close(LONG).unwrap();
}

fn forked() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    let runtime = twinguard_client::Runtime::new().unwrap();
    let mut options = hub.options(&ca);
    options.runtime(&runtime);
    let client = running(options).unwrap();
    // SAFETY: the child calls only the library, whose promise this is, and leaves with _exit.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let errors = [
                client.connect().unwrap_err(),
                client.wait_running(LONG).unwrap_err(),
                client.next_event(LONG).unwrap_err(),
                client.get_twin(LONG).unwrap_err(),
                client.set_reported(json!({})).unwrap_err(),
                client.close(LONG).unwrap_err(),
            ];
            let all = errors.iter().all(|error| error.kind() == ErrorKind::Forked);
            let calm = client.state() == State::Closed && !client.twin().synced;
            let _ = (
                client.configuration(),
                client.statistics(),
                client.event_fd().as_raw_fd(),
            );
            drop(client);
            let mut options = hub.options(&ca);
            options.runtime(&runtime);
            let refused = options.build().unwrap().connect().unwrap_err();
            let calm = calm && refused.kind() == ErrorKind::Forked;
            // SAFETY: ends the child without the destructors of the parent's test.
            unsafe { nix::libc::_exit(i32::from(!(all && calm))) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            assert_eq!(*client.get_twin(LONG).unwrap().desired, json!({ "a": 1 }));
            client.close(LONG).unwrap();
        }
    }
}

fn dropped() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({})));
    drop(running(hub.options(&ca)).unwrap());
    eventually("the thread ends", || own_threads().is_empty());
}

/// The next trouble of the store.
fn store_trouble(client: &ModuleClient) -> String {
    support::event_where(client, |event| match event {
        Event::Trouble(trouble) if trouble.kind == TroubleKind::Store => {
            Some(trouble.message.clone())
        }
        _ => None,
    })
}

fn size_limit() {
    let ca = Ca::new();
    let hub = good_hub(&ca, Twin::new(json!({ "a": 1 })));
    let home = tempfile::tempdir().unwrap();
    let mut options = hub.options(&ca);
    options.store_directory(home.path().join("module"));
    let client = options.build().unwrap();
    // The system's answer to a file that grows too large is SIGXFSZ, which ends the process.
    setrlimit(Resource::RLIMIT_FSIZE, 64, 64).unwrap();
    client.connect().unwrap();
    let message = store_trouble(&client);
    assert!(message.contains("twin.record.new: write"), "{message}");
    client.wait_running(LONG).unwrap();
    client.close(LONG).unwrap();
    assert!(!home.path().join("module/twin.record.new").exists());
}

fn real_file_systems() {
    let (uid, home) = (nix::unistd::geteuid(), tempfile::tempdir().unwrap());
    let mut flags = CloneFlags::CLONE_NEWNS;
    if !uid.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    let tmpfs = |flags: MsFlags, data: &str| {
        mount(Some("tmpfs"), home.path(), Some("tmpfs"), flags, Some(data))
    };
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    let mounted = unshare(flags)
        .and_then(|()| match uid.is_root() {
            true => Ok(()),
            false => fs::write("/proc/self/uid_map", format!("0 {uid} 1"))
                .map_err(|_| nix::errno::Errno::EPERM),
        })
        .and_then(|()| mount(None::<&str>, "/", None::<&str>, private, None::<&str>))
        .and_then(|()| tmpfs(MsFlags::empty(), "size=16k,mode=700"));
    if let Err(e) = mounted {
        println!("not run: this system lets nobody mount a file system here ({e})");
        return;
    }
    let ca = Ca::new();
    let twin = Twin::new(json!({ "long": "x".repeat(3_000) }));
    let hub = good_hub(&ca, twin.clone());
    let with_store = || {
        let mut options = hub.options(&ca);
        options.store_directory(home.path());
        options
    };
    running(with_store()).unwrap().close(LONG).unwrap();
    let record = fs::read(home.path().join("twin.record")).unwrap();

    fs::write(home.path().join("filler"), vec![0; 64 * 1024]).unwrap_err();
    twin.lock().unwrap().desired = json!({ "long": "y".repeat(3_500) });
    let client = running(with_store()).unwrap();
    let message = store_trouble(&client);
    assert!(message.contains("twin.record.new"), "{message}");
    client.close(LONG).unwrap();
    assert_eq!(fs::read(home.path().join("twin.record")).unwrap(), record);

    tmpfs(MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, "").unwrap();
    let client = with_store().build().unwrap();
    assert_eq!(
        client.twin().desired["long"],
        json!("x".repeat(3_000)),
        "it can be read"
    );
    client.connect().unwrap();
    let message = store_trouble(&client);
    assert!(message.contains("Read-only"), "{message}");
    client.wait_running(LONG).unwrap();
    client.close(LONG).unwrap();
}
