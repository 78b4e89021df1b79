//! From a name to a TCP connection: all its addresses, IPv6 and IPv4 raced (RFC 8305), and a stream that counts its bytes
//! and remembers the first that came, to tell what is at the other end when it is not what it should be.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::settings::Endpoint;

/// How long an address is alone before the next is tried beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses that are tried.
const MAX_ADDRESSES: usize = 16;

/// How much of what came first is remembered, in bytes.
const REMEMBERED: usize = 64;

/// Looks the endpoint's name up. A look-up cannot be cancelled, so it has a thread of its own, which nobody waits for:
/// dropping the future is enough.
///
/// # Errors
/// What the system's resolver says.
pub async fn look_up(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let port = endpoint.port;
    let name = match &endpoint.host {
        ServerName::IpAddress(ip) => return Ok(vec![SocketAddr::new((*ip).into(), port)]),
        name => name.to_str().into_owned(),
    };
    let (answer, addresses) = oneshot::channel();
    let resolve = move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        drop(answer.send(found)); // nobody may be waiting any more
    };
    thread::Builder::new().name("resolver".to_owned()).spawn(resolve)?;
    let mut addresses = addresses.await.map_err(io::Error::other)??;
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    Ok(interleaved(addresses))
}

/// The addresses with the two families taking turns, beginning with the family of the first, which the resolver prefers.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let prefers_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut a, mut b): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == prefers_v6);
    let mut turns = Vec::with_capacity(a.len().saturating_add(b.len()));
    a.reverse();
    b.reverse();
    while let Some(address) = a.pop() {
        turns.push(address);
        turns.extend(b.pop());
    }
    turns.extend(b.into_iter().rev());
    turns
}

/// Connects to the first address that answers. Addresses that did not are added to `failures`, also when the future is
/// dropped because it took too long.
pub async fn connect(
    addresses: &[SocketAddr],
    failures: &mut Vec<(SocketAddr, io::Error)>,
) -> Option<(TcpStream, SocketAddr)> {
    let mut tries = JoinSet::new();
    let mut waiting = addresses.iter().copied();
    loop {
        let stagger = match waiting.next() {
            Some(address) => {
                tries.spawn(async move { (address, TcpStream::connect(address).await) });
                STAGGER
            }
            None if tries.is_empty() => return None,
            None => Duration::MAX, // the caller has a deadline
        };
        match timeout(stagger, tries.join_next()).await {
            Ok(Some(Ok((address, Ok(stream))))) => return Some((stream, address)),
            Ok(Some(Ok((address, Err(error))))) => failures.push((address, error)),
            Ok(None | Some(Err(_))) | Err(_) => {}
        }
    }
}

/// What went over a connection.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes received.
    pub received: Cell<u64>,
    /// Bytes sent.
    pub sent: Cell<u64>,
    /// The first bytes received.
    first: RefCell<Vec<u8>>,
}

impl Traffic {
    /// What is at the other end, by the first bytes that came from it, when it is not what it should be.
    #[must_use]
    pub fn stranger(&self, tls: bool) -> Option<String> {
        let first = self.first.borrow();
        let text = String::from_utf8_lossy(&first);
        let line = text.lines().next().unwrap_or_default();
        match first.as_slice() {
            [] => None,
            [0x14..=0x17, 3, ..] if tls => None,
            [0x14..=0x17, 3, ..] => Some("a TLS server; leave out --insecure-plaintext".to_owned()),
            [0x20, 2, ..] if tls => Some("an MQTT broker without TLS; is this the right port?".to_owned()),
            [0x20 | 0x30..=0x40 | 0x90, ..] if !tls => None,
            _ if line.starts_with("HTTP/") => Some(format!("an HTTP server (`{line}`); is this the right port?")),
            [b' '..=b'~', ..] => Some(format!("something that begins with `{line}`; is this the right port?")),
            _ => Some(format!("something that begins with the bytes {:02x?}", first.get(..8).unwrap_or(&first))),
        }
    }
}

/// A TCP connection that keeps account of its traffic.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    traffic: Rc<Traffic>,
}

impl Counted {
    /// Starts counting.
    #[must_use]
    pub fn new(stream: TcpStream) -> (Self, Rc<Traffic>) {
        let traffic = Rc::new(Traffic::default());
        (Self { stream, traffic: Rc::clone(&traffic) }, traffic)
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let mut first = self.traffic.first.borrow_mut();
        let wanted = REMEMBERED.saturating_sub(first.len()).min(read.len());
        first.extend_from_slice(read.get(..wanted).unwrap_or_default());
        count(&self.traffic.received, read.len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        count(&self.traffic.sent, written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn count(counter: &Cell<u64>, bytes: usize) {
    counter.set(counter.get().saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)));
}
