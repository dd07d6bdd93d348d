//! What the host is told.

use std::mem::MaybeUninit;
use std::sync::{Arc, OnceLock};

use twinguard_client::{ErrorKind, Event, ReportedOutcome, State, Trouble};
use twinguard_core::module::Origin;

use crate::boundary;
use crate::configuration::twinguard_configuration;
use crate::status::{OK, twinguard_status};
use crate::text::{Text, twinguard_str};

/// What an event tells. New values may appear with any release: skip what you do not know.
#[repr(i32)]
pub enum twinguard_event_kinds {
    /// Not an event: the answer for NULL.
    TWINGUARD_EVENT_NONE = 0,
    /// The state changed.
    TWINGUARD_EVENT_STATE = 1,
    /// The desired document changed.
    TWINGUARD_EVENT_DESIRED = 2,
    /// The agent configuration was evaluated with a new result.
    TWINGUARD_EVENT_CONFIGURATION = 3,
    /// A reported document was taken or refused.
    TWINGUARD_EVENT_REPORTED = 4,
    /// A read of the twin has ended.
    TWINGUARD_EVENT_READ = 5,
    /// Something to know; the module goes on by itself.
    TWINGUARD_EVENT_TROUBLE = 6,
}

/// Where a module stands. New values may appear with any release.
#[repr(i32)]
pub enum twinguard_states {
    /// Made; not asked to connect yet. A stored configuration is already in force.
    TWINGUARD_STATE_STARTING = 0,
    /// A connection is being opened.
    TWINGUARD_STATE_CONNECTING = 1,
    /// Signed in; the first twin of this connection has not arrived yet.
    TWINGUARD_STATE_WAITING_FOR_TWIN = 2,
    /// Signed in and in step with the twin.
    TWINGUARD_STATE_RUNNING = 3,
    /// Not connected; the next attempt has a time.
    TWINGUARD_STATE_DISCONNECTED = 4,
    /// Closed by the host; nothing follows.
    TWINGUARD_STATE_CLOSED = 5,
}

/// Something that happened, handed to the caller. Never changes.
pub struct twinguard_event {
    event: Event,
    // Texts are made when they are first asked for.
    message: OnceLock<Option<Text>>,
    patch: OnceLock<Option<Text>>,
    changes: OnceLock<Vec<Change>>,
    configuration: OnceLock<Option<twinguard_configuration>>,
}

/// One change of the desired document.
struct Change {
    pointer: Text,
    old: Option<Text>,
    new: Option<Text>,
}

impl twinguard_event {
    pub(crate) fn new(event: Event) -> Self {
        Self {
            event,
            message: OnceLock::new(),
            patch: OnceLock::new(),
            changes: OnceLock::new(),
            configuration: OnceLock::new(),
        }
    }

    fn kind(&self) -> twinguard_event_kinds {
        match &self.event {
            Event::State(_) => twinguard_event_kinds::TWINGUARD_EVENT_STATE,
            Event::Desired(_) => twinguard_event_kinds::TWINGUARD_EVENT_DESIRED,
            Event::Configuration(_) => twinguard_event_kinds::TWINGUARD_EVENT_CONFIGURATION,
            Event::Reported(_) => twinguard_event_kinds::TWINGUARD_EVENT_REPORTED,
            Event::Read(_) => twinguard_event_kinds::TWINGUARD_EVENT_READ,
            Event::Trouble(_) => twinguard_event_kinds::TWINGUARD_EVENT_TROUBLE,
            _ => twinguard_event_kinds::TWINGUARD_EVENT_NONE,
        }
    }

    fn trouble(&self) -> Option<&Trouble> {
        match &self.event {
            Event::State(change) => change.trouble.as_ref(),
            Event::Read(outcome) => outcome.trouble.as_ref(),
            Event::Trouble(trouble) => Some(trouble),
            _ => None,
        }
    }

    fn reported(&self) -> Option<&ReportedOutcome> {
        match &self.event {
            Event::Reported(outcome) => Some(outcome),
            _ => None,
        }
    }

