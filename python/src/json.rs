//! Between Python's JSON types and ours.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};
use twinguard_client::{Error, ErrorKind};
use twinguard_core::twin::json::MAX_PARSE_DEPTH;
use twinguard_core::twin::pointer;

use crate::errors::raise;

/// Reads a `dict`, `list`, `tuple`, `str`, `int`, `float`, `bool` or `None`, and nothing else. The
/// same bounds hold as for JSON text, so a structure that holds itself ends as an error.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let mut walk = Walk {
        pointer: String::new(),
        depth: 1,
    };
    walk.value(object)
}

/// Reads a document: a value that has to be a `dict`.
pub(crate) fn document(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_instance_of::<PyDict>() {
        return from_python(object);
    }
    let found = object.get_type().name()?;
    let message = format!("expected a document as dict, found {found}");
    Err(raise(object.py(), &Error::new(ErrorKind::Json, message)))
}

/// Makes the Python form of a value.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => number_to_python(py, number)?,
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(members) => {
            let dict = PyDict::new(py);
            for (key, member) in members {
                dict.set_item(key, to_python(py, member)?)?;
            }
            dict.into_any()
        }
    })
}

fn number_to_python<'py>(py: Python<'py>, number: &Number) -> PyResult<Bound<'py, PyAny>> {
    if let Some(number) = number.as_i64() {
        return Ok(number.into_pyobject(py)?.into_any());
    }
    if let Some(number) = number.as_u64() {
        return Ok(number.into_pyobject(py)?.into_any());
    }
    let number = number
        .as_f64()
        .ok_or_else(|| PyRuntimeError::new_err("not a number"))?;
    Ok(PyFloat::new(py, number).into_any())
}

/// Where the walk over a Python structure is.
struct Walk {
    pointer: String,
    depth: usize,
}

impl Walk {
    fn value(&mut self, object: &Bound<'_, PyAny>) -> PyResult<Value> {
        if object.is_none() {
            return Ok(Value::Null);
        }
        if let Ok(flag) = object.cast::<PyBool>() {
            return Ok(Value::Bool(flag.is_true()));
        }
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Value::String(self.text(text)?));
        }
        if object.is_instance_of::<PyInt>() {
            return self.integer(object);
        }
        if let Ok(number) = object.cast::<PyFloat>() {
            let finite = Number::from_f64(number.value()).map(Value::Number);
            return finite.ok_or_else(|| self.refuse(object.py(), "expected a finite number"));
        }
        self.container(object)
    }

    fn container(&mut self, object: &Bound<'_, PyAny>) -> PyResult<Value> {
        let py = object.py();
        if self.depth > MAX_PARSE_DEPTH {
            let message = format!("nested deeper than {MAX_PARSE_DEPTH} levels");
            return Err(self.refuse(py, &message));
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            return self.members(dict);
        }
        if let Ok(list) = object.cast::<PyList>() {
            return self.items(list.iter());
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            return self.items(tuple.iter());
        }
        let found = object.get_type().name()?;
        Err(self.refuse(py, &format!("{found} is not a JSON type")))
    }

    fn members(&mut self, dict: &Bound<'_, PyDict>) -> PyResult<Value> {
        let here = self.pointer.len();
        let mut members = Map::new();
        for (key, value) in dict.iter() {
            let Ok(key) = key.cast::<PyString>() else {
                let found = key.get_type().name()?;
                let message = format!("expected str as key, found {found}");
                return Err(self.refuse(dict.py(), &message));
            };
            let key = self.text(key)?;
            pointer::push_key(&mut self.pointer, &key);
            let value = self.below(&value)?;
            self.pointer.truncate(here);
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }

    fn items<'py>(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>) -> PyResult<Value> {
        let here = self.pointer.len();
        let mut array = Vec::new();
        for (index, item) in items.enumerate() {
            pointer::push_index(&mut self.pointer, index);
            array.push(self.below(&item)?);
            self.pointer.truncate(here);
        }
        Ok(Value::Array(array))
    }

    fn below(&mut self, object: &Bound<'_, PyAny>) -> PyResult<Value> {
        self.depth = self.depth.saturating_add(1);
        let value = self.value(object);
        self.depth = self.depth.saturating_sub(1);
        value
    }

    fn integer(&self, object: &Bound<'_, PyAny>) -> PyResult<Value> {
        if let Ok(number) = object.extract::<i64>() {
            return Ok(Value::from(number));
        }
        let number = object.extract::<u64>();
        number
            .map(Value::from)
            .map_err(|_| self.refuse(object.py(), "integer does not fit 64 bits"))
    }

    fn text(&self, text: &Bound<'_, PyString>) -> PyResult<String> {
        // Fails for lone surrogates only.
        text.extract().map_err(|_| {
            let message = format!("{}: text is not Unicode", self.place());
            self.raised(text.py(), ErrorKind::Encoding, message)
        })
    }

    fn refuse(&self, py: Python<'_>, message: &str) -> PyErr {
        self.raised(py, ErrorKind::Json, format!("{}: {message}", self.place()))
    }

    fn raised(&self, py: Python<'_>, kind: ErrorKind, message: String) -> PyErr {
        raise(py, &Error::new(kind, message).with_pointer(&*self.pointer))
    }

    fn place(&self) -> &str {
        if self.pointer.is_empty() {
            "document"
        } else {
            &self.pointer
        }
    }
}
