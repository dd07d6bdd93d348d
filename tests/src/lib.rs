//! Support code of the cross-language tests.

pub mod support;
