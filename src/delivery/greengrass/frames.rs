//! Frames of the AWS event stream encoding (`application/vnd.amazon.eventstream`) on the nucleus's socket.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | length of the frame |
//! | 4 | length of the headers |
//! | 4 | CRC-32 (IEEE 802.3) of the 8 bytes before |
//! | … | headers: length of the name (1 byte), name, type (1 byte), value |
//! | … | payload |
//! | 4 | CRC-32 of everything before |
//!
//! Numbers are big-endian. Only headers with an `i32` or a text are kept; those of the other types are skipped.

use std::io;

use tokio_util::bytes::{Buf, BufMut, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// The bytes of the two lengths and their checksum.
const PRELUDE: usize = 12;

/// The bytes of a checksum.
const CHECKSUM: usize = 4;

/// The most bytes of a frame that is received: an answer of 128 KiB, in base64 and within JSON, and room for headers.
const MAX_INCOMING: usize = 256 << 10;

/// Types of header values: the two that are written.
const INT: u8 = 4;
const TEXT: u8 = 7;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    pub headers: Vec<(String, HeaderValue)>,
    pub payload: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    Int(i32),
    Text(String),
}

/// Why nothing more can be received, or a frame not be sent.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("its lengths are {total} and {headers} bytes")]
    Length { total: usize, headers: usize },
    #[error("a checksum is wrong")]
    Checksum,
    #[error("its headers are malformed")]
    Headers,
    #[error("it ends too early")]
    CutOff,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Frame {
    /// The number in a header.
    pub fn int(&self, name: &str) -> Option<i32> {
        self.headers.iter().find_map(|header| match header {
            (found, HeaderValue::Int(value)) if found == name => Some(*value),
            _ => None,
        })
    }

    /// The text in a header.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| match header {
            (found, HeaderValue::Text(value)) if found == name => Some(value.as_str()),
            _ => None,
        })
    }
}

/// The codec: `tokio_util`'s traits.
#[derive(Debug, Default)]
pub struct Frames;

impl Decoder for Frames {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(mut prelude) = stream.get(..PRELUDE) else { return Ok(None) };
        let mut sum = crc32fast::Hasher::new();
        sum.update(prelude.get(..8).unwrap_or_default());
        let (total, headers) = (prelude.get_u32(), prelude.get_u32());
        if prelude.get_u32() != sum.finalize() {
            return Err(FrameError::Checksum);
        }
        let [total, headers] = [total, headers].map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let is_possible = headers <= total.saturating_sub(PRELUDE + CHECKSUM);
        if !(PRELUDE + CHECKSUM..=MAX_INCOMING).contains(&total) || !is_possible {
            return Err(FrameError::Length { total, headers });
        }
        if stream.len() < total {
            stream.reserve(total - stream.len());
            return Ok(None);
        }
        let frame = stream.split_to(total);
        let (mut content, mut checksum) = frame.split_at_checked(total - CHECKSUM).unwrap_or_default();
        if checksum.try_get_u32() != Ok(crc32fast::hash(content)) {
            return Err(FrameError::Checksum);
        }
        content.advance(PRELUDE);
        let (headers, payload) = content.split_at_checked(headers).unwrap_or_default();
        let headers = read_headers(headers).ok_or(FrameError::Headers)?;
        Ok(Some(Frame { headers, payload: payload.to_vec() }))
    }

    fn decode_eof(&mut self, stream: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        match self.decode(stream)? {
            None if !stream.is_empty() => Err(FrameError::CutOff),
            frame => Ok(frame),
        }
    }
}

/// The headers of a type that is used; `None` if they are malformed.
fn read_headers(mut bytes: &[u8]) -> Option<Vec<(String, HeaderValue)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.try_get_u8().ok()?;
        let name = text(&mut bytes, length.into())?;
        let value = match bytes.try_get_u8().ok()? {
            INT => HeaderValue::Int(bytes.try_get_i32().ok()?),
            TEXT => {
                let length = bytes.try_get_u16().ok()?;
                HeaderValue::Text(text(&mut bytes, length.into())?)
            }
            other => {
                let length = match other {
                    0 | 1 => 0, // true, false
                    2 => 1,
                    3 => 2,
                    5 | 8 => 8, // integer, time
                    6 => bytes.try_get_u16().ok()?.into(),
                    9 => 16, // UUID
                    _ => return None,
                };
                bytes = bytes.get(length..)?;
                continue;
            }
        };
        headers.push((name, value));
    }
    Some(headers)
}

fn text(bytes: &mut &[u8], length: usize) -> Option<String> {
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

impl Encoder<Frame> for Frames {
    type Error = FrameError;

    fn encode(&mut self, frame: Frame, stream: &mut BytesMut) -> Result<(), FrameError> {
        let mut headers = Vec::new();
        for (name, value) in &frame.headers {
            headers.put_u8(u8::try_from(name.len()).map_err(|_| FrameError::Headers)?);
            headers.put_slice(name.as_bytes());
            match value {
                HeaderValue::Int(value) => {
                    headers.put_u8(INT);
                    headers.put_i32(*value);
                }
                HeaderValue::Text(value) => {
                    headers.put_u8(TEXT);
                    headers.put_u16(u16::try_from(value.len()).map_err(|_| FrameError::Headers)?);
                    headers.put_slice(value.as_bytes());
                }
            }
        }
        let total = PRELUDE.saturating_add(headers.len()).saturating_add(frame.payload.len()).saturating_add(CHECKSUM);
        let too_long = |_| FrameError::Length { total, headers: headers.len() };
        let mut bytes = Vec::with_capacity(total);
        bytes.put_u32(u32::try_from(total).map_err(too_long)?);
        bytes.put_u32(u32::try_from(headers.len()).map_err(too_long)?);
        bytes.put_u32(crc32fast::hash(&bytes));
        bytes.put_slice(&headers);
        bytes.put_slice(&frame.payload);
        bytes.put_u32(crc32fast::hash(&bytes));
        stream.extend_from_slice(&bytes);
        Ok(())
    }
}
