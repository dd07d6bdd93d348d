//! The engine of twinguard: one security module identity on Azure IoT Hub, without any I/O.
//!
//! # What it does
//!
//! A [`module::Module`] signs in to the hub with SAS tokens it renews in time, keeps in step with
//! its module twin over lost connections and missed notifications, evaluates the agent
//! configuration in the desired section, brings the reported section to what the host and the
//! library want there, and tells the host what changed: once, and with what was deleted.
//!
//! The parts can be used alone; they are pure functions of their arguments:
//!
//! * [`identity`]: names, connection strings, keys, shared access signatures;
//! * [`twin`]: strict JSON, merge patches (RFC 7396), versions, the hub's limits;
//! * [`agent`]: the agent configuration, [`agent::Shadow`] for evaluating one without a network;
//! * [`events`]: the security messages that go with it;
//! * [`hub`]: the hub's dialect of MQTT.
//!
//! # What it leaves to you
//!
//! Sockets, TLS, MQTT packets, clocks, random seeds, keys, files and threads. The engine opens,
//! reads and waits for nothing. You tell it what happened and what time it is; it tells you what to
//! do, and when to wake it. So every run is a function of its inputs, and can be replayed.
//! `twinguard-client` is such a driver, over TCP and rustls.
//!
//! # The driver's loop
//!
//! 1. Wait for something on the network, for the host, or for [`next_deadline`].
//! 2. Tell the engine: [`handle`] for what happened, [`handle_timeout`] if the deadline has passed.
//! 3. Carry out every [`poll_action`]; feed what comes of each back as an [`Input`].
//! 4. Hand every [`poll_event`] to the host.
//!
//! An action may be answered at any later time or never: the engine has deadlines of its own.
//!
//! ```
//! use std::collections::VecDeque;
//! use twinguard_core::identity::{ConnectionString, Credential, Signer};
//! use twinguard_core::module::{
//!     Action, Authentication, Event, Input, Module, ModuleOptions, Now, State,
//! };
//!
//! # fn clocks(ms: u64) -> Now { Now { mono_ms: ms, unix_ms: 1_767_225_600_000 + ms } }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "HostName=hub.example;DeviceId=pump-7;ModuleId=azureiotsecurity;\
//!             SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
//! let account = ConnectionString::parse(text)?;
//! let Credential::SharedAccessKey(key) = account.credential else {
//!     return Err("a connection string with a key".into());
//! };
//!
//! let seed = 4; // from a random source
//! let options = ModuleOptions::new(account.identity, Authentication::Key, seed);
//! let mut module = Module::new(options, clocks(0))?;
//! module.connect(clocks(0));
//!
//! // The network of this example: it answers each request as a hub would.
//! let mut hub = VecDeque::new();
//! let mut now_ms = 0;
//! while module.state() != State::Running {
//!     while let Some(action) = module.poll_action() {
//!         match action {
//!             Action::Sign { id, data } => {
//!                 let result = key.sign(&data);
//!                 module.handle(clocks(now_ms), Input::Signed { id, result });
//!             }
//!             other => hub.push_back(other),
//!         }
//!     }
//!     now_ms += 10;
//!     match hub.pop_front() {
//!         Some(Action::Connect(request)) => {
//!             assert_eq!(request.client_id, "pump-7/azureiotsecurity");
//!             let connection = request.connection;
//!             let input = Input::Connected { connection, session_present: false };
//!             module.handle(clocks(now_ms), input);
//!         }
//!         Some(Action::Subscribe { connection, id, .. }) => {
//!             module.handle(clocks(now_ms), Input::Subscribed { connection, id, granted: true });
//!         }
//!         Some(Action::Publish { connection, topic, .. }) => {
//!             let rid = topic.rsplit('=').next().unwrap_or_default();
//!             let topic = format!("$iothub/twin/res/200/?$rid={rid}");
//!             let payload = br#"{"desired":{"colour":"blue","$version":3},"reported":{}}"#;
//!             let input = Input::Message { connection, topic: &topic, payload };
//!             module.handle(clocks(now_ms), input);
//!         }
//!         // Disconnect, Persist: nothing to answer.
//!         _ => module.handle_timeout(clocks(now_ms)),
//!     }
//! }
//!
//! while let Some(event) = module.poll_event() {
//!     if let Event::Desired(change) = event {
//!         assert_eq!(change.changes()[0].pointer, "/colour");
//!     }
//! }
//! assert!(module.next_deadline().is_some(), "when to renew the token");
//! # Ok(())
//! # }
//! ```
//!
//! [`handle`]: module::Module::handle
//! [`handle_timeout`]: module::Module::handle_timeout
//! [`next_deadline`]: module::Module::next_deadline
//! [`poll_action`]: module::Module::poll_action
//! [`poll_event`]: module::Module::poll_event
//! [`Input`]: module::Input

pub mod agent;
mod auth;
pub mod events;
pub mod hub;
pub mod identity;
pub mod module;
#[cfg(feature = "testing")]
pub mod testing;
pub mod twin;
