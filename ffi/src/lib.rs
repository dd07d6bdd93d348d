//! The C ABI of twinguard. What a C caller has to know stands at the top of
//! `include/twinguard.h`, which is made from this crate; what a maintainer has to know is here.
//!
//! - **Types say who owns what.** `Option<&T>` is a borrowed, nullable pointer; `Option<Box<T>>`
//!   is given away or handed over; `Option<&mut MaybeUninit<T>>` is an output, never read. So
//!   entry points hold no pointer casts, and the `unsafe` of this crate is in [`text`] (reading
//!   the caller's text) and [`log`] (calling the caller's function), each with its reason.
//! - **Every entry point is guarded** by `boundary`: a panic becomes `TWINGUARD_ERR_PANIC`, and
//!   an object that was in use is poisoned.
//! - **An entry point only translates**: checks, one call, write-back. Rules live in
//!   `twinguard-client` and `twinguard-core`.
#![allow(non_camel_case_types, reason = "the types carry their C names")]
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "doc comments are written for the C header"
)]

#[cfg(panic = "abort")]
compile_error!("twinguard-ffi contains panics at its border and needs panic = \"unwind\"");

pub mod agent;
pub mod auth;
mod boundary;
pub mod client;
pub mod configuration;
pub mod error;
pub mod event;
pub mod log;
pub mod options;
pub mod runtime;
pub mod status;
pub mod text;
pub mod twin;
pub mod version;
