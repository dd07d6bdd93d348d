//! What a hub is started with.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where identities, twins and stored subscriptions live.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// Nothing outlives the hub.
    Memory,
    /// A folder; the hub makes it (mode 0700) and everything in it survives a kill.
    Directory(PathBuf),
}

/// Receives one line for each refused or cut connection; called on the hub's thread.
pub type LogSink = Arc<dyn Fn(&str) + Send + Sync>;

/// What a hub is started with. Make one with [`HubOptions::memory`] or [`HubOptions::directory`]
/// and change fields as needed.
#[derive(Clone)]
#[non_exhaustive]
pub struct HubOptions {
    /// Where state lives.
    pub storage: Storage,
    /// Address both servers listen on. Default 127.0.0.1.
    pub bind: IpAddr,
    /// Port for MQTT over TLS. Default 0: any free port. IoT Hub's own is 8883.
    pub mqtt_port: u16,
    /// Port for the REST API over HTTPS. Default 0: any free port.
    pub https_port: u16,
    /// Names of the hub beside `localhost`, `127.0.0.1` and `::1`; the first one is written into
    /// connection strings. Default: only `localhost`.
    pub host_names: Vec<String>,
    /// Folder for the CA, instead of the data folder or a temporary one.
    pub ca_dir: Option<PathBuf>,
    /// How long a connection may outlive its token. Default zero: the connection is cut at `se`.
    /// A token that was already past `se` at CONNECT, but within the 300 s of clock skew IoT Hub
    /// grants, is cut at `se` + 300 s.
    pub token_grace: Duration,
    /// Time for the TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// Time from the handshake to a complete CONNECT, and for one REST request. Default 60 s.
    pub request_timeout: Duration,
    /// MQTT connections, and as many HTTPS connections, at a time; one more is dropped. Default 10 000.
    pub max_connections: usize,
    /// Bytes that may wait for a client that does not read, before its connection is cut.
    /// Default 4 MiB.
    pub max_queued_bytes: usize,
    /// Bytes of received messages kept for inspection; the oldest go first. Default 64 MiB.
    pub max_message_bytes: usize,
    /// Told why connections are refused or cut. Default: nobody.
    pub log: Option<LogSink>,
}

impl HubOptions {
    /// A hub that forgets everything when it stops, on any free ports of 127.0.0.1.
    #[must_use]
    pub fn memory() -> Self {
        Self {
            storage: Storage::Memory,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            mqtt_port: 0,
            https_port: 0,
            host_names: Vec::new(),
            ca_dir: None,
            token_grace: Duration::ZERO,
            handshake_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            max_connections: 10_000,
            max_queued_bytes: 4 << 20,
            max_message_bytes: 64 << 20,
            log: None,
        }
    }

    /// A hub that keeps its state in `directory`, on any free ports of 127.0.0.1.
    #[must_use]
    pub fn directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            storage: Storage::Directory(directory.into()),
            ..Self::memory()
        }
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("storage", &self.storage)
            .field("bind", &self.bind)
            .field("mqtt_port", &self.mqtt_port)
            .field("https_port", &self.https_port)
            .field("host_names", &self.host_names)
            .finish_non_exhaustive()
    }
}
