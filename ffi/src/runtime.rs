//! The I/O thread that modules share.

use std::mem::MaybeUninit;

use twinguard_client::Runtime;

use crate::boundary::{self, Required as _};
use crate::error::twinguard_error;
use crate::status::twinguard_status;

/// One I/O thread for any number of clients.
pub struct twinguard_runtime(pub(crate) Runtime);

/// Makes a runtime.
///
/// For a program with several modules: give the same runtime to each client, and one thread serves
/// them all. Without one, each client has its own. The thread starts with the first connect and
/// ends when the handle and all its clients are gone.
///
/// @param[out] out_runtime  not NULL; the runtime, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the runtime is made; no thread runs yet.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_runtime` is NULL.
/// @retval TWINGUARD_ERR_RESOURCES  the system gave no descriptor.
/// @note Ownership: the caller frees `*out_runtime` with twinguard_runtime_free().
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_options_set_runtime()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_runtime_new(
    out_runtime: Option<&mut MaybeUninit<Option<Box<twinguard_runtime>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_runtime.required("out_runtime")?;
        out.write(Some(Box::new(twinguard_runtime(Runtime::new()?))));
        Ok(())
    })
}

/// How many threads the runtime has now.
///
/// For a program that wants to prove to itself that none is left behind.
///
/// @param[in] runtime  may be NULL.
/// @return 0 or 1: short-lived threads for name resolution are not counted; 0 for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_runtime_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_runtime_thread_count(runtime: Option<&twinguard_runtime>) -> usize {
    boundary::value(0, || runtime.map_or(0, |r| r.0.thread_count()))
}

/// Frees the handle of a runtime.
///
/// Clients that were made with it go on; the thread ends with the last of them.
///
/// @param[in] runtime  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `runtime`.
/// @note Threads: no other call on `runtime` at the same time.
/// @since 0.1.0
/// @see twinguard_runtime_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_runtime_free(runtime: Option<Box<twinguard_runtime>>) {
    boundary::free(runtime);
}
