//! A peer which does what a test says: what no broker does, but networks and other programs do.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use socket2::SockRef;
use tokio_util::bytes::BytesMut;

use super::pki::pki;
use super::wire::{Stream, Version, connack, puback, publish, receive_from_client, suback};

/// TLS 1.2 alone, and TLS 1.3 alone.
pub(crate) const EACH_VERSION: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

/// How a peer does TLS.
#[derive(Clone, Copy)]
pub(crate) struct Tls {
    /// The name of its certificate.
    pub(crate) certificate: &'static str,
    /// Whether it asks for a client certificate of the authority `ca`.
    pub(crate) asks: bool,
    /// The versions it speaks.
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// The application protocols it knows; none means it does not care.
    pub(crate) alpn: &'static [&'static [u8]],
}

impl Default for Tls {
    fn default() -> Self {
        Self { certificate: "server", asks: true, versions: rustls::ALL_VERSIONS, alpn: &[] }
    }
}

impl Tls {
    /// What rustls makes of it.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(self.versions).unwrap();
        let builder = if self.asks {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(pki("ca.pem")).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let certificate = CertificateDer::from_pem_file(pki(&format!("{}.pem", self.certificate))).unwrap();
        let key = PrivateKeyDer::from_pem_file(pki(&format!("{}.key", self.certificate))).unwrap();
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

/// What a peer saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The packets the program sent, in order.
    pub(crate) packets: Vec<Packet>,
    /// The server name it asked for.
    pub(crate) sni: Option<String>,
    /// The application protocol agreed upon.
    pub(crate) alpn: Option<Vec<u8>>,
    /// The client certificates it showed.
    pub(crate) certificates: usize,
    /// Why the script ended early, if it did.
    pub(crate) error: Option<io::Error>,
    /// Whether anybody connected at all.
    pub(crate) connected: bool,
}

impl Seen {
    /// The reports the program sent.
    pub(crate) fn reports(&self) -> Vec<&Publish> {
        let reports = self.packets.iter().filter_map(|packet| match packet {
            Packet::Publish(report) => Some(report),
            _ => None,
        });
        reports.collect()
    }
}

/// One end of the connection, and what was seen of it.
pub(crate) struct Link {
    stream: Stream,
    buffer: BytesMut,
    /// That of the last CONNECT.
    pub(crate) version: Version,
    /// What is sent with what is sent next.
    later: Vec<u8>,
    seen: Seen,
}

/// A peer that waits for a connection, or for some.
pub(crate) struct Peer {
    /// Where it waits.
    pub(crate) address: SocketAddr,
    closing: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Peer {
    /// One that does TLS and then what `script` says. A handshake that fails ends the script before it begins.
    pub(crate) fn tls(tls: Tls, script: impl FnOnce(&mut Link) -> io::Result<()> + Send + 'static) -> Self {
        let config = tls.config();
        Self::raw(move |link| {
            link.start_tls(config)?;
            script(link)
        })
    }

    /// One that does TLS and accepts a report.
    pub(crate) fn accepting(tls: Tls) -> Self {
        Self::tls(tls, Link::accept_all)
    }

    /// One that does what `script` says, without TLS.
    pub(crate) fn raw(script: impl FnOnce(&mut Link) -> io::Result<()> + Send + 'static) -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), script)
    }

    /// The same at a certain address.
    pub(crate) fn at(address: SocketAddr, script: impl FnOnce(&mut Link) -> io::Result<()> + Send + 'static) -> Self {
        let mut script = Some(script);
        Self::serving(address, 1, move |_, link| script.take().map_or(Ok(()), |script| script(link)))
    }

    /// One that does what `script` says on each of so many connections, which it is given the number of, without TLS.
    pub(crate) fn each(
        connections: usize,
        script: impl FnMut(usize, &mut Link) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self::serving(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), connections, script)
    }

    fn serving(
        address: SocketAddr,
        connections: usize,
        mut script: impl FnMut(usize, &mut Link) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let thread = thread::spawn(move || {
            let (mut seen, mut listener) = (Seen::default(), Some(listener));
            for number in 0..connections {
                let (socket, _) = listener.as_ref().unwrap().accept().unwrap();
                if closed.load(Ordering::SeqCst) {
                    break;
                }
                if number + 1 == connections {
                    listener = None; // nobody else is let in
                }
                seen.connected = true;
                let (stream, buffer) = (Stream::new(socket), BytesMut::new());
                let mut link = Link { stream, buffer, version: Version::V311, later: Vec::new(), seen };
                link.seen.error = script(number, &mut link).err();
                seen = link.seen;
            }
            seen
        });
        Self { address, closing, thread }
    }

