//! Symmetric keys of identities and policies.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, Refusal};

/// Two base64 keys, so that one can be changed while the other works.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyPair {
    pub(crate) primary: String,
    pub(crate) secondary: String,
}

impl KeyPair {
    pub(crate) fn generate() -> Result<Self, Refusal> {
        Ok(Self {
            primary: generate_key()?,
            secondary: generate_key()?,
        })
    }

    pub(crate) fn both(&self) -> [&str; 2] {
        [&self.primary, &self.secondary]
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

/// 32 random bytes as base64.
pub(crate) fn generate_key() -> Result<String, Refusal> {
    Ok(STANDARD.encode(random::<32>()?))
}

/// A key from a request: base64 text of 16 to 64 bytes (IoT Hub docs: symmetric key attestation).
pub(crate) fn validate_key(what: &str, key: &str) -> Result<(), Refusal> {
    match STANDARD.decode(key).map(|bytes| bytes.len()) {
        Ok(16..=64) => Ok(()),
        Ok(n) => Err(Refusal::invalid(format!(
            "{what}: {n} bytes, expected 16 to 64"
        ))),
        Err(_) => Err(Refusal::invalid(format!("{what}: is not base64"))),
    }
}

/// Hex digits that nobody has seen before: tracking ids and the like.
pub(crate) fn random_hex() -> String {
    random::<16>().map_or_else(
        |_| "0".repeat(32),
        |bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    )
}

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Refusal::new(ErrorCode::ServerError, "the system gives no random bytes"))?;
    Ok(bytes)
}

/// What a policy may do (IoT Hub docs: control access, permissions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    RegistryRead,
    RegistryWrite,
    ServiceConnect,
    DeviceConnect,
}

/// The built-in policies (IoT Hub docs: control access, built-in policies).
const POLICIES: [(&str, &[Right]); 5] = [
    (
        OWNER,
        &[
            Right::RegistryRead,
            Right::RegistryWrite,
            Right::ServiceConnect,
            Right::DeviceConnect,
        ],
    ),
    ("service", &[Right::ServiceConnect]),
    ("device", &[Right::DeviceConnect]),
    ("registryRead", &[Right::RegistryRead]),
    (
        "registryReadWrite",
        &[Right::RegistryRead, Right::RegistryWrite],
    ),
];

/// The policy that may do everything.
pub(crate) const OWNER: &str = "iothubowner";

/// Keys of the built-in policies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Policies(BTreeMap<String, KeyPair>);

impl Policies {
    pub(crate) fn generate() -> Result<Self, Refusal> {
        POLICIES
            .iter()
            .map(|(name, _)| Ok(((*name).to_owned(), KeyPair::generate()?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn keys(&self, policy: &str) -> Option<&KeyPair> {
        self.0.get(policy)
    }

    pub(crate) fn grants(policy: &str, right: Right) -> bool {
        POLICIES
            .iter()
            .any(|(name, rights)| *name == policy && rights.contains(&right))
    }
}
