//! Log records to a function of the caller.

use std::cell::Cell;
use std::ffi::c_void;

use twinguard_client::{LogLevel, LogRecord, LogSink};

use crate::text::twinguard_str;

/// How much a log record matters. A sink gets the records of its level and of those above it.
#[repr(i32)]
pub enum twinguard_log_levels {
    /// Something does not work and will not by itself.
    TWINGUARD_LOG_ERROR = 1,
    /// Something does not work; the module goes on trying.
    TWINGUARD_LOG_WARN = 2,
    /// The steps of a life: connected, configuration in force, closed.
    TWINGUARD_LOG_INFO = 3,
    /// What the module does, one line per step.
    TWINGUARD_LOG_DEBUG = 4,
    /// Every packet, by its kind and size; never its content.
    TWINGUARD_LOG_TRACE = 5,
}

/// Takes one log record: `level` of twinguard_log_levels, `target` the part of the library, `module`
/// as "device/module", `message` one line without secrets. The texts live until the function
/// returns and are not NUL-ended: print them with "%.*s". Called on the thread that logs, which may
/// be the library's own, and from several threads at once. It must not block, throw or longjmp;
/// calls on a client from inside give TWINGUARD_ERR_REENTRANT.
pub type twinguard_log_fn = Option<
    unsafe extern "C" fn(
        level: i32,
        target: twinguard_str,
        module: twinguard_str,
        message: twinguard_str,
        user_data: *mut c_void,
    ),
>;

/// Tells that the library is done with `user_data`. Called exactly once, on any thread.
pub type twinguard_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The caller's data, until its drop function has run.
pub(crate) struct UserData {
    data: *mut c_void,
    drop: twinguard_drop_fn,
}

impl UserData {
    pub(crate) fn new(data: *mut c_void, drop: twinguard_drop_fn) -> Self {
        Self { data, drop }
    }
}

// SAFETY: the pointer is only handed back to the caller's functions, which by the contract of
// `twinguard_log_fn` and `twinguard_drop_fn` may be called on any thread.
unsafe impl Send for UserData {}
// SAFETY: as above; `twinguard_log_fn` may be called from several threads at once.
unsafe impl Sync for UserData {}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: the caller gave this function for this data; this is its one call, since
            // only dropping the value gets here.
            unsafe { drop(self.data) };
        }
    }
}

/// The caller's log function.
pub(crate) struct Sink {
    pub(crate) log:
        unsafe extern "C" fn(i32, twinguard_str, twinguard_str, twinguard_str, *mut c_void),
    pub(crate) user_data: UserData,
}

thread_local! {
    /// How many log functions are on this thread's stack.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is inside a log function.
pub(crate) fn is_inside() -> bool {
    INSIDE.get() > 0
}

impl LogSink for Sink {
    fn log(&self, record: &LogRecord<'_>) {
        let target = twinguard_str::lend(record.target);
        let module = twinguard_str::lend(record.module);
        let message = twinguard_str::lend(record.message);
        INSIDE.set(INSIDE.get().saturating_add(1));
        // SAFETY: the caller gave this function for this data, which lives as long as `self`; the
        // texts outlive the call.
        unsafe {
            (self.log)(
                record.level as i32,
                target.get(),
                module.get(),
                message.get(),
                self.user_data.data,
            );
        };
        INSIDE.set(INSIDE.get().saturating_sub(1));
    }
}

/// The level of a number from C.
pub(crate) fn level(number: i32) -> Option<LogLevel> {
    let levels = [
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
    ];
    levels.into_iter().find(|level| *level as i32 == number)
}
