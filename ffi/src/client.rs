//! One module on the hub.

use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use ::twinguard_client::{ErrorKind, ModuleClient, Statistics};
use serde_json::Value;

use crate::boundary::{self, Guarded, Required as _};
use crate::configuration::twinguard_configuration;
use crate::error::{Failure, twinguard_error};
use crate::event::{state_number, twinguard_event};
use crate::log;
use crate::options::twinguard_options;
use crate::status::twinguard_status;
use crate::text::{Text, twinguard_buf, twinguard_str};
use crate::twin::{self, twinguard_twin};

/// A module client: signs in, follows the twin, evaluates the configuration, reports.
pub struct twinguard_client {
    guarded: Guarded<ModuleClient>,
    pid: u32,
}

/// The body of a call on a client.
fn on<R>(
    client: Option<&twinguard_client>,
    body: impl FnOnce(&ModuleClient) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let client = client.required("client")?;
    if log::is_inside() {
        let message = "a log function must not call a client";
        return Err(Failure::new(ErrorKind::Reentrant, message));
    }
    if client.pid != std::process::id() {
        let message = "the client belongs to the process before fork; make another";
        return Err(Failure::new(ErrorKind::Forked, message));
    }
    client.guarded.enter(body)
}

fn wait(timeout_ms: u32) -> Duration {
    Duration::from_millis(timeout_ms.into())
}

/// Makes a client from its options.
///
/// Opens the store and restores what is in it, so that a stored configuration is in force at once.
/// No network yet, and no thread.
///
/// @param[in] options  not NULL, and `*options` not NULL; set to NULL by every call.
/// @param[out] out_client  not NULL; the client, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the client is made.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options`, `*options` or `out_client` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  a setting is out of its range; the message names it.
/// @retval TWINGUARD_ERR_STORE_LOCKED  another client uses the store's directory.
/// @retval TWINGUARD_ERR_STORE_PERMISSIONS  the store's directory is open to others, or not to us.
/// @retval TWINGUARD_ERR_STORE_IO  the store's directory cannot be made or opened.
/// @retval TWINGUARD_ERR_RESOURCES  the system gave no descriptor.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `*options` panicked.
/// @note Ownership: takes `*options`, also when it fails. The caller frees `*out_client` with
///       twinguard_client_free().
/// @note Threads: exclusive use of `options`; the client may be used from several threads at once.
/// @since 0.1.0
/// @see twinguard_client_connect()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_new(
    options: Option<&mut Option<Box<twinguard_options>>>,
    out_client: Option<&mut MaybeUninit<Option<Box<twinguard_client>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let options = options.required("options")?.take().required("*options")?;
        let out = out_client.required("out_client")?;
        let guarded = Guarded::new(options.0.into_inner()?.build()?);
        out.write(Some(Box::new(twinguard_client {
            guarded,
            pid: std::process::id(),
        })));
        Ok(())
    })
}

/// Starts to sign in.
///
/// Returns at once; from then on the client connects, and connects again after trouble, until it is
/// closed. Watch the events, or wait with twinguard_client_wait_running().
///
/// @param[in] client  not NULL.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  it is on its way, or was before.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
/// @retval TWINGUARD_ERR_CLOSED  the client is closed.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_RESOURCES  the system gave no thread.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_wait_running()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_connect(
    client: Option<&twinguard_client>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || on(client, ModuleClient::connect))
}

/// Waits until the module runs: signed in and in step with its twin.
///
/// After a failure the client goes on trying; only a refused credential needs the caller.
///
/// @param[in] client  not NULL.
/// @param[in] timeout_ms  longest wait in milliseconds; 0 only looks.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  it runs.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
/// @retval TWINGUARD_ERR_TIMEOUT  not in time; the message has the last trouble.
/// @retval TWINGUARD_ERR_UNAUTHORIZED  the hub refused the credential or the identity.
/// @retval TWINGUARD_ERR_TOKEN_EXPIRED  the token has expired and there is no key.
/// @retval TWINGUARD_ERR_WRONG_STATE  twinguard_client_connect() was not called.
/// @retval TWINGUARD_ERR_CLOSED  the client is closed, or was while this waited.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_state()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_wait_running(
    client: Option<&twinguard_client>,
    timeout_ms: u32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        on(client, |client| client.wait_running(wait(timeout_ms)))
    })
}

