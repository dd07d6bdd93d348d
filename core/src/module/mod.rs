//! One module: what happened goes in, what to do comes out.
//!
//! [`Module`] is a state machine without I/O. A driver tells it what happened
//! ([`Module::handle`]), carries out what it asks for ([`Module::poll_action`]), passes on what it
//! says ([`Module::poll_event`]) and wakes it when it asks to be woken
//! ([`Module::next_deadline`]).

use std::sync::Arc;

use serde_json::Value;

mod announcer;
mod backoff;
mod event;
mod io;
mod options;
mod outbox;
mod queue;
mod reads;
mod record;
mod requests;
mod session;
mod statistics;
mod twin;

pub use event::{
    DesiredChange, Event, Origin, ReadOutcome, ReportedOutcome, State, StateChange, Trouble,
    TroubleKind,
};
pub use io::{
    Action, CloseCause, CloseKind, ConnectRequest, ConnectionId, Input, Now, PacketId, QoS, SignId,
};
pub use options::{Authentication, ModuleOptions, OptionsError};
pub use queue::EventQueue;
pub use record::{MAX_RECORD_BYTES, RecordError};
pub use statistics::Statistics;
pub use twin::STATUS_KEY;

use crate::agent::Evaluation;
use crate::identity::Identity;
use crate::twin::document::DesiredDocument;
use crate::twin::limits::LimitError;
use outbox::Outbox;
use session::Session;
use twin::TwinSync;

/// How often time may make one thing due after the other within one call. What is left then is due
/// at once, and [`Module::next_deadline`] says so.
const MAX_STEPS: usize = 4;

/// The engine of one module identity. See the [crate documentation](crate) for the driver's loop.
pub struct Module {
    identity: Identity,
    session: Session,
    twin: TwinSync,
    out: Outbox,
    /// The latest monotonic time heard; a clock that goes back stands still instead.
    latest_ms: u64,
}

impl Module {
    /// A module in state [`State::Starting`]. Nothing happens before [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`OptionsError`] names the setting that is out of range.
    pub fn new(options: ModuleOptions, now: Now) -> Result<Self, OptionsError> {
        options.check()?;
        let mut session = Session::new(&options);
        let twin = TwinSync::new(&options, session.rng().u32(..));
        Ok(Self {
            session,
            twin,
            out: Outbox::new(options.event_capacity),
            identity: options.identity,
            latest_ms: now.mono_ms,
        })
    }

    /// Takes the record of an earlier run ([`Action::Persist`]). The stored configuration is in
    /// force at once; what it says comes as [`Event::Desired`] and [`Event::Configuration`]. What
    /// the host wanted reported and the hub has not acknowledged is delivered.
    ///
    /// # Errors
    /// [`RecordError`] when the record is broken, of another identity or of a newer library, or
    /// when the module has been connected already. Then nothing changed, and the module runs
    /// without it.
    pub fn restore(&mut self, record: &[u8]) -> Result<(), RecordError> {
        if !self.session.is_idle() || self.twin.desired().is_known() {
            return Err(RecordError::TooLate);
        }
        let record = record::Record::from_bytes(record, &self.identity)?;
        self.twin.restore(record, &mut self.out)
    }

    /// Starts to connect, and to stay connected. Further calls do nothing.
    pub fn connect(&mut self, now: Now) {
        let now = self.clock(now);
        self.session.start(now, &mut self.out);
        self.advance(now);
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        if self.session.is_closed() {
            return;
        }
        let now = self.clock(now);
        match input {
            Input::Message {
                connection,
                topic,
                payload,
            } if self.session.connection() == Some(connection) => {
                self.twin
                    .message(now, topic, payload, self.session.rng(), &mut self.out);
                if self.twin.desired().is_in_step() {
                    self.session.running(now, &mut self.out);
                }
            }
            Input::Message { .. } => {
                let ignored = &mut self.out.statistics.messages_ignored;
                *ignored = ignored.saturating_add(1);
            }
            Input::PersistFailed { detail } => {
                self.out
                    .trouble(Trouble::new(TroubleKind::Store, detail, None));
            }
            // Nothing is sent with QoS 1 yet.
            Input::Acknowledged { .. } => {}
            other => self.handle_connection(now, other),
        }
        self.advance(now);
    }