    fn changes(&self) -> &[Change] {
        self.changes.get_or_init(|| {
            let Event::Desired(change) = &self.event else {
                return Vec::new();
            };
            let text = |change: twinguard_core::twin::patch::Change| Change {
                pointer: Text::from(change.pointer),
                old: change.old.as_ref().map(Text::from),
                new: change.new.as_ref().map(Text::from),
            };
            change.changes().into_iter().map(text).collect()
        })
    }
}

/// The number of a state.
pub(crate) fn state_number(state: State) -> i32 {
    state as i32
}

/// What kind of event it is.
///
/// The kind says which of the other accessors have an answer.
///
/// @param[in] event  may be NULL.
/// @return one of twinguard_event_kinds; TWINGUARD_EVENT_NONE for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_next_event()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_kind(event: Option<&twinguard_event>) -> i32 {
    let none = twinguard_event_kinds::TWINGUARD_EVENT_NONE as i32;
    boundary::value(none, || event.map_or(none, |e| e.kind() as i32))
}

/// The state that now holds.
///
/// For TWINGUARD_EVENT_STATE; twinguard_event_trouble() has the reason when there is one.
///
/// @param[in] event  may be NULL.
/// @return one of twinguard_states; -1 for another kind of event, or NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_state_name()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_state(event: Option<&twinguard_event>) -> i32 {
    boundary::value(-1, || match event.map(|e| &e.event) {
        Some(Event::State(change)) => state_number(change.state),
        _ => -1,
    })
}

/// How long until the next attempt to connect.
///
/// For TWINGUARD_EVENT_STATE with TWINGUARD_STATE_DISCONNECTED.
///
/// @param[in] event  may be NULL.
/// @param[out] out_ms  not NULL; milliseconds from the event on, written when true comes back.
/// @return true when there is a next attempt with a time; false otherwise, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_state()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_retry_in_ms(
    event: Option<&twinguard_event>,
    out_ms: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || {
        let retry = event.and_then(|e| match &e.event {
            Event::State(change) => change.retry_in_ms,
            _ => None,
        });
        boundary::put(retry, out_ms)
    })
}

/// What kind of trouble an event tells of.
///
/// For TWINGUARD_EVENT_TROUBLE, a state change with a reason, and a read that failed. The numbers
/// are those of failed calls, so one `switch` serves both.
///
/// @param[in] event  may be NULL.
/// @return a negative twinguard_status; TWINGUARD_OK when the event tells of no trouble, or NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_message()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_trouble(event: Option<&twinguard_event>) -> twinguard_status {
    boundary::value(OK, || {
        let trouble = event.and_then(twinguard_event::trouble);
        trouble.map_or(OK, |trouble| ErrorKind::of_trouble(trouble).code())
    })
}

/// The words of an event, in one line.
///
/// For trouble: what went wrong. For a refused reported document: the hub's words, or ours.
///
/// @param[in] event  may be NULL.
/// @return the line, NUL-ended; none when the event has no words, or for NULL.
/// @note Ownership: borrowed from `event` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_trouble()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_message(event: Option<&twinguard_event>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let message = event.and_then(|e| e.message.get_or_init(|| message(e)).as_ref());
        twinguard_str::of_option(message)
    })
}

fn message(event: &twinguard_event) -> Option<Text> {
    if let Some(ReportedOutcome::Refused { message, .. }) = event.reported() {
        return Some(Text::from(message.as_str()));
    }
    event
        .trouble()
        .map(|trouble| Text::from(trouble.message.as_str()))
}

