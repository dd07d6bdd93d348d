//! Runs `vectors-agent-config.json`: twin documents, durations, configuration errors and micro
//! agent documents, all of them, however many there are. `TWINGUARD_VECTORS` names another folder
//! with a file of the same name and shape. A field this runner does not know fails its vector, so
//! that nothing is skipped in silence.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test runner reads files and its environment, and may fail loudly"
)]

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use twinguard_core::agent::{
    AgentConfiguration, AgentOptions, Duration, Evaluation, MicroAgentConfiguration, Profile,
    Shadow,
};
use twinguard_core::events::configuration_errors;

type Checked = Result<(), String>;

#[test]
fn agent_configuration_vectors() {
    let file = read_vectors();
    let defaults = &file["defaults"]["library"];
    assert_eq!(
        &AgentConfiguration::default().to_json(),
        defaults,
        "defaults.library"
    );
    let mut ran = 0;
    let mut failed = Vec::new();
    let mut run = |list: &str, check: &dyn Fn(&Value) -> Checked| {
        for vector in file[list]
            .as_array()
            .unwrap_or_else(|| panic!("{list}: no such list"))
        {
            ran += 1;
            if let Err(why) = check(vector) {
                failed.push(format!("{}: {why}", vector["id"]));
            }
        }
    };
    run("duration_vectors", &duration_vector);
    run("config_error_vectors", &config_error_vector);
    run("micro_agent_vectors", &micro_agent_vector);
    run("twin_vectors", &|vector| twin_vector(vector, defaults));

    println!(
        "vectors rust agent-config: ran {ran} passed {}",
        ran - failed.len()
    );
    assert!(ran > 0, "the file has no vectors");
    assert!(failed.is_empty(), "failing vectors:\n{}", failed.join("\n"));
}

fn read_vectors() -> Value {
    let folder = std::env::var_os("TWINGUARD_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors")),
        PathBuf::from,
    );
    let path = folder.join("vectors-agent-config.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn duration_vector(vector: &Value) -> Checked {
    only(
        vector,
        &[
            "id",
            "text",
            "source",
            "note",
            "agent_c",
            "agent_csharp",
            "library",
        ],
    )?;
    let text = vector["text"].as_str().ok_or("no text")?;
    let actual = text.parse::<Duration>().map_or(
        Value::Null,
        |duration| json!({ "ms": duration.as_millis(), "reported": duration.to_string() }),
    );
    same("library", &actual, &vector["library"])
}

fn config_error_vector(vector: &Value) -> Checked {
    only(
        vector,
        &["id", "name", "source", "note", "desired", "expect"],
    )?;
    only(
        &vector["expect"],
        &["library_payload", "agent_c_payload", "agent_csharp_payload"],
    )?;
    let mut shadow = Shadow::new(AgentOptions::default());
    let _ = shadow
        .apply_full(vector["desired"].clone())
        .map_err(|error| error.to_string())?;
    let payloads = configuration_errors(shadow.evaluation());
    let actual = payloads.iter().map(|payload| payload.to_json()).collect();
    let expected = list(&vector["expect"]["library_payload"])?;
    let (actual_refusals, actual_rest) = refusals_apart(actual);
    let (expected_refusals, expected_rest) = refusals_apart(expected);
    same("refusals", &actual_refusals, &expected_refusals)?;
    same("contradictions", &actual_rest, &expected_rest)
}

fn micro_agent_vector(vector: &Value) -> Checked {
    only(
        vector,
        &["id", "name", "source", "note", "desired", "expect"],
    )?;
    let expect = &vector["expect"];
    only(
        expect,
        &["latest_state", "latest_invalid_fields", "effective_diff"],
    )?;
    let options = AgentOptions::default().with_profile(Profile::MicroAgent);
    let mut shadow = Shadow::new(options);
    let _ = shadow
        .apply_full(vector["desired"].clone())
        .map_err(|error| error.to_string())?;
    let evaluation = shadow.evaluation();
    let reported = evaluation.reported_section();
    for member in ["latest_state", "latest_invalid_fields"] {
        same(member, &reported[member], &expect[member])?;
    }
    let defaults = MicroAgentConfiguration::default().to_json();
    effective_diff(evaluation, &defaults, expect)
}

