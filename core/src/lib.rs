//! The engine.

pub mod agent;
pub mod events;
pub mod twin;