/// The hub's own code behind an event.
///
/// The status of a twin answer (429, 500, …) or the return code of a refused sign-in (4, 5).
///
/// @param[in] event  may be NULL.
/// @param[out] out_code  not NULL; the code, written when true comes back.
/// @return true when the hub gave a code; false otherwise, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_trouble()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_hub_code(
    event: Option<&twinguard_event>,
    out_code: Option<&mut MaybeUninit<u16>>,
) -> bool {
    boundary::value(false, || {
        let code = event.and_then(|e| match e.reported() {
            Some(ReportedOutcome::Refused { status, .. }) => Some(*status),
            _ => e.trouble().and_then(|trouble| trouble.status),
        });
        boundary::put(code, out_code)
    })
}

/// The version of the new desired document.
///
/// For TWINGUARD_EVENT_DESIRED.
///
/// @param[in] event  may be NULL.
/// @param[out] out_version  not NULL; "$version", written when true comes back.
/// @return true when the version is known; false otherwise, for another kind, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_change_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_desired_version(
    event: Option<&twinguard_event>,
    out_version: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || {
        let version = event.and_then(|e| match &e.event {
            Event::Desired(change) => change.version,
            _ => None,
        });
        boundary::put(version, out_version)
    })
}

/// Whether a desired document was restored from the store, before there was a connection.
///
/// For TWINGUARD_EVENT_DESIRED; a document from the hub gives false.
///
/// @param[in] event  may be NULL.
/// @return true or false; false for another kind, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_options_set_store_directory()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_is_stored(event: Option<&twinguard_event>) -> bool {
    boundary::value(false, || {
        event.is_some_and(
            |e| matches!(&e.event, Event::Desired(change) if change.origin == Origin::Stored),
        )
    })
}

/// The change of the desired document as a JSON merge patch (RFC 7396).
///
/// For TWINGUARD_EVENT_DESIRED: the smallest patch from the document that was told last to the one
/// that holds now.
///
/// @param[in] event  may be NULL.
/// @return a JSON object as text, NUL-ended; none for another kind, or for NULL.
/// @note Ownership: borrowed from `event` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_change_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_patch(event: Option<&twinguard_event>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let make = |e: &twinguard_event| match &e.event {
            Event::Desired(change) => Some(Text::from(&change.patch())),
            _ => None,
        };
        twinguard_str::of_option(event.and_then(|e| e.patch.get_or_init(|| make(e)).as_ref()))
    })
}

/// How many single changes a new desired document makes.
///
/// For TWINGUARD_EVENT_DESIRED; with the accessors that follow, this walks through them, sorted by
/// JSON pointer.
///
/// @param[in] event  may be NULL.
/// @return the number; 0 for another kind, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_change_pointer()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_change_count(event: Option<&twinguard_event>) -> usize {
    boundary::value(0, || event.map_or(0, |e| e.changes().len()))
}

/// Where in the desired document a change is.
///
/// Objects are compared member by member, anything else as a whole.
///
/// @param[in] event  may be NULL.
/// @param[in] index  from 0.
/// @return a JSON pointer (RFC 6901), NUL-ended; none past the end, or for NULL.
/// @note Ownership: borrowed from `event` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_change_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_change_pointer(
    event: Option<&twinguard_event>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let change = event.and_then(|e| e.changes().get(index));
        twinguard_str::of_option(change.map(|c| &c.pointer))
    })
}

/// The value before a change.
///
/// None tells that the property is new.
///
/// @param[in] event  may be NULL.
/// @param[in] index  from 0.
/// @return JSON text, NUL-ended; none when there was no value, past the end, or for NULL.
/// @note Ownership: borrowed from `event` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_change_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_change_old(
    event: Option<&twinguard_event>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let change = event.and_then(|e| e.changes().get(index));
        twinguard_str::of_option(change.and_then(|c| c.old.as_ref()))
    })
}

/// The value after a change.
///
/// None tells that the property was deleted.
///
/// @param[in] event  may be NULL.
/// @param[in] index  from 0.
/// @return JSON text, NUL-ended; none when the property was deleted, past the end, or for NULL.
/// @note Ownership: borrowed from `event` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_change_old()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_change_new(
    event: Option<&twinguard_event>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let change = event.and_then(|e| e.changes().get(index));
        twinguard_str::of_option(change.and_then(|c| c.new.as_ref()))
    })
}

