//! Faults on purpose, each scoped to one identity, for tests of clients.
//!
//! In the library they are methods of [`Hub`]; over REST they are `POST /twinguard/faults` with
//! `{"deviceId":…,"moduleId":…,"fault":{"kind":"dropTwinReplies","count":1}}`.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{ErrorCode, HubError, Refusal};
use crate::hub::Hub;
use crate::names::Name;

/// Faults. `module` is a module id, or `None` for the device itself. A fault stays until it is
/// used up or [`Hub::clear_faults`] is called; all of them fail only for an
/// unknown identity or a value out of range.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Hub {
    /// Cuts the connection now, with a TCP reset.
    pub fn cut<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
    ) -> Result<(), HubError> {
        self.inject(device, module.into(), &Fault::Cut)
    }

    /// Answers CONNECT with this return code (1 to 5) until cleared.
    pub fn refuse_with<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
        code: u8,
    ) -> Result<(), HubError> {
        self.inject(device, module.into(), &Fault::RefuseWith { code })
    }

    /// Carries out the next `count` twin requests but loses the answers.
    pub fn drop_twin_replies<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
        count: u32,
    ) -> Result<(), HubError> {
        self.inject(device, module.into(), &Fault::DropTwinReplies { count })
    }

    /// Delays everything sent to the client until cleared; whole milliseconds, at most an hour.
    pub fn delay<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
        delay: Duration,
    ) -> Result<(), HubError> {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.inject(device, module.into(), &Fault::Delay { milliseconds })
    }

    /// Does not carry out the next `count` twin requests but answers them with this status
    /// (400 to 599).
    pub fn answer_twin_with<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
        status: u16,
        count: u32,
    ) -> Result<(), HubError> {
        self.inject(
            device,
            module.into(),
            &Fault::AnswerTwinWith { status, count },
        )
    }

    /// Answers the next `count` twin GETs with something that is not JSON.
    pub fn garbage<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
        count: u32,
    ) -> Result<(), HubError> {
        self.inject(device, module.into(), &Fault::Garbage { count })
    }

    /// Sends half of the next twin answer or notification, then resets the connection.
    pub fn close_mid_packet<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
    ) -> Result<(), HubError> {
        self.inject(device, module.into(), &Fault::CloseMidPacket)
    }

    /// Forgets the kept subscriptions and closes the connection.
    pub fn clear_session<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
    ) -> Result<(), HubError> {
        self.inject(device, module.into(), &Fault::ClearSession)
    }

    /// Ends all faults of an identity.
    pub fn clear_faults<'a>(
        &self,
        device: &str,
        module: impl Into<Option<&'a str>>,
    ) -> Result<(), HubError> {
        self.inject(device, module.into(), &Fault::Clear)
    }
}

/// A fault as REST spells it; the methods of [`Hub`] say what each does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[serde(deny_unknown_fields)]
pub(crate) enum Fault {
    Cut,
    RefuseWith { code: u8 },
    DropTwinReplies { count: u32 },
    Delay { milliseconds: u64 },
    AnswerTwinWith { status: u16, count: u32 },
    Garbage { count: u32 },
    CloseMidPacket,
    ClearSession,
    Clear,
}

/// Longer than any test waits; keeps clock arithmetic in range.
const MAX_DELAY: u64 = 3_600_000;

impl Fault {
    /// Refuses values that would not be a fault.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match *self {
            Self::RefuseWith { code } if !(1..=5).contains(&code) => {
                Err(Refusal::invalid(format!("code: {code}, expected 1 to 5")))
            }
            Self::AnswerTwinWith { status, .. } if !(400..=599).contains(&status) => Err(
                Refusal::invalid(format!("status: {status}, expected 400 to 599")),
            ),
            Self::Delay { milliseconds } if milliseconds > MAX_DELAY => Err(Refusal::invalid(
                format!("milliseconds: at most {MAX_DELAY}"),
            )),
            _ => Ok(()),
        }
    }
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
