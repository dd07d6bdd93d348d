//! Which version the library is.

use std::ffi::CStr;

use crate::text::twinguard_str;

const TEXT: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    };

/// One part of the version, at compile time.
const fn part(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => 0,
    }
}

const NUMBER: u32 = (part(env!("CARGO_PKG_VERSION_MAJOR")) << 16)
    | (part(env!("CARGO_PKG_VERSION_MINOR")) << 8)
    | part(env!("CARGO_PKG_VERSION_PATCH"));

/// The version of the library that runs, as a number.
///
/// Assert at start-up that header and library agree:
/// `assert(twinguard_version_number() >> 8 == TWINGUARD_VERSION_NUMBER >> 8)`.
///
/// @return major << 16 | minor << 8 | patch, as TWINGUARD_VERSION_NUMBER.
/// @note Ownership: nothing changes hands.
/// @note Threads: from anywhere, also from a signal handler and after fork.
/// @since 0.1.0
/// @see twinguard_version_string()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_version_number() -> u32 {
    NUMBER
}

/// The version of the library that runs, as text.
///
/// For people and logs; compare the number.
///
/// @return "major.minor.patch", as TWINGUARD_VERSION_STRING.
/// @note Ownership: lives as long as the program, or until the library is unloaded.
/// @note Threads: from anywhere, also from a signal handler and after fork.
/// @since 0.1.0
/// @see twinguard_version_number()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_version_string() -> twinguard_str {
    twinguard_str::literal(TEXT)
}
