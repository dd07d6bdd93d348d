//! The builder of a client.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use twinguard_client::{ClientOptions, ErrorKind, RootMode};

use crate::agent::{agent_options, out_of_range};
use crate::boundary::{self, Guarded, Required as _};
use crate::error::{Failure, twinguard_error};
use crate::log::{self, Sink, UserData, twinguard_drop_fn, twinguard_log_fn};
use crate::runtime::twinguard_runtime;
use crate::status::twinguard_status;
use crate::text::twinguard_str;

/// What root certificates of the caller do to the bundled ones.
#[repr(i32)]
pub enum twinguard_root_modes {
    /// Both are trusted.
    TWINGUARD_ROOTS_ADD = 0,
    /// Only the caller's are trusted.
    TWINGUARD_ROOTS_REPLACE = 1,
}

/// Settings of a client, before it is made.
pub struct twinguard_options(pub(crate) Guarded<ClientOptions>);

/// Starts the settings of a client, from a module connection string.
///
/// "HostName=…;DeviceId=…;ModuleId=…;SharedAccessKey=…", as the portal and the local hub give it.
/// The text is checked; nothing is opened, read or connected.
///
/// @param[in] connection_string  the text; its key is copied into memory that is wiped.
/// @param[out] out_options  not NULL; the options, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the options are made.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_options` is NULL, or the text is NULL with a length.
/// @retval TWINGUARD_ERR_ENCODING  the text is not UTF-8.
/// @retval TWINGUARD_ERR_CONNECTION_STRING  the text breaks its grammar; the message names the key.
/// @retval TWINGUARD_ERR_KEY  the shared access key is not usable.
/// @retval TWINGUARD_ERR_UNSUPPORTED  the text asks for a client certificate.
/// @note Ownership: the caller gives `*out_options` to twinguard_client_new() or frees it with
///       twinguard_options_free().
/// @note Threads: from anywhere; the options may move between threads.
/// @since 0.1.0
/// @see twinguard_client_new()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_new(
    connection_string: twinguard_str,
    out_options: Option<&mut MaybeUninit<Option<Box<twinguard_options>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_options.required("out_options")?;
        let text = connection_string.text("connection_string")?;
        let options = ClientOptions::from_connection_string(text)?;
        out.write(Some(Box::new(twinguard_options(Guarded::new(options)))));
        Ok(())
    })
}

/// The body of a setter.
fn set(
    options: Option<&mut twinguard_options>,
    error: boundary::ErrorOut<'_>,
    body: impl FnOnce(&mut ClientOptions) -> Result<(), Failure>,
) -> twinguard_status {
    boundary::call(error, || options.required("options")?.0.enter_mut(body))
}

/// Gives root certificates to trust.
///
/// For the local hub, or a gateway with a certificate authority of its own. Without this call the
/// bundled roots are trusted, which IoT Hub needs. Verification is always on.
///
/// @param[in] options  not NULL.
/// @param[in] pem  one or more certificates as PEM text; other bytes around them are ignored.
/// @param[in] mode  one of twinguard_root_modes.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the certificates are taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL, or `pem` is NULL with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `mode` is none of its values.
/// @retval TWINGUARD_ERR_CERTIFICATE  `pem` holds no usable certificate.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: `pem` is copied.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_options_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_roots_pem(
    options: Option<&mut twinguard_options>,
    pem: twinguard_str,
    mode: i32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        let mode = match mode {
            n if n == twinguard_root_modes::TWINGUARD_ROOTS_ADD as i32 => RootMode::Add,
            n if n == twinguard_root_modes::TWINGUARD_ROOTS_REPLACE as i32 => RootMode::Replace,
            n => return Err(out_of_range("mode", n)),
        };
        options.root_certificates_pem(pem.bytes("pem")?, mode)?;
        Ok(())
    })
}

/// Gives a directory to keep the module's record in.
///
/// The last good configuration, the twin and unsent reported properties then survive a restart.
/// One directory per module; it is made with mode 0700 when it is not there. Without this call
/// nothing is kept.
///
/// @param[in] options  not NULL.
/// @param[in] path  the directory; looked at by twinguard_client_new().
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the path is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL, or `path` is NULL with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `path` is empty.
/// @retval TWINGUARD_ERR_ENCODING  `path` is not UTF-8.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: `path` is copied.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_client_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_store_directory(
    options: Option<&mut twinguard_options>,
    path: twinguard_str,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        let path = path.text("path")?;
        if path.is_empty() {
            return Err(Failure::new(ErrorKind::InvalidArgument, "path is empty"));
        }
        options.store_directory(path);
        Ok(())
    })
}

/// Lets the client share a runtime with others.
///
/// Without this call the client has a runtime, and so a thread, of its own.
///
/// @param[in] options  not NULL.
/// @param[in] runtime  not NULL.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the runtime is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` or `runtime` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: `runtime` stays the caller's, who may free it at any time.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_runtime_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_runtime(
    options: Option<&mut twinguard_options>,
    runtime: Option<&twinguard_runtime>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.runtime(&runtime.required("runtime")?.0);
        Ok(())
    })
}

/// Says how the desired document is read.
///
/// Without this call: the published section, whole acceptance, the current profile.
///
/// @param[in] options  not NULL.
/// @param[in] section  the member of the desired document to read; empty for the published name.
/// @param[in] acceptance  one of twinguard_acceptances.
/// @param[in] profile  one of twinguard_profiles.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the settings are taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL, or `section` is NULL with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `acceptance` or `profile` is none of its values.
/// @retval TWINGUARD_ERR_ENCODING  `section` is not UTF-8.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: `section` is copied.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_shadow_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_agent(
    options: Option<&mut twinguard_options>,
    section: twinguard_str,
    acceptance: i32,
    profile: i32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.agent(agent_options(section, acceptance, profile)?);
        Ok(())
    })
}

