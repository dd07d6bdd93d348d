//! Getting a connection and keeping it: sign, connect, subscribe, and wait the right time after
//! each kind of trouble.

use fastrand::Rng;

use crate::auth::{Credential, Credentials, Lease};
use crate::hub::connect::ConnectFields;
use crate::hub::status::ConnectAnswer;
use crate::hub::topic;
use crate::identity::sas::SasRequest;
use crate::identity::{HostName, SasToken, SignError};
use crate::module::announcer::Announcer;
use crate::module::backoff;
use crate::module::event::{State, Trouble, TroubleKind};
use crate::module::io::{
    Action, CloseCause, CloseKind, ConnectRequest, ConnectionId, Now, PacketId, QoS, SignId,
};
use crate::module::options::ModuleOptions;
use crate::module::outbox::Outbox;

mod attempt;
mod renewal;

use renewal::Renewal;

/// Where the session stands.
enum Phase {
    Idle,
    Signing,
    Opening {
        connection: ConnectionId,
        lease: Option<Lease>,
        deadline: u64,
    },
    Online(Online),
    Waiting {
        until: u64,
    },
    Closed,
}

/// An accepted connection.
struct Online {
    connection: ConnectionId,
    lease: Option<Lease>,
    since: u64,
    running_since: Option<u64>,
    /// The SUBSCRIBE that is not answered yet, and until when it has to be.
    subscribing: Option<(PacketId, u64)>,
    renewal: Renewal,
}

/// A signature that the driver has been asked for.
struct SignatureAsked {
    id: SignId,
    request: SasRequest,
    lease: Lease,
    deadline: u64,
}

/// The life of a module's connections.
pub(crate) struct Session {
    host: HostName,
    fields: ConnectFields,
    credentials: Credentials,
    connect_timeout_ms: u64,
    request_timeout_ms: u64,
    backoff_max_ms: u64,
    rng: Rng,
    phase: Phase,
    signature: Option<SignatureAsked>,
    announcer: Announcer,
    /// Attempts that failed since the last good connection.
    failures: u32,
    /// Refused credentials since the last good connection.
    refusals: u32,
    /// The credential worked the last time: one refusal is answered with a fresh token soon.
    trusted: bool,
    last_connection: u32,
    last_signature: u32,
    last_packet: u32,
}

