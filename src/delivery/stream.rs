//! The streams of a session: the connection below TLS, which counts its bytes, and what is above, MQTT. Both remember the
//! first bytes that came, to tell what is at the other end when it is not what it should be.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much of what came first is remembered, in bytes.
const REMEMBERED: usize = 64;

/// What went over a connection.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes received.
    pub received: Cell<u64>,
    /// Bytes sent.
    pub sent: Cell<u64>,
    /// The first bytes received, as they came.
    raw: RefCell<Vec<u8>>,
    /// The first bytes received, with TLS taken off.
    clear: RefCell<Vec<u8>>,
}

impl Traffic {
    /// What is at the other end when it does not speak TLS; `None` when it does, or said nothing.
    #[must_use]
    pub fn instead_of_tls(&self) -> Option<String> {
        match self.raw.borrow().as_slice() {
            [0x14..=0x17] | [0x14..=0x17, 3, ..] => None,
            [0x20, 2, ..] => Some("an MQTT broker without TLS".to_owned()),
            first => stranger(first),
        }
    }

    /// What is at the other end when it does not speak MQTT; `None` when it does, or said nothing. The first packet can
    /// only be a CONNACK.
    #[must_use]
    pub fn instead_of_mqtt(&self) -> Option<String> {
        match self.clear.borrow().as_slice() {
            [0x20, ..] => None,
            [0x14..=0x17, 3, ..] => Some("a TLS server; leave out --insecure-plaintext".to_owned()),
            first => stranger(first),
        }
    }
}

/// What begins with these bytes.
fn stranger(first: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(first);
    let line = text.lines().next().unwrap_or_default();
    match first {
        [] => None,
        _ if line.starts_with("HTTP/") => Some(format!("an HTTP server (`{line}`)")),
        [b' '..=b'~', ..] => Some(format!("something that begins with `{line}`")),
        _ => Some(format!("something that begins with the bytes {:02x?}", first.get(..8).unwrap_or(first))),
    }
}

/// A TCP connection that keeps account of its traffic. What cannot be written because the other side is gone counts as
/// written: reading then tells why, be it an alert that came before the end, and would not be read otherwise.
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

    /// Keeps account of a write of `length` bytes.
    fn written(&self, result: io::Result<usize>, length: usize) -> io::Result<usize> {
        let written = match result {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => length,
            result => result?,
        };
        count(&self.traffic.sent, written);
        Ok(written)
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
        remember(&self.traffic.raw, read);
        count(&self.traffic.received, read.len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.written(result, bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        Poll::Ready(self.written(result, slices.iter().map(|slice| slice.len()).fold(0, usize::saturating_add)))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The stream that MQTT is spoken on. Its end is an end, also when TLS has not said so: AWS IoT and others close that way.
pub struct Clear<S> {
    stream: S,
    traffic: Rc<Traffic>,
}

impl<S> Clear<S> {
    /// The stream above `stream`.
    pub fn new(stream: S, traffic: Rc<Traffic>) -> Self {
        Self { stream, traffic }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Clear<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match ready!(Pin::new(&mut self.stream).poll_read(context, buffer)) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) => {
                remember(&self.traffic.clear, buffer.filled().get(before..).unwrap_or_default());
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Clear<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn remember(first: &RefCell<Vec<u8>>, read: &[u8]) {
    let mut first = first.borrow_mut();
    let wanted = REMEMBERED.saturating_sub(first.len()).min(read.len());
    first.extend_from_slice(read.get(..wanted).unwrap_or_default());
}

fn count(counter: &Cell<u64>, bytes: usize) {
    counter.set(counter.get().saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)));
}
