//! Status numbers: what every call returns.

use std::ffi::CStr;

use twinguard_client::{Error, ErrorKind};

use crate::boundary;
use crate::text::twinguard_str;

/// The result of a call: one of the numbers of twinguard_statuses. 0 is success, negative is
/// failure; positive numbers are kept for success with news. New numbers may appear with any
/// release, so a `switch` needs a default. A number is never changed or used again.
pub type twinguard_status = i32;

/// Success.
pub(crate) const OK: twinguard_status = 0;

/// The values of twinguard_status. Misuse from -1, authentication from -100, twin from -200, agent
/// settings from -300, network from -400, store from -500, the library itself from -900.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum twinguard_statuses {
    /// Success.
    TWINGUARD_OK = 0,
    /// A required argument is missing: it is NULL.
    TWINGUARD_ERR_NULL_ARGUMENT = -1,
    /// An argument is outside its stated range.
    TWINGUARD_ERR_INVALID_ARGUMENT = -2,
    /// Text is not valid UTF-8.
    TWINGUARD_ERR_ENCODING = -3,
    /// Text is not the JSON that is wanted here.
    TWINGUARD_ERR_JSON = -4,
    /// The module is closed.
    TWINGUARD_ERR_CLOSED = -5,
    /// The call does not fit the state of the object.
    TWINGUARD_ERR_WRONG_STATE = -6,
    /// The call would wait for the very thread it is made on.
    TWINGUARD_ERR_REENTRANT = -7,
    /// The object belongs to the process before `fork`.
    TWINGUARD_ERR_FORKED = -8,
    /// The time given for the call is over; the module goes on.
    TWINGUARD_ERR_TIMEOUT = -9,
    /// The buffer of the caller is too small for the answer.
    TWINGUARD_ERR_BUFFER_TOO_SMALL = -10,
    /// This build or this platform cannot do it.
    TWINGUARD_ERR_UNSUPPORTED = -11,
    /// The connection string breaks its grammar.
    TWINGUARD_ERR_CONNECTION_STRING = -100,
    /// The key is not a usable symmetric key.
    TWINGUARD_ERR_KEY = -101,
    /// A root certificate given by the host cannot be used.
    TWINGUARD_ERR_CERTIFICATE = -102,
    /// The hub refused the credential or the identity.
    TWINGUARD_ERR_UNAUTHORIZED = -103,
    /// The token has expired and there is no key to make another.
    TWINGUARD_ERR_TOKEN_EXPIRED = -104,
    /// The signer could not sign.
    TWINGUARD_ERR_SIGNER = -105,
    /// A document breaks a limit of device twins.
    TWINGUARD_ERR_TWIN_LIMIT = -200,
    /// The hub refused a reported document for good.
    TWINGUARD_ERR_REPORTED_REFUSED = -201,
    /// The twin could not be read.
    TWINGUARD_ERR_TWIN_READ = -202,
    /// The hub asks for fewer requests.
    TWINGUARD_ERR_THROTTLED = -203,
    /// The options of the agent configuration contradict themselves.
    TWINGUARD_ERR_AGENT_OPTIONS = -300,
    /// The host name could not be resolved.
    TWINGUARD_ERR_DNS = -400,
    /// TCP: refused, unreachable, or another error of the system.
    TWINGUARD_ERR_NETWORK = -401,
    /// The hub's certificate was not accepted.
    TWINGUARD_ERR_PEER_CERTIFICATE = -402,
    /// TLS failed for another reason.
    TWINGUARD_ERR_TLS = -403,
    /// The hub broke the protocol or refused the connection.
    TWINGUARD_ERR_PROTOCOL = -404,
    /// The hub closed or reset the connection.
    TWINGUARD_ERR_PEER_CLOSED = -405,
    /// The hub did not answer in time.
    TWINGUARD_ERR_NETWORK_TIMEOUT = -406,
    /// The store's directory or file could not be read or written.
    TWINGUARD_ERR_STORE_IO = -500,
    /// The stored file is not a record of this library or not of this module.
    TWINGUARD_ERR_STORE_FOREIGN = -501,
    /// The stored record is cut short or damaged.
    TWINGUARD_ERR_STORE_TORN = -502,
    /// The store is on a read-only file system.
    TWINGUARD_ERR_STORE_READ_ONLY = -503,
    /// There is no room for the record.
    TWINGUARD_ERR_STORE_FULL = -504,
    /// The store's permissions or owner are not safe, or do not let us in.
    TWINGUARD_ERR_STORE_PERMISSIONS = -505,
    /// The stored record was written by a newer version.
    TWINGUARD_ERR_STORE_VERSION = -506,
    /// Another client, perhaps of another process, uses the same directory.
    TWINGUARD_ERR_STORE_LOCKED = -507,
    /// The library broke its own rules.
    TWINGUARD_ERR_INTERNAL = -900,
    /// A panic was caught at the border.
    TWINGUARD_ERR_PANIC = -901,
    /// The object is unusable because of an earlier panic.
    TWINGUARD_ERR_POISONED = -902,
    /// The system gave no thread, descriptor or memory.
    TWINGUARD_ERR_RESOURCES = -903,
}

