//! The engine.

pub mod agent;
mod auth;
pub mod events;
pub mod hub;
pub mod identity;
pub mod module;
pub mod twin;
