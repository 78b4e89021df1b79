//! MQTT packets on the stream. `rumqttc`'s codecs read and write them; here is what a session needs of them, the same for
//! both versions of the protocol, and what the codecs do not do:
//!
//! - A packet larger than any answer can be is skipped instead of ending the session.
//! - A stream that ends within a packet is an error, and so is a packet whose content ends before the packet does: the
//!   codecs pass over some of those without a word ([`v5`]).

mod v311;
mod v5;

use std::fmt;
use std::io;

use tokio_util::bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::reason::Reason;
use super::version::Version;

/// The most bytes of a packet that is received whole: what AWS IoT allows (128 KiB of payload), and room for the topic.
const MAX_INCOMING: usize = (128 << 10) + 1024;

/// The most bytes of any MQTT packet (MQTT 3.1.1, section 2.2.3; MQTT 5, section 2.1.4).
const MAX_OUTGOING: u32 = 268_435_455;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    ConnAck(ConnAck),
    /// A code for each subscription.
    SubAck {
        id: u16,
        codes: Vec<u8>,
        text: Option<String>,
    },
    PubAck {
        id: u16,
        reason: Reason,
    },
    Message(Message),
    /// MQTT 5 only.
    Disconnect(Reason),
    PingResp,
    /// A packet that no session needs.
    Other,
    /// A packet of so many bytes, skipped.
    Oversized(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    pub session_present: bool,
    pub reason: Reason,
    pub limits: Limits,
}

/// What a broker takes (MQTT 5, section 3.2.2.3). MQTT 3.1.1 cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a packet.
    pub packet: Option<u32>,
    /// The highest quality of service.
    pub qos: u8,
    /// The most reports that are on the way at once.
    pub receive: u16,
    /// The longest time without a packet, in seconds, if it is not the one that was asked for.
    pub keep_alive: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { packet: None, qos: 2, receive: u16::MAX, keep_alive: None }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packet = self.packet.map_or_else(|| "none".to_owned(), |bytes| format!("{bytes} bytes"));
        write!(f, "maximum packet size {packet}, maximum QoS {}, receive maximum {}", self.qos, self.receive)?;
        match self.keep_alive {
            None => Ok(()),
            Some(seconds) => write!(f, ", keep-alive {seconds} s"),
        }
    }
}

/// A PUBLISH, sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 0 with QoS 0.
    pub id: u16,
    /// 0 to 2.
    pub qos: u8,
    pub retained: bool,
    pub topic: String,
    pub payload: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    Connect {
        client_id: String,
        /// In seconds.
        keep_alive: u16,
    },
    /// With QoS 1.
    Subscribe {
        id: u16,
        filters: Vec<String>,
    },
    Publish(Message),
    PubAck(u16),
    PingReq,
    Disconnect,
}

/// Why nothing more can be received or sent.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    #[error("closed in the middle of a packet")]
    MidPacket,
    #[error("{0}")]
    NotMqtt(String),
    /// The packet has more bytes than the broker takes.
    #[error("a packet of {bytes} bytes, and the broker takes at most {max}")]
    TooLarge { bytes: u32, max: u32 },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The codec: `tokio_util`'s traits over `rumqttc`'s packets.
#[derive(Debug)]
pub struct Packets {
    version: Version,
    /// The most bytes of a packet to send.
    pub max_outgoing: u32,
    /// Whether anything was received.
    started: bool,
    /// How many bytes of an oversized packet are still to be skipped.
    skip: usize,
}

/// The first bytes of packets from a broker: their type and flags (MQTT 5, section 2.1).
const CONNACK: u8 = 0x20;
const PUBACK: u8 = 0x40;
const SUBACK: u8 = 0x90;
const PINGRESP: u8 = 0xd0;
const DISCONNECT: u8 = 0xe0;

impl Packets {
    pub fn new(version: Version) -> Self {
        Self { version, max_outgoing: MAX_OUTGOING, started: false, skip: 0 }
    }

    /// Whether a session may begin with a packet that starts with this byte: a CONNACK, or with MQTT 5 the DISCONNECT that
    /// some brokers send in its place.
    fn may_begin_with(&self, first: u8) -> bool {
        first == CONNACK || (self.version == Version::V5 && first == DISCONNECT)
    }
}

impl Decoder for Packets {
    type Item = Incoming;
    type Error = PacketError;

    fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<Incoming>, PacketError> {
        use rumqttc::v5::mqttbytes::Error;
        use rumqttc::v5::mqttbytes::v5::check;

        if !self.started && stream.first().is_some_and(|&byte| !self.may_begin_with(byte)) {
            return Err(PacketError::NotMqtt("the first packet is not a CONNACK".to_owned()));
        }
        self.started |= !stream.is_empty();
        let skipped = self.skip.min(stream.len());
        stream.advance(skipped);
        self.skip = self.skip.saturating_sub(skipped);
        if self.skip > 0 {
            return Ok(None);
        }
        // The fixed header is the same in both versions.
        let header = match check(stream.iter(), u32::try_from(MAX_INCOMING).ok()) {
            Ok(header) => header,
            Err(Error::InsufficientBytes(_)) => return Ok(None),
            Err(Error::PayloadSizeLimitExceeded { pkt_size, .. }) => {
                self.skip = pkt_size.saturating_add(header_length(stream));
                return Ok(Some(Incoming::Oversized(pkt_size)));
            }
            Err(error) => return Err(PacketError::NotMqtt(error.to_string())),
        };
        let packet = stream.split_to(header.frame_length());
        let decoded = match self.version {
            Version::V5 => v5::decode(packet),
            Version::V311 => v311::decode(packet),
        };
        decoded.map(Some).map_err(PacketError::NotMqtt)
    }

    fn decode_eof(&mut self, stream: &mut BytesMut) -> Result<Option<Incoming>, PacketError> {
        match self.decode(stream)? {
            None if self.skip > 0 || !stream.is_empty() => Err(PacketError::MidPacket),
            incoming => Ok(incoming),
        }
    }
}

/// The bytes of a fixed header: one, and the remaining length, of which only the last byte has no high bit (section 2.2.3).
fn header_length(stream: &[u8]) -> usize {
    let length = stream.iter().skip(1).take(4).take_while(|&&byte| byte & 0x80 != 0).count();
    length.saturating_add(2)
}

impl Encoder<Outgoing> for Packets {
    type Error = PacketError;

    fn encode(&mut self, packet: Outgoing, stream: &mut BytesMut) -> Result<(), PacketError> {
        match self.version {
            Version::V5 => v5::encode(packet, self.max_outgoing, stream),
            Version::V311 => v311::encode(packet, stream),
        }
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oversized(bytes) => write!(f, "a packet of {bytes} bytes"),
            Self::ConnAck(_) => f.write_str("CONNACK"),
            Self::SubAck { id, .. } => write!(f, "a SUBACK for packet {id}"),
            Self::Message(_) => f.write_str("a message"),
            Self::PubAck { id, .. } => write!(f, "a PUBACK for packet {id}"),
            Self::Disconnect(_) => f.write_str("DISCONNECT"),
            Self::PingResp => f.write_str("PINGRESP"),
            Self::Other => f.write_str("another packet"),
        }
    }
}
