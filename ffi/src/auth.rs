//! Keys and shared access signatures, without a network.

use std::mem::MaybeUninit;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use twinguard_client::ErrorKind;
use twinguard_core::identity::{SharedAccessKey, sas};
use zeroize::Zeroizing;

use crate::boundary::{self, Required as _};
use crate::error::{Failure, failure, twinguard_error};
use crate::status::twinguard_status;
use crate::text::{Text, twinguard_buf, twinguard_str};

/// Makes a shared access signature token.
///
/// For a host that signs in by other means; a twinguard_client makes its own tokens. The text is
/// "SharedAccessSignature sr=…&sig=…&se=…", with "&skn=…" for a policy (IoT Hub docs: control
/// access with shared access signatures).
///
/// @param[in] resource  what the token is for, not encoded: "host/devices/device/modules/module".
/// @param[in] key_base64  the shared access key as base64 text; copied into memory that is wiped.
/// @param[in] expires_unix_s  expiry in seconds since 1970-01-01 UTC.
/// @param[in] policy  name of the policy that the key belongs to; empty for a device's or
///                    module's own key.
/// @param[out] out_token  not NULL; the token, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the token is made.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_token` is NULL, or a text is NULL with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `resource` is empty.
/// @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
/// @retval TWINGUARD_ERR_KEY  `key_base64` is not a usable key.
/// @note Ownership: the caller frees `*out_token` with twinguard_buf_free(), which wipes it.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_derive_key()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_sas_token_new(
    resource: twinguard_str,
    key_base64: twinguard_str,
    expires_unix_s: u64,
    policy: twinguard_str,
    out_token: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_token.required("out_token")?;
        let resource = resource.text("resource")?;
        let policy = policy.text("policy")?;
        if resource.is_empty() {
            return Err(Failure::new(
                ErrorKind::InvalidArgument,
                "resource is empty",
            ));
        }
        let policy = (!policy.is_empty()).then_some(policy);
        let key = key(key_base64)?;
        let token = sas::create_token(&key, resource, expires_unix_s, policy)
            .map_err(|e| failure(ErrorKind::Signer, &e))?;
        out.write(twinguard_buf::boxed(Text::from(token.as_str())));
        Ok(())
    })
}

/// Derives the key of one device from the key of its enrollment group.
///
/// HMAC-SHA256 of the registration id (IoT Hub Device Provisioning Service docs: symmetric key
/// attestation). For provisioning at the factory; the group key must not be on a device.
///
/// @param[in] group_key_base64  the group's key as base64 text; copied into memory that is wiped.
/// @param[in] registration_id  the device's registration id, not empty.
/// @param[out] out_key  not NULL; the device's key as base64 text, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the key is derived.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_key` is NULL, or a text is NULL with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  `registration_id` is empty.
/// @retval TWINGUARD_ERR_ENCODING  a text is not UTF-8.
/// @retval TWINGUARD_ERR_KEY  `group_key_base64` is not a usable key.
/// @note Ownership: the caller frees `*out_key` with twinguard_buf_free(), which wipes it.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_sas_token_new()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_derive_key(
    group_key_base64: twinguard_str,
    registration_id: twinguard_str,
    out_key: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_key.required("out_key")?;
        let registration_id = registration_id.text("registration_id")?;
        if registration_id.is_empty() {
            return Err(Failure::new(
                ErrorKind::InvalidArgument,
                "registration_id is empty",
            ));
        }
        let derived = sas::derive_key(&key(group_key_base64)?, registration_id);
        out.write(twinguard_buf::boxed(Text::from(derived.as_str())));
        Ok(())
    })
}

/// Signs with a shared access key.
///
/// HMAC-SHA256 of `data` under the key (RFC 2104). For a host that has its own connection and
/// proves with the module's key who it is: it answers a gateway's challenge, or signs a token whose
/// text is not the one of twinguard_sas_token_new(). A token is signed over its encoded resource, a
/// line feed and its expiry (IoT Hub docs: control access with shared access signatures).
///
/// @param[in] key_base64  the shared access key as base64 text; copied into memory that is wiped.
/// @param[in] data  what to sign: any bytes, also none, not only text; not copied.
/// @param[out] out_signature  not NULL; the signature's 32 bytes as 44 characters of base64, as
///                            tokens and gateways carry it, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the data is signed.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `out_signature` is NULL, or `key_base64` or `data` is NULL
///         with a length.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  a length is longer than memory.
/// @retval TWINGUARD_ERR_ENCODING  `key_base64` is not UTF-8.
/// @retval TWINGUARD_ERR_KEY  `key_base64` is not a usable key.
/// @note Ownership: the caller frees `*out_signature` with twinguard_buf_free(), which wipes it.
/// @note Threads: from anywhere.
/// @since 0.1.0
/// @see twinguard_sas_token_new()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_sign(
    key_base64: twinguard_str,
    data: twinguard_str,
    out_signature: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let out = out_signature.required("out_signature")?;
        let data = data.bytes("data")?;
        // A signature can be a password, or a derived key.
        let signature = Zeroizing::new(key(key_base64)?.hmac(data));
        let text = Zeroizing::new(STANDARD.encode(signature.as_slice()));
        out.write(twinguard_buf::boxed(Text::from(text.as_str())));
        Ok(())
    })
}

fn key(base64: twinguard_str) -> Result<SharedAccessKey, Failure> {
    let text = base64.text("key")?;
    SharedAccessKey::from_base64(text).map_err(|e| failure(ErrorKind::Key, &e))
}
