//! The device side: MQTT 3.1.1 over TLS.

mod codec;
mod connection;
mod login;
pub(crate) mod outbox;
mod session;
mod topics;

pub(crate) use connection::serve;
pub(crate) use session::Live;
