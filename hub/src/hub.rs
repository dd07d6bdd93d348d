//! The library's front: a running hub and what a test asks of it.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::certificates::{Certificates, make_directory};
use crate::error::{ErrorCode, HubError, Refusal};
use crate::faults::Fault;
use crate::keys::OWNER;
use crate::messages::MessageFilter;
use crate::names::{HostNames, Name};
use crate::options::{HubOptions, Storage};
use crate::registry::IdentityRequest;
use crate::runtime::{self, Core, Listener};
use crate::state::State;
use crate::store::Store;
use crate::twin::{Mode, Update};

/// IoT Hub's own port; only another one has to be named in a connection string.
const MQTT_PORT: u16 = 8883;
/// Names every hub answers to.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Time for tasks that are still there after every connection was told to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A running hub. It runs on a thread of its own and stops when dropped.
///
/// All methods may be called from any thread; each returns at once. `module` is a module id, or
/// `None` for the device itself where the parameter allows it.
pub struct Hub {
    core: Arc<Core>,
    mqtt: SocketAddr,
    https: SocketAddr,
    host_name: String,
    ca_file: PathBuf,
    ca_pem: String,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    /// Deleted with the hub.
    _temporary: Option<TempDir>,
}

impl Hub {
    /// Starts a hub; it accepts connections when this returns.
    ///
    /// # Errors
    /// A port that is taken, a data folder that is in use, damaged or newer, a name no
    /// certificate can be made for.
    pub fn start(options: HubOptions) -> Result<Self, HubError> {
        let names = host_names(&options)?;
        let (ca_dir, temporary) = ca_directory(&options)?;
        let loaded = match &options.storage {
            Storage::Memory => Store::memory()?,
            Storage::Directory(directory) => {
                make_directory(directory)?;
                Store::open(directory)?
            }
        };
        let certificates = Certificates::prepare(&ca_dir, &names)?;
        let mqtt = runtime::bind("MQTT", (options.bind, options.mqtt_port).into())?;
        let https = runtime::bind("HTTPS", (options.bind, options.https_port).into())?;
        let address =
            |listener: &std::net::TcpListener| listener.local_addr().map_err(HubError::Thread);
        let (mqtt_address, https_address) = (address(&mqtt)?, address(&https)?);
        let state = State::new(loaded, options.max_message_bytes);
        let host_name = names
            .first()
            .map(|name| in_connection_string(name))
            .unwrap_or_default();
        let core = Arc::new(Core::new(options, HostNames::new(names), state));
        let (stop, stopped) = watch::channel(false);
        let mqtt = Listener {
            socket: mqtt,
            tls: certificates.mqtt,
        };
        let https = Listener {
            socket: https,
            tls: certificates.https,
        };
        let thread = spawn(Arc::clone(&core), mqtt, https, stopped)?;
        Ok(Self {
            core,
            mqtt: mqtt_address,
            https: https_address,
            host_name,
            ca_file: certificates.ca_file,
            ca_pem: certificates.ca_pem,
            stop,
            thread: Some(thread),
            _temporary: temporary,
        })
    }

    /// Where devices connect.
    #[must_use]
    pub fn mqtt_addr(&self) -> SocketAddr {
        self.mqtt
    }

    /// Where the REST API is.
    #[must_use]
    pub fn https_addr(&self) -> SocketAddr {
        self.https
    }

