use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> Result<Option<Packet>, Fault> {
    let mut decoder = Decoder::new();
    decoder.next(&mut &bytes[..])
}

fn connect_bytes(flags: u8, tail: &[u8]) -> Vec<u8> {
    packet(0x10, &[&[0, 4], b"MQTT", &[4, flags, 0, 60], tail])
}

#[test]
fn a_connect_is_read() {
    let bytes = connect_bytes(0xC0, b"\0\x03d/m\0\x01u\0\x02pw");
    let Ok(Some(Packet::Connect(connect))) = decode(&bytes) else {
        panic!("not a CONNECT")
    };
    assert_eq!(connect.client_id, "d/m");
    assert_eq!(connect.username.as_deref(), Some("u"));
    assert_eq!(connect.password.as_deref(), Some(&b"pw"[..]));
    assert!(!connect.clean_session && connect.will.is_none());
    assert_eq!(connect.keep_alive, 60);
}

#[test]
fn packets_arrive_in_any_pieces() {
    let mut decoder = Decoder::new();
    let mut bytes = connect_bytes(0x02, b"\0\x01d");
    bytes.extend(pingreq());
    bytes.extend([0x30, 5, 0, 1, b'a', b'x', b'y']);
    let mut seen = Vec::new();
    for byte in bytes {
        if let Some(packet) = decoder.next(&mut &[byte][..]).unwrap() {
            seen.push(packet);
        }
    }
    assert!(matches!(
        &seen[..],
        [Packet::Connect(_), Packet::Pingreq, Packet::Publish(p)] if p.payload == b"xy"
    ));
}

fn pingreq() -> Vec<u8> {
    vec![0xC0, 0]
}

fn assert_faults(packets: Vec<(&str, Vec<u8>)>) {
    for (what, bytes) in packets {
        assert!(decode(&bytes).is_err(), "{what}: {:?}", decode(&bytes));
    }
}

#[test]
fn bad_connects_are_faults() {
    assert_faults(vec![
        ("CONNECT cut short", packet(0x10, &[b"\0\x04MQTT\x04"])),
        (
            "CONNECT of MQTT 3.1",
            packet(0x10, &[b"\0\x06MQIsdp\x03\x02\0\x3c\0\x01d"]),
        ),
        (
            "CONNECT of MQTT 5",
            packet(0x10, &[b"\0\x04MQTT\x05\x02\0\x3c\0\0\x01d"]),
        ),
        (
            "CONNECT with the reserved flag",
            connect_bytes(0x03, b"\0\x01d"),
        ),
        (
            "CONNECT with will QoS and no will",
            connect_bytes(0x0A, b"\0\x01d"),
        ),
        (
            "CONNECT with will QoS 3",
            connect_bytes(0x1E, b"\0\x01d\0\x01t\0\x00"),
        ),
        (
            "CONNECT with a password alone",
            connect_bytes(0x42, b"\0\x01d\0\x01p"),
        ),
        ("CONNECT with bad UTF-8", connect_bytes(0x02, b"\0\x01\xFF")),
        ("CONNECT with NUL", connect_bytes(0x02, b"\0\x01\0")),
        (
            "CONNECT with bytes left over",
            connect_bytes(0x02, b"\0\x01dx"),
        ),
    ]);
}

#[test]
fn bad_packets_are_faults() {
    assert_faults(vec![
        (
            "remaining length of five bytes",
            vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        ),
        (
            "larger than a first packet",
            vec![0x10, 0xFF, 0xFF, 0xFF, 0x7F],
        ),
        ("packet type 0", vec![0x00, 0]),
        ("packet type 15", vec![0xF0, 0]),
        ("CONNACK from a client", vec![0x20, 2, 0, 0]),
        ("PUBREL from a client", vec![0x62, 2, 0, 1]),
        ("PUBLISH with QoS 2", vec![0x34, 5, 0, 1, b'a', 0, 1]),
        ("PUBLISH with QoS 3", vec![0x36, 5, 0, 1, b'a', 0, 1]),
        ("PUBLISH with DUP and QoS 0", vec![0x38, 3, 0, 1, b'a']),
        ("PUBLISH with packet id 0", vec![0x32, 5, 0, 1, b'a', 0, 0]),
        ("PUBLISH without a packet id", vec![0x32, 3, 0, 1, b'a']),
        (
            "PUBLISH with bad UTF-8 in its topic",
            vec![0x30, 3, 0, 1, 0xC3],
        ),
        ("PUBLISH with a wildcard", vec![0x30, 3, 0, 1, b'#']),
        ("PUBLISH without a topic", vec![0x30, 2, 0, 0]),
        (
            "PUBLISH with a topic past its end",
            vec![0x30, 3, 0, 9, b'a'],
        ),
        ("PUBLISH with nothing", vec![0x30, 0]),
        (
            "SUBSCRIBE with wrong flags",
            vec![0x80, 6, 0, 1, 0, 1, b'a', 0],
        ),
        ("SUBSCRIBE to nothing", vec![0x82, 2, 0, 1]),
        ("SUBSCRIBE with QoS 3", vec![0x82, 6, 0, 1, 0, 1, b'a', 3]),
        (
            "SUBSCRIBE with MQTT 5 options",
            vec![0x82, 6, 0, 1, 0, 1, b'a', 4],
        ),
        (
            "SUBSCRIBE with packet id 0",
            vec![0x82, 6, 0, 0, 0, 1, b'a', 0],
        ),
        ("UNSUBSCRIBE from nothing", vec![0xA2, 2, 0, 1]),
        ("PINGREQ with a body", vec![0xC0, 1, 0]),
        ("DISCONNECT with a body", vec![0xE0, 1, 0]),
    ]);
}

#[test]
fn an_oversize_publish_is_refused_by_its_header() {
    let mut decoder = Decoder::new();
    decoder.allow_messages();
    let over = MAX_PACKET as usize;
    let header = packet(0x30, &[&vec![0; over]])[..5].to_vec();
    assert_eq!(
        decoder.next(&mut &header[..]).unwrap_err(),
        Fault("packet is too large")
    );
}

#[test]
fn a_length_takes_as_many_bytes_as_it_needs() {
    assert_eq!(packet(0x30, &[&[0; 127]])[..2], [0x30, 127]);
    assert_eq!(packet(0x30, &[&[0; 128]])[..3], [0x30, 0x80, 1]);
    assert_eq!(packet(0x30, &[&[0; 16_384]])[..4], [0x30, 0x80, 0x80, 1]);
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = Decoder::new();
        decoder.allow_messages();
        let mut rest = &bytes[..];
        while let Ok(Some(_)) = decoder.next(&mut rest) {}
    }

    #[test]
    fn hostile_bodies_never_panic(
        first in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..120)
    ) {
        let _ = decode(&packet(first, &[&body]));
    }
}
