//! Symmetric keys and the signer trait.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Bytes of an HMAC-SHA256 block: a shorter key is padded to it, a longer one hashed (RFC 2104).
const BLOCK_BYTES: usize = 64;
/// Base64 characters of a key.
const MAX_BASE64_CHARS: usize = 256;
/// Bytes that [`MAX_BASE64_CHARS`] can stand for.
const MAX_KEY_BYTES: usize = 192;

/// Something that signs for an identity: a key in memory, or a host's secure element.
///
/// A signer may be slow (a TPM takes hundreds of milliseconds) and is never called on the thread
/// that serves connections.
pub trait Signer: Send + Sync {
    /// The HMAC-SHA256 of `data` under the identity's key.
    ///
    /// # Errors
    /// [`SignError`] with the signer's own words when it cannot sign.
    fn sign(&self, data: &[u8]) -> Result<[u8; 32], SignError>;
}

/// A signer could not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signer: {reason}")]
pub struct SignError {
    reason: String,
}

impl SignError {
    /// An error with the signer's reason: one line, and nothing secret in it.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// A symmetric key, held in memory and wiped when dropped. It is never formatted.
#[derive(Clone)]
pub struct SharedAccessKey {
    /// The key as HMAC uses it: one block, filled up with zeros. No other copy is kept.
    block: Zeroizing<[u8; BLOCK_BYTES]>,
}

impl SharedAccessKey {
    /// Reads a key from base64 text: the standard alphabet, padded, nothing around it.
    ///
    /// 1 to 256 characters. Hubs make keys of 32 bytes or more, and the provisioning service asks for
    /// 16 to 64 (IoT Hub DPS docs: symmetric key attestation); a bound for hub keys is not
    /// documented, so every length that fits the text is taken.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong and shows nothing of the text.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > MAX_BASE64_CHARS {
            return Err(KeyError::TooLong { actual: text.len() });
        }
        let mut buffer = Zeroizing::new([0_u8; MAX_KEY_BYTES]);
        let length = STANDARD
            .decode_slice(text, buffer.as_mut_slice())
            .map_err(|_| KeyError::NotBase64)?;
        let key = buffer
            .get(..length)
            .filter(|key| !key.is_empty())
            .ok_or(KeyError::NotBase64)?;
        let mut block = Zeroizing::new([0_u8; BLOCK_BYTES]);
        if key.len() > BLOCK_BYTES {
            let hash = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
            fill(&mut block, hash.as_slice());
        } else {
            fill(&mut block, key);
        }
        Ok(Self { block })
    }

    /// The HMAC-SHA256 of `data`. Unlike [`Signer::sign`] it cannot fail.
    #[must_use]
    pub fn hmac(&self, data: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new((&*self.block).into());
        mac.update(data);
        mac.finalize().into_bytes().into()
    }
}

fn fill(block: &mut [u8; BLOCK_BYTES], key: &[u8]) {
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
}

impl Signer for SharedAccessKey {
    fn sign(&self, data: &[u8]) -> Result<[u8; 32], SignError> {
        Ok(self.hmac(data))
    }
}

impl fmt::Debug for SharedAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAccessKey(hidden)")
    }
}

/// Why a text is not a key. Nothing of the text is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing there.
    #[error("key is empty")]
    Empty,
    /// More characters than a key has.
    #[error("key of {actual} characters, at most {MAX_BASE64_CHARS} allowed")]
    TooLong {
        /// Characters given.
        actual: usize,
    },
    /// Not base64.
    #[error("key is not base64 (standard alphabet with padding, no spaces)")]
    NotBase64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// RFC 4231, test cases 1, 2 and 6: key shorter than a block, very short, longer than a block.
    #[test]
    fn hmac_matches_rfc_4231() {
        let cases: [(&[u8], &str, &str); 3] = [
            (
                &[0x0b; 20],
                "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, data, expected) in cases {
            let key = SharedAccessKey::from_base64(&STANDARD.encode(key)).unwrap();
            assert_eq!(hex(&key.sign(data.as_bytes()).unwrap()), expected);
        }
    }

    #[test]
    fn keys_have_borders() {
        assert!(SharedAccessKey::from_base64("AA==").is_ok());
        assert!(SharedAccessKey::from_base64(&"A".repeat(256)).is_ok());
        let cases = [
            ("", KeyError::Empty),
            (&"A".repeat(257), KeyError::TooLong { actual: 257 }),
            ("AA", KeyError::NotBase64),
            ("AB==", KeyError::NotBase64),
            ("AAAA\n", KeyError::NotBase64),
            (" AAAA", KeyError::NotBase64),
            ("A_-A", KeyError::NotBase64),
            ("====", KeyError::NotBase64),
            ("é", KeyError::NotBase64),
        ];
        for (text, expected) in cases {
            assert_eq!(
                SharedAccessKey::from_base64(text).unwrap_err(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = SharedAccessKey::from_base64("c2VjcmV0").unwrap();
        assert_eq!(format!("{key:?}"), "SharedAccessKey(hidden)");
    }
}