    /// The hub's name, as written into connection strings.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.host_name
    }

    /// The CA certificate clients have to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Absolute path of the CA certificate. With memory storage and no CA folder it vanishes
    /// with the hub.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Connection string of the policy `iothubowner`, which may do everything.
    #[must_use]
    pub fn service_connection_string(&self) -> String {
        self.policy_connection_string(OWNER).unwrap_or_default()
    }

    /// Connection string of a built-in policy: `iothubowner`, `service`, `device`,
    /// `registryRead` or `registryReadWrite`.
    #[must_use]
    pub fn policy_connection_string(&self, policy: &str) -> Option<String> {
        let state = self.core.lock();
        let key = &state.policies.keys(policy)?.primary;
        let (host, port) = (&self.host_name, self.https.port());
        Some(format!(
            "HostName={host}:{port};SharedAccessKeyName={policy};SharedAccessKey={key}"
        ))
    }

    /// Makes a device unless it exists; returns its connection string.
    ///
    /// # Errors
    /// An id that is not one, or a store that cannot be written.
    pub fn create_device(&self, device: &str) -> Result<String, HubError> {
        self.ensure(Name::device(device))
    }

    /// Makes a module and its device unless they exist; returns the module's connection string.
    ///
    /// # Errors
    /// An id that is not one, a device with 50 modules, or a store that cannot be written.
    pub fn create_module(&self, device: &str, module: &str) -> Result<String, HubError> {
        self.create_device(device)?;
        self.ensure(Name::module(device, module))
    }

    /// The module twin as the service sees it.
    ///
    /// # Errors
    /// No such module.
    pub fn module_twin(&self, device: &str, module: &str) -> Result<Value, HubError> {
        Ok(self.core.lock().twin(&Name::module(device, module))?)
    }

    /// Merges a patch into the desired properties of a module, as the service does.
    /// Returns the twin as the service sees it.
    ///
    /// # Errors
    /// No such module, or a document against the rules of twins.
    pub fn patch_desired(
        &self,
        device: &str,
        module: &str,
        patch: Value,
    ) -> Result<Value, HubError> {
        self.update_desired(device, module, Mode::Patch, patch)
    }

    /// Replaces the desired properties (and removes the tags) of a module, as the service does.
    /// Returns the twin as the service sees it.
    ///
    /// # Errors
    /// No such module, or a document against the rules of twins.
    pub fn replace_desired(
        &self,
        device: &str,
        module: &str,
        desired: Value,
    ) -> Result<Value, HubError> {
        self.update_desired(device, module, Mode::Replace, desired)
    }

    /// Messages received from one module, or (`None`) from a device and all its modules, oldest
    /// first, in the shape of `GET /twinguard/messages`.
    #[must_use]
    pub fn messages<'a>(&self, device: &str, module: impl Into<Option<&'a str>>) -> Vec<Value> {
        let filter = MessageFilter {
            device: Some(device.to_owned()),
            module: module.into().map(str::to_owned),
            ..MessageFilter::default()
        };
        self.core.lock().messages.list(&filter)
    }

    /// Whether a device or module is connected now.
    #[must_use]
    pub fn is_connected<'a>(&self, device: &str, module: impl Into<Option<&'a str>>) -> bool {
        self.core
            .lock()
            .live
            .contains_key(&Name::new(device, module.into()))
    }

    pub(crate) fn inject(
        &self,
        device: &str,
        module: Option<&str>,
        fault: &Fault,
    ) -> Result<(), HubError> {
        Ok(self.core.lock().inject(&Name::new(device, module), fault)?)
    }

    /// Ends all connections and the hub's thread. Dropping the hub does the same.
    pub fn stop(self) {
        drop(self);
    }

    fn ensure(&self, name: Name) -> Result<String, HubError> {
        let mut state = self.core.lock();
        match state.put_identity(&name, &IdentityRequest::default(), None) {
            Ok(_) => {}
            Err(Refusal {
                code: ErrorCode::DeviceAlreadyExists | ErrorCode::ModuleAlreadyExistsOnDevice,
                ..
            }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        let key = state.record(&name)?.keys.primary.clone();
        let port = match self.mqtt.port() {
            MQTT_PORT => String::new(),
            port => format!(":{port}"),
        };
        let module = name
            .module
            .map(|id| format!("ModuleId={id};"))
            .unwrap_or_default();
        let (host, device) = (&self.host_name, name.device);
        Ok(format!(
            "HostName={host}{port};DeviceId={device};{module}SharedAccessKey={key}"
        ))
    }

    fn update_desired(
        &self,
        device: &str,
        module: &str,
        mode: Mode,
        desired: Value,
    ) -> Result<Value, HubError> {
        let Value::Object(desired) = desired else {
            return Err(Refusal::invalid("desired: expected an object").into());
        };
        let desired: Map<String, Value> = desired;
        let update = Update {
            desired: Some(desired),
            tags: None,
        };
        let name = Name::module(device, module);
        Ok(self.core.lock().update_twin(&name, mode, update, None)?)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // A panic over there was reported over there.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("mqtt", &self.mqtt)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

/// A port may follow, so an IPv6 address needs its brackets.
fn in_connection_string(name: &str) -> String {
    if name.contains(':') {
        format!("[{name}]")
    } else {
        name.to_owned()
    }
}

/// All names of the hub, the one for connection strings first.
fn host_names(options: &HubOptions) -> Result<Vec<String>, HubError> {
    let mut names: Vec<String> = Vec::new();
    for name in options
        .host_names
        .iter()
        .map(String::as_str)
        .chain(LOCAL_NAMES)
    {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_name = !name.is_empty() && name.chars().all(allowed);
        if !is_name && name.parse::<Ipv6Addr>().is_err() {
            return Err(HubError::Option {
                option: "--host-name",
                message: format!("{name:?} is not a host name or address (without a port)"),
            });
        }
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn ca_directory(options: &HubOptions) -> Result<(PathBuf, Option<TempDir>), HubError> {
    let directory = match (&options.ca_dir, &options.storage) {
        (Some(directory), _) | (None, Storage::Directory(directory)) => directory.clone(),
        (None, Storage::Memory) => {
            let temporary = tempfile::Builder::new()
                .prefix("twinguard-hub-")
                .tempdir()
                .map_err(|source| HubError::File {
                    path: std::env::temp_dir(),
                    source,
                })?;
            return Ok((temporary.path().to_path_buf(), Some(temporary)));
        }
    };
    make_directory(&directory)?;
    Ok((directory, None))
}

fn spawn(
    core: Arc<Core>,
    mqtt: Listener,
    https: Listener,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, HubError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(HubError::Thread)?;
    thread::Builder::new()
        .name("twinguard-hub".to_owned())
        .spawn(move || {
            runtime.block_on(runtime::run(core, mqtt, https, stopped));
            runtime.shutdown_timeout(STOP_TIMEOUT);
        })
        .map_err(HubError::Thread)
}