    /// The port it waits on.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits until the connection has ended, and tells what was seen. To be called when the program has ended: if it
    /// never connected, nobody will.
    pub(crate) fn seen(self) -> Seen {
        self.closing.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.join().unwrap()
    }
}

impl Link {
    /// Does the handshake of TLS.
    pub(crate) fn start_tls(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let mut connection = ServerConnection::new(config).unwrap();
        let mut socket = self.stream.socket().try_clone()?;
        let done = connection.complete_io(&mut socket);
        if done.is_err() {
            drop(self.cut()); // a close with something unread is a reset, and takes the alert with it
        }
        self.seen.sni = connection.server_name().map(str::to_owned);
        self.seen.alpn = connection.alpn_protocol().map(<[u8]>::to_vec);
        self.seen.certificates = connection.peer_certificates().map_or(0, <[_]>::len);
        done?;
        self.stream = Stream::Tls(Box::new(StreamOwned::new(connection, socket)));
        Ok(())
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> io::Result<Packet> {
        let packet = receive_from_client(&mut self.stream, &mut self.buffer, &mut self.version)?;
        self.seen.packets.push(packet.clone());
        Ok(packet)
    }

    /// Reads whatever comes first.
    pub(crate) fn read_some(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 16 * 1024];
        let length = self.stream.read(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let bytes = [&std::mem::take(&mut self.later), bytes].concat();
        self.stream.write_all(&bytes)?;
        self.stream.flush()
    }

    /// Sends bytes in one write with what is sent next.
    pub(crate) fn send_later(&mut self, bytes: Vec<u8>) {
        self.later = bytes;
    }

    /// Sends bytes one at a time, in a segment (and record) each.
    pub(crate) fn trickle(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|byte| {
            thread::sleep(Duration::from_millis(1)); // a slow line is what is played here
            self.send(&[*byte])
        })
    }

    /// The bytes of a CONNACK with this code.
    pub(crate) fn connack(&self, code: u8) -> Vec<u8> {
        match self.version {
            Version::V311 => connack(code),
            Version::V5 => vec![0x20, 3, 0, code, 0],
        }
    }

    /// The bytes of a SUBACK with these codes.
    pub(crate) fn suback(&self, pkid: u16, codes: &[u8]) -> Vec<u8> {
        let mut bytes = suback(pkid, codes);
        if self.version == Version::V5 {
            bytes[1] += 1;
            bytes.insert(4, 0);
        }
        bytes
    }

    /// The bytes of a message that nobody acknowledges.
    pub(crate) fn message(&self, topic: &str, payload: impl Into<Vec<u8>>) -> Vec<u8> {
        self.publish(Publish::new(topic, QoS::AtMostOnce, payload))
    }

    /// The bytes of a message.
    pub(crate) fn publish(&self, message: Publish) -> Vec<u8> {
        publish(self.version, message)
    }

    /// Reads a packet that must be a CONNECT and lets it in.
    pub(crate) fn accept_connect(&mut self) -> io::Result<()> {
        assert!(matches!(self.receive()?, Packet::Connect(_)));
        self.send(&self.connack(0))
    }

    /// Reads a packet that must be a SUBSCRIBE and grants it.
    pub(crate) fn accept_subscribe(&mut self) -> io::Result<()> {
        let subscribe = self.subscribe()?;
        self.send(&self.suback(subscribe.pkid, &vec![1; subscribe.filters.len()]))
    }

    /// Reads a packet that must be a SUBSCRIBE.
    pub(crate) fn subscribe(&mut self) -> io::Result<rumqttc::mqttbytes::v4::Subscribe> {
        match self.receive()? {
            Packet::Subscribe(subscribe) => Ok(subscribe),
            other => panic!("not a SUBSCRIBE: {other:?}"),
        }
    }

    /// Reads a packet that must be a report.
    pub(crate) fn report(&mut self) -> io::Result<Publish> {
        match self.receive()? {
            Packet::Publish(publish) => Ok(publish),
            other => panic!("not a PUBLISH: {other:?}"),
        }
    }

    /// Reads a packet that must be a report, and acknowledges it.
    pub(crate) fn accept_report(&mut self) -> io::Result<Publish> {
        let report = self.report()?;
        self.send(&puback(report.pkid))?;
        Ok(report)
    }

    /// Lets the program in and grants all it asks for, up to the report.
    pub(crate) fn up_to_report(&mut self) -> io::Result<Publish> {
        self.accept_connect()?;
        self.accept_subscribe()?;
        self.report()
    }

    /// Acknowledges the next report and accepts it.
    pub(crate) fn accept_the_report(&mut self) -> io::Result<()> {
        let report = self.accept_report()?;
        self.accepted(&report)?;
        self.silence()
    }

    /// Lets the program in and grants all it asks for, up to the acknowledged report.
    pub(crate) fn up_to_puback(&mut self) -> io::Result<Publish> {
        let report = self.up_to_report()?;
        self.send(&puback(report.pkid))?;
        Ok(report)
    }

    /// Lets the program in, grants all it asks for and accepts its report.
    pub(crate) fn accept_all(&mut self) -> io::Result<()> {
        self.accept_connect()?;
        self.accept_subscribe()?;
        self.accept_the_report()
    }

    /// Sends the answer that a report was accepted.
    pub(crate) fn accepted(&mut self, report: &Publish) -> io::Result<()> {
        self.send(&self.message(&format!("{}/accepted", report.topic), r#"{"status":"ACCEPTED"}"#))
    }

    /// Reads what comes until the program is gone, without a word.
    #[expect(clippy::unnecessary_wraps, reason = "as every step of a script")]
    pub(crate) fn silence(&mut self) -> io::Result<()> {
        while self.receive().is_ok() {}
        while self.stream.socket().read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
        Ok(())
    }

    /// Ends the connection as one does who has nothing more to say.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            tls.flush()?;
        }
        self.cut()
    }

    /// Ends the connection without the good-bye of TLS.
    pub(crate) fn cut(&mut self) -> io::Result<()> {
        self.stream.socket().shutdown(Shutdown::Write)?;
        self.silence()
    }

    /// Ends the connection as a machine does that knows nothing of it. Must be the last that is done.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        SockRef::from(self.stream.socket()).set_linger(Some(Duration::ZERO)) // it is closed when the script is over
    }
}
