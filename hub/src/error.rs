//! Errors: why the hub did not start, and why it refused a request.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a hub did not start or an operation of its library interface was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A listening port is taken or not allowed.
    #[error("{service} address {address}: {source}")]
    Bind {
        /// `MQTT` or `HTTPS`.
        service: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file or folder of the hub could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another hub works on the same data folder.
    #[error("{0}: data folder is in use by another process")]
    DataInUse(PathBuf),
    /// The data folder was written by a newer version of the hub.
    #[error("{path}: data of format {found}, this version reads up to {supported}")]
    DataNewer {
        /// The database file.
        path: PathBuf,
        /// Format number in the file.
        found: u64,
        /// Newest format number this version reads.
        supported: u64,
    },
    /// The database is damaged or is not one of ours.
    #[error("{path}: {message}")]
    Data {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A certificate or key could not be made or read.
    #[error("{subject}: {message}")]
    Certificate {
        /// The certificate, key or name.
        subject: String,
        /// What is wrong with it.
        message: String,
    },
    /// An option has a value the hub cannot work with.
    #[error("{option}: {message}")]
    Option {
        /// The option, spelled as on the command line.
        option: &'static str,
        /// What is wrong, and what was expected.
        message: String,
    },
    /// The hub refused the operation as it would have refused it over REST.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The operating system gave no thread or runtime.
    #[error("hub thread: {0}")]
    Thread(std::io::Error),
}

/// The hub's error codes, with number, name and HTTP status (IoT Hub docs: error codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the names are IoT Hub's own and documented there"
)]
pub enum ErrorCode {
    ArgumentInvalid,
    Unauthorized,
    UnknownAddress,
    DeviceNotFound,
    ModuleNotFound,
    DeviceAlreadyExists,
    ModuleAlreadyExistsOnDevice,
    PreconditionFailed,
    MessageTooLarge,
    TooManyModulesOnDevice,
    ThrottlingException,
    ServerError,
    ServiceUnavailable,
}

impl ErrorCode {
    /// The six-digit number; its first three digits are the HTTP status.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::ArgumentInvalid => 400_004,
            Self::Unauthorized => 401_003,
            Self::UnknownAddress => 404_000,
            Self::DeviceNotFound => 404_001,
            Self::ModuleNotFound => 404_010,
            Self::DeviceAlreadyExists => 409_001,
            Self::ModuleAlreadyExistsOnDevice => 409_301,
            Self::PreconditionFailed => 412_001,
            Self::MessageTooLarge => 413_001,
            Self::TooManyModulesOnDevice => 413_003,
            Self::ThrottlingException => 429_001,
            Self::ServerError => 500_001,
            Self::ServiceUnavailable => 503_001,
        }
    }

    /// The name in the header `iothub-errorcode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArgumentInvalid => "ArgumentInvalid",
            Self::Unauthorized => "IotHubUnauthorizedAccess",
            Self::UnknownAddress => "InvalidOperation",
            Self::DeviceNotFound => "DeviceNotFound",
            Self::ModuleNotFound => "ModuleNotFound",
            Self::DeviceAlreadyExists => "DeviceAlreadyExists",
            Self::ModuleAlreadyExistsOnDevice => "ModuleAlreadyExistsOnDevice",
            Self::PreconditionFailed => "PreconditionFailed",
            Self::MessageTooLarge => "MessageTooLarge",
            Self::TooManyModulesOnDevice => "TooManyModulesOnDevice",
            Self::ThrottlingException => "ThrottlingException",
            Self::ServerError => "ServerError",
            Self::ServiceUnavailable => "ServiceUnavailable",
        }
    }

    /// HTTP status, also the status of a twin answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        (self.number() / 1000) as u16
    }
}

/// A request the hub understood and did not carry out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct Refusal {
    /// The hub's error code.
    pub code: ErrorCode,
    /// What is wrong, where, and what was expected.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ArgumentInvalid, message)
    }
}
