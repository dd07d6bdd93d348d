//! A local Azure IoT Hub for development and tests.
//!
//! It speaks MQTT 3.1.1 over TLS to devices and modules and the service REST API over HTTPS, so
//! that unmodified device and service SDKs work against it: identities, SAS tokens, twins with
//! desired and reported properties, kept subscriptions, device-to-cloud messages. It is a tool
//! for a developer's machine, bound to loopback by default, and never a production service.
//!
//! ```no_run
//! use twinguard_hub::{Hub, HubOptions};
//!
//! let hub = Hub::start(HubOptions::memory())?;
//! let connection_string = hub.create_module("device-1", "azureiotsecurity")?;
//! println!("{connection_string} at {}", hub.mqtt_addr());
//! hub.patch_desired("device-1", "azureiotsecurity", serde_json::json!({ "a": 1 }))?;
//! hub.stop();
//! # Ok::<(), twinguard_hub::HubError>(())
//! ```

mod certificates;
mod clock;
mod error;
mod faults;
mod hub;
mod keys;
mod messages;
mod mqtt;
mod names;
mod options;
mod registry;
mod rest;
mod runtime;
mod sas;
mod state;
mod store;
mod twin;

pub use error::{ErrorCode, HubError, Refusal};
pub use hub::Hub;
pub use options::{HubOptions, LogSink, Storage};
