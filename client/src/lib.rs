//! The driver of twinguard: a security module of Azure IoT Hub that follows its module twin.
//!
//! A [`ModuleClient`] signs in to a hub over TLS and MQTT, keeps the desired and the reported
//! section of the module twin in step, and tells what changed. The protocol is the engine's
//! (`twinguard-core`); this crate gives it a network, a clock and a disk.
//!
//! ```no_run
//! use std::time::Duration;
//! use twinguard_client::{ClientOptions, Event};
//!
//! # fn main() -> Result<(), twinguard_client::Error> {
//! let mut options = ClientOptions::from_connection_string(
//!     "HostName=hub.azure-devices.net;DeviceId=pump-7;ModuleId=azureiotsecurity;SharedAccessKey=c2VjcmV0",
//! )?;
//! options.store_directory("/var/lib/pump/twin");
//! let client = options.build()?;
//! client.set_reported(serde_json::json!({ "agent": { "version": "1.0" } }))?;
//! client.connect()?;
//! while let Some(event) = client.next_event(Duration::from_secs(60))? {
//!     if let Event::Desired(change) = event {
//!         for change in change.changes() {
//!             println!("{}: {:?} -> {:?}", change.pointer, change.old, change.new);
//!         }
//!     }
//! }
//! client.close(Duration::from_secs(5))
//! # }
//! ```
//!
//! # Threads and time
//! One I/O thread serves all modules of a [`Runtime`]; it sleeps until something happens. Two
//! kinds of helper threads exist only while they work: one per name look-up (`getaddrinfo` blocks)
//! and, with a store, one per save (`fsync` can take long). No thread of ours runs a signal
//! handler of the host, and no code of the host runs on the I/O thread but its [`LogSink`]. Every
//! call either returns at once or takes the longest time it may wait.
//!
//! # Processes
//! Nothing is global. All descriptors are close-on-exec, a closed peer raises no `SIGPIPE`, and
//! after `fork` a client of the parent answers [`ErrorKind::Forked`].
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("twinguard-client drives Linux (epoll, eventfd, timerfd); see src/sys.rs");

mod client;
mod dns;
mod driver;
mod error;
mod log;
mod options;
mod runtime;
mod saver;
mod shared;
mod statistics;
mod store;
mod sys;
mod transport;

pub use client::{ModuleClient, Twin};
pub use error::{Error, ErrorKind};
pub use log::{LogLevel, LogRecord, LogSink};
pub use options::ClientOptions;
pub use runtime::Runtime;
pub use serde_json::Value;
pub use statistics::Statistics;
pub use store::{FileStore, Store, StoreError, StoreErrorKind};
pub use transport::tls::RootMode;
/// The engine: pure functions and the types below, and the pump for hosts with an MQTT client of
/// their own.
pub use twinguard_core as core;
pub use twinguard_core::agent::{Acceptance, AgentOptions, Evaluation, Profile};
pub use twinguard_core::module::{
    CloseKind, DesiredChange, Event, Origin, ReportedOutcome, State, StateChange, Trouble,
    TroubleKind,
};
pub use twinguard_core::twin::patch::Change;
