use proptest::prelude::*;
use serde_json::json;

use super::*;

const LIMIT: usize = 4096;

fn refused(text: impl AsRef<[u8]>) -> JsonError {
    parse_object(text.as_ref(), LIMIT).unwrap_err()
}

/// `levels` objects inside one another.
fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"k":"#.repeat(levels), "}".repeat(levels))
}

#[test]
fn a_good_document_is_taken_as_it_is() {
    let text =
        " {\"a\":[1,-2,0.5,true,null,\"\\u00e9\"],\"b\":{\"\":{}},\"n\":18446744073709551615}\n";
    let expected = json!({
        "a": [1, -2, 0.5, true, null, "é"], "b": {"": {}}, "n": 18_446_744_073_709_551_615_u64
    });
    assert_eq!(parse_object(text.as_bytes(), text.len()).unwrap(), expected);
}

#[test]
fn size_is_checked_first() {
    let text = format!("{{\"k\":\"{}\"}}", "x".repeat(32 * 1024 - 8));
    assert_eq!(text.len(), 32 * 1024);
    assert!(parse_object(text.as_bytes(), 32 * 1024).is_ok());
    let error = parse_object(format!("{text} ").as_bytes(), 32 * 1024).unwrap_err();
    assert_eq!(
        error.to_string(),
        "JSON of 32769 bytes, at most 32768 allowed"
    );
}

#[test]
fn duplicate_keys_are_named_at_every_depth() {
    let error = refused("{\"a\":1,\n \"a\":2}");
    assert_eq!((error.pointer.as_str(), error.line), ("/a", 2));
    let error = refused(r#"{"x":[{},{"a/b":{"k":1,"\u006b":2}}]}"#);
    assert_eq!(error.kind, JsonErrorKind::DuplicateKey);
    assert_eq!(error.pointer, "/x/1/a~1b/k");
    assert_eq!(
        error.to_string(),
        "JSON key given twice: /x/1/a~1b/k (line 1, column 31)"
    );
    assert!(parse_object(br#"{"a":{"k":1},"b":{"k":1}}"#, LIMIT).is_ok());
}

#[test]
fn nesting_is_bounded() {
    assert!(parse_object(nested(MAX_PARSE_DEPTH).as_bytes(), LIMIT).is_ok());
    let error = refused(nested(MAX_PARSE_DEPTH + 1));
    assert_eq!(error.kind, JsonErrorKind::TooDeep);
    assert_eq!(error.pointer, "/k".repeat(MAX_PARSE_DEPTH));
    let arrays = format!("{{\"a\":{}", "[".repeat(3000));
    assert_eq!(refused(arrays).kind, JsonErrorKind::TooDeep);
    let huge = "[".repeat(1_000_000);
    assert!(parse_object(huge.as_bytes(), huge.len()).is_err());
}

#[test]
fn numbers_beyond_a_double_are_refused_by_place() {
    let error = refused(r#"{"a":{"b":1e400}}"#);
    assert_eq!(error.pointer, "/a/b");
    assert_eq!(
        error.to_string(),
        "not valid JSON in /a/b: number out of range (line 1, column 15)"
    );
    assert!(parse_object(br#"{"a":1e308,"b":1e-400}"#, LIMIT).is_ok());
    for word in [
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        "1.",
        ".5",
        "0x1",
    ] {
        let error = refused(format!("{{\"a\":{word}}}"));
        assert!(matches!(error.kind, JsonErrorKind::Syntax(_)), "{word}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_found() {
    let error = refused(b"{\"a\":1,\n\"b\":\"x\xff\"}");
    assert_eq!(error.kind, JsonErrorKind::NotUtf8);
    assert_eq!((error.line, error.column), (2, 7));
    for bad in [&b"\xff"[..], b"{\"\xc3\":1}", b"{\"a\":\"\xed\xa0\x80\"}"] {
        assert_eq!(refused(bad).kind, JsonErrorKind::NotUtf8);
    }
    assert!(matches!(
        refused(r#"{"a":"\ud800"}"#).kind,
        JsonErrorKind::Syntax(_)
    ));
}

#[test]
fn only_an_object_and_nothing_after_it() {
    for (text, found) in [
        ("null", "null"),
        ("true", "boolean"),
        ("1", "number"),
        ("\"x\"", "string"),
        ("[{}]", "array"),
    ] {
        let message = format!("expected a JSON object, found {found}");
        assert_eq!(refused(text).to_string(), message);
    }
    for text in ["{}{}", "{} x", "{}\0", "{},"] {
        assert_eq!(refused(text).kind, JsonErrorKind::TrailingText, "{text:?}");
    }
}

#[test]
fn broken_text_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":\"\n\"}",
        "{\"a\":tru}",
        "\u{feff}{}",
        "// x\n{}",
        "{\"a\":[1,]}",
    ] {
        let error = refused(text);
        assert!(matches!(error.kind, JsonErrorKind::Syntax(_)), "{text:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn an_error_stays_one_short_line_whatever_the_key() {
    let key = "\\n".repeat(1000);
    let message = refused(format!(r#"{{"{key}":1,"{key}":1}}"#)).to_string();
    assert!(message.len() < 1500 && !message.contains('\n'), "{message}");
}

#[test]
fn length_is_that_of_the_compact_text() {
    let value = json!({"a": ["é\n", 1.5, null]});
    assert_eq!(serialized_len(&value), value.to_string().len());
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_object(&bytes, LIMIT);
    }

    #[test]
    fn no_json_like_text_makes_the_parser_panic(text in "[{}\\[\\]\",:a0-9.eE\\\\u n-]{0,60}") {
        let ours = parse_object(text.as_bytes(), LIMIT);
        if let Ok(value) = ours {
            prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
        }
    }

    #[test]
    fn what_was_written_is_read_back(value in crate::twin::patch::tests::document()) {
        let text = value.to_string();
        prop_assert_eq!(parse_object(text.as_bytes(), text.len()).unwrap(), value);
    }
}
