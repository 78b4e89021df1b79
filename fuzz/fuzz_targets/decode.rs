//! Included by the targets that decode a stream.

use tokio_util::bytes::BytesMut;
use tokio_util::codec::Decoder;

/// Decodes the bytes in pieces of this size. Returns every item and the final error.
pub fn decode<D: Decoder>(mut decoder: D, bytes: &[u8], piece: usize) -> (Vec<D::Item>, Option<D::Error>) {
    let (mut stream, mut items) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        stream.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut stream) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
    }
    (items, decoder.decode_eof(&mut stream).err())
}
