//! Host names, device ids and module ids, validated once and then known to be good.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::twin::pointer::Shown;

/// Characters a device or module id may have at most (IoT Hub docs: identity registry).
pub const MAX_ID_CHARS: usize = 128;

/// Characters of a DNS name, without the final dot (RFC 1035, section 2.3.4, as text).
const MAX_DNS_CHARS: usize = 253;
/// Characters of one label of a DNS name (RFC 1035, section 2.3.4).
const MAX_LABEL_CHARS: usize = 63;

/// The name of a hub or gateway: a DNS name or an IP address, with or without a port.
///
/// Forms: `hub.azure-devices.net`, `localhost:8883`, `127.0.0.1`, `[::1]`, `[::1]:8883`. Kept as
/// written; upper and lower case are the same host to DNS but not to `==`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName {
    text: String,
    port: Option<u16>,
}

impl HostName {
    /// The name or address alone: no port, and an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.without_port();
        host.strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// The port, when one is given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The whole text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as it stands in a URI without its port: an IPv6 address keeps its brackets.
    #[must_use]
    pub fn without_port(&self) -> &str {
        split_port(&self.text).0
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        if text.is_empty() {
            return Err(HostNameError::Empty);
        }
        let (host, port) = split_port(text);
        let port = port.map(parse_port).transpose()?;
        match host.strip_prefix('[') {
            Some(inner) => check_ipv6(inner)?,
            None => check_name(host)?,
        }
        Ok(Self {
            text: text.to_owned(),
            port,
        })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Why a text is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostNameError {
    /// Nothing there.
    #[error("host name is empty")]
    Empty,
    /// Longer than DNS allows.
    #[error("host name of {actual} characters, at most {MAX_DNS_CHARS} allowed")]
    TooLong {
        /// Characters given.
        actual: usize,
    },
    /// A part between dots is empty, too long, or begins or ends with a hyphen.
    #[error("host name part \"{}\": expected 1 to {MAX_LABEL_CHARS} characters without a hyphen \
             at either end", Shown(.0))]
    Label(String),
    /// A character that no host name has.
    #[error("host name holds {0:?}; expected letters, digits, '-', '_' and '.'")]
    Character(char),
    /// Looks like an IPv4 address but is none.
    #[error("host name \"{}\" ends in a number but is not an IPv4 address", Shown(.0))]
    Ipv4(String),
    /// Not an IPv6 address in brackets.
    #[error("\"{}\" is not an IPv6 address; write it in brackets, as in [::1]:8883", Shown(.0))]
    Ipv6(String),
    /// The port is not a number from 1 to 65535.
    #[error("port \"{}\": expected a number from 1 to 65535", Shown(.0))]
    Port(String),
}

/// Splits the port off, if there is one: after the bracket, or after the only colon.
fn split_port(text: &str) -> (&str, Option<&str>) {
    let after_bracket = text.rfind(']').unwrap_or(0);
    let unbracketed_v6 = after_bracket == 0 && text.matches(':').count() > 1;
    match text.rsplit_once(':') {
        Some((host, port)) if host.len() >= after_bracket && !unbracketed_v6 => (host, Some(port)),
        _ => (text, None),
    }
}

fn parse_port(text: &str) -> Result<u16, HostNameError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(HostNameError::Port(text.to_owned())),
    }
}

fn check_ipv6(inner: &str) -> Result<(), HostNameError> {
    let address = inner
        .strip_suffix(']')
        .and_then(|a| a.parse::<Ipv6Addr>().ok());
    address
        .map(|_| ())
        .ok_or_else(|| HostNameError::Ipv6(format!("[{inner}")))
}

fn check_name(host: &str) -> Result<(), HostNameError> {
    if host.contains(':') {
        return Err(HostNameError::Ipv6(host.to_owned()));
    }
    // Underscores are no host names by the book, but container networks hand them out.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(c) = host.chars().find(|c| !allowed(*c)) {
        return Err(HostNameError::Character(c));
    }
    if host.len() > MAX_DNS_CHARS {
        return Err(HostNameError::TooLong { actual: host.len() });
    }
    for label in host.split('.') {
        let hyphen = label.starts_with('-') || label.ends_with('-');
        if label.is_empty() || label.len() > MAX_LABEL_CHARS || hyphen {
            return Err(HostNameError::Label(label.to_owned()));
        }
    }
    // Resolvers read a name whose last part is a number as an address, some in surprising ways.
    let last = host.rsplit('.').next().unwrap_or(host);
    let numeric = last.bytes().all(|b| b.is_ascii_digit());
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(HostNameError::Ipv4(host.to_owned()));
    }
    Ok(())
}

/// Defines an id type: both kinds follow one rule and must not be mixed up.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// 1 to 128 characters: ASCII letters and digits and ``- . + % _ # * ? ! ( ) , : = @ $ '``,
        /// upper and lower case distinct (IoT Hub docs: identity registry). An id with `+` or `#`
        /// has a twin but cannot send messages: see [`telemetry`](crate::hub::topic::telemetry).
        /// `;` is refused because it ends a value in a connection string.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                match check_id(text) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(kind) => Err(IdError { what: $what, kind }),
                }
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

id_type!(
    /// The id of a device.
    DeviceId,
    "device id"
);
id_type!(
    /// The id of a module.
    ModuleId,
    "module id"
);

/// Why a text is not a device or module id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {kind}")]
#[non_exhaustive]
pub struct IdError {
    /// `device id` or `module id`.
    pub what: &'static str,
    /// What is wrong.
    pub kind: IdErrorKind,
}

/// What is wrong with an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdErrorKind {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More than [`MAX_ID_CHARS`].
    #[error("has {actual} characters, at most {MAX_ID_CHARS} allowed")]
    TooLong {
        /// Characters given.
        actual: usize,
    },
    /// A character outside the set.
    #[error(
        "holds {found:?} at character {position}; expected letters, digits and \
             - . + % _ # * ? ! ( ) , : = @ $ '"
    )]
    Character {
        /// The character.
        found: char,
        /// Which character of the id it is, from 1.
        position: usize,
    },
}

fn check_id(text: &str) -> Result<(), IdErrorKind> {
    if text.is_empty() {
        return Err(IdErrorKind::Empty);
    }
    let actual = text.chars().count();
    if actual > MAX_ID_CHARS {
        return Err(IdErrorKind::TooLong { actual });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.+%_#*?!(),:=@$'".contains(c);
    match (1_usize..).zip(text.chars()).find(|(_, c)| !allowed(*c)) {
        None => Ok(()),
        Some((position, found)) => Err(IdErrorKind::Character { found, position }),
    }
}

#[cfg(test)]
mod tests;
