//! The fields of CONNECT.

use crate::identity::{Identity, percent};

/// The version of the hub's interface that we speak (IoT Hub docs: connect with MQTT).
pub const API_VERSION: &str = "2021-04-12";

/// Seconds of the longest useful keep-alive. The hub waits one and a half times the keep-alive, but
/// never longer than 1767 s (IoT Hub docs: connect with MQTT).
pub const MAX_KEEP_ALIVE_S: u16 = 1177;

/// What a CONNECT to the hub carries besides the password (the SAS token, or none with a
/// certificate).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectFields {
    /// `device` or `device/module`, not encoded.
    pub client_id: String,
    /// `host/device[/module]/?api-version=…&DeviceClientType=…`; host and ids are not encoded.
    pub username: String,
    /// Seconds, 1 to [`MAX_KEEP_ALIVE_S`].
    pub keep_alive_s: u16,
    /// Always false: the hub keeps the session, as for every official client.
    pub clean_session: bool,
}

impl ConnectFields {
    /// The fields for `identity`. `keep_alive_s` is brought into 1 to [`MAX_KEEP_ALIVE_S`]: 0 would
    /// switch the check for a dead peer off, and more than the maximum would outlast the hub's.
    #[must_use]
    pub fn new(identity: &Identity, keep_alive_s: u16) -> Self {
        let device = identity.device();
        let client_id = match identity.module() {
            Some(module) => format!("{device}/{module}"),
            None => device.to_string(),
        };
        let host = identity.host().without_port();
        let product = percent::encode(concat!("twinguard/", env!("CARGO_PKG_VERSION")));
        let username =
            format!("{host}/{client_id}/?api-version={API_VERSION}&DeviceClientType={product}");
        Self {
            client_id,
            username,
            keep_alive_s: keep_alive_s.clamp(1, MAX_KEEP_ALIVE_S),
            clean_session: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(host: &str, module: Option<&str>, keep_alive_s: u16) -> ConnectFields {
        let module = module.map(|m| m.parse().unwrap());
        let identity = Identity::new(host.parse().unwrap(), "d%(1)".parse().unwrap(), module);
        ConnectFields::new(&identity, keep_alive_s)
    }

    #[test]
    fn ids_travel_as_they_are_and_the_product_is_encoded() {
        let tail = format!(
            "/?api-version=2021-04-12&DeviceClientType=twinguard%2F{}",
            env!("CARGO_PKG_VERSION")
        );
        let module = fields("Hub.example", Some("$m"), 60);
        assert_eq!(module.client_id, "d%(1)/$m");
        assert_eq!(module.username, format!("Hub.example/d%(1)/$m{tail}"));
        assert!(!module.clean_session);
        let device = fields("localhost:9999", None, 60);
        assert_eq!(device.client_id, "d%(1)");
        assert_eq!(device.username, format!("localhost/d%(1){tail}"));
    }

    #[test]
    fn keep_alive_stays_in_range() {
        let kept = [0, 1, 240, 1177, 1178, u16::MAX].map(|s| fields("h", None, s).keep_alive_s);
        assert_eq!(kept, [1, 1, 240, 1177, 1177, 1177]);
    }
}
