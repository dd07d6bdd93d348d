//! What needs no client: documents, configurations, durations, keys and tokens.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use serde_json::{Map, Value};
use twinguard_client::{Error, ErrorKind};
use twinguard_core::agent::{self, Acceptance, AgentOptions, Evaluation, Profile, Update};
use twinguard_core::events::configuration_errors;
use twinguard_core::identity::{SharedAccessKey, sas};
use twinguard_core::twin::document::DocumentError;
use twinguard_core::twin::patch;

use crate::errors::{guard, raise};
use crate::json;

/// Section, profile and acceptance, in the words of `twinguard/types.py`.
pub(crate) type AgentWords = (Option<String>, String, String);

/// The options for their words.
pub(crate) fn agent_options(py: Python<'_>, words: AgentWords) -> PyResult<AgentOptions> {
    let (section, profile, acceptance) = words;
    let refuse = |option: &str, word: &str| {
        raise(
            py,
            &Error::new(
                ErrorKind::AgentOptions,
                format!("{option}: unknown word {word:?}"),
            ),
        )
    };
    let profile = match profile.as_str() {
        "current" => Profile::Current,
        "legacy" => Profile::Legacy,
        "micro_agent" => Profile::MicroAgent,
        other => return Err(refuse("profile", other)),
    };
    let acceptance = match acceptance.as_str() {
        "whole" => Acceptance::Whole,
        "per_property" => Acceptance::PerProperty,
        other => return Err(refuse("acceptance", other)),
    };
    let options = AgentOptions::default()
        .with_profile(profile)
        .with_acceptance(acceptance);
    Ok(match section {
        Some(section) => options.with_section(section),
        None => options,
    })
}

/// An evaluation as a `dict`, with the payloads of the event `ConfigurationError`.
pub(crate) fn evaluation<'py>(
    py: Python<'py>,
    evaluation: &Evaluation,
) -> PyResult<Bound<'py, PyAny>> {
    let mut result = evaluation.to_json();
    let errors = configuration_errors(evaluation);
    if let Some(members) = result.as_object_mut() {
        let errors = errors.iter().map(agent_error).collect();
        members.insert("configuration_errors".to_owned(), Value::Array(errors));
    }
    json::to_python(py, &result)
}

fn agent_error(error: &twinguard_core::events::ConfigurationError) -> Value {
    error.to_json()
}

/// A desired document and the configuration by it.
#[pyclass(frozen, module = "twinguard._native")]
pub(crate) struct Shadow(Mutex<agent::Shadow>);

#[pymethods]
impl Shadow {
    #[new]
    fn new(py: Python<'_>, agent: AgentWords) -> PyResult<Self> {
        let options = agent_options(py, agent)?;
        Ok(Self(Mutex::new(agent::Shadow::new(options))))
    }

    fn apply_full(&self, py: Python<'_>, document: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        guard(py, || {
            let document = json::document(document)?;
            update(py, py.detach(|| self.shadow().apply_full(document)))
        })
    }

    fn apply_patch(&self, py: Python<'_>, patch: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        guard(py, || {
            let patch = json::document(patch)?;
            update(py, py.detach(|| self.shadow().apply_patch(&patch)))
        })
    }

    fn desired<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || {
            let desired = py.detach(|| self.shadow().desired().clone());
            section(py, desired.value(), desired.version())
        })
    }

    fn evaluation<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || {
            let found = py.detach(|| self.shadow().evaluation().clone());
            evaluation(py, &found)
        })
    }
}

impl Shadow {
    /// Only ever called detached, so that no thread waits for it with the interpreter in hand.
    fn shadow(&self) -> MutexGuard<'_, agent::Shadow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn update(py: Python<'_>, update: Result<Update, DocumentError>) -> PyResult<&'static str> {
    update
        .map(Update::name)
        .map_err(|error| refused(py, ErrorKind::Json, error))
}

