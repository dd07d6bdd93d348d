use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TOKEN: &str =
    "SharedAccessSignature sr=h&sig=6Ly9p3xivSaOlELIZ%2FYPevFSyX66lpGzrKgmyPdzb7E%3D&se=9";

#[test]
fn a_module_string_says_who_where_and_with_what() {
    let text = format!("HostName=h.example;DeviceId=d=1;ModuleId=$m;SharedAccessKey={KEY}");
    let parsed: ConnectionString = text.parse().unwrap();
    assert_eq!(
        parsed.identity.resource(),
        "h.example/devices/d=1/modules/$m"
    );
    assert!(parsed.gateway.is_none());
    let Credential::SharedAccessKey(key) = &parsed.credential else {
        panic!("not a key")
    };
    assert_eq!(
        key.hmac(b"x"),
        SharedAccessKey::from_base64(KEY).unwrap().hmac(b"x")
    );
}

#[test]
fn the_other_forms_are_taken_in_any_order() {
    let token = format!("SharedAccessSignature={TOKEN};DeviceId=d;HostName=h");
    let parsed = ConnectionString::parse(&token).unwrap();
    assert!(parsed.identity.module().is_none());
    let Credential::SharedAccessSignature(token) = parsed.credential else {
        panic!("no token")
    };
    assert_eq!((token.as_str(), token.expires_at()), (TOKEN, 9));

    let x509 = "HostName=h:8883;DeviceId=d;ModuleId=m;x509=true;GatewayHostName=edge.local";
    let parsed = ConnectionString::parse(x509).unwrap();
    assert_eq!(parsed.identity.host().port(), Some(8883));
    assert_eq!(parsed.gateway.unwrap().as_str(), "edge.local");
    assert!(matches!(parsed.credential, Credential::X509));
}

/// Malformed text and the words for it.
const CASES: &[(&str, &str)] = &[
    ("", "connection string is empty"),
    ("garbage", "connection string: part 1 is not Name=Value"),
    (
        "HostName=h;DeviceId=d;",
        "connection string: part 3 is not Name=Value",
    ),
    (
        "HostName=h;;DeviceId=d",
        "connection string: part 2 is not Name=Value",
    ),
    ("HostName", "connection string: part 1 is not Name=Value"),
    (
        "=h",
        "connection string: part 1 has an unknown key (not shown)",
    ),
    ("HostName=", "connection string: HostName has no value"),
    (
        "HostName=h;HostName=i",
        "connection string: HostName given twice",
    ),
    (
        "DeviceId=d;x509=true",
        "connection string: HostName is missing",
    ),
    (
        "HostName=h;x509=true",
        "connection string: DeviceId is missing",
    ),
    (
        "HostName=h;DeviceId=d",
        "connection string: credential is missing; expected SharedAccessKey, \
         SharedAccessSignature or x509=true",
    ),
    (
        "HostName=h;DeviceId=d;x509=true;SharedAccessKey=AAAA",
        "connection string: SharedAccessKey and x509 exclude each other",
    ),
    (
        "HostName=h;DeviceId=d;SharedAccessSignature=x;SharedAccessKey=AAAA",
        "connection string: SharedAccessKey and SharedAccessSignature exclude each other",
    ),
    (
        "hostname=h;DeviceId=d",
        "connection string: unknown key hostname; did you mean HostName?",
    ),
    (
        "HostName=h;GatewayHost=g",
        "connection string: unknown key GatewayHost; did you mean GatewayHostName?",
    ),
    (
        "HostName=h;X509=true",
        "connection string: unknown key X509; did you mean x509?",
    ),
    (
        "HostName=h;UseProvisioning=true",
        "connection string: unknown key UseProvisioning",
    ),
    (
        "HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=AAAA",
        "connection string: SharedAccessKeyName belongs to a service; expected that of a \
         device or module",
    ),
    (
        "HostName=h;DeviceId=d;x509=True",
        "connection string: x509: expected true",
    ),
    (
        "HostName=h h;DeviceId=d;x509=true",
        "connection string: HostName: host name holds ' '; expected letters, digits, '-', '_' \
         and '.'",
    ),
    (
        "HostName=h;DeviceId=a/b;x509=true",
        "connection string: DeviceId: device id holds '/' at character 2; expected letters, \
         digits and - . + % _ # * ? ! ( ) , : = @ $ '",
    ),
    (
        "HostName=h;DeviceId=d;x509=true;GatewayHostName=g:x",
        "connection string: GatewayHostName: port \"x\": expected a number from 1 to 65535",
    ),
    (
        "HostName=h;DeviceId=d;SharedAccessKey=secret!",
        "connection string: SharedAccessKey: key is not base64 (standard alphabet with \
         padding, no spaces)",
    ),
    (
        "HostName=h;DeviceId=d;SharedAccessSignature=secret",
        "connection string: SharedAccessSignature: token does not begin with \
         \"SharedAccessSignature \"",
    ),
];

#[test]
fn every_violation_has_its_own_words() {
    for (text, message) in CASES.iter().copied() {
        assert_eq!(
            ConnectionString::parse(text).unwrap_err().to_string(),
            message,
            "{text}"
        );
    }
    let long = format!("HostName={}", "h".repeat(MAX_CONNECTION_STRING_BYTES));
    let message = ConnectionString::parse(&long).unwrap_err().to_string();
    assert_eq!(
        message,
        "connection string of 4105 bytes, at most 4096 allowed"
    );
}

#[test]
fn no_error_and_no_debug_text_shows_a_secret() {
    let bare = KEY.trim_end_matches('=');
    let short = "c2VjcmV0c2VjcmV0c2VjcmU"; // 17 bytes
    let texts = [
        format!("HostName=h;DeviceId=d;{KEY}"),
        format!("HostName=h;DeviceId=d;SharedAccessKey{KEY}"),
        format!("HostName=h;DeviceId=d;SharedAccessKey={KEY}!"),
        format!("HostName=h;DeviceId=d;SharedAccessKey={KEY};SharedAccessKey={KEY}"),
        format!("HostName=h;DeviceId=d;SharedAccessKey={KEY};x509=true"),
        format!("HostName=h;DeviceId=d;SharedAccessSignature={KEY}"),
        format!("HostName=h;DeviceId=d;{short}=="),
    ];
    for text in texts {
        let error = ConnectionString::parse(&text).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains(bare) && !shown.contains(short), "{shown}");
        }
    }
    let text = format!("HostName=h;DeviceId=d;SharedAccessKey={KEY}");
    let shown = format!("{:?}", ConnectionString::parse(&text).unwrap());
    assert!(shown.contains("hidden") && !shown.contains(bare), "{shown}");
}
