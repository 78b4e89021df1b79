//! MQTT on a stream, as little as a service or a broker of tests needs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use rumqttc::mqttbytes::v4::{Packet, Publish};
use rumqttc::mqttbytes::{Error, QoS};
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

/// Reads the next packet. `buffer` holds what was read too much of before.
pub(crate) fn receive(stream: &mut impl Read, buffer: &mut BytesMut) -> io::Result<Packet> {
    loop {
        match Packet::read(buffer, MAX) {
            Ok(packet) => return Ok(packet),
            Err(Error::InsufficientBytes(_)) => {}
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => buffer.extend_from_slice(&chunk[..length]),
        }
    }
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
