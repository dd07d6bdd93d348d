//! The compiled part of the Python package `twinguard`: thin classes over `twinguard-client` and
//! functions over `twinguard-core`. It hands out plain values; `twinguard/_convert.py` makes the
//! public types of them.
//!
//! Whatever can wait does so detached from the interpreter, and no lock of ours is held while Python
//! code runs.

mod client;
mod errors;
mod events;
mod json;
mod log;
mod pure;

use pyo3::prelude::*;

/// The module `twinguard._native`; private to the package.
#[pymodule]
mod _native {
    use pyo3::prelude::*;
    use twinguard_client::ErrorKind;

    #[pymodule_export]
    use crate::client::{Client, Runtime};
    #[pymodule_export]
    use crate::pure::{
        Shadow, create_sas_token, derive_key, diff, format_duration, merge_patch, parse_duration,
        sign,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let kinds = ErrorKind::ALL
            .iter()
            .map(|kind| (kind.code(), kind.name(), kind.text()));
        module.add("ERROR_KINDS", kinds.collect::<Vec<_>>())
    }

    /// Panics, so that a test can see what becomes of it. Not in a release build.
    #[cfg(debug_assertions)]
    #[pyfunction]
    fn panic_for_test(py: Python<'_>) -> PyResult<()> {
        crate::errors::guard(py, || std::panic::panic_any("on purpose"))
    }
}
