//! Twin documents, and merge patches on them.

use std::mem::MaybeUninit;

use serde_json::Value;
use twinguard_client::{ErrorKind, Twin};
use twinguard_core::twin::document::MAX_DOCUMENT_BYTES;
use twinguard_core::twin::{json, patch};

use crate::boundary::{self, Required as _};
use crate::error::{Failure, failure, twinguard_error};
use crate::status::twinguard_status;
use crate::text::{Text, twinguard_buf, twinguard_str};

/// A twin as it was known at one moment. Never changes.
pub struct twinguard_twin {
    desired: Text,
    desired_version: Option<u64>,
    reported: Option<Text>,
    reported_version: Option<u64>,
    synced: bool,
}

impl From<Twin> for twinguard_twin {
    fn from(twin: Twin) -> Self {
        Self {
            desired: Text::from(&*twin.desired),
            desired_version: twin.desired_version,
            reported: twin.reported.as_deref().map(Text::from),
            reported_version: twin.reported_version,
            synced: twin.synced,
        }
    }
}

/// The JSON object that C gave as text.
pub(crate) fn object(text: twinguard_str, name: &'static str) -> Result<Value, Failure> {
    json::parse_object(text.bytes(name)?, MAX_DOCUMENT_BYTES).map_err(|e| {
        let kind = match e.kind {
            json::JsonErrorKind::NotUtf8 => ErrorKind::Encoding,
            _ => ErrorKind::Json,
        };
        failure(kind, &e).with_pointer(e.pointer)
    })
}

/// The desired document.
///
/// What the operator wants, without the hub's own members such as "$version".
///
/// @param[in] twin  may be NULL.
/// @return a JSON object as text, NUL-ended; none when `twin` is NULL.
/// @note Ownership: borrowed from `twin` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_twin_desired_version()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_twin_desired(twin: Option<&twinguard_twin>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        twinguard_str::of_option(twin.map(|t| &t.desired))
    })
}

/// The version of the desired document.
///
/// The hub counts it up with every change of the desired section.
///
/// @param[in] twin  may be NULL.
/// @param[out] out_version  not NULL; "$version", written when true comes back.
/// @return true when the version is known; false before the first twin, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_twin_desired()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_twin_desired_version(
    twin: Option<&twinguard_twin>,
    out_version: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || {
        boundary::put(twin.and_then(|t| t.desired_version), out_version)
    })
}

/// The reported document, as the hub was last known to have it.
///
/// Not what twinguard_client_set_reported() wants it to be: that may still be under way.
///
/// @param[in] twin  may be NULL.
/// @return a JSON object as text, NUL-ended; none when the hub's document is not known yet, or
///         `twin` is NULL.
/// @note Ownership: borrowed from `twin` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_twin_reported_version()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_twin_reported(twin: Option<&twinguard_twin>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        twinguard_str::of_option(twin.and_then(|t| t.reported.as_ref()))
    })
}

/// The version of the reported document.
///
/// The hub counts it up with every change of the reported section.
///
/// @param[in] twin  may be NULL.
/// @param[out] out_version  not NULL; "$version", written when true comes back.
/// @return true when the version is known; false otherwise, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_twin_reported()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_twin_reported_version(
    twin: Option<&twinguard_twin>,
    out_version: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || {
        boundary::put(twin.and_then(|t| t.reported_version), out_version)
    })
}

/// Whether the twin came from the hub on the connection that stood then.
///
/// False for a twin that was restored from the store, or while the connection was down.
///
/// @param[in] twin  may be NULL.
/// @return true or false; false for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_client_get_twin()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_twin_is_synced(twin: Option<&twinguard_twin>) -> bool {
    boundary::value(false, || twin.is_some_and(|t| t.synced))
}

/// Frees a twin.
///
/// Call it once for every twin that a call gave.
///
/// @param[in] twin  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `twin`; text borrowed from it ends.
/// @note Threads: no other call on `twin` at the same time.
/// @since 0.1.0
/// @see twinguard_client_twin()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_twin_free(twin: Option<Box<twinguard_twin>>) {
    boundary::free(twin);
}

/// Merges a JSON merge patch into a document.
///
/// By RFC 7396, as the hub does with a desired patch: objects member by member, null deletes,
/// anything else replaces.
///
/// @param[in] target  the document: a JSON object of at most 262144 bytes.
/// @param[in] patch  the patch: a JSON object of at most 262144 bytes.
/// @param[out] out_document  not NULL; the new document as JSON text, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the patch is merged.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_document` is NULL, or a text is NULL with a length.
/// @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
/// @retval TWINGUARD_ERR_JSON  a text is not a JSON object, names a key twice, is too large or
///         nests deeper than 32 levels; the error has the JSON pointer.
/// @note Ownership: the caller frees `*out_document` with twinguard_buf_free().
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_diff()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_merge_patch(
    target: twinguard_str,
    patch: twinguard_str,
    out_document: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_document.required("out_document")?;
        let mut document = object(target, "target")?;
        patch::merge(&mut document, &object(patch, "patch")?);
        out.write(twinguard_buf::boxed(Text::from(&document)));
        Ok(())
    })
}

/// The smallest JSON merge patch that turns one document into another.
///
/// By RFC 7396; "{}" when they are equal. A merge patch cannot put a null into an object, so a
/// member that is null counts as absent.
///
/// @param[in] from  the document before: a JSON object of at most 262144 bytes.
/// @param[in] to  the document after: a JSON object of at most 262144 bytes.
/// @param[out] out_patch  not NULL; the patch as JSON text, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the patch is made.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_patch` is NULL, or a text is NULL with a length.
/// @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
/// @retval TWINGUARD_ERR_JSON  a text is not a JSON object, names a key twice, is too large or
///         nests deeper than 32 levels; the error has the JSON pointer.
/// @note Ownership: the caller frees `*out_patch` with twinguard_buf_free().
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_merge_patch()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_diff(
    from: twinguard_str,
    to: twinguard_str,
    out_patch: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_patch.required("out_patch")?;
        let mut before = object(from, "from")?;
        let mut after = object(to, "to")?;
        patch::strip_nulls(&mut before);
        patch::strip_nulls(&mut after);
        let text =
            patch::diff(&before, &after).map_or_else(|| Text::from("{}"), |p| Text::from(&p));
        out.write(twinguard_buf::boxed(text));
        Ok(())
    })
}
