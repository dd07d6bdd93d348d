use std::path::PathBuf;

use serde_json::Value;

use super::*;

fn vectors() -> Value {
    let folder = std::env::var_os("TWINGUARD_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors"),
        PathBuf::from,
    );
    let path = folder.join("vectors-sas.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    let list = vectors[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name} is empty");
    list
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} missing in {vector}"))
}

fn verify(vector: &Value, token: &str, now: u64) -> Result<(), SasError> {
    let mut path = text(vector, "resource").split('/');
    let hosts = HostNames::new([without_port(path.next().unwrap()).to_owned()]);
    let path: Vec<&str> = path.collect();
    let keys = [text(vector, "key"), "bm90IHRoaXMga2V5IGF0IGFsbA=="];
    let token = Token::parse(token)?;
    token.verify(keys, &hosts, &path, now)?;
    // The secondary key opens the same door.
    token.verify([keys[1], keys[0]], &hosts, &path, now)
}

fn without_port(host: &str) -> &str {
    host.split_once(':').map_or(host, |(name, _)| name)
}

#[test]
fn every_flavour_of_token_is_accepted() {
    let vectors = vectors();
    for vector in list(&vectors, "tokens") {
        let token = text(vector, "expected_token");
        let now = vector["expiry"].as_u64().unwrap() - 60;
        assert_eq!(
            verify(vector, token, now),
            Ok(()),
            "{}",
            text(vector, "name")
        );
        let policy = Token::parse(token).unwrap().policy;
        assert_eq!(
            policy.as_deref(),
            vector["key_name"].as_str(),
            "{}",
            text(vector, "name")
        );
    }
    println!("{} SAS tokens accepted", list(&vectors, "tokens").len());
}

#[test]
fn tokens_of_unmodified_clients_are_accepted() {
    let vectors = vectors();
    for vector in list(&vectors, "observed_tokens") {
        let token = text(vector, "token");
        let now = Token::parse(token).unwrap().expiry - 1;
        assert_eq!(
            verify(vector, token, now),
            Ok(()),
            "{}",
            text(vector, "client")
        );
    }
    println!(
        "{} observed SAS tokens accepted",
        list(&vectors, "observed_tokens").len()
    );
}

#[test]
fn must_accept_and_must_reject() {
    let vectors = vectors();
    for vector in list(&vectors, "must_accept") {
        let now = vector["now"].as_u64().unwrap();
        assert_eq!(
            verify(vector, text(vector, "token"), now),
            Ok(()),
            "{vector}"
        );
    }
    for vector in list(&vectors, "must_reject") {
        let now = vector["now"].as_u64().unwrap();
        let error = verify(vector, text(vector, "token"), now).unwrap_err();
        let expected = match text(vector, "reason") {
            "signature" => matches!(error, SasError::Signature),
            "malformed" => matches!(error, SasError::Malformed(_)),
            reason if reason.starts_with("expired") => error == SasError::Expired,
            _ => error == SasError::Resource,
        };
        assert!(expected, "{error} for {vector}");
    }
    let count = list(&vectors, "must_accept").len() + list(&vectors, "must_reject").len();
    println!("{count} SAS accept/reject vectors passed");
}

#[test]
fn signatures_may_hold_a_raw_slash_and_plus() {
    let vectors = vectors();
    for vector in list(&vectors, "tokens") {
        let raw = text(vector, "signature_base64");
        let token = format!(
            "SharedAccessSignature sr={}&sig={raw}&se={}",
            text(vector, "sr_on_wire"),
            vector["expiry"]
        );
        assert_eq!(verify(vector, &token, 0), Ok(()), "{token}");
    }
}

#[test]
fn malformed_tokens_are_named() {
    for bad in [
        "",
        "SharedAccessSignature",
        "SharedAccessSignature  sr=a&sig=YQ==&se=1",
        "sharedaccesssignature sr=a&sig=YQ==&se=1",
        "SharedAccessSignature sr=a&sig=YQ==&se=",
        "SharedAccessSignature sr=a&sig=YQ==&se=-1",
        "SharedAccessSignature sr=a&sig=YQ==&se=1.5",
        "SharedAccessSignature sr=a&sig=YQ==&se=99999999999999999999",
        "SharedAccessSignature sr=a&sig=%%%&se=1",
        "SharedAccessSignature sr=a&sr=b&sig=YQ==&se=1",
        "SharedAccessSignature sr=a&sig=YQ==&se=1&x",
    ] {
        assert!(
            matches!(Token::parse(bad), Err(SasError::Malformed(_))),
            "{bad}"
        );
    }
    let long = format!(
        "SharedAccessSignature sr={}&sig=YQ==&se=1",
        "a".repeat(5000)
    );
    assert!(matches!(Token::parse(&long), Err(SasError::Malformed(_))));
}
