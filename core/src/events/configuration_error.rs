//! The operational event `ConfigurationError`: what is wrong with the agent configuration.

use serde_json::{Value, json};

use crate::agent::{ErrorKind, Evaluation};

/// One payload of a `ConfigurationError` event (schema
/// `messageOperationalEventConfigurationError_v1_0.json` of Azure/Azure-IoT-Security).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigurationError {
    /// The property at fault.
    pub configuration_name: String,
    /// The kind of fault.
    pub error_type: ErrorKind,
    /// The value in force, as text.
    pub used_configuration: String,
    /// What is wrong, in one line.
    pub message: String,
}

impl ConfigurationError {
    /// The payload as the schema wants it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "ConfigurationName": self.configuration_name,
            "ErrorType": self.error_type.as_str(),
            "UsedConfiguration": self.used_configuration,
            "Message": self.message,
        })
    }
}

/// The payloads for an evaluation: one per refused property in schema order, then one per
/// contradiction in the configuration in force. None when all is well, and then there is no event:
/// the schema forbids an empty one.
#[must_use]
pub fn configuration_errors(evaluation: &Evaluation) -> Vec<ConfigurationError> {
    let refused = evaluation
        .errors()
        .map(|(property, refusal)| ConfigurationError {
            configuration_name: property.key.clone(),
            error_type: refusal.reason,
            used_configuration: evaluation.used(&property.key),
            message: refusal.message.clone(),
        });
    let contradictions = evaluation
        .warnings
        .iter()
        .map(|warning| ConfigurationError {
            configuration_name: warning.key.clone(),
            error_type: warning.kind,
            used_configuration: warning.used.clone(),
            message: warning.message.clone(),
        });
    refused.chain(contradictions).collect()
}
