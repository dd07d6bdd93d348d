//! One attempt after the other: how each begins, how it ends, and how long to wait in between.

use super::*;

/// A connection that ran for this long was a good one: the back-off starts again from nothing.
/// Being accepted is not enough, or a hub that closes at once would be hammered.
const STABLE_MS: u64 = 30_000;

/// How long after its own deadline the driver's silence about an attempt counts as its end.
const DRIVER_GRACE_MS: u64 = 5_000;

impl Session {
    /// Starts an attempt: with a fresh signature, with the supplied token, or not at all.
    pub(super) fn attempt(&mut self, now: Now, out: &mut Outbox) {
        match self.credentials.next(now) {
            Credential::Sign(request) => {
                self.phase = Phase::Signing;
                self.announcer.reached(State::Connecting, out);
                self.ask_signature(now, request, out);
            }
            Credential::Ready(token) => {
                self.announcer.reached(State::Connecting, out);
                self.open(now, token, None, out);
            }
            Credential::Expired => {
                let pause = backoff::EXPIRED_MS;
                self.phase = Phase::Waiting {
                    until: now.mono_ms.saturating_add(pause),
                };
                let message = "the supplied token has expired; a new one has to be supplied";
                let trouble = Trouble::new(TroubleKind::TokenExpired, message, None);
                if self.announcer.is_news(&trouble) {
                    self.announcer.lost(trouble, pause, out);
                }
            }
        }
    }

    pub(super) fn ask_signature(&mut self, now: Now, request: SasRequest, out: &mut Outbox) {
        self.last_signature = self.last_signature.wrapping_add(1);
        let id = SignId(self.last_signature);
        out.statistics.tokens_signed = out.statistics.tokens_signed.saturating_add(1);
        out.sign(Action::Sign {
            id,
            data: request.string_to_sign().into_bytes(),
        });
        let lease = self.credentials.lease(now, &mut self.rng);
        let deadline = now.mono_ms.saturating_add(self.connect_timeout_ms);
        self.signature = Some(SignatureAsked {
            id,
            request,
            lease,
            deadline,
        });
    }

    pub(super) fn open(
        &mut self,
        now: Now,
        token: SasToken,
        lease: Option<Lease>,
        out: &mut Outbox,
    ) {
        self.last_connection = self.last_connection.wrapping_add(1);
        let connection = ConnectionId(self.last_connection);
        out.statistics.connect_attempts = out.statistics.connect_attempts.saturating_add(1);
        out.act(Action::Connect(ConnectRequest {
            connection,
            host: self.host.clone(),
            client_id: self.fields.client_id.clone(),
            username: self.fields.username.clone(),
            password: Some(token),
            keep_alive_s: self.fields.keep_alive_s,
            timeout_ms: self.connect_timeout_ms,
        }));
        let patience = self.connect_timeout_ms.saturating_add(DRIVER_GRACE_MS);
        let deadline = now.mono_ms.saturating_add(patience);
        self.phase = Phase::Opening {
            connection,
            lease,
            deadline,
        };
        self.announcer.reached(State::Connecting, out);
    }

    /// An accepted connection is gone. If it was in step with the twin and nothing else has failed
    /// since the last good one, the next attempt starts at once: a reset costs no pause. It counts
    /// as a failure all the same, so that a hub that accepts and then closes gets the back-off from
    /// its second time on.
    pub(super) fn lost(&mut self, now: Now, trouble: Trouble, out: &mut Outbox) {
        self.settle(now);
        let was_running = matches!(&self.phase, Phase::Online(o) if o.running_since.is_some());
        if was_running && self.failures == 0 {
            self.wait(now, 0, trouble, out);
        } else {
            self.failed(now, trouble, out);
        }
    }

    /// An attempt has failed, or a connection did not last.
    pub(super) fn failed(&mut self, now: Now, trouble: Trouble, out: &mut Outbox) {
        let pause = backoff::full_jitter(&mut self.rng, self.failures, self.backoff_max_ms);
        self.wait(now, pause, trouble, out);
    }

    pub(super) fn wait(&mut self, now: Now, pause: u64, trouble: Trouble, out: &mut Outbox) {
        out.statistics.connections_lost = out.statistics.connections_lost.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
        self.signature = None;
        self.phase = Phase::Waiting {
            until: now.mono_ms.saturating_add(pause),
        };
        self.announcer.lost(trouble, pause, out);
    }

    /// Forgets earlier failures if this connection has been a good one.
    pub(super) fn settle(&mut self, now: Now) {
        if let Phase::Online(online) = &self.phase
            && let Some(since) = online.running_since
            && now.mono_ms.saturating_sub(since) >= STABLE_MS
        {
            self.failures = 0;
            self.refusals = 0;
        }
    }

    pub(super) fn hang_up(&mut self, out: &mut Outbox) {
        match &self.phase {
            Phase::Opening { connection, .. } => out.disconnect(*connection),
            Phase::Online(online) => out.disconnect(online.connection),
            _ => {}
        }
        self.signature = None;
    }
}
