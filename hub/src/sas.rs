//! Shared access signatures, as a server has to read them.
//!
//! No two official clients write the same token, and IoT Hub takes them all because it signs over
//! the literal `sr` text (IoT Hub docs: control access with SAS; the SDK sources). So: HMAC over
//! the text as it came, and only the *meaning* of `sr` is compared leniently.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;
use ring::hmac;

use crate::names::HostNames;

/// Clock skew IoT Hub grants (IoT Hub docs: error 401003; SharedAccessSignatureConstants.cs).
pub(crate) const CLOCK_SKEW: u64 = 300;
/// Longest token worth reading; the longest official one stays far below.
const MAX_TOKEN: usize = 4096;

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SasError {
    #[error("token is malformed: {0}")]
    Malformed(&'static str),
    #[error("token signature does not match")]
    Signature,
    #[error("token has expired")]
    Expired,
    #[error("token does not cover the resource")]
    Resource,
}

/// A token taken apart; nothing in it is to be believed before [`Token::verify`].
pub(crate) struct Token<'a> {
    sr: &'a str,
    signature: Vec<u8>,
    se: &'a str,
    /// Expiry in seconds since 1970.
    pub(crate) expiry: u64,
    /// The policy that signed, when it was not the identity itself.
    pub(crate) policy: Option<String>,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, SasError> {
        if text.len() > MAX_TOKEN {
            return Err(SasError::Malformed("longer than 4096 bytes"));
        }
        let fields = text
            .strip_prefix("SharedAccessSignature ")
            .ok_or(SasError::Malformed(
                "does not begin with SharedAccessSignature",
            ))?;
        let (mut sr, mut sig, mut se, mut skn) = (None, None, None, None);
        for field in fields.split('&') {
            let (name, value) = field
                .split_once('=')
                .ok_or(SasError::Malformed("field without ="))?;
            let slot = match name.to_ascii_lowercase().as_str() {
                "sr" => &mut sr,
                "sig" => &mut sig,
                "se" => &mut se,
                "skn" => &mut skn,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(SasError::Malformed("field comes twice"));
            }
        }
        let se = se.ok_or(SasError::Malformed("se is missing"))?;
        Ok(Self {
            sr: sr.ok_or(SasError::Malformed("sr is missing"))?,
            signature: decode_signature(sig.ok_or(SasError::Malformed("sig is missing"))?)?,
            expiry: parse_expiry(se)?,
            se,
            policy: skn.map(decode_text).filter(|policy| !policy.is_empty()),
        })
    }

    /// Checks signature, expiry and resource.
    ///
    /// `keys` are base64 text; `path` is the resource below the host. A token for a prefix of
    /// whole segments covers everything below it.
    pub(crate) fn verify(
        &self,
        keys: [&str; 2],
        hosts: &HostNames,
        path: &[&str],
        now: u64,
    ) -> Result<(), SasError> {
        if !keys.iter().any(|key| self.signed_by(key)) {
            return Err(SasError::Signature);
        }
        if self.expiry.saturating_add(CLOCK_SKEW) < now {
            return Err(SasError::Expired);
        }
        if !self.covers(hosts, path) {
            return Err(SasError::Resource);
        }
        Ok(())
    }

    fn signed_by(&self, key: &str) -> bool {
        let Ok(key) = STANDARD.decode(key) else {
            return false;
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let text = format!("{}\n{}", self.sr, self.se);
        hmac::verify(&key, text.as_bytes(), &self.signature).is_ok()
    }

    /// The .NET device SDK encodes ids twice, the C SDK not at all, the identity service lowers
    /// the case of everything: hence three readings, compared without case.
    fn covers(&self, hosts: &HostNames, path: &[&str]) -> bool {
        let once = decode_text(self.sr);
        let twice = decode_text(&once);
        [self.sr, &once, &twice]
            .into_iter()
            .any(|sr| is_prefix(sr, hosts, path))
    }
}

fn is_prefix(sr: &str, hosts: &HostNames, path: &[&str]) -> bool {
    let mut segments = sr.split('/');
    if !segments.next().is_some_and(|host| hosts.contains(host)) {
        return false;
    }
    let mut path = path.iter();
    segments.all(|segment| {
        path.next()
            .is_some_and(|want| want.eq_ignore_ascii_case(segment))
    })
}

fn decode_signature(text: &str) -> Result<Vec<u8>, SasError> {
    let text: Vec<u8> = percent_decode(text.as_bytes()).collect();
    STANDARD
        .decode(text)
        .map_err(|_| SasError::Malformed("sig is not base64"))
}

fn parse_expiry(text: &str) -> Result<u64, SasError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SasError::Malformed("se is not a number of seconds"));
    }
    text.parse()
        .map_err(|_| SasError::Malformed("se is out of range"))
}

fn decode_text(text: &str) -> String {
    percent_decode(text.as_bytes())
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests;
