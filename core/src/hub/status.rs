//! What the hub's codes mean: twin status, CONNACK code, and the body of an error.

use std::fmt;

use serde_json::Value;

use crate::twin::json;
use crate::twin::pointer::Shown;

/// Bytes of an error body that are looked at; a real one is a few hundred.
pub const MAX_ERROR_BODY_BYTES: usize = 8 * 1024;

/// The meaning of the status of a twin answer (IoT Hub docs: connect with MQTT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwinStatus {
    /// 200: the body is the twin.
    Ok,
    /// 204: the reported patch was taken.
    Accepted,
    /// 4xx except 429: the request is at fault. Sending it again does not help.
    BadRequest,
    /// 429: too many requests. Worth another try, later.
    Throttled,
    /// 5xx: the hub is at fault. Worth another try.
    ServerFault,
    /// A status that the hub does not document.
    Other,
}

impl TwinStatus {
    /// The meaning of a status.
    #[must_use]
    pub fn from_code(status: u16) -> Self {
        match status {
            200 => Self::Ok,
            204 => Self::Accepted,
            429 => Self::Throttled,
            400..=499 => Self::BadRequest,
            500..=599 => Self::ServerFault,
            _ => Self::Other,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        matches!(self, Self::Throttled | Self::ServerFault)
    }
}

impl fmt::Display for TwinStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "answered with the twin",
            Self::Accepted => "accepted",
            Self::BadRequest => "refused: the request breaks a rule of the hub",
            Self::Throttled => "throttled: too many requests",
            Self::ServerFault => "fault in the hub",
            Self::Other => "answered with a status that is not documented",
        })
    }
}

/// The meaning of a CONNACK return code (MQTT 3.1.1, section 3.2.2.3).
///
/// The hub is known to answer every refusal with 5 (notes of Microsoft's C device SDK); a gateway or
/// an edge hub may use the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectAnswer {
    /// 0: connected.
    Accepted,
    /// 1: the server does not speak MQTT 3.1.1.
    WrongProtocol,
    /// 2: the client id is not acceptable.
    BadClientId,
    /// 3: the server cannot serve now. Worth another try.
    Unavailable,
    /// 4: user name or password are malformed.
    BadCredentials,
    /// 5: not authorized: unknown or disabled identity, wrong key, expired token.
    NotAuthorized,
    /// A code that MQTT 3.1.1 does not define.
    Reserved,
}

impl ConnectAnswer {
    /// The meaning of a return code.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Accepted,
            1 => Self::WrongProtocol,
            2 => Self::BadClientId,
            3 => Self::Unavailable,
            4 => Self::BadCredentials,
            5 => Self::NotAuthorized,
            _ => Self::Reserved,
        }
    }

    /// Whether the hub refused who we are. Trying again at once with the same credential would only
    /// load the hub; with a fresh token or after a while it may be different.
    #[must_use]
    pub fn is_credential_refused(self) -> bool {
        matches!(
            self,
            Self::BadClientId | Self::BadCredentials | Self::NotAuthorized
        )
    }
}

impl fmt::Display for ConnectAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "connected",
            Self::WrongProtocol => "refused: the server does not speak MQTT 3.1.1",
            Self::BadClientId => "refused: client id not accepted",
            Self::Unavailable => "refused: server unavailable",
            Self::BadCredentials => "refused: malformed user name or password",
            Self::NotAuthorized => {
                "refused: not authorized (unknown or disabled identity, wrong key or expired token)"
            }
            Self::Reserved => "refused with a code that MQTT 3.1.1 does not define",
        })
    }
}

/// The body of an error answer: `{"errorCode":400004,"message":"…","trackingId":"…"}` (documentation
/// of Microsoft's Azure SDK for Embedded C). For people; its [`Display`](fmt::Display) is one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ErrorBody {
    /// The hub's own code, more exact than the status.
    pub code: Option<u64>,
    /// The hub's words.
    pub message: Option<String>,
    /// What to tell the hub's support.
    pub tracking_id: Option<String>,
}

impl ErrorBody {
    /// Reads a body. `None` when it holds none of the fields: empty, not JSON, larger than
    /// [`MAX_ERROR_BODY_BYTES`], or something else. An error body is never an error of its own.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let parsed = json::parse_object(body, MAX_ERROR_BODY_BYTES).ok()?;
        let text = |name| parsed.get(name).and_then(Value::as_str).map(str::to_owned);
        let found = Self {
            code: parsed.get("errorCode").and_then(Value::as_u64),
            message: text("message"),
            tracking_id: text("trackingId"),
        };
        (found != Self::default()).then_some(found)
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hub says")?;
        if let Some(code) = self.code {
            write!(f, " {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, " \"{}\"", Shown(message))?;
        }
        if let Some(id) = &self.tracking_id {
            write!(f, " (tracking id {})", Shown(id))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_meanings() {
        use TwinStatus as S;
        let cases = [
            (200, S::Ok, false),
            (204, S::Accepted, false),
            (400, S::BadRequest, false),
            (404, S::BadRequest, false),
            (429, S::Throttled, true),
            (500, S::ServerFault, true),
            (599, S::ServerFault, true),
            (0, S::Other, false),
            (202, S::Other, false),
            (600, S::Other, false),
            (u16::MAX, S::Other, false),
        ];
        for (code, meaning, retriable) in cases {
            assert_eq!(S::from_code(code), meaning, "{code}");
            assert_eq!(meaning.is_retriable(), retriable, "{code}");
        }
    }

    #[test]
    fn connack_codes_have_meanings() {
        let refused = |code| ConnectAnswer::from_code(code).is_credential_refused();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 255].map(refused),
            [false, false, true, false, true, true, false, false]
        );
        assert_eq!(ConnectAnswer::from_code(6), ConnectAnswer::Reserved);
        assert!(
            ConnectAnswer::from_code(5)
                .to_string()
                .contains("expired token")
        );
    }

    #[test]
    fn an_error_body_becomes_one_line() {
        let body = br#"{"errorCode":400004,"trackingId":"E0-G:1","message":"bad\nkey","x":[]}"#;
        let parsed = ErrorBody::parse(body).unwrap();
        assert_eq!(
            parsed.to_string(),
            r#"hub says 400004 "bad\u{a}key" (tracking id E0-G:1)"#
        );
        let only_code = ErrorBody::parse(br#"{"errorCode":500001,"message":7}"#).unwrap();
        assert_eq!(only_code.to_string(), "hub says 500001");
    }

    #[test]
    fn a_body_that_says_nothing_is_none() {
        let large = format!(r#"{{"message":"{}"}}"#, "x".repeat(MAX_ERROR_BODY_BYTES));
        let bodies: [&[u8]; 7] = [
            b"",
            b" ",
            b"{}",
            b"[1]",
            b"<html>",
            b"\xff\xfe",
            large.as_bytes(),
        ];
        for body in bodies {
            assert_eq!(ErrorBody::parse(body), None);
        }
    }
}
