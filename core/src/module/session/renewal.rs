//! The planned reconnect with a fresh token, before the old one expires. MQTT 3.1.1 has no way to
//! renew a token on a connection, and the hub closes it when the token expires (IoT Hub docs:
//! control access with shared access signatures).

use super::{Online, Phase, Session};
use crate::auth::{Credential, Lease};
use crate::identity::SasToken;
use crate::module::event::Trouble;
use crate::module::io::Now;
use crate::module::outbox::Outbox;

/// How long a planned reconnect waits for requests in flight.
const DRAIN_MS: u64 = 5_000;

/// How long after a failed signature the next one is asked for, on a connection that still works.
const SIGN_AGAIN_MS: u64 = 10_000;

/// How far the planned reconnect is.
pub(super) enum Renewal {
    None,
    Signing,
    /// The token is there; requests in flight may still be answered until then.
    Draining {
        token: SasToken,
        lease: Lease,
        until: u64,
    },
}

impl Renewal {
    pub(super) fn draining(now: Now, token: SasToken, lease: Lease) -> Self {
        Self::Draining {
            token,
            lease,
            until: now.mono_ms.saturating_add(DRAIN_MS),
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(self, Self::Draining { .. })
    }
}

impl Online {
    pub(super) fn renewal_deadline(&self, idle: bool) -> Option<u64> {
        match &self.renewal {
            Renewal::None => self.lease.map(|lease| lease.renew_at),
            Renewal::Signing => None,
            Renewal::Draining { .. } if idle => Some(0),
            Renewal::Draining { until, .. } => Some(*until),
        }
    }
}

impl Session {
    /// Goes on with the renewal as far as it is due. `idle` says that no request is in flight.
    pub(super) fn advance_renewal(&mut self, now: Now, idle: bool, out: &mut Outbox) {
        let Phase::Online(online) = &mut self.phase else {
            return;
        };
        match &online.renewal {
            Renewal::None if online.lease.is_some_and(|l| l.is_due(now, online.since)) => {
                if let Credential::Sign(request) = self.credentials.next(now) {
                    online.renewal = Renewal::Signing;
                    self.ask_signature(now, request, out);
                }
            }
            Renewal::Draining { until, .. } if idle || now.mono_ms >= *until => {
                self.reconnect(now, out);
            }
            _ => {}
        }
    }

    /// There is no signature. A connection that still works is kept, and asks again.
    pub(super) fn unsigned(&mut self, now: Now, trouble: Trouble, out: &mut Outbox) {
        let Phase::Online(online) = &mut self.phase else {
            return self.failed(now, trouble, out);
        };
        online.renewal = Renewal::None;
        online.lease = Some(Lease::postponed(now.mono_ms.saturating_add(SIGN_AGAIN_MS)));
        self.announcer.trouble_once(&trouble, out);
    }

    fn reconnect(&mut self, now: Now, out: &mut Outbox) {
        self.settle(now);
        let Phase::Online(online) = &mut self.phase else {
            return;
        };
        let Renewal::Draining { token, lease, .. } =
            std::mem::replace(&mut online.renewal, Renewal::None)
        else {
            return;
        };
        out.disconnect(online.connection);
        out.statistics.planned_renewals = out.statistics.planned_renewals.saturating_add(1);
        self.announcer
            .keep_quiet(now.mono_ms.saturating_add(self.request_timeout_ms));
        self.open(now, token, Some(lease), out);
    }
}
