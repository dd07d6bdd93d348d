//! The agent configuration without a network, for hosts with a twin client of their own.

use std::mem::MaybeUninit;
use std::sync::Arc;

use serde_json::Value;
use twinguard_client::ErrorKind;
use twinguard_core::agent::{Acceptance, AgentOptions, Duration, Profile, Shadow, Update};
use twinguard_core::twin::document::DocumentError;

use crate::boundary::{self, Guarded, Required as _};
use crate::configuration::twinguard_configuration;
use crate::error::{Failure, failure, twinguard_error};
use crate::status::twinguard_status;
use crate::text::{Text, twinguard_buf, twinguard_str};
use crate::twin;

/// The layout of the desired document.
#[repr(i32)]
pub enum twinguard_profiles {
    /// One section, every property wrapped as {"value": …}.
    TWINGUARD_PROFILE_CURRENT = 0,
    /// One section, bare values: the first preview of the service, until July 2019.
    TWINGUARD_PROFILE_LEGACY = 1,
    /// The micro agent's keys with bare values in the desired document itself.
    TWINGUARD_PROFILE_MICRO_AGENT = 2,
}

/// What a bad known property does to the good ones beside it.
#[repr(i32)]
pub enum twinguard_acceptances {
    /// It refuses the whole update; the configuration in force stays. The published rule.
    TWINGUARD_ACCEPT_WHOLE = 0,
    /// Nothing: the good ones apply, and a bad one keeps the value in force.
    TWINGUARD_ACCEPT_PER_PROPERTY = 1,
}

/// What a document did to a twinguard_shadow. New values may appear with any release.
#[repr(i32)]
pub enum twinguard_updates {
    /// Another configuration or another status is in force; also the first good document.
    TWINGUARD_UPDATE_APPLIED = 1,
    /// Neither changed.
    TWINGUARD_UPDATE_UNCHANGED = 2,
    /// The document was refused as a whole; the configuration in force is what it was.
    TWINGUARD_UPDATE_REJECTED = 3,
    /// Older than what is known; nothing was done.
    TWINGUARD_UPDATE_IGNORED_STALE = 4,
    /// A patch is missing before this one; nothing was done. Get the full document.
    TWINGUARD_UPDATE_RESYNC_REQUIRED = 5,
}

/// Desired document and agent configuration together, fed by hand.
pub struct twinguard_shadow(Guarded<Shadow>);

/// How a desired document is read, from what C says.
pub(crate) fn agent_options(
    section: twinguard_str,
    acceptance: i32,
    profile: i32,
) -> Result<AgentOptions, Failure> {
    use twinguard_acceptances as A;
    use twinguard_profiles as P;
    let section = section.text("section")?;
    let acceptance = match acceptance {
        n if n == A::TWINGUARD_ACCEPT_WHOLE as i32 => Acceptance::Whole,
        n if n == A::TWINGUARD_ACCEPT_PER_PROPERTY as i32 => Acceptance::PerProperty,
        n => return Err(out_of_range("acceptance", n)),
    };
    let profile = match profile {
        n if n == P::TWINGUARD_PROFILE_CURRENT as i32 => Profile::Current,
        n if n == P::TWINGUARD_PROFILE_LEGACY as i32 => Profile::Legacy,
        n if n == P::TWINGUARD_PROFILE_MICRO_AGENT as i32 => Profile::MicroAgent,
        n => return Err(out_of_range("profile", n)),
    };
    let options = AgentOptions::default()
        .with_acceptance(acceptance)
        .with_profile(profile);
    Ok(if section.is_empty() {
        options
    } else {
        options.with_section(section)
    })
}

/// A number that stands for none of the values there are.
pub(crate) fn out_of_range(name: &str, number: i32) -> Failure {
    Failure::new(
        ErrorKind::InvalidArgument,
        format!("{name}: {number} is none of its values"),
    )
}

