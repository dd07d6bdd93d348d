//! Faults on purpose, each scoped to one identity, for tests of clients.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

use crate::error::ErrorCode;
use crate::names::Name;

/// A fault for one device or module. Each stays until it is used up or [`Fault::Clear`] comes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// Cut the connection now, with a TCP reset.
    Cut,
    /// Answer CONNECT with this return code (1 to 5) until cleared.
    RefuseWith {
        /// CONNACK return code.
        code: u8,
    },
    /// Carry out twin requests but lose the next `count` answers.
    DropTwinReplies {
        /// How many answers are lost.
        count: u32,
    },
    /// Delay everything sent to the client until cleared.
    Delay {
        /// Delay in milliseconds.
        milliseconds: u64,
    },
    /// Do not carry out the next `count` twin requests but answer them with this status.
    AnswerTwinWith {
        /// Status, 400 or above.
        status: u16,
        /// How many requests are answered so.
        count: u32,
    },
    /// Answer the next `count` twin GETs with something that is not JSON.
    Garbage {
        /// How many answers are garbage.
        count: u32,
    },
    /// Send half of the next twin answer or notification, then reset the connection.
    CloseMidPacket,
    /// Forget the kept subscriptions and close the connection.
    ClearSession,
    /// No faults any more.
    Clear,
}

/// What is in force for one identity.
#[derive(Debug, Default, Clone)]
pub(crate) struct Active {
    pub(crate) refuse_with: Option<u8>,
    pub(crate) delay: Option<Duration>,
    drop_replies: u32,
    answer_with: Option<(u16, u32)>,
    garbage: u32,
    close_mid_packet: bool,
}

/// What happens to a twin request instead of the usual.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(u16),
    Garbage,
}

/// What happens to an outgoing packet instead of the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Lost,
    HalfThenReset,
}

#[derive(Debug, Default)]
pub(crate) struct Faults(HashMap<Name, Active>);

impl Faults {
    /// Arms a fault. [`Fault::Cut`] and [`Fault::ClearSession`] act at once and are not kept.
    pub(crate) fn arm(&mut self, name: &Name, fault: &Fault) {
        let active = self.0.entry(name.clone()).or_default();
        match *fault {
            Fault::RefuseWith { code } => active.refuse_with = Some(code),
            Fault::DropTwinReplies { count } => active.drop_replies = count,
            Fault::Delay { milliseconds } => {
                active.delay = Some(Duration::from_millis(milliseconds));
            }
            Fault::AnswerTwinWith { status, count } => active.answer_with = Some((status, count)),
            Fault::Garbage { count } => active.garbage = count,
            Fault::CloseMidPacket => active.close_mid_packet = true,
            Fault::Cut | Fault::ClearSession => {}
            Fault::Clear => *active = Active::default(),
        }
    }

    pub(crate) fn of(&self, name: &Name) -> Option<&Active> {
        self.0.get(name)
    }

    pub(crate) fn on_twin_request(&mut self, name: &Name, get: bool) -> Option<Answer> {
        let active = self.0.get_mut(name)?;
        if let Some((status, count @ 1..)) = &mut active.answer_with {
            *count -= 1;
            return Some(Answer::Status(*status));
        }
        if get && active.garbage > 0 {
            active.garbage -= 1;
            return Some(Answer::Garbage);
        }
        None
    }

    pub(crate) fn on_twin_reply(&mut self, name: &Name) -> Delivery {
        let Some(active) = self.0.get_mut(name) else {
            return Delivery::Whole;
        };
        if active.drop_replies > 0 {
            active.drop_replies -= 1;
            return Delivery::Lost;
        }
        self.on_notification(name)
    }

    pub(crate) fn on_notification(&mut self, name: &Name) -> Delivery {
        match self.0.get_mut(name) {
            Some(active) if active.close_mid_packet => {
                active.close_mid_packet = false;
                Delivery::HalfThenReset
            }
            _ => Delivery::Whole,
        }
    }
}

/// The hub's own code for an injected status.
pub(crate) const fn code_for(status: u16) -> ErrorCode {
    match status {
        401 => ErrorCode::Unauthorized,
        404 => ErrorCode::ModuleNotFound,
        412 => ErrorCode::PreconditionFailed,
        413 => ErrorCode::MessageTooLarge,
        429 => ErrorCode::ThrottlingException,
        503 => ErrorCode::ServiceUnavailable,
        500..=599 => ErrorCode::ServerError,
        _ => ErrorCode::ArgumentInvalid,
    }
}
