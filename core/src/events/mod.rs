//! Security events.

mod configuration_error;

pub use configuration_error::{ConfigurationError, configuration_errors};
