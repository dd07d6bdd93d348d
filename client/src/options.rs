//! Everything a client can be told before it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use twinguard_core::agent::AgentOptions;
use twinguard_core::identity::{ConnectionString, Credential};
use twinguard_core::module::{Authentication, ModuleOptions};

use crate::client::ModuleClient;
use crate::error::{Error, ErrorKind};
use crate::log::{LogLevel, LogSink};
use crate::runtime::Runtime;
use crate::store::{FileStore, Store};
use crate::transport::tls::{RootMode, Roots};

/// A builder of a [`ModuleClient`]. Ranges are checked by [`ClientOptions::build`].
pub struct ClientOptions {
    pub(crate) connection: ConnectionString,
    pub(crate) roots: Roots,
    store: Option<StoreChoice>,
    runtime: Option<Runtime>,
    pub(crate) agent: AgentOptions,
    report_configuration: bool,
    report_status: bool,
    token_lifetime: Duration,
    keep_alive: Duration,
    connect_timeout: Duration,
    request_timeout: Duration,
    backoff_max: Duration,
    pub(crate) event_capacity: usize,
    pub(crate) log: Option<(LogLevel, Arc<dyn LogSink>)>,
}

enum StoreChoice {
    Directory(PathBuf),
    Given(Box<dyn Store>),
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let identity = &self.connection.identity;
        f.debug_struct("ClientOptions")
            .field("identity", identity)
            .finish_non_exhaustive()
    }
}

impl ClientOptions {
    /// Starts with the module connection string
    /// (`HostName=…;DeviceId=…;ModuleId=…;SharedAccessKey=…`) and the defaults; nothing happens
    /// yet. `SharedAccessSignature` may stand in place of the key.
    ///
    /// # Errors
    /// [`ErrorKind::ConnectionString`] and [`ErrorKind::Key`] name the key at fault;
    /// [`ErrorKind::Unsupported`] for `x509=true`.
    pub fn from_connection_string(text: &str) -> Result<Self, Error> {
        let connection = ConnectionString::parse(text).map_err(Error::from)?;
        if connection.identity.module().is_none() {
            let message = "connection string: ModuleId is missing, this is one of a device";
            return Err(Error::new(ErrorKind::ConnectionString, message));
        }
        if matches!(connection.credential, Credential::X509) {
            let message = "connection string: x509=true, client certificates are not supported";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(Self {
            connection,
            roots: Roots::default(),
            store: None,
            runtime: None,
            agent: AgentOptions::default(),
            report_configuration: true,
            report_status: false,
            token_lifetime: Duration::from_secs(3_600),
            keep_alive: Duration::from_secs(230),
            connect_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(20),
            backoff_max: Duration::from_secs(60),
            event_capacity: 64,
            log: None,
        })
    }

    /// Trusts the certificates of a PEM text, beside or instead of those that come with the
    /// library (DigiCert Global Root G2, Microsoft RSA Root Certificate Authority 2017). May be
    /// called more than once; one `Replace` is enough to leave the bundled roots out.
    ///
    /// # Errors
    /// [`ErrorKind::Certificate`] names the certificate by its number in the text.
    pub fn root_certificates_pem(
        &mut self,
        pem: &[u8],
        mode: RootMode,
    ) -> Result<&mut Self, Error> {
        self.roots.add_pem(pem, mode)?;
        Ok(self)
    }

    /// Keeps the record of the module in this directory (see [`FileStore`]): one directory per
    /// module. Without a store a restart begins with the twin of the hub and knows nothing of
    /// before.
    pub fn store_directory(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.store = Some(StoreChoice::Directory(path.into()));
        self
    }

    /// Keeps the record in a store of the host's own.
    pub fn store(&mut self, store: Box<dyn Store>) -> &mut Self {
        self.store = Some(StoreChoice::Given(store));
        self
    }

    /// Serves the module on the I/O thread of `runtime`. The default is a runtime of its own.
    pub fn runtime(&mut self, runtime: &Runtime) -> &mut Self {
        self.runtime = Some(runtime.clone());
        self
    }

    /// How the desired section is read.
    pub fn agent(&mut self, options: AgentOptions) -> &mut Self {
        self.agent = options;
        self
    }

    /// Reports the configuration in force under its section (default true).
    pub fn report_configuration(&mut self, on: bool) -> &mut Self {
        self.report_configuration = on;
        self
    }

    /// Reports the status object beside it (default false).
    pub fn report_status(&mut self, on: bool) -> &mut Self {
        self.report_status = on;
        self
    }

    /// Life of a SAS token: 60 s to 365 days (default one hour). Whole seconds.
    pub fn token_lifetime(&mut self, lifetime: Duration) -> &mut Self {
        self.token_lifetime = lifetime;
        self
    }

    /// MQTT keep-alive: 5 s to 1177 s (default 230 s; the upper bound is IoT Hub's). Whole
    /// seconds. A hub that has died without a word is noticed within one and a half of it.
    pub fn keep_alive(&mut self, interval: Duration) -> &mut Self {
        self.keep_alive = interval;
        self
    }

    /// Longest time for one connection attempt, from the look-up to the answer of the hub: 1 s to
    /// 300 s (default 30 s).
    pub fn connect_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest wait for the answer to one twin request: 1 s to 300 s (default 20 s).
    pub fn request_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.request_timeout = timeout;
        self
    }

