use super::*;

const SIG: &str = "6Ly9p3xivSaOlELIZ%2FYPevFSyX66lpGzrKgmyPdzb7E%3D";

#[test]
fn a_ready_token_is_taken_in_every_common_form() {
    let lower_hex = SIG.replace("%2F", "%2f").replace("%3D", "%3d");
    let forms = [
        format!("SharedAccessSignature sr=h%2Fdevices%2Fd&sig={SIG}&se=1893456000"),
        format!("SharedAccessSignature se=1893456000&sr=h&sig={SIG}&skn=device"),
        format!("SharedAccessSignature sr=h/devices/a=b&sig={lower_hex}&se=1893456000"),
        "SharedAccessSignature Sr=h&Sig=6Ly9p3xivSaOlELIZ/YPevFSyX66lpGzrKgmyPdzb7E=&SE=1893456000"
            .to_owned(),
    ];
    for form in &forms {
        let token = SasToken::parse(form).unwrap();
        assert_eq!(
            (token.as_str(), token.expires_at()),
            (form.as_str(), 1_893_456_000)
        );
    }
}

#[test]
fn a_token_of_wrong_shape_is_refused_by_name() {
    use SasTokenError as E;
    let prefixed = |fields: &str| format!("SharedAccessSignature {fields}");
    let cases = [
        (String::new(), E::Scheme),
        ("Bearer abc".to_owned(), E::Scheme),
        (format!("sr=h&sig={SIG}&se=1"), E::Scheme),
        (prefixed(&format!(" sr=h&sig={SIG}&se=1")), E::Characters),
        (prefixed(&format!("sr=h&sig={SIG}&se=1\n")), E::Characters),
        (prefixed(&format!("sr=hé&sig={SIG}&se=1")), E::Characters),
        (prefixed(""), E::UnknownField),
        (
            prefixed(&format!("sr=h&sig={SIG}&se=1&x=y")),
            E::UnknownField,
        ),
        (prefixed(&format!("sr=h&sig={SIG}&se=1&")), E::UnknownField),
        (
            prefixed(&format!("sr=h&sr=h&sig={SIG}&se=1")),
            E::Duplicate("sr"),
        ),
        (prefixed(&format!("sig={SIG}&se=1")), E::Missing("sr")),
        (prefixed("sr=h&se=1"), E::Missing("sig")),
        (prefixed(&format!("sr=h&sig={SIG}")), E::Missing("se")),
        (prefixed(&format!("sr=&sig={SIG}&se=1")), E::Empty("sr")),
        (
            prefixed(&format!("sr=h&sig={SIG}&se=1&skn=")),
            E::Empty("skn"),
        ),
        (prefixed("sr=h&sig=AAAA&se=1"), E::Signature),
        (prefixed("sr=h&sig=%zz&se=1"), E::Signature),
        (prefixed(&format!("sr=h&sig={SIG}&se=+1")), E::Expiry),
        (prefixed(&format!("sr=h&sig={SIG}&se=-1")), E::Expiry),
        (prefixed(&format!("sr=h&sig={SIG}&se=1.5")), E::Expiry),
        (
            prefixed(&format!("sr=h&sig={SIG}&se=18446744073709551616")),
            E::Expiry,
        ),
        (prefixed(&"x".repeat(4096)), E::TooLong { actual: 4118 }),
    ];
    for (text, expected) in cases {
        assert_eq!(SasToken::parse(&text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn a_signer_that_cannot_sign_is_heard() {
    struct Broken;
    impl Signer for Broken {
        fn sign(&self, _: &[u8]) -> Result<[u8; 32], SignError> {
            Err(SignError::new("TPM is locked out"))
        }
    }
    let error = create_token(&Broken, "h/devices/d", 1, None).unwrap_err();
    assert_eq!(error.to_string(), "signer: TPM is locked out");
}

#[test]
fn the_longest_token_fits_its_buffer() {
    let request = SasRequest::new(&"/".repeat(300), u64::MAX, Some(&"&".repeat(256)));
    let token = request.clone().into_token(&[0xff; 32]);
    let room = token.text.capacity();
    assert!(
        token.text.len() <= room && room < token.text.len() + 200,
        "the buffer has grown"
    );
    assert_eq!(token.expires_at(), u64::MAX);
}

#[test]
fn a_token_is_not_shown() {
    let token = SasRequest::new("h", 7, Some("a&b")).into_token(&[0; 32]);
    assert!(token.as_str().ends_with("&se=7&skn=a%26b"));
    assert_eq!(format!("{token:?}"), "SasToken(hidden, expires_at: 7)");
    assert_eq!(SasToken::parse(token.as_str()).unwrap().expires_at(), 7);
}
