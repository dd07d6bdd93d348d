//! Support code of the cross-language tests, and the bodies of the fuzz targets.

pub mod fuzz;
pub mod support;
