//! The engine.

pub mod hub;
pub mod identity;
pub mod agent;
pub mod events;
pub mod twin;
