//! Who a module is and how it proves it: names, connection strings, keys, shared access signatures.

use std::fmt;

mod connection_string;
mod key;
mod name;
pub mod percent;
pub mod sas;

pub use connection_string::{
    ConnectionString, ConnectionStringError, ConnectionStringErrorKind, Credential,
    MAX_CONNECTION_STRING_BYTES,
};
pub use key::{KeyError, SharedAccessKey, SignError, Signer};
pub use name::{DeviceId, HostName, HostNameError, IdError, IdErrorKind, MAX_ID_CHARS, ModuleId};
pub use sas::{SasToken, SasTokenError};

/// One identity of one hub: a device, or a module of a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    host: HostName,
    device: DeviceId,
    module: Option<ModuleId>,
}

impl Identity {
    /// The identity of `device`, or of its `module`, at the hub `host`.
    #[must_use]
    pub fn new(host: HostName, device: DeviceId, module: Option<ModuleId>) -> Self {
        Self {
            host,
            device,
            module,
        }
    }

    /// The hub. With a gateway in between it is still the hub that is named here.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The module; `None` when the device itself signs in.
    #[must_use]
    pub fn module(&self) -> Option<&ModuleId> {
        self.module.as_ref()
    }

    /// The resource a shared access signature of this identity is for, not encoded:
    /// `host/devices/d` or `host/devices/d/modules/m` (IoT Hub docs: control access with shared
    /// access signatures). A port is not part of it: it says where to knock, not who is asked.
    #[must_use]
    pub fn resource(&self) -> String {
        let (host, device) = (self.host.without_port(), &self.device);
        match &self.module {
            Some(module) => format!("{host}/devices/{device}/modules/{module}"),
            None => format!("{host}/devices/{device}"),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_names_host_device_and_module_as_given() {
        let identity = |host: &str, module: Option<&str>| {
            let module = module.map(|m| m.parse().unwrap());
            Identity::new(host.parse().unwrap(), "Dev%1".parse().unwrap(), module).resource()
        };
        assert_eq!(identity("Hub.example", None), "Hub.example/devices/Dev%1");
        assert_eq!(
            identity("hub:8883", Some("$m")),
            "hub/devices/Dev%1/modules/$m"
        );
        assert_eq!(identity("[::1]:8883", None), "[::1]/devices/Dev%1");
    }
}
