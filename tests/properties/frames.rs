//! The AWS event stream encoding, against known frames, and damaged in every way.

use device_defender::internals::delivery::{Frame, FrameError, Frames, HeaderValue, NucleusMessage};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::support::cases;

type TextHeader = (&'static str, &'static str);

/// Frames of the encoding's public test suite: an empty one, one with a payload, one with a header and a payload.
const KNOWN: [(&[u8], &[TextHeader], &str); 3] = [
    (b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff", &[], ""),
    (b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36", &[], "{'foo':'bar'}"),
    (
        b"\x00\x00\x00\x3d\x00\x00\x00\x20\x07\xfd\x83\x96\x0ccontent-type\x07\x00\x10application/json{'foo':'bar'}\x8d\x9c\x08\xb1",
        &[("content-type", "application/json")],
        "{'foo':'bar'}",
    ),
];

fn encode(frame: Frame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    Frames.encode(frame, &mut bytes).unwrap();
    bytes.to_vec()
}

/// Decodes bytes that come in pieces of this size, up to the first error.
fn decode(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<String>) {
    let (mut stream, mut frames) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        stream.extend_from_slice(piece);
        loop {
            match Frames.decode(&mut stream) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    let end = Frames.decode_eof(&mut stream).map(|frame| assert_eq!(frame, None));
    (frames, end.err().map(|error| error.to_string()))
}

fn frame() -> impl Strategy<Value = Frame> {
    let value = prop_oneof![any::<i32>().prop_map(HeaderValue::Int), "\\PC{0,40}".prop_map(HeaderValue::Text)];
    let headers = vec(("[:a-z-]{0,20}", value), 0..6);
    (headers, vec(any::<u8>(), 0..300)).prop_map(|(headers, payload)| Frame { headers, payload })
}

#[test]
fn known_frames_are_read_and_written() {
    for (bytes, headers, payload) in KNOWN {
        let header = |(name, value): &TextHeader| ((*name).to_owned(), HeaderValue::Text((*value).to_owned()));
        let frame = Frame { headers: headers.iter().map(header).collect(), payload: payload.as_bytes().to_vec() };
        assert_eq!(encode(frame.clone()), bytes);
        assert_eq!(decode(bytes, 1000), (vec![frame], None));
    }
}

#[test]
fn headers_of_every_type_are_read_or_skipped() {
    let headers: [&[u8]; 9] = [
        b"\x01a\x00", b"\x01a\x01", b"\x01a\x02x", b"\x01a\x03xx", b"\x01a\x05xxxxxxxx", b"\x01a\x06\x00\x03xxx",
        b"\x01a\x08xxxxxxxx", b"\x01a\x09xxxxxxxxxxxxxxxx", b"\x01b\x04\x00\x00\x00\x07",
    ];
    let headers = headers.concat();
    let frame = |headers: &[u8]| {
        let total = u32::try_from(headers.len() + 16).unwrap();
        let mut bytes = [total.to_be_bytes(), (total - 16).to_be_bytes()].concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend(headers);
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    };
    let expected = Frame { headers: vec![("b".to_owned(), HeaderValue::Int(7))], payload: Vec::new() };
    assert_eq!(decode(&frame(&headers), 1000), (vec![expected], None));
    let malformed = (Vec::new(), Some(FrameError::Headers.to_string()));
    assert_eq!(decode(&frame(b"\x01a\x0a"), 1000), malformed, "an unknown type");
    assert_eq!(decode(&frame(b"\x05a\x00"), 1000), malformed, "a name that ends too early");
    assert_eq!(decode(&frame(b"\x01\xff\x00"), 1000), malformed, "not UTF-8");
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn frames_are_what_was_sent(frames in vec(frame(), 0..4), piece in 1..100_usize) {
        let bytes: Vec<u8> = frames.iter().cloned().flat_map(encode).collect();
        prop_assert_eq!(decode(&bytes, piece), (frames, None));
    }

    #[test]
    fn every_cut_is_noticed(frame in frame()) {
        let bytes = encode(frame);
        for length in 1..bytes.len() {
            prop_assert_eq!(decode(&bytes[..length], length), (Vec::new(), Some(FrameError::CutOff.to_string())));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed(frame in frame()) {
        let bytes = encode(frame);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let (frames, error) = decode(&damaged, damaged.len());
            prop_assert!(frames.is_empty() && error.is_some());
        }
    }

    #[test]
    fn any_bytes_end_in_frames_or_an_error(bytes in vec(any::<u8>(), 0..400), piece in 1..50_usize) {
        prop_assert_eq!(decode(&bytes, piece), decode(&bytes, bytes.len().max(1)));
        let message = NucleusMessage::of(&Frame { headers: Vec::new(), payload: bytes });
        prop_assert_eq!(message.to_string(), "a frame without a type");
    }
}