/// A section of a twin as a `dict`, with its version as `$version`.
pub(crate) fn section<'py>(
    py: Python<'py>,
    value: &Value,
    version: Option<u64>,
) -> PyResult<Bound<'py, PyAny>> {
    let section = json::to_python(py, value)?;
    if let Some(version) = version {
        section.set_item("$version", version)?;
    }
    Ok(section)
}

/// `target` with a merge patch applied.
#[pyfunction]
pub(crate) fn merge_patch<'py>(
    py: Python<'py>,
    target: &Bound<'py, PyAny>,
    patch: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    guard(py, || {
        let mut target = json::document(target)?;
        patch::merge(&mut target, &json::document(patch)?);
        json::to_python(py, &target)
    })
}

/// The smallest merge patch from `old` to `new`.
#[pyfunction]
pub(crate) fn diff<'py>(
    py: Python<'py>,
    old: &Bound<'py, PyAny>,
    new: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    guard(py, || {
        let difference = patch::diff(&json::document(old)?, &json::document(new)?);
        json::to_python(py, &difference.unwrap_or_else(|| Value::Object(Map::new())))
    })
}

/// A shared access signature token.
#[pyfunction]
#[pyo3(signature = (resource, key, expiry, key_name))]
pub(crate) fn create_sas_token(
    py: Python<'_>,
    resource: &str,
    key: &str,
    expiry: i64,
    key_name: Option<&str>,
) -> PyResult<String> {
    guard(py, || {
        let key = read_key(py, key)?;
        let expected = "expiry: expected seconds since 1970";
        let expiry = u64::try_from(expiry);
        let expiry = expiry.map_err(|_| refused(py, ErrorKind::InvalidArgument, expected))?;
        let token = py.detach(|| sas::create_token(&key, resource, expiry, key_name));
        let token = token.map_err(|error| refused(py, ErrorKind::Signer, error))?;
        Ok(token.as_str().to_owned())
    })
}

/// A device's key from the key of its enrolment group.
#[pyfunction]
pub(crate) fn derive_key(py: Python<'_>, group_key: &str, id: &str) -> PyResult<String> {
    guard(py, || {
        Ok(sas::derive_key(&read_key(py, group_key)?, id).to_string())
    })
}

/// The HMAC-SHA256 of `data`, which `bytes` cannot change while the interpreter is free.
#[pyfunction]
pub(crate) fn sign(py: Python<'_>, key: &str, data: &[u8]) -> PyResult<[u8; 32]> {
    guard(py, || {
        let key = read_key(py, key)?;
        Ok(py.detach(|| key.hmac(data)))
    })
}

/// Milliseconds of an ISO 8601 duration.
#[pyfunction]
pub(crate) fn parse_duration(py: Python<'_>, text: &str) -> PyResult<u64> {
    guard(py, || {
        let duration = text.parse::<agent::Duration>();
        let duration = duration.map_err(|error| refused(py, ErrorKind::InvalidArgument, error))?;
        Ok(duration.as_millis())
    })
}

/// The normal text of a duration.
#[pyfunction]
pub(crate) fn format_duration(py: Python<'_>, microseconds: i128) -> PyResult<String> {
    guard(py, || {
        let millis = u64::try_from(microseconds / 1000)
            .ok()
            .filter(|_| microseconds % 1000 == 0);
        let duration = millis.and_then(|millis| agent::Duration::from_millis(millis).ok());
        let expected = "expected a duration from 1 s to 366 days in whole milliseconds";
        let duration = duration.ok_or(expected);
        Ok(duration
            .map_err(|text| refused(py, ErrorKind::InvalidArgument, text))?
            .to_string())
    })
}

fn read_key(py: Python<'_>, text: &str) -> PyResult<SharedAccessKey> {
    SharedAccessKey::from_base64(text).map_err(|error| refused(py, ErrorKind::Key, error))
}

fn refused(py: Python<'_>, kind: ErrorKind, error: impl Display) -> PyErr {
    raise(py, &Error::new(kind, error.to_string()))
}
