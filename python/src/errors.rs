//! From our errors to Python's exceptions, which `twinguard/exceptions.py` defines.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use twinguard_client::{Error, ErrorKind};

/// The exception for an error, with its causes below it.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let kind = error.kind();
    let arguments = (
        kind.code(),
        kind.name(),
        error.to_string(),
        error.is_retryable(),
        error.pointer(),
    );
    let made = py
        .import("twinguard.exceptions")
        .and_then(|module| module.getattr("error_of")?.call1(arguments));
    let raised = made.map_or_else(|defect| defect, PyErr::from_value);
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let cause = causes
        .into_iter()
        .rev()
        .fold(None, |below: Option<PyErr>, text| {
            let cause = PyRuntimeError::new_err(text);
            cause.set_cause(py, below);
            Some(cause)
        });
    raised.set_cause(py, cause);
    raised
}

/// Runs the body of an entry point. A panic becomes an `InternalError`: PyO3's own answer to a panic
/// escapes `except Exception`.
pub(crate) fn guard<T>(py: Python<'_>, body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Err(raise(
            py,
            &Error::new(ErrorKind::Panic, format!("caught a panic: {text}")),
        ))
    })
}
