//! Which token a connection signs in with, and when it has to be renewed.

use fastrand::Rng;

use crate::identity::sas::SasRequest;
use crate::identity::{Identity, SasToken};
use crate::module::{Authentication, Now};

/// A connection is at least this old before the wall clock alone can make it renew its token, so
/// that a jumping clock cannot make a loop.
const CLOCK_TRUST_MS: u64 = 30_000;

/// What the next connection attempt needs.
pub(crate) enum Credential {
    /// A signature; the token is [`SasRequest::into_token`].
    Sign(SasRequest),
    /// Nothing; this token is good by our clock.
    Ready(SasToken),
    /// A token that is gone: the supplied one has expired.
    Expired,
}

/// Where tokens come from.
pub(crate) struct Credentials {
    source: Authentication,
    resource: String,
    lifetime_s: u64,
}

impl Credentials {
    pub(crate) fn new(source: Authentication, identity: &Identity, lifetime_s: u64) -> Self {
        Self {
            source,
            resource: identity.resource(),
            lifetime_s,
        }
    }

    /// The credential for an attempt that starts now.
    pub(crate) fn next(&self, now: Now) -> Credential {
        let unix_s = now.unix_ms / 1_000;
        match &self.source {
            Authentication::Key => {
                let expires = unix_s.saturating_add(self.lifetime_s);
                Credential::Sign(SasRequest::new(&self.resource, expires, None))
            }
            Authentication::Token(token) if token.expires_at() > unix_s => {
                Credential::Ready(token.clone())
            }
            Authentication::Token(_) => Credential::Expired,
        }
    }

    /// Whether a refused token can be replaced by another one.
    pub(crate) fn can_renew(&self) -> bool {
        matches!(self.source, Authentication::Key)
    }

    /// The lease of a token that was asked for now: renewed at 80 % ± 5 % of its life. The spread
    /// keeps a fleet that started together from reconnecting together.
    pub(crate) fn lease(&self, now: Now, rng: &mut Rng) -> Lease {
        let life_ms = self.lifetime_s.saturating_mul(1_000);
        let percent = rng.u64(7_500..=8_500);
        let renew_in = u128::from(life_ms).saturating_mul(u128::from(percent)) / 10_000;
        Lease {
            renew_at: now
                .mono_ms
                .saturating_add(u64::try_from(renew_in).unwrap_or(u64::MAX)),
            expires_unix_ms: (now.unix_ms / 1_000)
                .saturating_mul(1_000)
                .saturating_add(life_ms),
        }
    }
}

/// How long a token that we made lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Monotonic time at which it is renewed.
    pub(crate) renew_at: u64,
    expires_unix_ms: u64,
}

impl Lease {
    /// Whether it has to be renewed on a connection that is up since `since`: its time has come,
    /// or the wall clock says that it has expired (a sleep or a jump that the monotonic clock did
    /// not see). Renewing sets a new expiry by the same clock, so a wrong clock costs one
    /// reconnect, not a loop.
    pub(crate) fn is_due(&self, now: Now, since: u64) -> bool {
        let trusted = now.mono_ms.saturating_sub(since) >= CLOCK_TRUST_MS;
        now.mono_ms >= self.renew_at || (trusted && now.unix_ms >= self.expires_unix_ms)
    }

    /// A token that could not be renewed, to be tried again at another time and for no other reason.
    pub(crate) fn postponed(renew_at: u64) -> Self {
        Self {
            renew_at,
            expires_unix_ms: u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
