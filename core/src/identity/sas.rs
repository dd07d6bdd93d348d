//! Shared access signatures: the password of a symmetric-key identity.
//!
//! A token is `SharedAccessSignature sr={resource}&sig={signature}&se={expiry}[&skn={policy}]`; the
//! signature is the HMAC-SHA256 of the encoded resource, a line feed and the expiry (IoT Hub docs:
//! control access with shared access signatures). The hub signs over the resource exactly as it
//! stands in the token, and client libraries differ in how they encode it. Ours is the form of
//! `azure-iot-device` for Python, byte for byte.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::key::{SharedAccessKey, SignError, Signer};
use super::percent;

/// Bytes of a ready token. Real ones stay below 1 KiB.
const MAX_TOKEN_BYTES: usize = 4096;
/// Characters of a signature: 44 of base64, each percent-encoded at worst.
const MAX_SIGNATURE_CHARS: usize = 132;
/// Characters of the scheme, the field names and the 20 digits of an expiry.
const MAX_FRAME_CHARS: usize = 64;
const SCHEME: &str = "SharedAccessSignature ";

/// A token before it is signed. Splitting the work lets a signer live on another thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SasRequest {
    resource: String,
    expires_unix_s: u64,
    policy: Option<String>,
}

impl SasRequest {
    /// Asks for a token for `resource` (not encoded, no scheme), valid until `expires_unix_s` in
    /// seconds since 1970-01-01 UTC. `policy` names the access policy whose key signs; `None` for
    /// the key of an identity.
    #[must_use]
    pub fn new(resource: &str, expires_unix_s: u64, policy: Option<&str>) -> Self {
        Self {
            resource: percent::encode(resource),
            expires_unix_s,
            policy: policy.map(percent::encode),
        }
    }

    /// What has to be signed.
    #[must_use]
    pub fn string_to_sign(&self) -> String {
        format!("{}\n{}", self.resource, self.expires_unix_s)
    }

    /// The token with its signature.
    #[must_use]
    pub fn into_token(self, signature: &[u8; 32]) -> SasToken {
        // In one buffer that never grows: a buffer left behind would not be wiped.
        let signature = Zeroizing::new(STANDARD.encode(signature));
        let policy = self
            .policy
            .map(|policy| format!("&skn={policy}"))
            .unwrap_or_default();
        let around = [
            self.resource.len(),
            policy.len(),
            MAX_SIGNATURE_CHARS,
            MAX_FRAME_CHARS,
        ];
        let room = around.into_iter().fold(0, usize::saturating_add);
        let mut text = Zeroizing::new(String::with_capacity(room));
        text.push_str(SCHEME);
        text.push_str("sr=");
        text.push_str(&self.resource);
        text.push_str("&sig=");
        percent::encode_into(&mut text, &signature);
        text.push_str("&se=");
        text.push_str(&self.expires_unix_s.to_string());
        text.push_str(&policy);
        SasToken {
            text,
            expires_unix_s: self.expires_unix_s,
        }
    }
}

/// Makes a token in one go; see [`SasRequest::new`] for the arguments.
///
/// # Errors
/// [`SignError`] when the signer cannot sign.
pub fn create_token(
    signer: &dyn Signer,
    resource: &str,
    expires_unix_s: u64,
    policy: Option<&str>,
) -> Result<SasToken, SignError> {
    let request = SasRequest::new(resource, expires_unix_s, policy);
    let signature = signer.sign(request.string_to_sign().as_bytes())?;
    Ok(request.into_token(&signature))
}

/// The key of one device of a provisioning group, as base64 text: the HMAC-SHA256 of the
/// registration id under the group key (IoT Hub DPS docs: symmetric key attestation). The id is taken
/// as it is; by convention it is in lower case.
#[must_use]
pub fn derive_key(group: &SharedAccessKey, registration_id: &str) -> Zeroizing<String> {
    let key = Zeroizing::new(group.hmac(registration_id.as_bytes()));
    Zeroizing::new(STANDARD.encode(key.as_slice()))
}

