//! Alone in its process, because it counts the process's descriptors and threads.

use std::time::Duration;

use twinguard_tests::support::*;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn two_hundred_cycles_leave_nothing_behind() {
    let hub = hub();
    let cycle = || {
        let module = options(&hub, DEVICE, MODULE).build().unwrap();
        module.connect().unwrap();
        module.wait_running(PATIENCE).unwrap();
        module.close(PATIENCE).unwrap();
    };
    (0..20).for_each(|_| cycle());
    let (descriptors, threads) = descriptors_and_threads();
    let before = resident_kib();
    (0..200).for_each(|_| cycle());
    eventually("descriptors and threads are back where they were", || {
        let now = descriptors_and_threads();
        now.0 <= descriptors && now.1 <= threads
    });
    // The hub in this process keeps its own caches; a leak of one connection each would be
    // several MiB.
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 6 * 1024, "{grown} KiB more after 200 cycles");
    std::thread::sleep(Duration::from_millis(1));
}