fn twin_vector(vector: &Value, defaults: &Value) -> Checked {
    only(vector, &["id", "name", "source", "note", "steps", "expect"])?;
    only(&vector["expect"], &["library", "agent_c", "agent_csharp"])?;
    let steps = list(&vector["steps"])?;
    let expected = list(&vector["expect"]["library"])?;
    if steps.len() != expected.len() {
        return Err("as many expectations as steps wanted".to_owned());
    }
    let mut shadow = Shadow::new(AgentOptions::default());
    for (number, (step, expect)) in steps.iter().zip(&expected).enumerate() {
        twin_step(&mut shadow, step, expect, defaults)
            .map_err(|why| format!("step {}: {why}", number + 1))?;
    }
    Ok(())
}

fn twin_step(shadow: &mut Shadow, step: &Value, expect: &Value, defaults: &Value) -> Checked {
    only(step, &["kind", "doc"])?;
    only(
        expect,
        &[
            "result",
            "errors",
            "warnings",
            "unknown_keys",
            "effective_diff",
        ],
    )?;
    let update = match step["kind"].as_str() {
        Some("full") => shadow.apply_full(step["doc"].clone()),
        Some("patch") => shadow.apply_patch(&step["doc"]),
        other => return Err(format!("kind {other:?}")),
    };
    let update = update.map_err(|error| error.to_string())?;
    same("result", &json!(update.name()), &expect["result"])?;
    let evaluation = shadow.evaluation();
    // An applied step lists every finding, so what is left out is an empty list. Other steps leave
    // out what an earlier one found.
    let strict = update.name() == "applied";
    let found = evaluation.to_json();
    findings("errors", &["key", "error"], &found, expect, strict)?;
    findings(
        "warnings",
        &["key", "error", "used"],
        &found,
        expect,
        strict,
    )?;
    if strict || expect.get("unknown_keys").is_some() {
        let expected = by_text(list_or_empty(&expect["unknown_keys"])?);
        same(
            "unknown_keys",
            &by_text(list(&found["unknown_keys"])?),
            &expected,
        )?;
    }
    effective_diff(evaluation, defaults, expect)
}

/// Compares a list of findings by the members the vectors have. Refusals have no order there: they
/// follow the document, and members of a JSON object have none.
fn findings(name: &str, members: &[&str], found: &Value, expect: &Value, strict: bool) -> Checked {
    if !strict && expect.get(name).is_none() {
        return Ok(());
    }
    let chosen = |finding: &Value| {
        let chosen = members
            .iter()
            .map(|member| ((*member).to_owned(), finding[*member].clone()));
        Value::Object(chosen.collect())
    };
    let actual: Vec<Value> = list(&found[name])?.iter().map(chosen).collect();
    let expected = list_or_empty(&expect[name])?;
    if name == "errors" {
        return same(name, &by_text(actual), &by_text(expected));
    }
    same(name, &Value::from(actual), &Value::from(expected))
}

fn effective_diff(evaluation: &Evaluation, defaults: &Value, expect: &Value) -> Checked {
    let Some(expected) = expect.get("effective_diff") else {
        return Ok(());
    };
    let effective = evaluation.effective.to_json();
    let effective = effective.as_object().ok_or("effective: no object")?;
    let diff: Map<String, Value> = effective
        .iter()
        .filter(|(key, value)| defaults.get(key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    same("effective_diff", &Value::Object(diff), expected)
}

fn refusals_apart(payloads: Vec<Value>) -> (Value, Value) {
    let (refusals, rest) = payloads
        .into_iter()
        .partition(|payload: &Value| payload["ErrorType"] == "TypeMismatch");
    (by_text(refusals), Value::Array(rest))
}

fn by_text(mut values: Vec<Value>) -> Value {
    values.sort_by_key(ToString::to_string);
    Value::Array(values)
}

fn list(value: &Value) -> Result<Vec<Value>, String> {
    value
        .as_array()
        .cloned()
        .ok_or_else(|| format!("expected a list, found {value}"))
}

fn list_or_empty(value: &Value) -> Result<Vec<Value>, String> {
    if value.is_null() {
        Ok(Vec::new())
    } else {
        list(value)
    }
}

fn only(value: &Value, known: &[&str]) -> Checked {
    let members = value
        .as_object()
        .ok_or_else(|| format!("expected an object, found {value}"))?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("this runner does not know the field {key:?}")),
        None => Ok(()),
    }
}

fn same(name: &str, actual: &Value, expected: &Value) -> Checked {
    if actual == expected {
        return Ok(());
    }
    Err(format!("{name}: expected {expected}, found {actual}"))
}
