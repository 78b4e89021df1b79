//! `publish` from outside: against a real broker with mutual TLS and a stand-in for Device Defender behind it, and
//! against peers that do what no broker would.
//!
//! Needs `mosquitto`, `openssl`, `faketime` and `bindfs`, and for [`network`] and [`hangs`] what `tests/netns` needs. A test that cannot run here
//! fails and says what is missing.

mod brokers;
mod check;
#[cfg(all(feature = "greengrass", feature = "yaml"))]
mod cores;
mod credentials;
mod crowds;
mod early;
#[cfg(feature = "greengrass")]
mod greengrass;
mod hangs;
mod limits;
mod network;
#[cfg(feature = "greengrass")]
mod nucleus;
mod outcomes;
mod paths;
mod reasons;
mod report;
mod session;
mod settings;
mod state;
mod tls;
mod transports;
mod versions;
mod words;

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::support::{NEVER, Peer, Tls};

/// A peer that sends a word when a client has connected, and accepts its report only after a word from the test.
fn holding() -> (Peer, Receiver<()>, Sender<()>) {
    let (connected, is_connected) = channel();
    let (finish, may_finish) = channel();
    let peer = Peer::tls(Tls::default(), move |link| {
        link.accept_connect()?;
        connected.send(()).unwrap();
        may_finish.recv_timeout(NEVER).unwrap();
        link.accept_subscribe()?;
        link.accept_the_report()
    });
    (peer, is_connected, finish)
}
