//! MQTT on a stream, as little as a service or a broker of tests needs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use rumqttc::mqttbytes::v4::{Connect, Packet, PubAck, Publish, Subscribe, SubscribeFilter};
use rumqttc::mqttbytes::{Error, Protocol, QoS};
use rumqttc::v5::mqttbytes::QoS as QoS5;
use rumqttc::v5::mqttbytes::v5;
use rustls::{ServerConnection, StreamOwned};
use tokio_util::bytes::BytesMut;

use super::NEVER;

/// More than any packet takes.
const MAX: usize = 1 << 20;

/// A stream, with TLS or without.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// A stream without TLS that never waits for ever.
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(NEVER)).unwrap();
        socket.set_write_timeout(Some(NEVER)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self::Plain(socket)
    }

    /// What is below.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V5,
    V311,
}

/// Reads the next packet of a client, which a CONNECT says the version of. Whatever the version, the packet is given as one
/// of MQTT 3.1.1. `buffer` holds what was read too much of before.
pub(crate) fn receive_from_client(
    stream: &mut impl Read,
    buffer: &mut BytesMut,
    version: &mut Version,
) -> io::Result<Packet> {
    while let Err(error) = v5::check(buffer.iter(), None) {
        assert!(matches!(error, rumqttc::v5::mqttbytes::Error::InsufficientBytes(_)), "{error}");
        read_more(stream, buffer)?;
    }
    if let Some(at) = buffer.windows(6).take(6).position(|bytes| bytes == b"\0\x04MQTT")
        && buffer[0] == 0x10
    {
        *version = if buffer[at + 6] == 5 { Version::V5 } else { Version::V311 };
    }
    let invalid = |error: String| io::Error::new(ErrorKind::InvalidData, error);
    if *version == Version::V311 || buffer[..2] == [0xe0, 0] {
        return Packet::read(buffer, MAX).map_err(|error| invalid(error.to_string()));
    }
    let qos = |qos| if qos == QoS5::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    Ok(match v5::Packet::read(buffer, None).map_err(|error| invalid(error.to_string()))? {
        v5::Packet::Connect(v5::Connect { keep_alive, client_id, clean_start, .. }, None, None) => {
            let (protocol, last_will, login) = (Protocol::V5, None, None);
            Packet::Connect(Connect { protocol, keep_alive, client_id, clean_session: clean_start, last_will, login })
        }
        v5::Packet::Subscribe(v5::Subscribe { pkid, filters, .. }) => {
            let filters = filters.into_iter().map(|filter| SubscribeFilter::new(filter.path, qos(filter.qos)));
            Packet::Subscribe(Subscribe { pkid, filters: filters.collect() })
        }
        v5::Packet::Publish(publish) => {
            let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
            let mut report = Publish::from_bytes(topic, qos(publish.qos), publish.payload);
            (report.pkid, report.retain, report.dup) = (publish.pkid, publish.retain, publish.dup);
            Packet::Publish(report)
        }
        v5::Packet::PubAck(v5::PubAck { pkid, .. }) => Packet::PubAck(PubAck::new(pkid)),
        v5::Packet::PingReq(_) => Packet::PingReq,
        other => panic!("not from a client of these tests: {other:?}"),
    })
}

/// Reads the next packet. `buffer` holds what was read too much of before.
pub(crate) fn receive(stream: &mut impl Read, buffer: &mut BytesMut) -> io::Result<Packet> {
    loop {
        match Packet::read(buffer, MAX) {
            Ok(packet) => return Ok(packet),
            Err(Error::InsufficientBytes(_)) => {}
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
        read_more(stream, buffer)?;
    }
}

fn read_more(stream: &mut impl Read, buffer: &mut BytesMut) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk)? {
        0 => return Err(ErrorKind::UnexpectedEof.into()),
        length => buffer.extend_from_slice(&chunk[..length]),
    }
    Ok(())
}

/// The bytes of a packet.
pub(crate) fn bytes(packet: &Packet) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    packet.write(&mut buffer, MAX).unwrap();
    buffer.to_vec()
}

/// The bytes of a message that nobody acknowledges.
pub(crate) fn message(topic: &str, payload: impl Into<Vec<u8>>) -> Vec<u8> {
    bytes(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload)))
}

/// The bytes of a message, in this version.
pub(crate) fn publish(version: Version, message: Publish) -> Vec<u8> {
    if version == Version::V311 {
        return bytes(&Packet::Publish(message));
    }
    let qos = if message.qos == QoS::AtMostOnce { QoS5::AtMostOnce } else { QoS5::AtLeastOnce };
    let mut of_5 = v5::Publish::new(message.topic, qos, message.payload, None);
    (of_5.pkid, of_5.retain) = (message.pkid, message.retain);
    let mut buffer = BytesMut::new();
    v5::Packet::Publish(of_5).write(&mut buffer, None).unwrap();
    buffer.to_vec()
}

/// The bytes of a CONNACK with this code.
pub(crate) fn connack(code: u8) -> Vec<u8> {
    vec![0x20, 2, 0, code]
}

/// The bytes of a SUBACK with these codes.
pub(crate) fn suback(pkid: u16, codes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(codes.len().checked_add(2).unwrap()).unwrap();
    [&[0x90, length], &pkid.to_be_bytes()[..], codes].concat()
}

/// The bytes of a PUBACK.
pub(crate) fn puback(pkid: u16) -> Vec<u8> {
    [&[0x40, 2], &pkid.to_be_bytes()[..]].concat()
}
