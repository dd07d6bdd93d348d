//! What a module is made of.

use crate::agent::AgentOptions;
use crate::hub::connect::MAX_KEEP_ALIVE_S;
use crate::identity::{HostName, Identity, SasToken};

/// How the module proves who it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Authentication {
    /// The driver holds a key: the engine asks for signatures and makes its own tokens.
    Key,
    /// One ready token, used until it expires.
    Token(SasToken),
}

/// Settings of a [`crate::module::Module`]. Make one with [`ModuleOptions::new`] and change what
/// you need; every field has a stated range, checked by [`crate::module::Module::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModuleOptions {
    /// Who the module is.
    pub identity: Identity,
    /// Connect to this host instead of the hub's (IoT Edge gateway). Names in the protocol stay
    /// the hub's.
    pub gateway: Option<HostName>,
    /// How it proves it.
    pub authentication: Authentication,
    /// How the desired section is read.
    pub agent: AgentOptions,
    /// Report the configuration in force under its section (default true).
    pub report_configuration: bool,
    /// Report the status object beside it (default false).
    pub report_status: bool,
    /// Life of a SAS token in seconds, 60…31,536,000 (default 3600).
    pub token_lifetime_s: u64,
    /// MQTT keep-alive in seconds, 5…1177 (default 230: IoT Hub's own clients use 230 to 300, and
    /// common NAT and load-balancer idle limits are 240).
    pub keep_alive_s: u16,
    /// Longest time for one connection attempt in milliseconds, 1,000…300,000 (default 30,000).
    pub connect_timeout_ms: u64,
    /// Longest wait for the answer to one twin request in milliseconds, 1,000…300,000
    /// (default 20,000).
    pub request_timeout_ms: u64,
    /// Longest pause between two attempts in milliseconds, 1,000…3,600,000 (default 60,000). A hub
    /// that refuses the credential is asked again after 30 s to 15 min, whatever stands here.
    pub backoff_max_ms: u64,
    /// Unread events that are kept before they are merged, 8…65,536 (default 64).
    pub event_capacity: usize,
    /// Seed of all jitter. Give each module another one, from a random source.
    pub seed: u64,
}

/// A setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {found} is out of range, {min} to {max} allowed")]
#[non_exhaustive]
pub struct OptionsError {
    /// The field of [`ModuleOptions`].
    pub setting: &'static str,
    /// What it was.
    pub found: u64,
    /// The least value.
    pub min: u64,
    /// The greatest value.
    pub max: u64,
}

impl ModuleOptions {
    /// The defaults for an identity.
    pub fn new(identity: Identity, authentication: Authentication, seed: u64) -> Self {
        Self {
            identity,
            gateway: None,
            authentication,
            agent: AgentOptions::default(),
            report_configuration: true,
            report_status: false,
            token_lifetime_s: 3_600,
            keep_alive_s: 230,
            connect_timeout_ms: 30_000,
            request_timeout_ms: 20_000,
            backoff_max_ms: 60_000,
            event_capacity: 64,
            seed,
        }
    }

    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let capacity = u64::try_from(self.event_capacity).unwrap_or(u64::MAX);
        let settings = [
            ("token_lifetime_s", self.token_lifetime_s, 60, 31_536_000),
            (
                "keep_alive_s",
                u64::from(self.keep_alive_s),
                5,
                u64::from(MAX_KEEP_ALIVE_S),
            ),
            (
                "connect_timeout_ms",
                self.connect_timeout_ms,
                1_000,
                300_000,
            ),
            (
                "request_timeout_ms",
                self.request_timeout_ms,
                1_000,
                300_000,
            ),
            ("backoff_max_ms", self.backoff_max_ms, 1_000, 3_600_000),
            ("event_capacity", capacity, 8, 65_536),
        ];
        let wrong = settings
            .into_iter()
            .find(|(_, found, min, max)| !(min..=max).contains(&found));
        wrong.map_or(Ok(()), |(setting, found, min, max)| {
            Err(OptionsError {
                setting,
                found,
                min,
                max,
            })
        })
    }
}