impl Session {
    pub(crate) fn new(options: &ModuleOptions) -> Self {
        let identity = &options.identity;
        let lifetime_s = options.token_lifetime_s;
        Self {
            host: options
                .gateway
                .as_ref()
                .unwrap_or_else(|| identity.host())
                .clone(),
            fields: ConnectFields::new(identity, options.keep_alive_s),
            credentials: Credentials::new(options.authentication.clone(), identity, lifetime_s),
            connect_timeout_ms: options.connect_timeout_ms,
            request_timeout_ms: options.request_timeout_ms,
            backoff_max_ms: options.backoff_max_ms,
            rng: Rng::with_seed(options.seed),
            phase: Phase::Idle,
            signature: None,
            announcer: Announcer::new(),
            failures: 0,
            refusals: 0,
            trusted: false,
            last_connection: 0,
            last_signature: 0,
            last_packet: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.announcer.state()
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    pub(crate) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The accepted connection, whatever it is doing.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match &self.phase {
            Phase::Online(online) => Some(online.connection),
            _ => None,
        }
    }

    /// The connection that requests may be sent on: not while it is being set up or drained.
    pub(crate) fn free_connection(&self) -> Option<ConnectionId> {
        match &self.phase {
            Phase::Online(online) => (online.subscribing.is_none()
                && !online.renewal.is_draining())
            .then_some(online.connection),
            _ => None,
        }
    }

    pub(crate) fn next_packet(&mut self) -> PacketId {
        self.last_packet = self.last_packet.wrapping_add(1);
        PacketId(self.last_packet)
    }

    /// Starts, if it has not been started.
    pub(crate) fn start(&mut self, now: Now, out: &mut Outbox) {
        if self.is_idle() {
            self.attempt(now, out);
        }
    }

    /// Ends for good.
    pub(crate) fn close(&mut self, out: &mut Outbox) {
        self.hang_up(out);
        self.phase = Phase::Closed;
        self.announcer.closed(out);
    }

    /// The twin has been read: the module is in step.
    pub(crate) fn running(&mut self, now: Now, out: &mut Outbox) {
        if let Phase::Online(online) = &mut self.phase {
            online.running_since.get_or_insert(now.mono_ms);
            self.trusted = true;
            self.announcer.reached(State::Running, out);
        }
    }

    /// The driver has signed, or could not.
    pub(crate) fn signed(
        &mut self,
        now: Now,
        id: SignId,
        result: Result<[u8; 32], SignError>,
        out: &mut Outbox,
    ) {
        let Some(ask) = self.signature.take_if(|ask| ask.id == id) else {
            return;
        };
        match result {
            Ok(signature) => {
                let token = ask.request.into_token(&signature);
                if let Phase::Online(online) = &mut self.phase {
                    online.renewal = Renewal::draining(now, token, ask.lease);
                } else {
                    self.open(now, token, Some(ask.lease), out);
                }
            }
            Err(error) => {
                let trouble = Trouble::new(TroubleKind::Signer, error.to_string(), None);
                self.unsigned(now, trouble, out);
            }
        }
    }

    /// The hub has accepted the connection.
    pub(crate) fn connected(&mut self, now: Now, connection: ConnectionId, out: &mut Outbox) {
        let Phase::Opening {
            connection: expected,
            lease,
            ..
        } = self.phase
        else {
            return;
        };
        if connection != expected {
            return;
        }
        out.statistics.connections = out.statistics.connections.saturating_add(1);
        let id = self.next_packet();
        let deadline = now.mono_ms.saturating_add(self.request_timeout_ms);
        self.phase = Phase::Online(Online {
            connection,
            lease,
            since: now.mono_ms,
            running_since: None,
            subscribing: Some((id, deadline)),
            renewal: Renewal::None,
        });
        let filter = |topic: &str| (topic.to_owned(), QoS::AtMostOnce);
        let filters = vec![
            filter(topic::TWIN_RESPONSE_FILTER),
            filter(topic::DESIRED_FILTER),
        ];
        out.act(Action::Subscribe {
            connection,
            id,
            filters,
        });
        self.announcer.reached(State::WaitingForTwin, out);
    }

    /// The hub has answered the SUBSCRIBE. True when the twin can be read now.
    pub(crate) fn subscribed(
        &mut self,
        now: Now,
        connection: ConnectionId,
        id: PacketId,
        granted: bool,
        out: &mut Outbox,
    ) -> bool {
        let Phase::Online(online) = &mut self.phase else {
            return false;
        };
        if online.connection != connection
            || online
                .subscribing
                .take_if(|(asked, _)| *asked == id)
                .is_none()
        {
            return false;
        }
        if !granted {
            let message = "the hub refused the subscription to the twin's topics";
            self.lose(
                now,
                Trouble::new(TroubleKind::Protocol, message, Some(0x80)),
                out,
            );
        }
        granted
    }

    /// The hub has refused the connection with a CONNACK code.
    pub(crate) fn refused(
        &mut self,
        now: Now,
        connection: ConnectionId,
        code: u8,
        out: &mut Outbox,
    ) {
        if !matches!(self.phase, Phase::Opening { connection: c, .. } if c == connection) {
            return;
        }
        out.statistics.refusals = out.statistics.refusals.saturating_add(1);
        let answer = ConnectAnswer::from_code(code);
        let message = format!("{}: {answer}", self.host.as_str());
        let status = Some(u16::from(code));
        if !answer.is_credential_refused() {
            let pause = backoff::busy(&mut self.rng, self.failures, self.backoff_max_ms);
            let trouble = Trouble::new(TroubleKind::Refused, message, status);
            return self.wait(now, pause, trouble, out);
        }
        let fresh_token_may_help = self.trusted && self.credentials.can_renew();
        self.trusted = false;
        let pause = if fresh_token_may_help {
            backoff::full_jitter(&mut self.rng, self.failures, self.backoff_max_ms)
        } else {
            let pause = backoff::refused(&mut self.rng, self.refusals);
            self.refusals = self.refusals.saturating_add(1);
            pause
        };
        self.wait(
            now,
            pause,
            Trouble::new(TroubleKind::Unauthorized, message, status),
            out,
        );
    }

    /// The driver says that the connection is gone.
    pub(crate) fn closed(
        &mut self,
        now: Now,
        connection: ConnectionId,
        cause: CloseCause,
        out: &mut Outbox,
    ) {
        let trouble = Trouble::new(TroubleKind::Connection(cause.kind), cause.detail, None);
        match self.phase {
            Phase::Opening { connection: c, .. } if c == connection => {
                self.failed(now, trouble, out);
            }
            Phase::Online(ref online) if online.connection == connection => {
                out.withdraw(connection);
                self.lost(now, trouble, out);
            }
            _ => {}
        }
    }

    /// Gives the connection up.
    pub(crate) fn lose(&mut self, now: Now, trouble: Trouble, out: &mut Outbox) {
        self.hang_up(out);
        self.lost(now, trouble, out);
    }

    /// Does what time has made due. `idle` says that no request is in flight.
    pub(crate) fn advance(&mut self, now: Now, idle: bool, out: &mut Outbox) {
        let over = |deadline: u64| now.mono_ms >= deadline;
        if self.signature.take_if(|ask| over(ask.deadline)).is_some() {
            let message = "signer: no answer in time";
            self.unsigned(now, Trouble::new(TroubleKind::Signer, message, None), out);
        }
        match &self.phase {
            Phase::Opening {
                connection,
                deadline,
                ..
            } if over(*deadline) => {
                out.disconnect(*connection);
                let message = format!("{}: not connected in time", self.host.as_str());
                self.failed(now, timeout(message), out);
            }
            Phase::Waiting { until } if over(*until) => self.attempt(now, out),
            Phase::Online(online) => match online.subscribing {
                Some((_, deadline)) if over(deadline) => {
                    let message = format!("{}: SUBSCRIBE not answered", self.host.as_str());
                    self.lose(now, timeout(message), out);
                }
                _ => self.advance_renewal(now, idle, out),
            },
            _ => {}
        }
        if self.announcer.quiet_until().is_some_and(over) {
            let state = match self.phase {
                Phase::Online(_) => State::WaitingForTwin,
                _ => State::Connecting,
            };
            self.announcer.give_up_quiet(state, out);
        }
    }

    /// The next time something is due.
    pub(crate) fn deadline(&self, idle: bool) -> Option<u64> {
        let phase = match &self.phase {
            Phase::Opening { deadline, .. } => Some(*deadline),
            Phase::Waiting { until } => Some(*until),
            Phase::Online(Online {
                subscribing: Some((_, deadline)),
                ..
            }) => Some(*deadline),
            Phase::Online(online) => online.renewal_deadline(idle),
            _ => None,
        };
        let signature = self.signature.as_ref().map(|ask| ask.deadline);
        [phase, signature, self.announcer.quiet_until()]
            .into_iter()
            .flatten()
            .min()
    }
}

fn timeout(message: String) -> Trouble {
    Trouble::new(TroubleKind::Connection(CloseKind::Timeout), message, None)
}
