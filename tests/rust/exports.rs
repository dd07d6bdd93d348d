//! What the shared library shows to the dynamic linker: the committed names, and its SONAME.
//! `TWINGUARD_ACCEPT_SYMBOLS=1 cargo test --test exports` rewrites the list.

mod native;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const ACCEPT: &str = "TWINGUARD_ACCEPT_SYMBOLS";

fn exported() -> BTreeSet<String> {
    let library = native::library().join("libtwinguard.so");
    let output = native::run(
        Command::new("nm")
            .args(["-D", "--defined-only"])
            .arg(library),
    );
    let name = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
    native::text(&output).lines().map(name).collect()
}

#[test]
fn the_library_exports_the_committed_names_and_no_other() {
    let path = native::root().join("ffi/abi/symbols.txt");
    let exported = exported();
    if std::env::var_os(ACCEPT).is_some() {
        let list: String = exported.iter().map(|name| format!("{name}\n")).collect();
        fs::write(&path, list).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let committed: BTreeSet<String> = committed.lines().map(str::to_owned).collect();
    let gone: Vec<_> = committed.difference(&exported).collect();
    let new: Vec<_> = exported.difference(&committed).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "gone: {gone:?}, new: {new:?}; accept with {ACCEPT}=1"
    );
    let foreign: Vec<_> = exported
        .iter()
        .filter(|n| !n.starts_with("twinguard_"))
        .collect();
    assert!(foreign.is_empty(), "names outside the prefix: {foreign:?}");
}

#[test]
fn the_soname_is_the_promised_one() {
    let library = native::library().join("libtwinguard.so");
    let output = native::run(Command::new("objdump").arg("-p").arg(library));
    let text = native::text(&output);
    let soname = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("SONAME"));
    assert_eq!(soname.map(str::trim), Some(native::soname().as_str()));
}