/// Makes a shadow: an empty desired document, with the defaults in force.
///
/// For a host that receives its twin by other means and wants the configuration only.
///
/// @param[in] section  the member of the desired document to read; empty for the published name.
/// @param[in] acceptance  one of twinguard_acceptances.
/// @param[in] profile  one of twinguard_profiles.
/// @param[out] out_shadow  not NULL; the shadow, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the shadow is made.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_shadow` is NULL, or `section` is NULL with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `acceptance` or `profile` is none of its values.
/// @retval TWINGUARD_ERR_ENCODING  `section` is not UTF-8.
/// @note Ownership: the caller frees `*out_shadow` with twinguard_shadow_free().
/// @note Threads: from anywhere; the shadow may move between threads.
/// @since 0.1.0
/// @see twinguard_shadow_apply_full()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_shadow_new(
    section: twinguard_str,
    acceptance: i32,
    profile: i32,
    out_shadow: Option<&mut MaybeUninit<Option<Box<twinguard_shadow>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_shadow.required("out_shadow")?;
        let options = agent_options(section, acceptance, profile)?;
        out.write(Some(Box::new(twinguard_shadow(Guarded::new(Shadow::new(
            options,
        ))))));
        Ok(())
    })
}

/// Feeds a full desired document.
///
/// The "desired" member of a twin, "$version" included: after each connect, or when a patch asks
/// for it with TWINGUARD_UPDATE_RESYNC_REQUIRED.
///
/// @param[in] shadow  not NULL.
/// @param[in] document  a JSON object of at most 262144 bytes.
/// @param[out] out_update  may be NULL; one of twinguard_updates, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the document was looked at; `*out_update` says what it did.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` is NULL, or `document` is NULL with a length.
/// @retval TWINGUARD_ERR_ENCODING  `document` is not UTF-8.
/// @retval TWINGUARD_ERR_JSON  `document` is no JSON object, or "$version" is no whole number.
/// @retval TWINGUARD_ERR_TWIN_LIMIT  the document is too large.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
/// @note Ownership: `document` is copied.
/// @note Threads: exclusive use of `shadow`.
/// @since 0.1.0
/// @see twinguard_shadow_configuration()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_shadow_apply_full(
    shadow: Option<&mut twinguard_shadow>,
    document: twinguard_str,
    out_update: Option<&mut MaybeUninit<i32>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let shadow = shadow.required("shadow")?;
        let document = twin::object(document, "document")?;
        apply(shadow, out_update, |shadow| shadow.apply_full(document))
    })
}

/// Feeds a desired notification.
///
/// A merge patch (RFC 7396), "$version" included, as the hub sends it.
///
/// @param[in] shadow  not NULL.
/// @param[in] patch  a JSON object of at most 262144 bytes.
/// @param[out] out_update  may be NULL; one of twinguard_updates, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the patch was looked at; `*out_update` says what it did.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` is NULL, or `patch` is NULL with a length.
/// @retval TWINGUARD_ERR_ENCODING  `patch` is not UTF-8.
/// @retval TWINGUARD_ERR_JSON  `patch` is no JSON object, or "$version" is no whole number.
/// @retval TWINGUARD_ERR_TWIN_LIMIT  the document would be too large.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
/// @note Ownership: `patch` is copied.
/// @note Threads: exclusive use of `shadow`.
/// @since 0.1.0
/// @see twinguard_shadow_apply_full()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_shadow_apply_patch(
    shadow: Option<&mut twinguard_shadow>,
    patch: twinguard_str,
    out_update: Option<&mut MaybeUninit<i32>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let shadow = shadow.required("shadow")?;
        let patch = twin::object(patch, "patch")?;
        apply(shadow, out_update, |shadow| shadow.apply_patch(&patch))
    })
}

fn apply(
    shadow: &mut twinguard_shadow,
    out_update: Option<&mut MaybeUninit<i32>>,
    feed: impl FnOnce(&mut Shadow) -> Result<Update, DocumentError>,
) -> Result<(), Failure> {
    let update = shadow.0.enter_mut(|shadow| {
        feed(shadow).map_err(|e| {
            let kind = match e {
                DocumentError::TooLarge { .. } => ErrorKind::TwinLimit,
                _ => ErrorKind::Json,
            };
            failure(kind, &e)
        })
    })?;
    let number = update_number(update)?;
    if let Some(out) = out_update {
        out.write(number as i32);
    }
    Ok(())
}

fn update_number(update: Update) -> Result<twinguard_updates, Failure> {
    Ok(match update {
        Update::Applied => twinguard_updates::TWINGUARD_UPDATE_APPLIED,
        Update::Unchanged => twinguard_updates::TWINGUARD_UPDATE_UNCHANGED,
        Update::Rejected => twinguard_updates::TWINGUARD_UPDATE_REJECTED,
        Update::IgnoredStale => twinguard_updates::TWINGUARD_UPDATE_IGNORED_STALE,
        Update::ResyncRequired => twinguard_updates::TWINGUARD_UPDATE_RESYNC_REQUIRED,
        other => {
            let message = format!("update '{}' has no number", other.name());
            return Err(Failure::new(ErrorKind::Internal, message));
        }
    })
}

