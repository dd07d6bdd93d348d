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
pub(crate) fn root() -> PathBuf {
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
pub(crate) fn scratch() -> PathBuf {
    let directory = profile_directory().join("c");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Where the library lies as it ships, with the names that linker and loader look for.
pub(crate) fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let links = [
            ("libtwinguard.a", "libtwinguard.a"),
            ("libtwinguard.so", "libtwinguard.so"),
            (&*soname(), "libtwinguard.so"),
        ];
        build("twinguard-ffi", "shipped", &links)
    })
}

/// Where the library with `twinguard_test_panic` lies.
fn library_with_hooks() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let name = "libtwinguard_hooks.so";
        build("twinguard-ffi-hooks", "hooks", &[(name, name)])
    })
}

/// Builds a package in the profile of this test; a folder with links to what came out.
fn build(package: &str, folder: &str, links: &[(&str, &str)]) -> PathBuf {
    let profile = profile_directory();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root())
        .args(["build", "--quiet", "--lib", "-p", package]);
    cargo
        .arg("--target-dir")
        .arg(profile.parent().expect("target"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    run(&mut cargo);
    let directory = scratch().join(folder);
    fs::create_dir_all(&directory).unwrap();
    for (name, file) in links {
        // Renamed into place: another test may be looking at the old one.
        let (link, fresh) = (directory.join(name), directory.join(format!("{name}.new")));
        let _ = fs::remove_file(&fresh);
        symlink(profile.join(file), &fresh).unwrap();
        fs::rename(fresh, link).unwrap();
    }
    directory
}

/// The promised SONAME.
pub(crate) fn soname() -> String {
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
pub(crate) enum Link {
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
pub(crate) struct Program {
    source: PathBuf,
}

impl Program {
    pub(crate) fn new(name: &str) -> Self {
        Self::at(root().join(format!("tests/c/{name}.c")))
    }

    /// A program somewhere else, as an example.
    pub(crate) fn at(source: PathBuf) -> Self {
        Self { source }
    }

    /// Compiles with warnings as errors, and links.
    pub(crate) fn compile(&self, link: Link) -> PathBuf {
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
            Link::Shared | Link::Sanitized => link_shared(&mut cc, library(), "twinguard"),
            Link::Hooks => link_shared(&mut cc, library_with_hooks(), "twinguard_hooks"),
            Link::Static => {
                cc.arg(library().join("libtwinguard.a"))
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

fn link_shared(cc: &mut Command, directory: &Path, name: &str) {
    let directory = directory.display();
    cc.arg(format!("-L{directory}")).arg(format!("-l{name}"));
    cc.arg(format!("-Wl,-rpath,{directory}"));
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

/// A program that hangs is a failure, not a hung test.
pub(crate) fn limited(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg("300").arg(program);
    command
}

/// The tool itself, or what to do about it: a machine without valgrind has not passed.
pub(crate) fn valgrind(binary: &Path) -> Command {
    let found = Command::new("valgrind").arg("--version").output().is_ok();
    assert!(
        found,
        "valgrind is missing: install it (apt-get install valgrind, or make system)"
    );
    let mut command = Command::new("timeout");
    command.args([
        "600",
        "valgrind",
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
    ]);
    command.args(["--show-leak-kinds=definite,indirect,possible"]);
    command
        .args(["--errors-for-leak-kinds=definite,indirect"])
        .arg(binary);
    command
}

/// Runs a command; its words when it does not end well.
pub(crate) fn run(command: &mut Command) -> Output {
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
pub(crate) fn text(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams
        .map(|stream| String::from_utf8_lossy(stream).into_owned())
        .join("")
}
