//! Text across the border: pointer and length in, NUL-ended and owned by an object out.

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::slice;

use twinguard_client::ErrorKind;
use zeroize::Zeroizing;

use crate::boundary;
use crate::error::Failure;

/// Text as pointer and length, passed by value.
///
/// As an argument: UTF-8, no NUL needed, readable until the call returns; make one with
/// TWINGUARD_STR("literal") or twinguard_str_c(pointer). `ptr` NULL with `len` 0 is the empty text.
/// As a result: borrowed from the object that gave it, NUL-ended with no NUL inside, so that `%s`
/// works; `ptr` is NULL when there is no such text.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twinguard_str {
    // Private to this module: a value made in Rust is right by construction, and one that comes
    // from C is covered by the contract above. That is what makes reading it safe.
    /// First byte; NULL when there is no text.
    ptr: *const c_char,
    /// Bytes, without the NUL.
    len: usize,
}

impl twinguard_str {
    /// No text.
    pub(crate) const NONE: Self = Self {
        ptr: std::ptr::null(),
        len: 0,
    };

    /// Text that lives as long as the program.
    pub(crate) const fn literal(text: &'static CStr) -> Self {
        Self {
            ptr: text.as_ptr(),
            len: text.count_bytes(),
        }
    }

    /// Text borrowed from an object of ours.
    pub(crate) fn of(text: &Text) -> Self {
        Self {
            ptr: text.0.as_ptr(),
            len: text.0.count_bytes(),
        }
    }

    /// Text that may be missing.
    pub(crate) fn of_option(text: Option<&Text>) -> Self {
        text.map_or(Self::NONE, Self::of)
    }

    /// Text for the length of one callback. Not NUL-ended.
    pub(crate) fn lend(text: &str) -> Lent<'_> {
        let whole = Self {
            ptr: text.as_ptr().cast(),
            len: text.len(),
        };
        Lent(whole, PhantomData)
    }

    /// The caller's bytes.
    pub(crate) fn bytes(&self, name: &'static str) -> Result<&[u8], Failure> {
        if self.ptr.is_null() {
            return match self.len {
                0 => Ok(&[]),
                _ => Err(Failure::new(
                    ErrorKind::NullArgument,
                    format!("{name}.ptr is NULL"),
                )),
            };
        }
        if isize::try_from(self.len).is_err() {
            let message = format!("{name}.len is {}: longer than memory", self.len);
            return Err(Failure::new(ErrorKind::InvalidArgument, message));
        }
        // SAFETY: not NULL, of a possible length, and by the contract of the type readable for
        // `len` bytes until the call returns; the borrow of `self`, a parameter, ends before that.
        Ok(unsafe { slice::from_raw_parts(self.ptr.cast::<u8>(), self.len) })
    }

    /// The caller's text.
    pub(crate) fn text(&self, name: &'static str) -> Result<&str, Failure> {
        std::str::from_utf8(self.bytes(name)?).map_err(|e| {
            let message = format!("{name}: byte {} is not UTF-8", e.valid_up_to());
            Failure::new(ErrorKind::Encoding, message)
        })
    }
}

/// A [`twinguard_str`] that cannot outlive its text.
pub(crate) struct Lent<'a>(twinguard_str, PhantomData<&'a str>);

impl Lent<'_> {
    /// The value to pass to a callback.
    pub(crate) fn get(&self) -> twinguard_str {
        self.0
    }
}

/// Text of ours that C may look at: NUL-ended, no NUL inside.
#[derive(Clone, Default)]
pub(crate) struct Text(CString);

impl Text {
    /// The text without its NUL.
    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        // Room for the NUL at once: a secret must not leave a copy behind in a buffer that grew.
        let mut bytes = Vec::with_capacity(text.len().saturating_add(1));
        bytes.extend_from_slice(text.as_bytes());
        Self(CString::new(bytes).unwrap_or_else(|_| {
            // A NUL can only come from outside (a key of a twin); it is shown, not obeyed.
            CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
        }))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&serde_json::Value> for Text {
    fn from(value: &serde_json::Value) -> Self {
        Self::from(value.to_string())
    }
}

/// Owned text: the result of a call that makes one. Wiped when freed.
// Bytes with the NUL at the end.
pub struct twinguard_buf(Zeroizing<Vec<u8>>);

impl twinguard_buf {
    /// Boxes the text for the caller.
    pub(crate) fn boxed(text: Text) -> Option<Box<Self>> {
        Some(Box::new(Self(Zeroizing::new(text.0.into_bytes_with_nul()))))
    }
}

/// The text in a buffer.
///
/// Borrow it for as long as the buffer lives.
///
/// @param[in] buf  may be NULL.
/// @return the text, NUL-ended; none (ptr NULL) when `buf` is NULL.
/// @note Ownership: borrowed from `buf` until twinguard_buf_free().
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_buf_free()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_buf_text(buf: Option<&twinguard_buf>) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || match buf {
        None => twinguard_str::NONE,
        Some(buf) => twinguard_str {
            ptr: buf.0.as_ptr().cast(),
            len: buf.0.len().saturating_sub(1),
        },
    })
}

/// Frees a buffer and wipes its text.
///
/// Call it once for every buffer that a call gave.
///
/// @param[in] buf  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `buf`; text borrowed from it ends.
/// @note Threads: no other call on `buf` at the same time.
/// @since 0.1.0
/// @see twinguard_buf_text()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_buf_free(buf: Option<Box<twinguard_buf>>) {
    boundary::free(buf);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_checked_before_they_are_read() {
        assert_eq!(twinguard_str::NONE.text("x").unwrap(), "");
        let null = twinguard_str {
            ptr: std::ptr::null(),
            len: 3,
        };
        assert_eq!(
            null.text("x").unwrap_err().code(),
            ErrorKind::NullArgument.code()
        );
        let endless = twinguard_str {
            ptr: c"x".as_ptr(),
            len: usize::MAX,
        };
        assert_eq!(
            endless.text("x").unwrap_err().code(),
            ErrorKind::InvalidArgument.code()
        );
        let latin = twinguard_str {
            ptr: [b'a', 0xe9].as_ptr().cast(),
            len: 2,
        };
        let failure = latin.text("name").unwrap_err();
        assert_eq!(failure.code(), ErrorKind::Encoding.code());
        assert_eq!(failure.to_string(), "name: byte 1 is not UTF-8");
    }

    #[test]
    fn text_of_ours_has_no_nul_inside() {
        assert_eq!(Text::from("a\0b").as_str(), "a\u{fffd}b");
        assert_eq!(Text::from("").as_str(), "");
    }
}
