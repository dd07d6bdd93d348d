//! Connection strings: `HostName=…;DeviceId=…;ModuleId=…;SharedAccessKey=…`.

use std::fmt;
use std::str::FromStr;

use super::Identity;
use super::key::SharedAccessKey;
use super::name::HostName;
use super::sas::SasToken;

/// Bytes of a connection string. Real ones stay below 1 KiB.
pub const MAX_CONNECTION_STRING_BYTES: usize = 4096;

/// What a connection string says: who we are, where to connect, and with what.
///
/// Grammar: `Name=Value` pairs joined by `;`, each split at its first `=`, names in exactly this
/// case. `HostName`, `DeviceId` and one credential (`SharedAccessKey`, `SharedAccessSignature` or
/// `x509=true`) have to be there; `ModuleId` and `GatewayHostName` may. Nothing else may.
#[derive(Debug, Clone)]
pub struct ConnectionString {
    /// Who signs in.
    pub identity: Identity,
    /// The gateway to connect to instead of the hub; the identity still names the hub.
    pub gateway: Option<HostName>,
    /// How the identity proves itself. Never formatted.
    pub credential: Credential,
}

/// How an identity proves itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Credential {
    /// A symmetric key that signs tokens.
    SharedAccessKey(SharedAccessKey),
    /// A ready token. When it expires, a new one has to come from outside.
    SharedAccessSignature(SasToken),
    /// A certificate, which comes from elsewhere: the string only says so.
    X509,
}

impl ConnectionString {
    /// Parses a device or module connection string.
    ///
    /// # Errors
    /// [`ConnectionStringError`] names the key at fault and never shows a secret.
    pub fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let fields = Fields::split(text)?;
        let host = fields.required(Known::HostName)?;
        let device = fields.required(Known::DeviceId)?;
        let module = fields.optional(Known::ModuleId)?;
        let gateway = fields.optional(Known::GatewayHostName)?;
        let credential = fields.credential()?;
        Ok(Self {
            identity: Identity::new(host, device, module),
            gateway,
            credential,
        })
    }
}

impl FromStr for ConnectionString {
    type Err = ConnectionStringError;

    fn from_str(text: &str) -> Result<Self, ConnectionStringError> {
        Self::parse(text)
    }
}

/// Why a text is not a connection string of a device or module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStringError {
    /// What is wrong.
    pub kind: ConnectionStringErrorKind,
    /// The key at fault; empty when the fault is not with one key, or when what stands where a key
    /// should be might be part of a secret.
    pub key: String,
}

/// What is wrong with a connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionStringErrorKind {
    /// Nothing there.
    Empty,
    /// More than [`MAX_CONNECTION_STRING_BYTES`].
    TooLong {
        /// Bytes given.
        actual: usize,
    },
    /// A part is not `Name=Value`.
    NotAPair {
        /// Which part, from 1.
        part: usize,
    },
    /// A name that a device or module connection string does not have.
    UnknownKey {
        /// Which part, from 1.
        part: usize,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A policy key, which belongs to the service and not to a device or module.
    ServiceKey,
    /// A key stands there twice.
    DuplicateKey,
    /// A key has no value.
    EmptyValue,
    /// A key is not there.
    MissingKey,
    /// No credential is there.
    MissingCredential,
    /// Two credentials are there.
    Conflict {
        /// The other key.
        with: &'static str,
    },
    /// The value breaks the rule of its key; the text says which rule.
    InvalidValue(String),
}

impl std::error::Error for ConnectionStringError {}

impl fmt::Display for ConnectionStringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConnectionStringErrorKind as Kind;
        let key = &self.key;
        f.write_str("connection string")?;
        match &self.kind {
            Kind::Empty => f.write_str(" is empty"),
            Kind::TooLong { actual } => {
                write!(
                    f,
                    " of {actual} bytes, at most {MAX_CONNECTION_STRING_BYTES} allowed"
                )
            }
            Kind::NotAPair { part } => write!(f, ": part {part} is not Name=Value"),
            Kind::UnknownKey { part, meant } => {
                match key.as_str() {
                    "" => write!(f, ": part {part} has an unknown key (not shown)")?,
                    key => write!(f, ": unknown key {key}")?,
                }
                meant.map_or(Ok(()), |meant| write!(f, "; did you mean {meant}?"))
            }
            Kind::ServiceKey => {
                write!(
                    f,
                    ": {key} belongs to a service; expected that of a device or module"
                )
            }
            Kind::DuplicateKey => write!(f, ": {key} given twice"),
            Kind::EmptyValue => write!(f, ": {key} has no value"),
            Kind::MissingKey => write!(f, ": {key} is missing"),
            Kind::MissingCredential => f.write_str(
                ": credential is missing; expected SharedAccessKey, SharedAccessSignature or \
                 x509=true",
            ),
            Kind::Conflict { with } => {
                write!(f, ": {key} and {with} exclude each other")
            }
            Kind::InvalidValue(reason) => write!(f, ": {key}: {reason}"),
        }
    }
}

/// The keys a device or module connection string may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    HostName,
    DeviceId,
    ModuleId,
    GatewayHostName,
    SharedAccessKey,
    SharedAccessSignature,
    X509,
}