/// The configuration in force, and what became of each property.
///
/// The result of the last document that was not stale; the defaults before the first.
///
/// @param[in] shadow  not NULL.
/// @param[out] out_configuration  not NULL; written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` or `out_configuration` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
/// @note Ownership: the caller frees `*out_configuration` with twinguard_configuration_free(); it
///       stays as it is when `shadow` changes or is freed.
/// @note Threads: together with other const calls on `shadow`.
/// @since 0.1.0
/// @see twinguard_configuration_json()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_shadow_configuration(
    shadow: Option<&twinguard_shadow>,
    out_configuration: Option<&mut MaybeUninit<Option<Box<twinguard_configuration>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let shadow = shadow.required("shadow")?;
        let out = out_configuration.required("out_configuration")?;
        let evaluation = shadow
            .0
            .enter(|shadow| Ok(Arc::clone(shadow.evaluation())))?;
        out.write(Some(Box::new(twinguard_configuration::new(evaluation))));
        Ok(())
    })
}

/// The desired document as it is known, and what a module has to report about it.
///
/// A JSON object: desired (without "$version"), desired_version (or null), and reported, the
/// document with the configuration in force under its section.
///
/// @param[in] shadow  not NULL.
/// @param[out] out_document  not NULL; a JSON object as text, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `shadow` or `out_document` is NULL.
/// @retval TWINGUARD_ERR_POISONED  an earlier call on `shadow` panicked.
/// @note Ownership: the caller frees `*out_document` with twinguard_buf_free().
/// @note Threads: together with other const calls on `shadow`.
/// @since 0.1.0
/// @see twinguard_shadow_configuration()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_shadow_document(
    shadow: Option<&twinguard_shadow>,
    out_document: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let shadow = shadow.required("shadow")?;
        let out = out_document.required("out_document")?;
        let document = shadow.0.enter(|shadow| Ok(document(shadow)))?;
        out.write(twinguard_buf::boxed(Text::from(&document)));
        Ok(())
    })
}

fn document(shadow: &Shadow) -> Value {
    serde_json::json!({
        "desired": **shadow.desired().value(),
        "desired_version": shadow.desired().version(),
        "reported": shadow.configurator().reported(),
    })
}

/// Frees a shadow.
///
/// Configurations that came from it live on.
///
/// @param[in] shadow  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `shadow`.
/// @note Threads: no other call on `shadow` at the same time.
/// @since 0.1.0
/// @see twinguard_shadow_new()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_shadow_free(shadow: Option<Box<twinguard_shadow>>) {
    boundary::free(shadow);
}

/// Reads an ISO 8601 duration as the agent configuration does.
///
/// Of the form "P[nY][nM][nW][nD][T[nH][nM][nS]]", a year of 365 and a month of 30 days, a fraction
/// only in the last part; from one second to 366 days.
///
/// @param[in] text  the duration.
/// @param[out] out_ms  not NULL; milliseconds, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  it is a duration.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_ms` is NULL, or `text` is NULL with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `text` is not a duration, or out of range.
/// @retval TWINGUARD_ERR_ENCODING  `text` is not UTF-8.
/// @note Ownership: nothing changes hands.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_duration_format()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_duration_parse(
    text: twinguard_str,
    out_ms: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_ms.required("out_ms")?;
        let duration = text.text("text")?.parse::<Duration>();
        out.write(
            duration
                .map_err(|e| failure(ErrorKind::InvalidArgument, &e))?
                .as_millis(),
        );
        Ok(())
    })
}

/// Writes a duration in its normal form.
///
/// "P{d}DT{h}H{m}M{s}S" without the parts that are zero, as it stands in reported properties.
///
/// @param[in] ms  milliseconds, 1000 … 31622400000.
/// @param[out] out_text  not NULL; the text, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_text` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `ms` is out of range.
/// @note Ownership: the caller frees `*out_text` with twinguard_buf_free().
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_duration_parse()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_duration_format(
    ms: u64,
    out_text: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_text.required("out_text")?;
        let duration = Duration::from_millis(ms)
            .map_err(|e| Failure::new(ErrorKind::InvalidArgument, format!("ms: {ms}: {e}")))?;
        out.write(twinguard_buf::boxed(Text::from(duration.to_string())));
        Ok(())
    })
}
