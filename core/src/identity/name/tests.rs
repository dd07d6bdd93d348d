use super::*;

fn host(text: &str) -> Result<HostName, HostNameError> {
    text.parse()
}

#[test]
fn hosts_have_names_addresses_and_ports() {
    let cases = [
        (
            "contoso-hub.azure-devices.net",
            "contoso-hub.azure-devices.net",
            None,
        ),
        ("localhost:8883", "localhost", Some(8883)),
        ("127.0.0.1", "127.0.0.1", None),
        ("127.0.0.1:1", "127.0.0.1", Some(1)),
        ("[::1]", "::1", None),
        ("[fe80::1]:65535", "fe80::1", Some(65535)),
        ("edge_hub", "edge_hub", None),
        ("Mixed.Case.Example", "Mixed.Case.Example", None),
        ("3com", "3com", None),
    ];
    for (text, name, port) in cases {
        let host = host(text).unwrap();
        assert_eq!(
            (host.host(), host.port(), host.as_str()),
            (name, port, text)
        );
    }
    assert_eq!(host("[::1]:8883").unwrap().without_port(), "[::1]");
}

/// No host names, and the words for each.
const CASES: &[(&str, &str)] = &[
    ("", "host name is empty"),
    (
        "a b",
        "host name holds ' '; expected letters, digits, '-', '_' and '.'",
    ),
    (
        "https://hub",
        "port \"//hub\": expected a number from 1 to 65535",
    ),
    (
        "hub/x",
        "host name holds '/'; expected letters, digits, '-', '_' and '.'",
    ),
    (
        "hüb",
        "host name holds 'ü'; expected letters, digits, '-', '_' and '.'",
    ),
    (
        "hub\n",
        "host name holds '\\n'; expected letters, digits, '-', '_' and '.'",
    ),
    (
        "a..b",
        "host name part \"\": expected 1 to 63 characters without a hyphen at either end",
    ),
    (
        "a.",
        "host name part \"\": expected 1 to 63 characters without a hyphen at either end",
    ),
    (
        "-a",
        "host name part \"-a\": expected 1 to 63 characters without a hyphen at either end",
    ),
    (
        "a-.b",
        "host name part \"a-\": expected 1 to 63 characters without a hyphen at either end",
    ),
    (
        ":8883",
        "host name part \"\": expected 1 to 63 characters without a hyphen at either end",
    ),
    ("hub:0", "port \"0\": expected a number from 1 to 65535"),
    (
        "hub:65536",
        "port \"65536\": expected a number from 1 to 65535",
    ),
    ("hub:+80", "port \"+80\": expected a number from 1 to 65535"),
    ("hub:", "port \"\": expected a number from 1 to 65535"),
    (
        "1.2.3.999",
        "host name \"1.2.3.999\" ends in a number but is not an IPv4 address",
    ),
    (
        "::1",
        "\"::1\" is not an IPv6 address; write it in brackets, as in [::1]:8883",
    ),
    (
        "[::1",
        "\"[::1\" is not an IPv6 address; write it in brackets, as in [::1]:8883",
    ),
    (
        "[nope]",
        "\"[nope]\" is not an IPv6 address; write it in brackets, as in [::1]:8883",
    ),
];

#[test]
fn what_is_no_host_is_refused_with_its_reason() {
    let long_label = "a".repeat(64);
    let long_name = format!("{}a", "a.".repeat(127));
    for (text, message) in CASES.iter().copied() {
        assert_eq!(host(text).unwrap_err().to_string(), message, "{text:?}");
    }
    assert_eq!(host(&long_label), Err(HostNameError::Label(long_label)));
    assert_eq!(
        host(&long_name),
        Err(HostNameError::TooLong { actual: 255 })
    );
    assert!(host(&"a.".repeat(126)[..251]).is_ok());
}

#[test]
fn ids_take_the_whole_set_and_nothing_else() {
    for good in ["d", "$edgeAgent", "aZ09-.+%_#*?!(),:=@$'", &"x".repeat(128)] {
        assert_eq!(good.parse::<DeviceId>().unwrap().as_str(), good);
        assert_eq!(good.parse::<ModuleId>().unwrap().to_string(), good);
    }
    for c in [
        ' ', '/', ';', '"', '\\', '&', '<', '~', '\0', '\u{7f}', 'é', '٣', '\u{feff}',
    ] {
        let error = format!("a{c}b").parse::<ModuleId>().unwrap_err();
        assert_eq!(
            error.kind,
            IdErrorKind::Character {
                found: c,
                position: 2
            }
        );
    }
    assert_eq!(
        "".parse::<DeviceId>().unwrap_err().to_string(),
        "device id is empty"
    );
    assert_eq!(
        "x".repeat(129).parse::<ModuleId>().unwrap_err().to_string(),
        "module id has 129 characters, at most 128 allowed"
    );
    assert_eq!(
        "a/b".parse::<ModuleId>().unwrap_err().to_string(),
        "module id holds '/' at character 2; expected letters, digits and \
         - . + % _ # * ? ! ( ) , : = @ $ '"
    );
}
