//! Arbitrary bytes from a Greengrass nucleus. The decoded frames do not depend on how the bytes are split, a frame that was
//! decoded is decoded again from what it encodes to, and the texts in messages are short.
#![no_main]

mod decode;

use decode::decode;
use device_defender::internals::delivery::{Frame, Frames, NucleusMessage};
use libfuzzer_sys::fuzz_target;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::Encoder;

/// Decodes the bytes in pieces of this size. Returns every frame and the final error as text.
fn frames(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<String>) {
    let (frames, error) = decode(Frames, bytes, piece);
    (frames, error.map(|error| error.to_string()))
}

/// Replaces both checksums of what claims to be one frame, so that its content is reached.
fn with_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.len().checked_sub(4).filter(|end| *end >= 12) {
        let total = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&total.to_be_bytes());
        let sum = crc32fast::hash(&bytes[..8]);
        bytes[8..12].copy_from_slice(&sum.to_be_bytes());
        let sum = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes.to_vec(), with_checksums(bytes.to_vec())] {
        let at_once = frames(&bytes, bytes.len().max(1));
        assert_eq!(frames(&bytes, 1), at_once);
        for frame in at_once.0 {
            assert!(NucleusMessage::of(&frame).to_string().len() < 2000);
            let mut again = BytesMut::new();
            Frames.encode(frame.clone(), &mut again).unwrap();
            assert_eq!(frames(&again, again.len()).0, [frame]);
        }
    }
});
