//! Arbitrary bytes from a broker. The decoded packets do not depend on how the bytes are split, and the parsed answers are
//! short.
#![no_main]

use device_defender::internals::ThingName;
use device_defender::internals::delivery::{Answer, Incoming, Packets, Rejection, Reply};
use device_defender::internals::report::Encoding;
use libfuzzer_sys::fuzz_target;
use rumqttc::mqttbytes::v4::Packet;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::Decoder;

/// Decodes the bytes in pieces of this size. Returns every packet and the final error as text.
fn packets(bytes: &[u8], piece: usize, thing: &ThingName) -> Vec<String> {
    let mut decoder = Packets::default();
    let mut stream = BytesMut::new();
    let mut out = Vec::new();
    for piece in bytes.chunks(piece) {
        stream.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut stream) {
                Ok(None) => break,
                Ok(Some(incoming)) => {
                    if let Incoming::Packet(Packet::Publish(message)) = &incoming {
                        parse_answer(&message.payload, thing);
                    }
                    out.push(format!("{incoming:?}"));
                }
                Err(error) => {
                    out.push(error.to_string());
                    return out;
                }
            }
        }
    }
    if let Err(error) = decoder.decode_eof(&mut stream) {
        out.push(error.to_string());
    }
    out
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
    let at_once = packets(bytes, bytes.len().max(1), &thing);
    assert_eq!(packets(bytes, 1, &thing), at_once);
    assert_eq!(packets(bytes, 7, &thing), at_once);
});