const KEYS: [Known; 7] = [
    Known::HostName,
    Known::DeviceId,
    Known::ModuleId,
    Known::GatewayHostName,
    Known::SharedAccessKey,
    Known::SharedAccessSignature,
    Known::X509,
];

const CREDENTIALS: [Known; 3] = [
    Known::SharedAccessKey,
    Known::SharedAccessSignature,
    Known::X509,
];

impl Known {
    fn name(self) -> &'static str {
        match self {
            Self::HostName => "HostName",
            Self::DeviceId => "DeviceId",
            Self::ModuleId => "ModuleId",
            Self::GatewayHostName => "GatewayHostName",
            Self::SharedAccessKey => "SharedAccessKey",
            Self::SharedAccessSignature => "SharedAccessSignature",
            Self::X509 => "x509",
        }
    }

    fn error(self, kind: ConnectionStringErrorKind) -> ConnectionStringError {
        ConnectionStringError {
            kind,
            key: self.name().to_owned(),
        }
    }

    fn invalid(self, reason: &impl fmt::Display) -> ConnectionStringError {
        self.error(ConnectionStringErrorKind::InvalidValue(reason.to_string()))
    }
}

/// The pairs of a string, each key known and there once.
struct Fields<'a>(Vec<(Known, &'a str)>);

impl<'a> Fields<'a> {
    fn split(text: &'a str) -> Result<Self, ConnectionStringError> {
        use ConnectionStringErrorKind as Kind;
        let whole = |kind| ConnectionStringError {
            kind,
            key: String::new(),
        };
        if text.is_empty() {
            return Err(whole(Kind::Empty));
        }
        if text.len() > MAX_CONNECTION_STRING_BYTES {
            return Err(whole(Kind::TooLong { actual: text.len() }));
        }
        let mut fields = Self(Vec::new());
        for (part, pair) in (1_usize..).zip(text.split(';')) {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| whole(Kind::NotAPair { part }))?;
            let key = KEYS.into_iter().find(|key| key.name() == name);
            let key = key.ok_or_else(|| unknown(part, name))?;
            if value.is_empty() {
                return Err(key.error(Kind::EmptyValue));
            }
            if fields.get(key).is_some() {
                return Err(key.error(Kind::DuplicateKey));
            }
            fields.0.push((key, value));
        }
        Ok(fields)
    }

    fn get(&self, key: Known) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| *value)
    }

    fn optional<T: FromStr<Err: fmt::Display>>(
        &self,
        key: Known,
    ) -> Result<Option<T>, ConnectionStringError> {
        self.get(key)
            .map(|value| value.parse().map_err(|e| key.invalid(&e)))
            .transpose()
    }

    fn required<T: FromStr<Err: fmt::Display>>(
        &self,
        key: Known,
    ) -> Result<T, ConnectionStringError> {
        self.optional(key)?
            .ok_or_else(|| key.error(ConnectionStringErrorKind::MissingKey))
    }

    fn credential(&self) -> Result<Credential, ConnectionStringError> {
        use ConnectionStringErrorKind as Kind;
        let mut given = CREDENTIALS
            .into_iter()
            .filter_map(|key| Some((key, self.get(key)?)));
        let Some((key, value)) = given.next() else {
            let kind = Kind::MissingCredential;
            return Err(ConnectionStringError {
                kind,
                key: String::new(),
            });
        };
        if let Some((other, _)) = given.next() {
            return Err(key.error(Kind::Conflict { with: other.name() }));
        }
        match key {
            Known::SharedAccessSignature => SasToken::parse(value)
                .map(Credential::SharedAccessSignature)
                .map_err(|e| key.invalid(&e)),
            Known::X509 if value == "true" => Ok(Credential::X509),
            Known::X509 => Err(key.invalid(&"expected true")),
            _ => SharedAccessKey::from_base64(value)
                .map(Credential::SharedAccessKey)
                .map_err(|e| key.invalid(&e)),
        }
    }
}

/// Longest name that is repeated in an error. A key of 16 bytes, the shortest in use, has 22 base64
/// characters before its padding: whatever is shorter is not a key that lost its name.
const MAX_SHOWN_NAME: usize = 20;

fn unknown(part: usize, name: &str) -> ConnectionStringError {
    let harmless = name.len() <= MAX_SHOWN_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let key = if harmless {
        name.to_owned()
    } else {
        String::new()
    };
    let kind = match name {
        "SharedAccessKeyName" => ConnectionStringErrorKind::ServiceKey,
        _ => ConnectionStringErrorKind::UnknownKey {
            part,
            meant: meant(name),
        },
    };
    ConnectionStringError { kind, key }
}

/// The key behind a misspelling met in the field: wrong case, and two names from other libraries.
fn meant(name: &str) -> Option<&'static str> {
    match name {
        "GatewayHost" => Some(Known::GatewayHostName.name()),
        "X509Cert" => Some(Known::X509.name()),
        _ => KEYS
            .into_iter()
            .map(Known::name)
            .find(|known| known.eq_ignore_ascii_case(name)),
    }
}

#[cfg(test)]
mod tests;
