//! The detail of a failure.

use std::error::Error as StdError;

use twinguard_client::ErrorKind;

use crate::boundary;
use crate::status::{OK, twinguard_status};
use crate::text::{Text, twinguard_str};

/// Why a call failed, on its way to the caller.
pub(crate) type Failure = twinguard_client::Error;

/// A failure for which another library has the words.
pub(crate) fn failure(kind: ErrorKind, error: &dyn StdError) -> Failure {
    Failure::new(kind, error.to_string())
}

/// The detail of a failed call: status, one line for people, place and cause.
pub struct twinguard_error {
    status: twinguard_status,
    message: Text,
    pointer: Option<Text>,
    cause: Option<Text>,
}

impl twinguard_error {
    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        self.message.as_str()
    }
}

impl From<Failure> for twinguard_error {
    fn from(failure: Failure) -> Self {
        Self {
            status: failure.code(),
            message: Text::from(failure.to_string()),
            pointer: failure.pointer().map(Text::from),
            cause: causes(&failure).map(Text::from),
        }
    }
}

/// The causes below an error in one line, outermost first.
fn causes(error: &dyn StdError) -> Option<String> {
    let below = std::iter::successors(error.source(), |cause| (*cause).source());
    let lines: Vec<String> = below.map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| lines.join(": "))
}

/// The status of a failure.
///
/// The same number that the call returned.
///
/// @param[in] error  may be NULL.
/// @return the status, negative; TWINGUARD_OK when `error` is NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_status_name()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_error_status(error: Option<&twinguard_error>) -> twinguard_status {
    boundary::value(OK, || error.map_or(OK, |e| e.status))
}

/// What went wrong, in one line for people.
///
/// Says what, where and what was expected; holds no secret. Not for programs: compare the status.
///
/// @param[in] error  may be NULL.
/// @return the line, NUL-ended; none when `error` is NULL.
/// @note Ownership: borrowed from `error` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_error_cause()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_error_message(error: Option<&twinguard_error>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        twinguard_str::of_option(error.map(|e| &e.message))
    })
}

/// Where in a JSON document the fault lies.
///
/// Names the property or setting at fault, so that a program can show it.
///
/// @param[in] error  may be NULL.
/// @return a JSON pointer (RFC 6901), NUL-ended, empty for the whole document; none when the
///         failure is not about a document, or `error` is NULL.
/// @note Ownership: borrowed from `error` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_error_message()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_error_pointer(error: Option<&twinguard_error>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        twinguard_str::of_option(error.and_then(|e| e.pointer.as_ref()))
    })
}

/// What lies below the failure, in one line.
///
/// The causes that other layers gave, outermost first, joined with ": ".
///
/// @param[in] error  may be NULL.
/// @return the line, NUL-ended; none when there is no cause, or `error` is NULL.
/// @note Ownership: borrowed from `error` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_error_message()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_error_cause(error: Option<&twinguard_error>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        twinguard_str::of_option(error.and_then(|e| e.cause.as_ref()))
    })
}

/// Frees the detail of a failure.
///
/// Call it once for every error that a call gave.
///
/// @param[in] error  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `error`; text borrowed from it ends.
/// @note Threads: no other call on `error` at the same time.
/// @since 0.1.0
/// @see twinguard_error_message()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_error_free(error: Option<Box<twinguard_error>>) {
    boundary::free(error);
}
