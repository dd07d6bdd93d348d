//! What the host is told.

use std::sync::Arc;

use serde_json::Value;

use crate::agent::Evaluation;
use crate::module::io::CloseKind;
use crate::twin::patch::{self, Change};

/// Where the module stands. The order of a life: `Starting` → `Connecting` → `WaitingForTwin` →
/// `Running`, with `Disconnected` → `Connecting` in between after trouble, and `Closed` at the
/// end. A planned renewal of the token shows in none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum State {
    /// Created; not asked to connect yet. A stored configuration is already in force.
    Starting = 0,
    /// A connection is being opened.
    Connecting = 1,
    /// Signed in; the first twin of this connection has not arrived yet.
    WaitingForTwin = 2,
    /// Signed in and in step with the twin.
    Running = 3,
    /// Not connected; the next attempt has a time.
    Disconnected = 4,
    /// Closed by the host; nothing follows.
    Closed = 5,
}

/// A change of [`State`].
#[derive(Clone, Debug, PartialEq)]
pub struct StateChange {
    /// The state that now holds.
    pub state: State,
    /// Why, when the change was not the host's wish.
    pub trouble: Option<Trouble>,
    /// With [`State::Disconnected`]: milliseconds until the next attempt.
    pub retry_in_ms: Option<u64>,
}

/// What kind of trouble; each is a stable name in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TroubleKind {
    /// No connection, or it was lost; the kind says at which layer.
    Connection(CloseKind),
    /// The hub refused the credential or the identity (CONNACK 2, 4 or 5).
    Unauthorized,
    /// The hub refused the connection for another reason (CONNACK 1, 3 or unknown).
    Refused,
    /// The signer could not sign.
    Signer,
    /// The supplied token has expired and there is no key to make another.
    TokenExpired,
    /// A twin request was not answered in time, or with an error status.
    Twin,
    /// The hub sent something that is not a twin, or breaks a bound.
    Protocol,
    /// The record could not be kept; what is in force goes on, a restart would not know it.
    Store,
    /// Events were merged or dropped because the host did not take them.
    Overflow,
}

/// Trouble that the host may want to act on; the engine goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// The kind.
    pub kind: TroubleKind,
    /// One line for people.
    pub message: String,
    /// The hub's status or return code, if it gave one.
    pub status: Option<u16>,
}

impl Trouble {
    /// Trouble of a kind, in one line.
    pub fn new(kind: TroubleKind, message: impl Into<String>, status: Option<u16>) -> Self {
        Self {
            kind,
            message: message.into(),
            status,
        }
    }
}

/// Where a document came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// From the hub.
    Hub,
    /// From the stored record, before there was a connection.
    Stored,
}

/// The desired section changed. Carries both documents; what changed between them is worked out
/// when asked for, so that unread changes can be merged without loss.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredChange {
    /// `$version` of the new document.
    pub version: Option<u64>,
    /// The document before, without `$version`.
    pub from: Arc<Value>,
    /// The document now, without `$version`.
    pub to: Arc<Value>,
    /// Where the new document came from.
    pub origin: Origin,
}

impl DesiredChange {
    /// What changed, sorted by JSON pointer; a deletion has no new value.
    pub fn changes(&self) -> Vec<Change> {
        patch::changes(&self.from, &self.to)
    }

    /// The smallest JSON merge patch (RFC 7396) that turns the old document into the new one.
    pub fn patch(&self) -> Value {
        patch::diff(&self.from, &self.to).unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }
}

/// What became of a reported document. `generation` is what
/// [`crate::module::Module::set_reported`] gave; an outcome covers every generation up to its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportedOutcome {
    /// The hub has it.
    Acknowledged {
        /// The newest generation that the hub now has.
        generation: u64,
        /// `$version` of the reported section.
        version: Option<u64>,
    },
    /// The hub refused it for good (a 4xx other than 408 and 429). It is not sent again until
    /// the host sets another document.
    Refused {
        /// The generation that was refused.
        generation: u64,
        /// The hub's status; 0 when it broke a limit and was not sent at all: patches that were
        /// accepted before the section they apply to was known.
        status: u16,
        /// The hub's words, bounded, or ours.
        message: String,
    },
}

/// The end of a twin read that the host asked for with [`crate::module::Module::refresh`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// What `refresh` gave; an outcome covers every refresh up to its own.
    pub refresh: u64,
    /// Why the read failed; `None` when the twin is fresh now.
    pub trouble: Option<Trouble>,
}

/// What the host is told, in order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The state changed.
    State(StateChange),
    /// The desired section changed.
    Desired(DesiredChange),
    /// The agent configuration was evaluated with a new result: another configuration in force,
    /// or another verdict about what the operator wrote.
    Configuration(Arc<Evaluation>),
    /// A reported document was taken or refused.
    Reported(ReportedOutcome),
    /// A read that the host asked for has ended.
    Read(ReadOutcome),
    /// Something to know; the engine goes on.
    Trouble(Trouble),
}