/// Says whether the configuration in force is reported under its section.
///
/// Default: it is.
///
/// @param[in] options  not NULL.
/// @param[in] on  true to report it.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the switch is set.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_options_set_report_status()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_report_configuration(
    options: Option<&mut twinguard_options>,
    on: bool,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.report_configuration(on);
        Ok(())
    })
}

/// Says whether a status object is reported beside the configuration.
///
/// It holds the desired version, the verdict, the refused keys and the library's version.
/// Default: it is not reported.
///
/// @param[in] options  not NULL.
/// @param[in] on  true to report it.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the switch is set.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_options_set_report_configuration()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_report_status(
    options: Option<&mut twinguard_options>,
    on: bool,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.report_status(on);
        Ok(())
    })
}

/// Sets the life of the tokens that the client makes.
///
/// They are renewed before they expire.
///
/// @param[in] options  not NULL.
/// @param[in] seconds  60 … 31536000, default 3600; the range is checked by
///                     twinguard_client_new().
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the value is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_client_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_token_lifetime_s(
    options: Option<&mut twinguard_options>,
    seconds: u32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.token_lifetime(Duration::from_secs(seconds.into()));
        Ok(())
    })
}

/// Sets the MQTT keep-alive.
///
/// The longest silence on the connection before the client asks whether the hub is still there.
///
/// @param[in] options  not NULL.
/// @param[in] seconds  5 … 1177, default 230; the range is checked by twinguard_client_new().
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the value is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_client_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_keep_alive_s(
    options: Option<&mut twinguard_options>,
    seconds: u32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.keep_alive(Duration::from_secs(seconds.into()));
        Ok(())
    })
}

/// Sets the longest time for one connection attempt.
///
/// From name resolution to the hub's answer.
///
/// @param[in] options  not NULL.
/// @param[in] ms  milliseconds, 1000 … 300000, default 30000; the range is checked by
///                twinguard_client_new().
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the value is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_options_set_backoff_max_ms()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_connect_timeout_ms(
    options: Option<&mut twinguard_options>,
    ms: u32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.connect_timeout(Duration::from_millis(ms.into()));
        Ok(())
    })
}

/// Sets the longest wait for the answer to one twin request.
///
/// A request that stays unanswered is made again, if need be on another connection.
///
/// @param[in] options  not NULL.
/// @param[in] ms  milliseconds, 1000 … 300000, default 20000; the range is checked by
///                twinguard_client_new().
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the value is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_options_set_connect_timeout_ms()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_request_timeout_ms(
    options: Option<&mut twinguard_options>,
    ms: u32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.request_timeout(Duration::from_millis(ms.into()));
        Ok(())
    })
}

/// Sets the longest pause between two connection attempts.
///
/// Pauses grow from attempt to attempt up to this, with jitter.
///
/// @param[in] options  not NULL.
/// @param[in] ms  milliseconds, 1000 … 3600000, default 60000; the range is checked by
///                twinguard_client_new().
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the value is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_options_set_connect_timeout_ms()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_backoff_max_ms(
    options: Option<&mut twinguard_options>,
    ms: u32,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.backoff_max(Duration::from_millis(ms.into()));
        Ok(())
    })
}

/// Sets how many unread events are kept.
///
/// Past that, events about the twin and the configuration are merged; the newest state is never
/// lost.
///
/// @param[in] options  not NULL.
/// @param[in] events  8 … 65536, default 64; the range is checked by twinguard_client_new().
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the value is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: nothing changes hands.
/// @note Threads: exclusive use of `options`.
/// @since 0.1.0
/// @see twinguard_client_next_event()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_event_capacity(
    options: Option<&mut twinguard_options>,
    events: usize,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    set(options, error, |options| {
        options.event_capacity(events);
        Ok(())
    })
}

/// Gives a function that takes the client's log records.
///
/// Without this call nothing is logged. A second call replaces the first.
///
/// @param[in] options  not NULL.
/// @param[in] level  one of twinguard_log_levels: records of this and of graver levels are passed.
/// @param[in] log  not NULL; see twinguard_log_fn for its rules.
/// @param[in] user_data  may be NULL; passed to `log` and `drop`.
/// @param[in] drop  may be NULL; called exactly once, when the library is done with `user_data`.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the function is taken.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `options` or `log` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `level` is none of its values.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `options` panicked.
/// @note Ownership: `user_data` is the library's until `drop` is called, which also happens when
///       this call fails.
/// @note Threads: exclusive use of `options`; `log` and `drop` run on any thread.
/// @since 0.1.0
/// @see twinguard_client_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_set_log_sink(
    options: Option<&mut twinguard_options>,
    level: i32,
    log: twinguard_log_fn,
    user_data: *mut c_void,
    drop: twinguard_drop_fn,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    // Owned from here on: whatever fails, `drop` runs.
    let user_data = UserData::new(user_data, drop);
    set(options, error, |options| {
        let log = log.required("log")?;
        let level = log::level(level).ok_or_else(|| out_of_range("level", level))?;
        options.log_sink(level, Arc::new(Sink { log, user_data }));
        Ok(())
    })
}

/// Frees options that were not given to a client.
///
/// Also calls the drop function of the log sink.
///
/// @param[in] options  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `options`.
/// @note Threads: no other call on `options` at the same time.
/// @since 0.1.0
/// @see twinguard_options_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_options_free(options: Option<Box<twinguard_options>>) {
    boundary::free(options);
}