/// Where the module stands now.
///
/// Never waits.
///
/// @param[in] client  may be NULL.
/// @return one of twinguard_states; a negative twinguard_status for NULL, after a panic or
///         fork, and from inside a log function.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_state_name()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_state(client: Option<&twinguard_client>) -> i32 {
    boundary::value(ErrorKind::Panic.code(), || {
        on(client, |client| Ok(state_number(client.state()))).unwrap_or_else(|e| e.code())
    })
}

/// Takes the next event.
///
/// Waits for one if there is none. In a poll loop call it with 0 until it gives no event.
///
/// @param[in] client  not NULL.
/// @param[in] timeout_ms  longest wait in milliseconds; 0 does not wait.
/// @param[out] out_event  not NULL; the event, or NULL when none came in time; written on success
///                        only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  look at `*out_event`.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_event` is NULL.
/// @retval TWINGUARD_ERR_CLOSED  the client is closed and every event was taken.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: the caller frees `*out_event` with twinguard_event_free().
/// @note Threads: from several at once; each event goes to one of them.
/// @since 0.1.0
/// @see twinguard_client_event_fd()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_next_event(
    client: Option<&twinguard_client>,
    timeout_ms: u32,
    out_event: Option<&mut MaybeUninit<Option<Box<twinguard_event>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_event.required("out_event")?;
        let event = on(client, |client| client.next_event(wait(timeout_ms)))?;
        out.write(event.map(|event| Box::new(twinguard_event::new(event))));
        Ok(())
    })
}

/// A file descriptor that is readable while events wait.
///
/// For the caller's own poll, select or epoll. It is also readable when the client is closed.
/// Never read, write or close it.
///
/// @param[in] client  may be NULL.
/// @return the descriptor; a negative twinguard_status for NULL, after a panic or fork, and from
///         inside a log function.
/// @note Ownership: borrowed from `client` until it is freed; always the same one.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_next_event()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_event_fd(client: Option<&twinguard_client>) -> i32 {
    boundary::value(ErrorKind::Panic.code(), || {
        on(client, |client| Ok(client.event_fd().as_raw_fd())).unwrap_or_else(|e| e.code())
    })
}

/// The twin as it is known now.
///
/// Never waits and makes no request.
///
/// @param[in] client  not NULL.
/// @param[out] out_twin  not NULL; the twin, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_twin` is NULL.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: the caller frees `*out_twin` with twinguard_twin_free(); it stays as it is when
///       the twin changes.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_get_twin()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_twin(
    client: Option<&twinguard_client>,
    out_twin: Option<&mut MaybeUninit<Option<Box<twinguard_twin>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_twin.required("out_twin")?;
        let twin = on(client, |client| Ok(client.twin()))?;
        out.write(Some(Box::new(twinguard_twin::from(twin))));
        Ok(())
    })
}

/// Reads the twin from the hub.
///
/// Seldom needed: the client follows the twin by itself, and twinguard_client_twin() costs nothing.
///
/// @param[in] client  not NULL.
/// @param[in] timeout_ms  longest wait in milliseconds.
/// @param[out] out_twin  not NULL; the twin, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  it is fresh.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_twin` is NULL.
/// @retval TWINGUARD_ERR_TIMEOUT  no answer in time.
/// @retval TWINGUARD_ERR_TWIN_READ  the hub answered with an error status.
/// @retval TWINGUARD_ERR_THROTTLED  the hub asks for fewer requests.
/// @retval TWINGUARD_ERR_NETWORK  there is no connection; also the other network statuses.
/// @retval TWINGUARD_ERR_CLOSED  the client is closed, or was while this waited.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: the caller frees `*out_twin` with twinguard_twin_free().
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_twin()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_get_twin(
    client: Option<&twinguard_client>,
    timeout_ms: u32,
    out_twin: Option<&mut MaybeUninit<Option<Box<twinguard_twin>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_twin.required("out_twin")?;
        let twin = on(client, |client| client.get_twin(wait(timeout_ms)))?;
        out.write(Some(Box::new(twinguard_twin::from(twin))));
        Ok(())
    })
}

