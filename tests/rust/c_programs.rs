//! Compiles the programs of `tests/c` and runs them: plain, linked statically, under ASan and
//! UBSan, and under valgrind.

mod native;

use std::path::PathBuf;
use std::process::{Command, Output};

use native::{Link, Program, limited, root, run, scratch, text, valgrind};

/// The programs that need no hub, with their arguments.
fn programs() -> [(&'static str, Vec<String>); 4] {
    let vectors = root().join("tests/vectors").display().to_string();
    [
        ("version", vec![env!("CARGO_PKG_VERSION").to_owned()]),
        ("pure", vec![]),
        ("vectors", vec![vectors]),
        ("misuse", vec![]),
    ]
}

fn run_all(link: Link) {
    for (name, arguments) in programs() {
        let binary = Program::new(name).compile(link);
        let output = run(limited(&binary).args(arguments));
        print!("{}", text(&output));
    }
}

#[test]
fn the_header_compiles_alone_and_twice() {
    for (compiler, source, standard) in [
        ("CC", "headertest.c", "-std=c99"),
        ("CXX", "headertest.cpp", "-std=c++17"),
    ] {
        let default = if compiler == "CC" { "cc" } else { "c++" };
        let compiler = std::env::var_os(compiler).unwrap_or_else(|| default.into());
        let mut command = Command::new(compiler);
        command.args([
            standard,
            "-pedantic",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-c",
            "-o",
        ]);
        command.arg(scratch().join(format!("{source}.o")));
        command.arg("-I").arg(root().join("include"));
        run(command.arg(root().join("tests/c").join(source)));
    }
}

#[test]
fn the_programs_pass_with_the_shared_library() {
    run_all(Link::Shared);
}

#[test]
fn the_programs_pass_with_the_static_library_and_the_documented_link_line() {
    run_all(Link::Static);
}

/// Only the counts: what `make vectors` shows for C.
#[test]
fn vectors() {
    let binary = Program::new("vectors").compile(Link::Shared);
    let output = run(limited(&binary).arg(root().join("tests/vectors")));
    let text = text(&output);
    print!("{text}");
    for list in ["agent-config", "sas"] {
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(&format!("vectors c {list}: ran ")));
        let (ran, passed) = line
            .and_then(|l| l.split_once(" passed "))
            .expect("the counts");
        assert!(ran == passed && ran != "0", "{text}");
    }
}

#[test]
fn the_programs_pass_under_the_sanitizers() {
    run_all(Link::Sanitized);
}

#[test]
fn the_sanitizers_are_in() {
    let binary = Program::new("broken").compile(Link::Sanitized);
    let output = output(limited(&binary).arg("overflow"));
    assert!(!output.status.success(), "ASan lets an overflow pass");
    assert!(
        text(&output).contains("heap-buffer-overflow"),
        "{}",
        text(&output)
    );
    let whole = Program::new("broken").compile(Link::Sanitized);
    run(&mut limited(&whole));
}

#[test]
fn the_programs_pass_under_valgrind() {
    for (name, arguments) in programs() {
        let binary = Program::new(name).compile(Link::Shared);
        run(valgrind(&binary).args(arguments));
    }
}

#[test]
fn valgrind_sees_a_forgotten_object_and_an_overflow() {
    let binary = Program::new("broken").compile(Link::Shared);
    for fault in ["leak", "overflow"] {
        let output = output(valgrind(&binary).arg(fault));
        assert_eq!(output.status.code(), Some(99), "{fault}: {}", text(&output));
    }
    run(&mut valgrind(&binary));
}

#[test]
fn the_library_is_a_polite_guest() {
    let binary = Program::new("polite_guest").compile(Link::Loads);
    let library = native::library().join("libtwinguard.so");
    run(limited(&binary).arg(&library));
    run(valgrind(&binary).arg(library));
}

#[test]
fn a_panic_stays_inside_and_poisons() {
    let binary = Program::new("panic").compile(Link::Hooks);
    run(&mut limited(&binary));
    run(&mut valgrind(&binary));
}

/// A program broken on purpose may end in any way.
fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// The examples compile as strictly as the tests; the end-to-end tests run them.
#[test]
fn the_examples_compile() {
    let examples: Vec<PathBuf> = std::fs::read_dir(root().join("examples/c"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .collect();
    assert!(examples.len() >= 2, "{examples:?}");
    for example in examples {
        Program::at(example).compile(Link::Shared);
    }
}
