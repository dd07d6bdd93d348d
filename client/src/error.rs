//! Every error of the driver: a kind with a stable number, one line of text, and the cause.

use std::error::Error as StdError;
use std::fmt;

use twinguard_core::identity::{ConnectionStringError, ConnectionStringErrorKind};
use twinguard_core::module::{CloseKind, Trouble, TroubleKind};

/// One row per kind: the number and the names are the same in Rust, C and Python and never change.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $screaming:literal, $text:literal;)+) => {
        /// What went wrong, as a program sees it. The numbers are grouped: misuse from -1,
        /// authentication from -100, twin from -200, agent from -300, network from -400, store
        /// from -500, the library itself from -900.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[$doc])* $name,)+ }

        impl ErrorKind {
            /// Every kind, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable number, negative.
            pub const fn code(self) -> i32 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The stable name, in capitals with underscores.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $screaming,)+ }
            }

            /// What it means, in one line.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

kinds! {
    /// A required argument is missing (`NULL` in C).
    NullArgument = -1, "NULL_ARGUMENT", "a required argument is missing";
    /// An argument is outside its stated range.
    InvalidArgument = -2, "INVALID_ARGUMENT", "an argument is outside its range";
    /// Text is not valid UTF-8.
    Encoding = -3, "ENCODING", "text is not valid UTF-8";
    /// Text is not the JSON that is wanted here.
    Json = -4, "JSON", "not the JSON that is wanted here";
    /// The module is closed.
    Closed = -5, "CLOSED", "the module is closed";
    /// The call does not fit the state of the object.
    WrongState = -6, "WRONG_STATE", "the call does not fit the state";
    /// The call would wait for the very thread it is made on.
    Reentrant = -7, "REENTRANT", "the call would wait for its own thread";
    /// The object belongs to the process before `fork`.
    Forked = -8, "FORKED", "the object belongs to the process before fork";
    /// The time given for the call is over; the module goes on.
    Timeout = -9, "TIMEOUT", "the time given for the call is over";
    /// The buffer of the caller is too small for the answer.
    BufferTooSmall = -10, "BUFFER_TOO_SMALL", "the buffer is too small for the answer";
    /// This build or this platform cannot do it.
    Unsupported = -11, "UNSUPPORTED", "this build or platform cannot do it";

    /// The connection string breaks its grammar.
    ConnectionString = -100, "CONNECTION_STRING", "the connection string breaks its grammar";
    /// The key is not a usable symmetric key.
    Key = -101, "KEY", "the key is not a usable symmetric key";
    /// A root certificate given by the host cannot be used.
    Certificate = -102, "CERTIFICATE", "a root certificate cannot be used";
    /// The hub refused the credential or the identity.
    Unauthorized = -103, "UNAUTHORIZED", "the hub refused the credential or the identity";
    /// The token has expired and there is no key to make another.
    TokenExpired = -104, "TOKEN_EXPIRED", "the token has expired and there is no key";
    /// The signer could not sign.
    Signer = -105, "SIGNER", "the signer could not sign";

    /// A document breaks a limit of device twins.
    TwinLimit = -200, "TWIN_LIMIT", "a document breaks a limit of device twins";
    /// The hub refused a reported document for good.
    ReportedRefused = -201, "REPORTED_REFUSED", "the hub refused a reported document";
    /// The twin could not be read.
    TwinRead = -202, "TWIN_READ", "the twin could not be read";
    /// The hub asks for fewer requests.
    Throttled = -203, "THROTTLED", "the hub asks for fewer requests";

    /// The options of the agent configuration contradict themselves.
    AgentOptions = -300, "AGENT_OPTIONS", "the options of the agent configuration do not fit";

    /// The host name could not be resolved.
    Dns = -400, "DNS", "the host name could not be resolved";
    /// TCP: refused, unreachable, or another error of the system.
    Network = -401, "NETWORK", "the hub cannot be reached";
    /// The hub's certificate was not accepted.
    PeerCertificate = -402, "PEER_CERTIFICATE", "the hub's certificate was not accepted";
    /// TLS failed for another reason.
    Tls = -403, "TLS", "TLS with the hub did not come about";
    /// The hub broke the protocol or refused the connection.
    Protocol = -404, "PROTOCOL", "the hub broke the protocol";
    /// The hub closed or reset the connection.
    PeerClosed = -405, "PEER_CLOSED", "the hub closed the connection";
    /// The hub did not answer in time.
    NetworkTimeout = -406, "NETWORK_TIMEOUT", "the hub did not answer in time";

    /// The store's directory or file could not be read or written.
    StoreIo = -500, "STORE_IO", "the store could not be read or written";
    /// The stored file is not a record of this library or not of this module.
    StoreForeign = -501, "STORE_FOREIGN", "the stored file belongs to something else";
    /// The stored record is cut short or damaged.
    StoreTorn = -502, "STORE_TORN", "the stored record is damaged";
    /// The store is on a read-only file system.
    StoreReadOnly = -503, "STORE_READ_ONLY", "the store is read-only";
    /// There is no room for the record.
    StoreFull = -504, "STORE_FULL", "there is no room in the store";
    /// The store's permissions or owner are not safe, or do not let us in.
    StorePermissions = -505, "STORE_PERMISSIONS", "the store's permissions do not fit";
    /// The stored record was written by a newer version.
    StoreVersion = -506, "STORE_VERSION", "the stored record is of a newer version";
    /// Another client, perhaps of another process, uses the same directory.
    StoreLocked = -507, "STORE_LOCKED", "the store is in use by another client";

    /// The library broke its own rules.
    Internal = -900, "INTERNAL", "the library broke its own rules";
    /// A panic was caught at the border.
    Panic = -901, "PANIC", "a panic was caught";
    /// The object is unusable because of an earlier panic.
    Poisoned = -902, "POISONED", "unusable because of an earlier panic";
    /// The system gave no thread, descriptor or memory.
    Resources = -903, "RESOURCES", "no thread, descriptor or memory left";
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// An error: a kind for programs, one line for people, the cause below it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

/// Boxed, so that `Result` stays small.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Inner {
    kind: ErrorKind,
    message: String,
    pointer: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with one line that says what, where and what was expected.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            pointer: None,
            source: None,
        }))
    }

    /// The same, about the place in a JSON document that `pointer` (RFC 6901) names.
    #[must_use]
    pub fn with_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer = Some(pointer.into());
        self
    }

    /// The same, caused by another error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable number of the kind, negative.
    pub fn code(&self) -> i32 {
        self.0.kind.code()
    }

    /// The JSON pointer (RFC 6901) of the offending place, when the error is about a document.
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// Whether the same call may succeed later without a change by the host.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind as K;
        matches!(
            self.0.kind,
            K::Timeout
                | K::TwinRead
                | K::Throttled
                | K::Dns
                | K::Network
                | K::Tls
                | K::PeerClosed
                | K::NetworkTimeout
                | K::StoreIo
                | K::StoreFull
                | K::StoreLocked
                | K::Resources
        )
    }

    /// The error a waiting call ends with when the trouble of the module is the reason.
    pub(crate) fn from_trouble(trouble: &Trouble) -> Self {
        Self::new(ErrorKind::of_trouble(trouble), trouble.message.clone())
    }
}

