//! The local hub as a program.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use twinguard_hub::{Hub, HubError, HubOptions};

/// A local Azure IoT Hub for development and tests. Not for production.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Keep nothing: everything is gone when the hub stops
    #[arg(long, required_unless_present = "data", conflicts_with = "data")]
    memory: bool,
    /// Keep identities, twins, keys and certificates in this folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port for MQTT over TLS; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 8883)]
    mqtt_port: u16,
    /// Port for the REST API over HTTPS; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 8443)]
    https_port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Name of the hub, beside localhost; the first one goes into connection strings
    #[arg(long, value_name = "NAME")]
    host_name: Vec<String>,
    /// Folder for the CA [default: the data folder, or a temporary one]
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// Make this module, and its device, unless it exists
    #[arg(long, value_name = "DEVICE/MODULE", value_parser = parse_module)]
    module: Vec<(String, String)>,
    /// Make this device unless it exists
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// Print one line of JSON for programs when ready
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends, so that a parent that dies leaves no hub behind
    #[arg(long)]
    stdin_guard: bool,
}

fn parse_module(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((device, module)) => Ok((device.to_owned(), module.to_owned())),
        None => Err("expected DEVICE/MODULE".to_owned()),
    }
}

/// Bad options, taken ports and unusable data are the caller's to mend.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _context = runtime.enter();
    // Before the hub is ready, so that no signal finds the default action.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    if !arguments.bind.is_loopback() {
        complain(&format!(
            "warning: listening on {}: a development hub is open to the network",
            arguments.bind
        ));
    }
    let hub = Hub::start(options(arguments))?;
    announce(arguments, &describe(arguments, &hub)?)?;
    let guard = watch_stdin(arguments.stdin_guard)?;
    runtime.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = guard => {}
        }
    });
    hub.stop();
    Ok(())
}

fn options(arguments: &Arguments) -> HubOptions {
    let mut options = match &arguments.data {
        Some(directory) => HubOptions::directory(directory),
        None => HubOptions::memory(),
    };
    options.bind = arguments.bind;
    options.mqtt_port = arguments.mqtt_port;
    options.https_port = arguments.https_port;
    options.host_names.clone_from(&arguments.host_name);
    options.ca_dir.clone_from(&arguments.ca_dir);
    options.log = Some(Arc::new(complain));
    options
}

/// Everything a program needs to use the hub.
fn describe(arguments: &Arguments, hub: &Hub) -> Result<Value, HubError> {
    let mut devices = Vec::new();
    for device in &arguments.device {
        let connection = hub.create_device(device)?;
        devices.push(json!({ "deviceId": device, "connectionString": connection }));
    }
    let mut modules = Vec::new();
    for (device, module) in &arguments.module {
        let connection = hub.create_module(device, module)?;
        modules.push(json!({
            "deviceId": device,
            "moduleId": module,
            "connectionString": connection,
        }));
    }
    Ok(json!({
        "mqttPort": hub.mqtt_addr().port(),
        "httpsPort": hub.https_addr().port(),
        "hostName": hub.host_name(),
        "caFile": hub.ca_file(),
        "serviceConnectionString": hub.service_connection_string(),
        "modules": modules,
        "devices": devices,
        "pid": std::process::id(),
    }))
}

fn announce(arguments: &Arguments, description: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{description}")?;
        return out.flush();
    }
    let text = |name: &str| description.get(name).map(plain).unwrap_or_default();
    writeln!(
        out,
        "twinguard-hub: a local IoT Hub for development and tests, not for production"
    )?;
    writeln!(out)?;
    writeln!(
        out,
        "  devices   {}:{} (MQTT over TLS)",
        text("hostName"),
        text("mqttPort")
    )?;
    writeln!(
        out,
        "  service   https://{}:{}",
        text("hostName"),
        text("httpsPort")
    )?;
    writeln!(out, "  CA        {}", text("caFile"))?;
    match &arguments.data {
        Some(directory) => writeln!(out, "  data      {}", directory.display())?,
        None => writeln!(out, "  data      in memory, gone when the hub stops")?,
    }
    writeln!(out)?;
    writeln!(
        out,
        "service connection string\n  {}",
        text("serviceConnectionString")
    )?;
    for list in ["devices", "modules"] {
        for identity in description
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let part = |name: &str| identity.get(name).map(plain);
            let device = part("deviceId").unwrap_or_default();
            let module = part("moduleId")
                .map(|id| format!("/{id}"))
                .unwrap_or_default();
            let connection = part("connectionString").unwrap_or_default();
            writeln!(out, "{device}{module}\n  {connection}")?;
        }
    }
    writeln!(out, "\nStop with Ctrl-C.")?;
    out.flush()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Resolves when standard input ends; never, if nobody asked for that.
fn watch_stdin(asked: bool) -> std::io::Result<impl Future<Output = ()>> {
    let (ended, end) = oneshot::channel::<()>();
    if asked {
        std::thread::Builder::new()
            .name("stdin-guard".to_owned())
            .spawn(move || {
                let mut buffer = [0; 1024];
                while !matches!(std::io::stdin().read(&mut buffer), Ok(0) | Err(_)) {}
                drop(ended);
            })?;
        return Ok(wait(end, None));
    }
    Ok(wait(end, Some(ended)))
}

async fn wait(end: oneshot::Receiver<()>, _keep: Option<oneshot::Sender<()>>) {
    // The guard only ever drops its end.
    let _ = end.await;
}

/// One line for people; a closed standard error is no reason to stop.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "twinguard-hub: {line}");
}
