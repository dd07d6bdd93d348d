//! Builds the library as it ships, and C programs against it.
#![allow(
    dead_code,
    reason = "not every test that uses this module needs all of it"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// `target/debug` or `target/release`, whichever this test was built into.
fn profile_directory() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps/test")
        .to_owned()
}

/// Where the files of these tests go.
pub fn scratch() -> PathBuf {
    let directory = profile_directory().join("c");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// The library as it ships.
pub fn library() -> &'static Library {
    static BUILT: OnceLock<Library> = OnceLock::new();
    BUILT.get_or_init(|| Library::build("shipped", &[]))
}

/// The same with `twinguard_test_panic`.
pub fn library_with_hooks() -> &'static Library {
    static BUILT: OnceLock<Library> = OnceLock::new();
    BUILT.get_or_init(|| Library::build("hooks", &["--features", "test-hooks"]))
}

/// A built library in a folder of its own, with the names that linker and loader look for.
pub struct Library {
    pub directory: PathBuf,
}

impl Library {
    /// Each variant has its own target folder: with one, the last build would decide which of them
    /// lies under the common name.
    fn build(variant: &str, arguments: &[&str]) -> Self {
        let profile = profile_directory();
        let target = profile
            .parent()
            .expect("target")
            .join("c-library")
            .join(variant);
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(root())
            .args(["build", "-p", "twinguard-ffi", "--lib"]);
        cargo.arg("--target-dir").arg(&target).args(arguments);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo runs");
        assert!(
            status.success(),
            "cargo build -p twinguard-ffi {arguments:?}: {status}"
        );
        let built = target.join(profile.file_name().expect("profile"));
        let directory = scratch().join(variant);
        fs::create_dir_all(&directory).unwrap();
        for (name, file) in [
            ("libtwinguard.a", "libtwinguard.a"),
            ("libtwinguard.so", "libtwinguard.so"),
            (&*soname(), "libtwinguard.so"),
        ] {
            let link = directory.join(name);
            let _ = fs::remove_file(&link);
            symlink(built.join(file), link).unwrap();
        }
        Self { directory }
    }

    pub fn shared(&self) -> PathBuf {
        self.directory.join("libtwinguard.so")
    }
}

/// The promised SONAME.
pub fn soname() -> String {
    let (major, minor) = (
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
    );
    match major {
        "0" => format!("libtwinguard.so.0.{minor}"),
        _ => format!("libtwinguard.so.{major}"),
    }
}

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// With `libtwinguard.so`.
    Shared,
    /// With `libtwinguard.a` and the link line of the header.
    Static,
    /// With `libtwinguard.so`, under ASan and UBSan.
    Sanitized,
    /// With `libtwinguard.so` that has the test hooks.
    Hooks,
    /// Not at all: the program loads the library itself.
    Loads,
}

/// One program of `tests/c`.
pub struct Program {
    source: PathBuf,
}

impl Program {
    pub fn new(name: &str) -> Self {
        Self::at(root().join(format!("tests/c/{name}.c")))
    }

    /// A program somewhere else, as an example.
    pub fn at(source: PathBuf) -> Self {
        Self { source }
    }

    /// Compiles with warnings as errors, and links.
    pub fn compile(&self, link: Link) -> PathBuf {
        let name = self.source.file_stem().expect("a name").to_string_lossy();
        let binary = scratch().join(format!("{name}-{link:?}").to_lowercase());
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        cc.args([
            "-std=c99",
            "-pedantic",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-g",
            "-pthread",
        ]);
        cc.arg("-I")
            .arg(root().join("include"))
            .arg("-o")
            .arg(&binary)
            .arg(&self.source);
        if link == Link::Sanitized {
            cc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
        }
        match link {
            Link::Shared | Link::Sanitized => link_shared(&mut cc, library()),
            Link::Hooks => link_shared(&mut cc, library_with_hooks()),
            Link::Static => {
                cc.arg(library().directory.join("libtwinguard.a"))
                    .args(documented_link_line());
            }
            Link::Loads => {
                cc.arg("-ldl");
            }
        }
        run(&mut cc);
        binary
    }
}

fn link_shared(cc: &mut Command, library: &Library) {
    let directory = library.directory.display();
    cc.arg(format!("-L{directory}"))
        .arg("-ltwinguard")
        .arg(format!("-Wl,-rpath,{directory}"));
}

/// What the header tells a static program to link.
fn documented_link_line() -> Vec<String> {
    let header = fs::read_to_string(root().join("include/twinguard.h")).unwrap();
    let line = header
        .lines()
        .find_map(|line| line.split_once("libtwinguard.a "));
    let (_, libraries) = line.expect("the header says how to link statically");
    libraries.split_whitespace().map(str::to_owned).collect()
}

/// Runs a command; its words when it does not end well.
pub fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        text(&output)
    );
    output
}

/// What a command wrote, both streams.
pub fn text(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams
        .map(|stream| String::from_utf8_lossy(stream).into_owned())
        .join("")
}
