//! Which state and which trouble the host is told, and which it is spared.

use crate::module::event::{Event, State, StateChange, Trouble, TroubleKind};
use crate::module::io::CloseKind;
use crate::module::outbox::Outbox;

/// Tells the host each state once, and a lasting trouble once per cause.
pub(crate) struct Announcer {
    told: State,
    /// A planned reconnect is under way; until this time the host goes on seeing `Running`.
    quiet_until: Option<u64>,
    last_trouble: Option<(TroubleKind, Option<u16>)>,
}

impl Announcer {
    pub(crate) fn new() -> Self {
        Self {
            told: State::Starting,
            quiet_until: None,
            last_trouble: None,
        }
    }

    /// The state the host has been told.
    pub(crate) fn state(&self) -> State {
        self.told
    }

    /// Until when a planned reconnect is kept from the host.
    pub(crate) fn quiet_until(&self) -> Option<u64> {
        self.quiet_until
    }

    /// A planned reconnect begins. It shows only if it takes longer than until this time.
    pub(crate) fn keep_quiet(&mut self, until: u64) {
        if self.told == State::Running {
            self.quiet_until = Some(until);
        }
    }

    /// The host ends the module; nothing is kept from it any more.
    pub(crate) fn closed(&mut self, out: &mut Outbox) {
        self.quiet_until = None;
        self.reached(State::Closed, out);
    }

    /// Progress towards, or arrival at, a state that is not trouble.
    pub(crate) fn reached(&mut self, state: State, out: &mut Outbox) {
        if state == State::Running {
            self.quiet_until = None;
            self.last_trouble = None;
        }
        if self.quiet_until.is_none() && self.told != state {
            self.tell(state, None, None, out);
        }
    }

    /// The connection is gone, or did not come about.
    pub(crate) fn lost(&mut self, trouble: Trouble, retry_in_ms: u64, out: &mut Outbox) {
        self.quiet_until = None;
        self.trouble_once(&trouble, out);
        self.tell(State::Disconnected, Some(trouble), Some(retry_in_ms), out);
    }

    /// Whether the cause is another one than last time.
    pub(crate) fn is_news(&self, trouble: &Trouble) -> bool {
        self.last_trouble != Some((trouble.kind, trouble.status))
    }

    /// Tells a trouble that is not just a lost connection, unless it is the same as before.
    pub(crate) fn trouble_once(&mut self, trouble: &Trouble, out: &mut Outbox) {
        let news = self.is_news(trouble);
        self.last_trouble = Some((trouble.kind, trouble.status));
        if news && !matches!(trouble.kind, TroubleKind::Connection(_)) {
            out.trouble(trouble.clone());
        }
    }

    /// The planned reconnect takes too long to be kept quiet any further: `state` is how far it is.
    pub(crate) fn give_up_quiet(&mut self, state: State, out: &mut Outbox) {
        let message = "the new connection for a fresh token takes long";
        let kind = TroubleKind::Connection(CloseKind::Timeout);
        self.lost(Trouble::new(kind, message, None), 0, out);
        self.reached(state, out);
    }

    fn tell(
        &mut self,
        state: State,
        trouble: Option<Trouble>,
        retry_in_ms: Option<u64>,
        out: &mut Outbox,
    ) {
        self.told = state;
        out.events.push(Event::State(StateChange {
            state,
            trouble,
            retry_in_ms,
        }));
    }
}
