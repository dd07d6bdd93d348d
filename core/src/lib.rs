//! The engine.

pub mod agent;
mod auth;
pub mod events;
pub mod hub;
pub mod identity;
pub mod module;
#[cfg(feature = "testing")]
pub mod testing;
pub mod twin;