/// The agent configuration in force, and what became of each property.
///
/// Never waits: before the first twin it is the stored one, or the defaults.
///
/// @param[in] client  not NULL.
/// @param[out] out_configuration  not NULL; written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_configuration` is NULL.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: the caller frees `*out_configuration` with twinguard_configuration_free(); it
///       stays as it is when the configuration changes.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_duration_ms()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_configuration(
    client: Option<&twinguard_client>,
    out_configuration: Option<&mut MaybeUninit<Option<Box<twinguard_configuration>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_configuration.required("out_configuration")?;
        let evaluation = on(client, |client| Ok(client.configuration()))?;
        out.write(Some(Box::new(twinguard_configuration::new(evaluation))));
        Ok(())
    })
}

/// Sets the document that the hub shall have as reported.
///
/// The whole wanted document of the caller; what differs from the hub's is sent, now or when there
/// is a connection, until the hub has taken it. A later call replaces an earlier one. The section
/// of the agent configuration is the library's, unless reporting it was switched off.
///
/// @param[in] client  not NULL.
/// @param[in] document  a JSON object within the limits of device twins: 32 KiB, 10 levels, no null.
/// @param[out] out_generation  may be NULL; a number for twinguard_client_wait_reported(), written
///                             on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  it is wanted now.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL, or `document` is NULL with a length.
/// @retval TWINGUARD_ERR_ENCODING  `document` is not UTF-8.
/// @retval TWINGUARD_ERR_JSON  `document` is no JSON object; the error has the JSON pointer.
/// @retval TWINGUARD_ERR_TWIN_LIMIT  the hub would refuse it; the error has the JSON pointer.
/// @retval TWINGUARD_ERR_CLOSED  the client is closed.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: `document` is copied.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_patch_reported()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_set_reported(
    client: Option<&twinguard_client>,
    document: twinguard_str,
    out_generation: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let generation = on(client, |client| {
            client.set_reported(twin::object(document, "document")?)
        })?;
        boundary::put(Some(generation), out_generation);
        Ok(())
    })
}

/// Changes the document that the hub shall have as reported.
///
/// Merges a JSON merge patch (RFC 7396) into the wanted document; null deletes.
///
/// @param[in] client  not NULL.
/// @param[in] patch  a JSON object; the merged document has to keep the limits of device twins.
/// @param[out] out_generation  may be NULL; a number for twinguard_client_wait_reported(), written
///                             on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  it is wanted now.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL, or `patch` is NULL with a length.
/// @retval TWINGUARD_ERR_ENCODING  `patch` is not UTF-8.
/// @retval TWINGUARD_ERR_JSON  `patch` is no JSON object; the error has the JSON pointer.
/// @retval TWINGUARD_ERR_TWIN_LIMIT  the hub would refuse it; the error has the JSON pointer.
/// @retval TWINGUARD_ERR_CLOSED  the client is closed.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: `patch` is copied.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_set_reported()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_patch_reported(
    client: Option<&twinguard_client>,
    patch: twinguard_str,
    out_generation: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let generation = on(client, |client| {
            client.patch_reported(&twin::object(patch, "patch")?)
        })?;
        boundary::put(Some(generation), out_generation);
        Ok(())
    })
}

/// Waits until the hub has taken a reported document.
///
/// A later generation covers the earlier ones.
///
/// @param[in] client  not NULL.
/// @param[in] generation  from twinguard_client_set_reported() or _patch_reported().
/// @param[in] timeout_ms  longest wait in milliseconds; 0 only looks.
/// @param[out] out_version  may be NULL; "$version" of the reported section, 0 when the hub did not
///                          tell it; written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the hub has it.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  there was no such generation.
/// @retval TWINGUARD_ERR_REPORTED_REFUSED  the hub refused it for good.
/// @retval TWINGUARD_ERR_TIMEOUT  not in time; it goes on being sent.
/// @retval TWINGUARD_ERR_CLOSED  the client is closed, or was while this waited.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_set_reported()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_wait_reported(
    client: Option<&twinguard_client>,
    generation: u64,
    timeout_ms: u32,
    out_version: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let version = on(client, |client| {
            client.wait_reported(generation, wait(timeout_ms))
        })?;
        boundary::put(Some(version.unwrap_or(0)), out_version);
        Ok(())
    })
}

