//! The binary: what it prints, when it stops, how it fails.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_twinguard-hub");
const FREE_PORTS: [&str; 4] = ["--mqtt-port", "0", "--https-port", "0"];

struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    ready: Value,
    rest: BufReader<std::process::ChildStdout>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["--json", "--stdin-guard"])
            .args(FREE_PORTS)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap();
        Self {
            stdin: child.stdin.take(),
            child,
            ready,
            rest: out,
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end; nothing more may have been printed.
    fn end(mut self) -> Option<i32> {
        let status = self.child.wait().unwrap();
        let mut more = String::new();
        self.rest.read_to_string(&mut more).unwrap();
        assert_eq!(more, "");
        status.code()
    }
}

fn fail(arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stderr,
        stdout,
    } = Command::new(BINARY)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(stdout, b"");
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn one_line_of_json_says_everything() {
    let program = Program::start(&[
        "--memory", "--module", "d/m", "--module", "d/n", "--device", "e",
    ]);
    let ready = &program.ready;
    assert_eq!(ready["pid"], program.child.id());
    assert_eq!(ready["hostName"], "localhost");
    let (mqtt, https) = (
        ready["mqttPort"].as_u64().unwrap(),
        ready["httpsPort"].as_u64().unwrap(),
    );
    assert!(mqtt > 0 && https > 0);
    let service = ready["serviceConnectionString"].as_str().unwrap();
    let prefix =
        format!("HostName=localhost:{https};SharedAccessKeyName=iothubowner;SharedAccessKey=");
    assert!(service.starts_with(&prefix), "{service}");
    let ca = Path::new(ready["caFile"].as_str().unwrap());
    assert!(ca.is_absolute());
    assert!(
        std::fs::read_to_string(ca)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    let module = &ready["modules"][1];
    assert_eq!(
        (&module["deviceId"], &module["moduleId"]),
        (&"d".into(), &"n".into())
    );
    let module = module["connectionString"].as_str().unwrap();
    let prefix = format!("HostName=localhost:{mqtt};DeviceId=d;ModuleId=n;SharedAccessKey=");
    assert!(module.starts_with(&prefix), "{module}");
    let device = ready["devices"][0]["connectionString"].as_str().unwrap();
    let prefix = format!("HostName=localhost:{mqtt};DeviceId=e;SharedAccessKey=");
    assert!(device.starts_with(&prefix), "{device}");
    let folder = ca.parent().unwrap().to_path_buf();
    program.signal("-TERM");
    assert_eq!(program.end(), Some(0));
    assert!(
        !folder.exists(),
        "the temporary CA folder goes with the hub"
    );
}

#[test]
fn it_stops_when_asked_or_left_alone() {
    for signal in ["-TERM", "-INT"] {
        let program = Program::start(&["--memory"]);
        program.signal(signal);
        assert_eq!(program.end(), Some(0));
    }
    let mut program = Program::start(&["--memory"]);
    drop(program.stdin.take());
    assert_eq!(program.end(), Some(0));
}

#[test]
fn text_for_people_says_what_it_is_for() {
    let mut child = Command::new(BINARY)
        .args(["--memory", "--stdin-guard", "--module", "d/m"])
        .args(FREE_PORTS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "not for production",
        "ca.pem",
        "SharedAccessKeyName=iothubowner",
        "ModuleId=m;",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_killed_hub_comes_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["--data", data.to_str().unwrap(), "--module", "d/m"];
    let first = Program::start(&arguments);
    first.signal("-KILL");
    let before = first.ready.clone();
    assert_eq!(first.end(), None);
    let second = Program::start(&arguments);
    assert_eq!(second.ready["caFile"], before["caFile"]);
    let key = |ready: &Value| {
        let text = ready["modules"][0]["connectionString"]
            .as_str()
            .unwrap()
            .to_owned();
        text.split_once("SharedAccessKey=").unwrap().1.to_owned()
    };
    assert_eq!(key(&second.ready), key(&before));

    let (code, error) = fail(&[&arguments[..], &FREE_PORTS].concat());
    assert_eq!(code, Some(2));
    assert!(error.contains("in use"), "{error}");
}

#[test]
fn mistakes_are_named_with_exit_status_2() {
    let program = Program::start(&["--memory"]);
    let port = program.ready["mqttPort"].to_string();
    for (arguments, expected) in [
        (vec![], "--memory"),
        (vec!["--memory", "--data", "x"], "--data"),
        (vec!["--memory", "--module", "m"], "DEVICE/MODULE"),
        (vec!["--memory", "--mqtt-port", "x"], "--mqtt-port"),
        (
            vec!["--memory", "--mqtt-port", &port, "--https-port", "0"],
            &port,
        ),
        (
            vec!["--memory", "--mqtt-port", "0", "--https-port", &port],
            &port,
        ),
        (
            vec![
                "--memory",
                "--mqtt-port",
                "0",
                "--https-port",
                "0",
                "--module",
                "a b/m",
            ],
            "deviceId",
        ),
        (vec!["--memory", "--host-name", "a b"], "--host-name"),
        (
            vec!["--data", "/dev/null/x", "--mqtt-port", "0"],
            "/dev/null/x",
        ),
    ] {
        let (code, error) = fail(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}
