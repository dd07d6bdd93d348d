//! Support code of the cross-language tests.
