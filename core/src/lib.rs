//! The engine.

pub mod hub;
pub mod identity;
pub mod twin;
