//! The engine.

pub mod twin;
