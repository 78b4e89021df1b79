//! A network between the program and a broker that does what a test says, from the next connection on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// What is done with a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// It is passed on to this port.
    To(u16),
    /// It is passed on, until so many bytes came back; then nothing more, either way.
    StallAfter(u16, usize),
    /// It is passed on, until so many bytes were sent; then nothing more, either way.
    StallAfterSent(u16, usize),
    /// It is passed on, until so many bytes came back; then it is closed.
    CutAfter(u16, usize),
}

/// A running proxy, stopped when dropped.
pub(crate) struct Proxy {
    /// Where it waits.
    pub(crate) port: u16,
    way: Arc<Mutex<Way>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// One that passes everything on to this port.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port_here = listener.local_addr().unwrap().port();
        let way = Arc::new(Mutex::new(Way::To(port)));
        let closing = Arc::new(AtomicBool::new(false));
        let (ways, closed) = (Arc::clone(&way), Arc::clone(&closing));
        let thread = thread::spawn(move || {
            for client in listener.incoming() {
                if closed.load(Ordering::SeqCst) {
                    return;
                }
                serve(client.unwrap(), *ways.lock().unwrap());
            }
        });
        Self { port: port_here, way, closing, thread: Some(thread) }
    }

    /// Does this with all connections to come.
    pub(crate) fn does(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        drop(self.thread.take().unwrap().join());
    }
}

fn serve(client: TcpStream, way: Way) {
    let reset = |socket: &TcpStream| drop(SockRef::from(socket).set_linger(Some(Duration::ZERO)));
    let (port, back, out, cuts) = match way {
        Way::To(port) => (port, usize::MAX, usize::MAX, false),
        Way::StallAfter(port, bytes) => (port, bytes, usize::MAX, false),
        Way::StallAfterSent(port, bytes) => (port, usize::MAX, bytes, false),
        Way::CutAfter(port, bytes) => (port, bytes, usize::MAX, true),
    };
    let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return reset(&client) };
    for socket in [&client, &broker] {
        socket.set_nodelay(true).unwrap();
    }
    let (from_client, to_client) = (client.try_clone().unwrap(), client);
    let (from_broker, to_broker) = (broker.try_clone().unwrap(), broker);
    let stalled = Arc::new(AtomicBool::new(false));
    let stalls = Arc::clone(&stalled);
    thread::spawn(move || pass(from_client, &to_broker, out, &stalls, || ()));
    thread::spawn(move || {
        let cut = || {
            if cuts {
                drop(to_client.shutdown(Shutdown::Both));
            }
        };
        pass(from_broker, &to_client, back, &stalled, cut);
    });
}

/// Passes on so many bytes; what comes after that is swallowed, and so is all that comes the other way.
fn pass(mut from: TcpStream, mut to: &TcpStream, mut left: usize, stalled: &AtomicBool, at_limit: impl Fn()) {
    let mut chunk = [0; 16 * 1024];
    if left == 0 {
        stalled.store(true, Ordering::SeqCst);
        at_limit();
    }
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        let passed = if stalled.load(Ordering::SeqCst) { 0 } else { length.min(left) };
        if to.write_all(&chunk[..passed]).is_err() {
            break;
        }
        left -= passed;
        if left == 0 {
            stalled.store(true, Ordering::SeqCst);
            at_limit();
        }
    }
    drop(to.shutdown(Shutdown::Write));
}