impl From<ConnectionStringError> for Error {
    fn from(error: ConnectionStringError) -> Self {
        let bad_value = matches!(error.kind, ConnectionStringErrorKind::InvalidValue(_));
        let kind = if bad_value && error.key == "SharedAccessKey" {
            ErrorKind::Key
        } else {
            ErrorKind::ConnectionString
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

impl ErrorKind {
    /// The kind that fits a [`Trouble`]: what C and Python show as its number.
    pub fn of_trouble(trouble: &Trouble) -> Self {
        match trouble.kind {
            TroubleKind::Connection(close) => Self::of_close(close),
            TroubleKind::Unauthorized => Self::Unauthorized,
            TroubleKind::Refused | TroubleKind::Protocol => Self::Protocol,
            TroubleKind::Signer => Self::Signer,
            TroubleKind::TokenExpired => Self::TokenExpired,
            TroubleKind::Twin if trouble.status == Some(429) => Self::Throttled,
            TroubleKind::Twin => Self::TwinRead,
            TroubleKind::Store => Self::StoreIo,
            TroubleKind::Overflow => Self::Resources,
            _ => Self::Internal,
        }
    }

    fn of_close(close: CloseKind) -> Self {
        match close {
            CloseKind::Dns => Self::Dns,
            CloseKind::Network => Self::Network,
            CloseKind::Certificate => Self::PeerCertificate,
            CloseKind::Tls => Self::Tls,
            CloseKind::Protocol => Self::Protocol,
            CloseKind::Peer => Self::PeerClosed,
            CloseKind::Timeout => Self::NetworkTimeout,
            CloseKind::Local => Self::Resources,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_distinct_and_negative() {
        let codes: HashSet<i32> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        let names: HashSet<&str> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert_eq!(names.len(), ErrorKind::ALL.len());
        assert!(codes.iter().all(|code| *code < 0));
        assert!(
            ErrorKind::ALL
                .iter()
                .all(|kind| !kind.text().contains('\n'))
        );
    }

    #[test]
    fn an_error_shows_its_line_and_keeps_its_cause() {
        let cause = std::io::Error::other("disk on fire");
        let error = Error::new(ErrorKind::StoreIo, "twin.record: write: disk on fire")
            .with_source(cause)
            .with_pointer("/a");
        assert_eq!(error.to_string(), "twin.record: write: disk on fire");
        assert_eq!(
            StdError::source(&error).map(ToString::to_string),
            Some("disk on fire".into())
        );
        assert_eq!((error.code(), error.pointer()), (-500, Some("/a")));
        assert!(error.is_retryable());
    }
}
