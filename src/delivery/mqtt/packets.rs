//! MQTT 3.1.1 packets on the stream: `rumqttc`'s codec, plus two things it does not do. A packet larger than any answer can be
//! is skipped instead of ending the session, and a stream that ends within a packet is an error.

use std::fmt;
use std::io;

use rumqttc::mqttbytes::v4::{Codec, ConnectReturnCode, Packet, PubAck, SubAck};
use rumqttc::mqttbytes::{Error, QoS};
use tokio_util::bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// The most bytes of a packet that is received whole: what AWS IoT allows (128 KiB of payload), and room for the topic.
const MAX_INCOMING: usize = (128 << 10) + 1024;

/// The most bytes of any MQTT packet (section 2.2.3).
const MAX_OUTGOING: usize = 268_435_455;

#[derive(Debug)]
pub enum Incoming {
    Packet(Packet),
    /// A packet of so many bytes, skipped.
    Oversized(usize),
    /// CONNACK with a return code of AWS's own, or another that MQTT 3.1.1 does not define.
    ConnectRefused(u8),
}

/// Why nothing more can be received.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    #[error("closed in the middle of a packet")]
    MidPacket,
    #[error("{0}")]
    NotMqtt(Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The codec: `tokio_util`'s traits over `rumqttc`'s packets.
#[derive(Debug)]
pub struct Packets {
    codec: Codec,
    /// Whether anything was received: the first packet can only be a CONNACK.
    started: bool,
    /// How many bytes of an oversized packet are still to be skipped.
    skip: usize,
}

/// The first byte of a CONNACK (section 3.2.1).
const CONNACK: u8 = 0x20;

impl Default for Packets {
    fn default() -> Self {
        let codec = Codec { max_incoming_size: MAX_INCOMING, max_outgoing_size: MAX_OUTGOING };
        Self { codec, started: false, skip: 0 }
    }
}

impl Decoder for Packets {
    type Item = Incoming;
    type Error = PacketError;

    fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<Incoming>, PacketError> {
        if !self.started && stream.first().is_some_and(|&byte| byte != CONNACK) {
            return Err(PacketError::NotMqtt(Error::IncorrectPacketFormat));
        }
        self.started |= !stream.is_empty();
        let skipped = self.skip.min(stream.len());
        stream.advance(skipped);
        self.skip = self.skip.saturating_sub(skipped);
        if self.skip > 0 {
            return Ok(None);
        }
        match self.codec.decode(stream) {
            Ok(packet) => Ok(packet.map(Incoming::Packet)),
            Err(Error::PayloadSizeLimitExceeded(size)) => {
                self.skip = size.saturating_add(header_length(stream));
                Ok(Some(Incoming::Oversized(size)))
            }
            Err(Error::InvalidConnectReturnCode(code)) => Ok(Some(Incoming::ConnectRefused(code))),
            Err(error) => Err(PacketError::NotMqtt(error)),
        }
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

impl Encoder<Packet> for Packets {
    type Error = PacketError;

    fn encode(&mut self, packet: Packet, stream: &mut BytesMut) -> Result<(), PacketError> {
        self.codec.encode(packet, stream).map_err(PacketError::NotMqtt)
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oversized(bytes) => write!(f, "a packet of {bytes} bytes"),
            Self::ConnectRefused(_) | Self::Packet(Packet::ConnAck(_)) => f.write_str("CONNACK"),
            Self::Packet(Packet::SubAck(SubAck { pkid, .. })) => write!(f, "a SUBACK for packet {pkid}"),
            Self::Packet(Packet::Publish(_)) => f.write_str("a message"),
            Self::Packet(Packet::PubAck(PubAck { pkid })) => write!(f, "a PUBACK for packet {pkid}"),
            Self::Packet(Packet::PingResp) => f.write_str("PINGRESP"),
            Self::Packet(_) => f.write_str("another packet"),
        }
    }
}

/// A quality of service as its number.
pub(super) fn level(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}

/// A return code of CONNACK as its number (section 3.2.2.3).
pub(super) fn number_of(code: ConnectReturnCode) -> u8 {
    match code {
        ConnectReturnCode::Success => 0,
        ConnectReturnCode::RefusedProtocolVersion => 1,
        ConnectReturnCode::BadClientId => 2,
        ConnectReturnCode::ServiceUnavailable => 3,
        ConnectReturnCode::BadUserNamePassword => 4,
        ConnectReturnCode::NotAuthorized => 5,
    }
}
