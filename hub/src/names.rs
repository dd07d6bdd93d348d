//! Names: device and module ids, and the names the hub itself answers to.

use std::fmt;

use crate::error::Refusal;

/// IoT Hub docs, identity registry: at most 128 ASCII characters.
const MAX_ID: usize = 128;
/// IoT Hub docs, identity registry; `:` from the Event Grid pages. `;` would break connection
/// strings and is refused.
const ID_PUNCTUATION: &[u8] = b"-:.+%_#*?!(),=@$'";

/// A device, or a module of a device. Orders a device directly before its modules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub(crate) device: String,
    pub(crate) module: Option<String>,
}

impl Name {
    pub(crate) fn device(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            module: None,
        }
    }

    pub(crate) fn module(device: &str, module: &str) -> Self {
        Self::new(device, Some(module))
    }

    pub(crate) fn new(device: &str, module: Option<&str>) -> Self {
        Self {
            device: device.to_owned(),
            module: module.map(str::to_owned),
        }
    }

    /// Reads what [`fmt::Display`] wrote; neither id can hold a `/`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let name = match text.split_once('/') {
            Some((device, module)) => Self::module(device, module),
            None => Self::device(text),
        };
        name.validate()?;
        Ok(name)
    }

    pub(crate) fn validate(&self) -> Result<(), Refusal> {
        validate_id("deviceId", &self.device)?;
        self.module
            .as_deref()
            .map_or(Ok(()), |module| validate_id("moduleId", module))
    }

    /// Path of the resource a token has to cover, without the host.
    pub(crate) fn resource(&self) -> Vec<&str> {
        let mut path = vec!["devices", self.device.as_str()];
        if let Some(module) = &self.module {
            path.extend(["modules", module.as_str()]);
        }
        path
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{}/{module}", self.device),
            None => f.write_str(&self.device),
        }
    }
}

fn validate_id(what: &str, id: &str) -> Result<(), Refusal> {
    if id.is_empty() || id.len() > MAX_ID {
        return Err(Refusal::invalid(format!(
            "{what}: {} characters, expected 1 to {MAX_ID}",
            id.chars().count()
        )));
    }
    match id.chars().find(|c| {
        !u8::try_from(*c).is_ok_and(|b| b.is_ascii_alphanumeric() || ID_PUNCTUATION.contains(&b))
    }) {
        Some(bad) => Err(Refusal::invalid(format!(
            "{what}: {bad:?} is not allowed, expected ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ $ '"
        ))),
        None => Ok(()),
    }
}

/// The host names a hub answers to, compared without case and with or without a port.
#[derive(Debug, Clone)]
pub(crate) struct HostNames(Vec<String>);

impl HostNames {
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(
            names
                .into_iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        )
    }

    pub(crate) fn contains(&self, host: &str) -> bool {
        let host = without_port(host);
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

fn without_port(host: &str) -> &str {
    if let Some((inner, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inner;
    }
    match host.split_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_registry_page() {
        for good in ["a", "D-1.a+b%c_d#e*f?g!h(i)j,k=l@m$n'o:p", &"x".repeat(128)] {
            Name::module("d", good).validate().unwrap();
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "a;b",
            "ü",
            "a\"b",
            "a\u{0}",
            &"x".repeat(129),
        ] {
            assert!(Name::module("d", bad).validate().is_err(), "{bad:?}");
            assert!(Name::device(bad).validate().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hosts_compare_without_case_and_port() {
        let hosts = HostNames::new(["localhost".into(), "::1".into(), "My.Hub.Example".into()]);
        for good in [
            "localhost",
            "LOCALHOST:8883",
            "[::1]:8443",
            "::1",
            "my.hub.example:1",
        ] {
            assert!(hosts.contains(good), "{good}");
        }
        for bad in [
            "",
            "localhost:",
            "localhost:x",
            "localhost.",
            "local",
            "::2",
            "my.hub",
        ] {
            assert!(!hosts.contains(bad), "{bad}");
        }
    }
}
