//! A stream that counts its traffic. A session has one below TLS and one above, which carries MQTT. Both remember the first
//! bytes received, to name the protocol at the other end when it is not the expected one.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many of the first bytes received are remembered.
const REMEMBERED: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) received: Cell<u64>,
    pub(super) sent: Cell<u64>,
    /// The first bytes received.
    first: RefCell<Vec<u8>>,
}

impl Traffic {
    /// What the other end is, when it does not speak TLS; `None` when it does, or sent nothing.
    pub(super) fn instead_of_tls(&self) -> Option<String> {
        match self.first.borrow().as_slice() {
            [0x14..=0x17] | [0x14..=0x17, 3, ..] => None,
            [0x20, 2, ..] => Some("an MQTT broker without TLS".to_owned()),
            first => identify(first),
        }
    }

    /// What the other end is, when it does not speak MQTT; `None` when it does, or sent nothing. The first packet can only
    /// be a CONNACK.
    pub(super) fn instead_of_mqtt(&self) -> Option<String> {
        match self.first.borrow().as_slice() {
            [0x20, ..] => None,
            [0x14..=0x17, 3, ..] => Some("a TLS server; leave out --insecure-plaintext".to_owned()),
            first => identify(first),
        }
    }
}

/// The sender of these first bytes.
fn identify(first: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(first);
    let line = text.lines().next().unwrap_or_default();
    match first {
        [] => None,
        _ if line.starts_with("HTTP/") => Some(format!("an HTTP server (`{line}`)")),
        [b' '..=b'~', ..] => Some(format!("something that starts with `{line}`")),
        _ => Some(format!("something that starts with the bytes {:02x?}", first.get(..8).unwrap_or(first))),
    }
}

/// Counts the traffic of `S`, and is lenient about how it ends. `EPIPE` and `ECONNRESET` on write are swallowed, so that the
/// next read can surface a TLS alert that arrived before the end. A TLS stream that ends without `close_notify` counts as
/// ended: AWS IoT and others close that way.
#[derive(Debug)]
pub(super) struct MeteredStream<S> {
    stream: S,
    traffic: Rc<Traffic>,
}

impl<S: Unpin> MeteredStream<S> {
    pub(super) fn new(stream: S) -> (Self, Rc<Traffic>) {
        let traffic = Rc::new(Traffic::default());
        (Self { stream, traffic: Rc::clone(&traffic) }, traffic)
    }

    fn inner(&mut self) -> Pin<&mut S> {
        Pin::new(&mut self.stream)
    }

    /// Counts a write of `length` bytes.
    fn written(&self, result: io::Result<usize>, length: usize) -> Poll<io::Result<usize>> {
        let written = match result {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => length,
            result => result?,
        };
        count(&self.traffic.sent, written);
        Poll::Ready(Ok(written))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match ready!(self.inner().poll_read(context, buffer)) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Poll::Ready(Ok(())),
            result => result?,
        }
        let read = buffer.filled().get(before..).unwrap_or_default();
        let mut first = self.traffic.first.borrow_mut();
        let wanted = REMEMBERED.saturating_sub(first.len()).min(read.len());
        first.extend_from_slice(read.get(..wanted).unwrap_or_default());
        count(&self.traffic.received, read.len());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(self.inner().poll_write(context, bytes));
        self.written(result, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(self.inner().poll_write_vectored(context, slices));
        self.written(result, slices.iter().map(|slice| slice.len()).fold(0, usize::saturating_add))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}

fn count(counter: &Cell<u64>, bytes: usize) {
    counter.set(counter.get().saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)));
}