/// A ready token, wiped when dropped. It is a password until it expires, and never formatted.
#[derive(Clone)]
pub struct SasToken {
    text: Zeroizing<String>,
    expires_unix_s: u64,
}

impl SasToken {
    /// Takes over a token that someone else made. Its shape is checked; whether the hub accepts the
    /// signature only the hub knows.
    ///
    /// # Errors
    /// [`SasTokenError`] names the field and shows nothing of its value.
    pub fn parse(text: &str) -> Result<Self, SasTokenError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(SasTokenError::TooLong { actual: text.len() });
        }
        let fields = text.strip_prefix(SCHEME).ok_or(SasTokenError::Scheme)?;
        if !fields.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SasTokenError::Characters);
        }
        let [sr, sig, se, _policy] = split_fields(fields)?;
        sr.ok_or(SasTokenError::Missing("sr"))?;
        check_signature(sig.ok_or(SasTokenError::Missing("sig"))?)?;
        let se = se.ok_or(SasTokenError::Missing("se"))?;
        let digits = se.bytes().all(|b| b.is_ascii_digit());
        let expires = se
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or(SasTokenError::Expiry)?;
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            expires_unix_s: expires,
        })
    }

    /// The token, for the password field of CONNECT.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// When it expires, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_unix_s
    }
}

impl FromStr for SasToken {
    type Err = SasTokenError;

    fn from_str(text: &str) -> Result<Self, SasTokenError> {
        Self::parse(text)
    }
}

impl fmt::Debug for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SasToken(hidden, expires_at: {})", self.expires_unix_s)
    }
}

/// Why a text is not a shared access signature. Nothing of the text is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SasTokenError {
    /// More bytes than any token has.
    #[error("token of {actual} bytes, at most {MAX_TOKEN_BYTES} allowed")]
    TooLong {
        /// Bytes given.
        actual: usize,
    },
    /// It does not begin with the scheme word and one space.
    #[error("token does not begin with \"SharedAccessSignature \"")]
    Scheme,
    /// White space, a control character or a character beyond ASCII after the scheme.
    #[error("token holds white space or characters beyond printable ASCII")]
    Characters,
    /// A field that no token has, or text without `=`.
    #[error("token holds a field other than sr, sig, se and skn")]
    UnknownField,
    /// A field stands there twice.
    #[error("token field {0} given twice")]
    Duplicate(&'static str),
    /// A field is not there.
    #[error("token field {0} is missing")]
    Missing(&'static str),
    /// A field is there, but empty.
    #[error("token field {0} is empty")]
    Empty(&'static str),
    /// `sig` is not 32 bytes in percent-encoded base64.
    #[error("token field sig is not a percent-encoded base64 HMAC-SHA256")]
    Signature,
    /// `se` is not a whole number of seconds.
    #[error("token field se is not a whole number of seconds")]
    Expiry,
}

const FIELD_NAMES: [&str; 4] = ["sr", "sig", "se", "skn"];

/// The values of sr, sig, se and skn, in whatever order they stand.
fn split_fields(text: &str) -> Result<[Option<&str>; 4], SasTokenError> {
    let mut values = [None; 4];
    for field in text.split('&') {
        // At the first `=`: an id in a raw resource may hold another.
        let (name, value) = field.split_once('=').ok_or(SasTokenError::UnknownField)?;
        let (slot, name) = values
            .iter_mut()
            .zip(FIELD_NAMES)
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .ok_or(SasTokenError::UnknownField)?;
        if value.is_empty() {
            return Err(SasTokenError::Empty(name));
        }
        if slot.replace(value).is_some() {
            return Err(SasTokenError::Duplicate(name));
        }
    }
    Ok(values)
}

fn check_signature(text: &str) -> Result<(), SasTokenError> {
    let decoded = percent::decode(text)
        .map(Zeroizing::new)
        .map_err(|_| SasTokenError::Signature)?;
    let bytes = STANDARD
        .decode(decoded)
        .map_err(|_| SasTokenError::Signature)?;
    if bytes.len() == 32 {
        Ok(())
    } else {
        Err(SasTokenError::Signature)
    }
}

#[cfg(test)]
mod tests;