/// The agent configuration that an event brings.
///
/// For TWINGUARD_EVENT_CONFIGURATION.
///
/// @param[in] event  may be NULL.
/// @return the configuration; NULL for another kind, or for NULL.
/// @note Ownership: borrowed from `event` until it is freed; do not free it.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_json()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_configuration(
    event: Option<&twinguard_event>,
) -> Option<&twinguard_configuration> {
    boundary::value(None, || {
        let make = |e: &twinguard_event| match &e.event {
            Event::Configuration(evaluation) => {
                Some(twinguard_configuration::new(Arc::clone(evaluation)))
            }
            _ => None,
        };
        event.and_then(|e| e.configuration.get_or_init(|| make(e)).as_ref())
    })
}

/// Whether the hub has taken a reported document.
///
/// For TWINGUARD_EVENT_REPORTED; false tells that the hub refused it for good, with its code in
/// twinguard_event_hub_code() and its words in twinguard_event_message().
///
/// @param[in] event  may be NULL.
/// @return true or false; false for another kind, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_reported_generation()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_is_acknowledged(event: Option<&twinguard_event>) -> bool {
    boundary::value(false, || {
        event.is_some_and(|e| matches!(e.reported(), Some(ReportedOutcome::Acknowledged { .. })))
    })
}

/// Which reported document an event is about.
///
/// For TWINGUARD_EVENT_REPORTED; the outcome covers every generation up to this one.
///
/// @param[in] event  may be NULL.
/// @return the number that twinguard_client_set_reported() gave; 0 for another kind, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_set_reported()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_reported_generation(event: Option<&twinguard_event>) -> u64 {
    boundary::value(0, || match event.and_then(twinguard_event::reported) {
        Some(
            ReportedOutcome::Acknowledged { generation, .. }
            | ReportedOutcome::Refused { generation, .. },
        ) => *generation,
        _ => 0,
    })
}

/// The version of the reported section after a document was taken.
///
/// For TWINGUARD_EVENT_REPORTED with twinguard_event_is_acknowledged().
///
/// @param[in] event  may be NULL.
/// @param[out] out_version  not NULL; "$version", written when true comes back.
/// @return true when the hub told the version; false otherwise, for another kind, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_event_is_acknowledged()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_reported_version(
    event: Option<&twinguard_event>,
    out_version: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || {
        let version = event.and_then(|e| match e.reported() {
            Some(ReportedOutcome::Acknowledged { version, .. }) => *version,
            _ => None,
        });
        boundary::put(version, out_version)
    })
}

/// The name of a state.
///
/// For logs and messages.
///
/// @param[in] state  any number.
/// @return the name, as "Running", NUL-ended; "Unknown" for a number that this version does not
///         know.
/// @note Ownership: lives as long as the program, or until the library is unloaded.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_client_state()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_state_name(state: i32) -> twinguard_str {
    use twinguard_states as S;
    twinguard_str::literal(match state {
        n if n == S::TWINGUARD_STATE_STARTING as i32 => c"Starting",
        n if n == S::TWINGUARD_STATE_CONNECTING as i32 => c"Connecting",
        n if n == S::TWINGUARD_STATE_WAITING_FOR_TWIN as i32 => c"WaitingForTwin",
        n if n == S::TWINGUARD_STATE_RUNNING as i32 => c"Running",
        n if n == S::TWINGUARD_STATE_DISCONNECTED as i32 => c"Disconnected",
        n if n == S::TWINGUARD_STATE_CLOSED as i32 => c"Closed",
        _ => c"Unknown",
    })
}

/// Frees an event.
///
/// Call it once for every event that a call gave.
///
/// @param[in] event  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `event`; everything borrowed from it ends.
/// @note Threads: no other call on `event` at the same time.
/// @since 0.1.0
/// @see twinguard_client_next_event()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_event_free(event: Option<Box<twinguard_event>>) {
    boundary::free(event);
}
