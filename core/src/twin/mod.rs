//! The module twin: JSON documents, merge patches, versions and limits.
//!
//! Everything here is a pure function of its arguments. A twin *section* (desired or reported)
//! is a JSON object in *normal form*: no object member is `null`, because in a twin a `null`
//! means "delete this" and never "the value null" (IoT Hub docs: device twins).

pub(crate) mod desired;
pub mod document;
pub mod json;
pub mod limits;
mod overlay;
pub mod patch;
pub mod pointer;
pub(crate) mod reported;