/// Counters of the client.
///
/// One flat JSON object of numbers: connect_attempts, connections, connections_lost, refusals,
/// planned_renewals, twin_reads, patches_sent, patches_acknowledged, patches_refused,
/// requests_timed_out, notifications, gaps, events_merged, events_waiting, bytes_in, bytes_out,
/// records_saved, last_outage_ms. They only grow, except events_waiting and last_outage_ms. More
/// members may appear with any release.
///
/// @param[in] client  not NULL.
/// @param[out] out_statistics  not NULL; a JSON object as text, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there they are.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` or `out_statistics` is NULL.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: the caller frees `*out_statistics` with twinguard_buf_free().
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_state()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_statistics(
    client: Option<&twinguard_client>,
    out_statistics: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_statistics.required("out_statistics")?;
        let statistics = on(client, |client| Ok(client.statistics()))?;
        out.write(twinguard_buf::boxed(Text::from(&counters(&statistics))));
        Ok(())
    })
}

fn counters(statistics: &Statistics) -> Value {
    serde_json::json!({
        "connect_attempts": statistics.connect_attempts,
        "connections": statistics.connections,
        "connections_lost": statistics.connections_lost,
        "refusals": statistics.refusals,
        "planned_renewals": statistics.planned_renewals,
        "twin_reads": statistics.twin_reads,
        "patches_sent": statistics.patches_sent,
        "patches_acknowledged": statistics.patches_acknowledged,
        "patches_refused": statistics.patches_refused,
        "requests_timed_out": statistics.requests_timed_out,
        "notifications": statistics.notifications,
        "gaps": statistics.gaps,
        "events_merged": statistics.events_merged,
        "events_waiting": statistics.events_waiting,
        "bytes_in": statistics.bytes_in,
        "bytes_out": statistics.bytes_out,
        "records_saved": statistics.records_saved,
        "last_outage_ms": statistics.last_outage_ms,
    })
}

/// Closes the client.
///
/// Signs off if that is possible at once, saves what is to be saved, and returns in time, whatever
/// the network does. Calls that wait end with TWINGUARD_ERR_CLOSED. May be called again. Events that
/// wait can still be taken.
///
/// @param[in] client  not NULL.
/// @param[in] timeout_ms  longest wait in milliseconds; 0 does not wait for anything.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  it is closed.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `client` is NULL.
/// @retval TWINGUARD_ERR_TIMEOUT  it is closed, but the store was not finished in time.
/// @retval TWINGUARD_ERR_REENTRANT  called from a log function.
/// @retval TWINGUARD_ERR_FORKED  the client was made before fork.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `client` panicked.
/// @note Ownership: the caller still frees `client` with twinguard_client_free().
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_free()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_close(
    client: Option<&twinguard_client>,
    timeout_ms: u32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        on(client, |client| client.close(wait(timeout_ms)))
    })
}

/// Frees a client.
///
/// Closes it without waiting if it is not closed; the I/O thread then finishes by itself. Works in
/// every state: after a panic, after fork, and from inside a log function.
///
/// @param[in] client  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `client`; its event descriptor ends. Events, twins and configurations that
///       came from it live on.
/// @note Threads: no other call on `client` at the same time.
/// @since 0.1.0
/// @see twinguard_client_close()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_client_free(client: Option<Box<twinguard_client>>) {
    boundary::free(client);
}

/// Panics inside a call on a client, to prove that the panic stays inside. Only in builds for that
/// test.
#[cfg(feature = "test-hooks")]
#[allow(clippy::panic, reason = "this is what the hook is for")]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_test_panic(
    client: Option<&twinguard_client>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || on(client, |_| panic!("asked for")))
}
