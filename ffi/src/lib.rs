//! twinguard-ffi
