//! Arbitrary bytes from a broker, in MQTT 3.1.1 and in MQTT 5. The decoded packets do not depend on how the bytes are split, and the parsed answers are
//! short.
#![no_main]

mod decode;

use decode::decode;
use device_defender::internals::ThingName;
use device_defender::internals::delivery::{Answer, Incoming, Packets, Reason, Rejection, Reply, Version};
use device_defender::internals::report::Encoding;
use libfuzzer_sys::fuzz_target;

/// Decodes the bytes in pieces of this size. Returns every packet and the final error as text.
fn packets(version: Version, bytes: &[u8], piece: usize, thing: &ThingName) -> Vec<String> {
    let (packets, error) = decode(Packets::new(version), bytes, piece);
    for packet in &packets {
        match packet {
            Incoming::Message(message) => parse_answer(&message.payload, thing),
            Incoming::PubAck { reason, .. } | Incoming::Disconnect(reason) => show(reason),
            Incoming::ConnAck(connack) => show(&connack.reason),
            _ => {}
        }
    }
    packets.iter().map(|packet| format!("{packet:?}")).chain(error.map(|error| error.to_string())).collect()
}

/// Writes a reason as a message has it.
fn show(reason: &Reason) {
    assert!(reason.to_string().chars().count() < 600);
}

/// Parses an answer of either kind in either encoding.
fn parse_answer(payload: &[u8], thing: &ThingName) {
    for encoding in [Encoding::Json, Encoding::Cbor] {
        for accepted in [true, false] {
            let answer = Answer { accepted, encoding, retained: false, acknowledged: true, payload };
            match Reply::parse(&answer, thing, 7) {
                Ok(Reply::Accepted) => assert!(accepted),
                Ok(Reply::Rejected(Rejection { code, message })) => {
                    assert!(!accepted && code.chars().count() <= 201 && message.chars().count() <= 201);
                }
                Err(reason) => assert!(reason.to_string().len() < 2000),
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let thing: ThingName = "T".parse().unwrap();
    parse_answer(bytes, &thing);
    for version in [Version::V5, Version::V311] {
        let at_once = packets(version, bytes, bytes.len().max(1), &thing);
        assert_eq!(packets(version, bytes, 1, &thing), at_once);
        assert_eq!(packets(version, bytes, 7, &thing), at_once);
    }
});
