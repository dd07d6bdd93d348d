//! Every kind of error has its own number, name and text, and C sees the same ones.

mod native;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use twinguard_client::{Error, ErrorKind};

/// The constants of the header.
fn constants() -> BTreeMap<String, i32> {
    let header = fs::read_to_string(native::root().join("include/twinguard.h")).unwrap();
    let body = header
        .split_once("enum twinguard_statuses")
        .and_then(|(_, t)| t.split_once("};"));
    let lines = body.expect("the enum of statuses").0.lines();
    let constants = lines.filter_map(|line| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    constants.collect()
}

#[test]
fn the_header_has_every_kind_under_its_name_and_number() {
    let wanted = ErrorKind::ALL
        .iter()
        .map(|k| (format!("TWINGUARD_ERR_{}", k.name()), k.code()));
    let mut wanted: BTreeMap<String, i32> = wanted.collect();
    wanted.insert("TWINGUARD_OK".to_owned(), 0);
    assert_eq!(constants(), wanted);
}

#[test]
fn no_two_kinds_share_a_number_a_name_or_a_text() {
    let count = ErrorKind::ALL.len();
    assert_eq!(
        ErrorKind::ALL
            .iter()
            .map(|k| k.code())
            .collect::<BTreeSet<_>>()
            .len(),
        count
    );
    assert_eq!(
        ErrorKind::ALL
            .iter()
            .map(|k| k.name())
            .collect::<BTreeSet<_>>()
            .len(),
        count
    );
    assert_eq!(
        ErrorKind::ALL
            .iter()
            .map(|k| k.text())
            .collect::<BTreeSet<_>>()
            .len(),
        count
    );
    assert!(
        ErrorKind::ALL
            .iter()
            .all(|k| k.code() < 0 && !k.text().is_empty())
    );
}

/// `statuses.c` prints what the library says about every number from -1000 to 10.
#[test]
fn the_library_knows_exactly_these_numbers() {
    let program = native::Program::new("statuses").compile(native::Link::Shared);
    let output = native::run(&mut Command::new(program));
    let said: BTreeSet<String> = native::text(&output).lines().map(str::to_owned).collect();
    let row = |kind: &ErrorKind| {
        let retryable = Error::new(*kind, "").is_retryable();
        format!(
            "{} TWINGUARD_ERR_{} {retryable} {}",
            kind.code(),
            kind.name(),
            kind.text()
        )
    };
    let mut wanted: BTreeSet<String> = ErrorKind::ALL.iter().map(row).collect();
    wanted.insert("0 TWINGUARD_OK false success".to_owned());
    assert_eq!(said, wanted);
}
