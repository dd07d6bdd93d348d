//! Events as plain Python values: a word for the kind, and a `dict` of what it tells.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::Value;
use twinguard_client::{ErrorKind, Event};
use twinguard_core::module::{DesiredChange, Origin, ReportedOutcome, StateChange, Trouble};

use crate::json;
use crate::pure;

/// The kind of an event and its content.
pub(crate) type Raw<'py> = (&'static str, Bound<'py, PyAny>);

/// The event, or `None` for one that only calls of the library itself wait for.
pub(crate) fn raw<'py>(py: Python<'py>, event: &Event) -> PyResult<Option<Raw<'py>>> {
    Ok(match event {
        Event::State(change) => Some(("state", state(py, change)?)),
        Event::Desired(change) => Some(("desired", desired(py, change)?)),
        Event::Configuration(found) => Some(("configuration", pure::evaluation(py, found)?)),
        Event::Reported(outcome) => reported(py, outcome)?,
        Event::Trouble(trouble) => Some(("trouble", trouble_of(py, trouble)?)),
        _ => None,
    })
}

fn state<'py>(py: Python<'py>, change: &StateChange) -> PyResult<Bound<'py, PyAny>> {
    let content = PyDict::new(py);
    content.set_item("state", change.state as i32)?;
    let trouble = change
        .trouble
        .as_ref()
        .map(|trouble| trouble_of(py, trouble))
        .transpose()?;
    content.set_item("trouble", trouble)?;
    content.set_item("retry_in_ms", change.retry_in_ms)?;
    Ok(content.into_any())
}

fn desired<'py>(py: Python<'py>, change: &DesiredChange) -> PyResult<Bound<'py, PyAny>> {
    let (patch, found) = py.detach(|| (change.patch(), change.changes()));
    let changes = PyList::empty(py);
    for one in &found {
        let entry = PyDict::new(py);
        entry.set_item("pointer", &one.pointer)?;
        entry.set_item(
            "old",
            json::to_python(py, one.old.as_ref().unwrap_or(&Value::Null))?,
        )?;
        entry.set_item(
            "new",
            json::to_python(py, one.new.as_ref().unwrap_or(&Value::Null))?,
        )?;
        entry.set_item("deleted", one.is_deletion())?;
        changes.append(entry)?;
    }
    let content = PyDict::new(py);
    content.set_item("version", change.version)?;
    content.set_item("patch", json::to_python(py, &patch)?)?;
    content.set_item("changes", changes)?;
    let stored = change.origin == Origin::Stored;
    content.set_item("origin", if stored { "stored" } else { "hub" })?;
    Ok(content.into_any())
}

fn reported<'py>(py: Python<'py>, outcome: &ReportedOutcome) -> PyResult<Option<Raw<'py>>> {
    let content = PyDict::new(py);
    let kind = match outcome {
        ReportedOutcome::Acknowledged {
            generation,
            version,
        } => {
            content.set_item("generation", generation)?;
            content.set_item("version", version)?;
            "reported"
        }
        ReportedOutcome::Refused {
            generation,
            status,
            message,
        } => {
            content.set_item("generation", generation)?;
            content.set_item("status", status)?;
            content.set_item("message", message)?;
            "reported_refused"
        }
        _ => return Ok(None),
    };
    Ok(Some((kind, content.into_any())))
}

fn trouble_of<'py>(py: Python<'py>, trouble: &Trouble) -> PyResult<Bound<'py, PyAny>> {
    let kind = ErrorKind::of_trouble(trouble);
    let content = PyDict::new(py);
    content.set_item("status", kind.code())?;
    content.set_item("name", kind.name())?;
    content.set_item("message", &trouble.message)?;
    content.set_item("hub_status", trouble.status)?;
    Ok(content.into_any())
}