    /// Does what time has made due. Calling it early or often is harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        let now = self.clock(now);
        self.advance(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, in monotonic milliseconds. May
    /// lie in the past. Changes with every other call; `None` when only an input can change
    /// anything.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        if self.session.is_closed() {
            return None;
        }
        let idle = self.twin.requests().is_idle();
        let free = self.session.free_connection().is_some();
        let deadlines = [self.session.deadline(idle), self.twin.deadline(free)];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing the driver has to do. Call until `None` after every other call.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(action) = self.out.next_action() {
            return Some(action);
        }
        self.twin
            .take_record(&self.identity, &mut self.out)
            .map(Action::Persist)
    }

    /// The next thing to tell the host. Call until `None` after every other call, or leave events
    /// where they are: the queue is bounded, see [`EventQueue`].
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop()
    }

    /// The host wants its reported section to be this document, whole: what is not in it vanishes
    /// at the hub. Only the newest document is sent, as the difference to what the hub has, until
    /// the hub acknowledges it, over reconnects and restarts. [`Event::Reported`] tells the outcome
    /// for the generation given back. A difference larger than 32 KiB goes in parts, deletions first;
    /// others can see the section in between.
    ///
    /// Members that the library reports itself (the configuration's section, [`STATUS_KEY`]) are
    /// not part of it.
    ///
    /// # Errors
    /// [`LimitError`] with a JSON pointer when the section, with what the library reports, would
    /// break a limit of the hub, or names a member of the library. Then nothing changed.
    pub fn set_reported(&mut self, now: Now, document: Value) -> Result<u64, LimitError> {
        let now = self.clock(now);
        let generation = self.twin.set_reported(document)?;
        self.advance(now);
        Ok(generation)
    }

    /// The host wants its reported section changed by a merge patch (RFC 7396). Without an earlier
    /// [`set_reported`](Self::set_reported) the patch goes on top of what the hub has; as long as
    /// that is not known, patches are kept and merged.
    ///
    /// # Errors
    /// As for [`set_reported`](Self::set_reported).
    pub fn patch_reported(&mut self, now: Now, patch: &Value) -> Result<u64, LimitError> {
        let now = self.clock(now);
        let generation = self.twin.patch_reported(patch)?;
        self.advance(now);
        Ok(generation)
    }

    /// Reads the twin now. Ends with [`Event::Read`] for the number given back or a higher one:
    /// well, with the hub's error, or when there was no connection for the time of one request.
    pub fn refresh(&mut self, now: Now) -> u64 {
        let now = self.clock(now);
        let refresh = self.twin.refresh(now);
        self.advance(now);
        refresh
    }

    /// Ends the module: it disconnects, tells [`State::Closed`], and nothing follows but what is
    /// queued.
    pub fn close(&mut self, now: Now) {
        self.clock(now);
        if !self.session.is_closed() {
            self.session.close(&mut self.out);
            self.twin.disconnected(now);
        }
    }

    /// The state the host has been told last, unread events included.
    #[must_use]
    pub fn state(&self) -> State {
        self.session.state()
    }

    /// The desired section as known now.
    #[must_use]
    pub fn desired(&self) -> &DesiredDocument {
        self.twin.desired().document()
    }

    /// The reported section as last known at the hub, with its version. `None` before the first
    /// read without a record.
    #[must_use]
    pub fn reported(&self) -> Option<(&Arc<Value>, Option<u64>)> {
        self.twin.reported().hub()
    }

    /// Whether the twin has been read on the connection that stands, and nothing newer has been
    /// heard of since.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.session.connection().is_some() && self.twin.desired().is_in_step()
    }

    /// The result of the last evaluation, with the configuration in force.
    #[must_use]
    pub fn evaluation(&self) -> &Arc<Evaluation> {
        self.twin.evaluation()
    }

    /// Counters since the module was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            events_merged: self.out.events.merged(),
            ..self.out.statistics
        }
    }

    /// How many events [`poll_event`](Self::poll_event) would give now.
    #[must_use]
    pub fn pending_events(&self) -> usize {
        self.out.events.len()
    }

    /// Twin requests that wait for an answer: at most two.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn requests_in_flight(&self) -> usize {
        self.twin.requests().len()
    }

    fn handle_connection(&mut self, now: Now, input: Input<'_>) {
        let out = &mut self.out;
        let before = self.session.connection();
        match input {
            Input::Signed { id, result } => self.session.signed(now, id, result, out),
            Input::Connected { connection, .. } => self.session.connected(now, connection, out),
            Input::Refused { connection, code } => {
                self.session.refused(now, connection, code, out);
            }
            Input::Closed { connection, cause } => {
                self.session.closed(now, connection, cause, out);
            }
            Input::Subscribed {
                connection,
                id,
                granted,
            } => {
                self.session.subscribed(now, connection, id, granted, out);
            }
            Input::Message { .. } | Input::Acknowledged { .. } | Input::PersistFailed { .. } => {}
        }
        self.note_connection(now, before);
    }

    /// Brings everything up to this time, and sends what can be sent.
    fn advance(&mut self, now: Now) {
        if self.session.is_closed() {
            return;
        }
        for _ in 0..MAX_STEPS {
            let before = self.session.connection();
            if let Some(trouble) = self.twin.expire(now, self.session.rng(), &mut self.out) {
                self.session.lose(now, trouble, &mut self.out);
                self.note_connection(now, before);
            }
            let before = self.session.connection();
            self.session
                .advance(now, self.twin.requests().is_idle(), &mut self.out);
            self.note_connection(now, before);
            self.twin.send(now, &mut self.session, &mut self.out);
            if self.next_deadline().is_none_or(|at| at > now.mono_ms) {
                break;
            }
        }
    }

    /// Starts the twin over when the connection is another one than before.
    fn note_connection(&mut self, now: Now, before: Option<ConnectionId>) {
        if self.session.connection() != before {
            self.twin.disconnected(now);
        }
    }

    fn clock(&mut self, now: Now) -> Now {
        self.latest_ms = self.latest_ms.max(now.mono_ms);
        Now {
            mono_ms: self.latest_ms,
            ..now
        }
    }
}

#[cfg(test)]
mod tests;