/// Name and meaning of every failure, one after the other, each with its NUL: made from the
/// client's own table when the library is compiled, so that the two cannot differ.
static TEXTS: [u8; texts_len()] = texts();

const PREFIX: &str = "TWINGUARD_ERR_";

/// What C calls a status, and what it means.
fn describe(status: twinguard_status) -> (twinguard_str, twinguard_str) {
    let mut rest: &'static [u8] = &TEXTS;
    for kind in ErrorKind::ALL {
        let name = next(&mut rest);
        let text = next(&mut rest);
        if kind.code() == status {
            return (twinguard_str::literal(name), twinguard_str::literal(text));
        }
    }
    let (name, text) = match status {
        OK => (c"TWINGUARD_OK", c"success"),
        _ => (c"UNKNOWN", c"not a status of this version"),
    };
    (twinguard_str::literal(name), twinguard_str::literal(text))
}

fn next(rest: &mut &'static [u8]) -> &'static CStr {
    let text = CStr::from_bytes_until_nul(rest).unwrap_or_default();
    *rest = rest
        .get(text.to_bytes_with_nul().len()..)
        .unwrap_or_default();
    text
}

#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs at compile time, where a mistake is a compile error"
)]
const fn texts_len() -> usize {
    let mut len = 0;
    let mut i = 0;
    while i < ErrorKind::ALL.len() {
        let kind = ErrorKind::ALL[i];
        len += PREFIX.len() + kind.name().len() + 1 + kind.text().len() + 1;
        i += 1;
    }
    len
}

#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs at compile time, where a mistake is a compile error"
)]
const fn texts() -> [u8; texts_len()] {
    let mut out = [0; texts_len()];
    let mut at = 0;
    let mut i = 0;
    while i < ErrorKind::ALL.len() {
        let kind = ErrorKind::ALL[i];
        let parts = [PREFIX, kind.name(), "\0", kind.text(), "\0"];
        let mut part = 0;
        while part < parts.len() {
            let bytes = parts[part].as_bytes();
            let mut byte = 0;
            while byte < bytes.len() {
                out[at] = bytes[byte];
                at += 1;
                byte += 1;
            }
            part += 1;
        }
        i += 1;
    }
    out
}

/// The name of a status, as in this header.
///
/// For logs of programs; for people there is twinguard_status_text().
///
/// @param[in] status  any number.
/// @return the name, as "TWINGUARD_ERR_TIMEOUT"; "UNKNOWN" for a number that this
///         version does not know.
/// @note Ownership: lives as long as the program, or until the library is unloaded.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_status_text()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_status_name(status: i32) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || describe(status).0)
}

/// What a status means, in one line.
///
/// Without the circumstances, which are in twinguard_error_message().
///
/// @param[in] status  any number.
/// @return the line; a general one for a number that this version does not know.
/// @note Ownership: lives as long as the program, or until the library is unloaded.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_status_name()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_status_text(status: i32) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || describe(status).1)
}

/// Whether the same call may succeed later without a change by the caller.
///
/// True for what passes by itself, as time-outs and lost connections.
///
/// @param[in] status  any number.
/// @return true or false; false for success and for a number that this version does not know.
/// @note Ownership: nothing changes hands.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_status_text()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_status_is_retryable(status: i32) -> bool {
    boundary::value(false, || {
        let kind = ErrorKind::ALL.iter().find(|kind| kind.code() == status);
        kind.is_some_and(|kind| Error::new(*kind, "").is_retryable())
    })
}