    /// Longest pause between two connection attempts: 1 s to one hour (default 60 s).
    pub fn backoff_max(&mut self, pause: Duration) -> &mut Self {
        self.backoff_max = pause;
        self
    }

    /// Unread events that are kept before they are merged: 8 to 65,536 (default 64).
    pub fn event_capacity(&mut self, events: usize) -> &mut Self {
        self.event_capacity = events;
        self
    }

    /// Gives log records of `level` and above to `sink`. The default is no sink.
    pub fn log_sink(&mut self, level: LogLevel, sink: Arc<dyn LogSink>) -> &mut Self {
        self.log = Some((level, sink));
        self
    }

    /// Makes the client: opens the store and restores what it holds. There is no network and no
    /// thread before [`ModuleClient::connect`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] names a setting outside its range; store errors
    /// ([`ErrorKind::StorePermissions`], [`ErrorKind::StoreLocked`], [`ErrorKind::StoreIo`]) when
    /// the directory cannot be used at all. A record that cannot be used is an event
    /// ([`crate::TroubleKind::Store`]) and the module starts without it.
    pub fn build(mut self) -> Result<ModuleClient, Error> {
        let options = self.module_options()?;
        let store = match self.store.take() {
            None => None,
            Some(StoreChoice::Given(store)) => Some(store),
            Some(StoreChoice::Directory(path)) => {
                Some(Box::new(FileStore::open(path)?) as Box<dyn Store>)
            }
        };
        let runtime = self.runtime.take().map_or_else(Runtime::new, Ok)?;
        ModuleClient::new(self, options, store, runtime)
    }

    fn module_options(&self) -> Result<ModuleOptions, Error> {
        let authentication = match &self.connection.credential {
            Credential::SharedAccessSignature(token) => Authentication::Token(token.clone()),
            _ => Authentication::Key,
        };
        let seed = getrandom::u64().map_err(|e| {
            Error::new(ErrorKind::Resources, format!("no random seed: {e}")).with_source(e)
        })?;
        let identity = self.connection.identity.clone();
        let mut options = ModuleOptions::new(identity, authentication, seed);
        options.gateway = self.connection.gateway.clone();
        options.agent = self.agent.clone();
        options.report_configuration = self.report_configuration;
        options.report_status = self.report_status;
        options.token_lifetime_s = whole_seconds("token_lifetime", self.token_lifetime)?;
        let keep_alive = whole_seconds("keep_alive", self.keep_alive)?;
        options.keep_alive_s = u16::try_from(keep_alive).unwrap_or(u16::MAX);
        options.connect_timeout_ms = milliseconds(self.connect_timeout);
        options.request_timeout_ms = milliseconds(self.request_timeout);
        options.backoff_max_ms = milliseconds(self.backoff_max);
        options.event_capacity = self.event_capacity;
        Ok(options)
    }
}

/// Ranges are the engine's to check; it cannot see what rounding would hide.
fn whole_seconds(setting: &str, value: Duration) -> Result<u64, Error> {
    if value.subsec_nanos() == 0 {
        return Ok(value.as_secs());
    }
    let message = format!("{setting}: {value:?}, expected whole seconds");
    Err(Error::new(ErrorKind::InvalidArgument, message))
}

fn milliseconds(value: Duration) -> u64 {
    u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
}
