//! Runs the shared access signature vectors. `TWINGUARD_VECTORS` names another folder to take them
//! from. A section or field of unknown shape is a failure: a vector that is not run is not passed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test runner stops at what it does not understand"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the runner reads its vectors from a file"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use twinguard_core::identity::sas::{self, SasRequest};
use twinguard_core::identity::{SasToken, SharedAccessKey, percent};

/// Styles whose token text is ours, byte for byte. The others differ in encoding or order.
const OUR_STYLES: [&str; 3] = ["python-device", "python-service", "embedded-c"];
/// The clients for Python and Node, whose tokens are ours as well.
const OUR_CLIENT: &str = "azure-iot-device ";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    flavours: serde_json::Map<String, serde_json::Value>,
    tokens: Vec<TokenRow>,
    observed_tokens: Vec<Observed>,
    derived_keys: Vec<Derived>,
    workload_sign: Vec<Workload>,
    // What a verifier accepts is the hub's business and run there.
    #[serde(rename = "must_accept")]
    _must_accept: Vec<serde_json::Value>,
    #[serde(rename = "must_reject")]
    _must_reject: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRow {
    name: String,
    flavour: String,
    key: String,
    key_name: Option<String>,
    resource: String,
    expiry: u64,
    sr_on_wire: String,
    string_to_sign: String,
    signature_base64: String,
    expected_token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Observed {
    client: String,
    key: String,
    resource: String,
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Derived {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    group_key: String,
    registration_id: String,
    derived_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Workload {
    name: String,
    module_key: String,
    string_to_sign: String,
    request_data_base64: String,
    digest_base64: String,
}

#[test]
fn every_vector_passes() {
    let file = load();
    let known: BTreeSet<&str> = file.flavours.keys().map(String::as_str).collect();
    let mut results = Vec::new();
    for row in &file.tokens {
        assert!(
            known.contains(row.flavour.as_str()),
            "{}: unknown flavour",
            row.name
        );
        results.push((format!("tokens/{}", row.name), token(row)));
    }
    for row in &file.observed_tokens {
        results.push((format!("observed_tokens/{}", row.client), observed(row)));
    }
    for row in &file.derived_keys {
        results.push((format!("derived_keys/{}", row.name), derived(row)));
    }
    for row in &file.workload_sign {
        results.push((format!("workload_sign/{}", row.name), workload(row)));
    }
    let failed: Vec<String> = results
        .iter()
        .filter_map(|(name, result)| Some(format!("{name}: {}", result.as_ref().err()?)))
        .collect();
    let (ran, passed) = (results.len(), results.len().saturating_sub(failed.len()));
    println!("vectors rust sas: ran {ran} passed {passed}");
    assert!(ran > 0, "the file holds no vector");
    assert!(failed.is_empty(), "failed:\n{}", failed.join("\n"));
}

fn load() -> File {
    let folder = std::env::var_os("TWINGUARD_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors")),
        PathBuf::from,
    );
    let path = folder.join("vectors-sas.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn token(row: &TokenRow) -> Result<(), String> {
    let key = key(&row.key)?;
    same(
        "string_to_sign",
        &format!("{}\n{}", row.sr_on_wire, row.expiry),
        &row.string_to_sign,
    )?;
    let signature = STANDARD.encode(key.hmac(row.string_to_sign.as_bytes()));
    same("signature", &signature, &row.signature_base64)?;
    let parsed = SasToken::parse(&row.expected_token).map_err(|e| e.to_string())?;
    same("expiry", &parsed.expires_at(), &row.expiry)?;
    if !OUR_STYLES.contains(&row.flavour.as_str()) {
        return Ok(());
    }
    let policy = row.key_name.as_deref();
    let request = SasRequest::new(&row.resource, row.expiry, policy);
    same(
        "our string to sign",
        &request.string_to_sign(),
        &row.string_to_sign,
    )?;
    let made =
        sas::create_token(&key, &row.resource, row.expiry, policy).map_err(|e| e.to_string())?;
    same("token", made.as_str(), &row.expected_token)?;
    same("token expiry", &made.expires_at(), &row.expiry)
}

/// The signature of a token sent by a real client verifies over its fields as they stand.
fn observed(row: &Observed) -> Result<(), String> {
    let parsed = SasToken::parse(&row.token).map_err(|e| e.to_string())?;
    let (_, fields) = parsed.as_str().split_once(' ').ok_or("no scheme")?;
    let field = |name: &str| {
        let mut pairs = fields.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
            .ok_or("no such field")
    };
    let (sr, sig, se) = (field("sr")?, field("sig")?, field("se")?);
    // Clients encode the resource not at all, once or twice.
    let once = percent::decode(sr).unwrap_or_else(|_| sr.to_owned());
    let twice = percent::decode(&once).unwrap_or_else(|_| once.clone());
    if ![sr, &once, &twice]
        .iter()
        .any(|form| form.eq_ignore_ascii_case(&row.resource))
    {
        return Err(format!("resource: got {sr:?}, expected {:?}", row.resource));
    }
    same("expiry", &parsed.expires_at().to_string(), &se.to_owned())?;
    let signature = STANDARD.encode(key(&row.key)?.hmac(format!("{sr}\n{se}").as_bytes()));
    let sent = percent::decode(sig).map_err(|e| e.to_string())?;
    same("signature", &signature, &sent)?;
    if !row.client.starts_with(OUR_CLIENT) {
        return Ok(());
    }
    let made = sas::create_token(&key(&row.key)?, &row.resource, parsed.expires_at(), None)
        .map_err(|e| e.to_string())?;
    same("token", made.as_str(), &row.token)
}

fn derived(row: &Derived) -> Result<(), String> {
    let made = sas::derive_key(&key(&row.group_key)?, &row.registration_id);
    same("derived key", made.as_str(), &row.derived_key)
}

fn workload(row: &Workload) -> Result<(), String> {
    let data = row.string_to_sign.as_bytes();
    same(
        "request data",
        &STANDARD.encode(data),
        &row.request_data_base64,
    )?;
    same(
        "digest",
        &STANDARD.encode(key(&row.module_key)?.hmac(data)),
        &row.digest_base64,
    )
}

fn key(text: &str) -> Result<SharedAccessKey, String> {
    SharedAccessKey::from_base64(text).map_err(|e| e.to_string())
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    got: &T,
    expected: &T,
) -> Result<(), String> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, expected {expected:?}"))
    }
}
