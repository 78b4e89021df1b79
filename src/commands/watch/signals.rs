//! SIGTERM and SIGINT: the loop ends between two cycles, or the process ends during one that takes too long. The state on disk
//! is whole at every instant, so only an answer can be lost.

use std::cell::Cell;
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Incoming;
use signal_hook::low_level::emulate_default_handler;

use super::notify;
use crate::error::Error;
use crate::exit::Exit;

/// How long a cycle may go on after a signal.
const GRACE: Duration = Duration::from_millis(1500);

pub(super) struct Signals {
    incoming: Receiver<i32>,
    /// The one that ends the loop.
    received: Cell<i32>,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Error> {
        let failed = |source: std::io::Error| Error::System { what: "signals", source };
        let mut signals = Incoming::new([SIGTERM, SIGINT]).map_err(failed)?;
        let (sender, incoming) = mpsc::channel();
        let (start_grace, grace) = mpsc::channel();
        let listen = move || {
            let mut signals = signals.forever();
            if let Some(signal) = signals.next() {
                let _loop_has_ended = sender.send(signal);
                let _never_gone = start_grace.send(signal);
            }
            if let Some(signal) = signals.next() {
                end_process(signal); // a second signal
            }
        };
        // Both threads are started now: when a signal arrives, there may be no room for another one.
        let limit = move || {
            if let Ok(signal) = grace.recv() {
                thread::sleep(GRACE);
                notify::send("STOPPING=1");
                end_process(signal);
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
        thread::Builder::new().name("grace".to_owned()).spawn(limit).map_err(failed)?;
        Ok(Self { incoming, received: Cell::new(SIGTERM) })
    }

    /// Waits at most this long for a signal, and returns whether one came.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        match self.incoming.recv_timeout(longest) {
            Ok(signal) => {
                self.received.set(signal);
                return true;
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The listener is gone, which it never is before a signal came.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(longest),
        }
        false
    }

    /// Ends the loop: with 0 after SIGTERM; after SIGINT as the signal ends any process, so that a shell sees it.
    pub(super) fn end(&self) -> Exit {
        notify::send("STOPPING=1");
        if self.received.get() == SIGINT {
            end_process(SIGINT);
        }
        Exit::Success
    }
}

fn end_process(signal: i32) {
    if signal == SIGINT {
        drop(emulate_default_handler(SIGINT));
    }
    #[expect(clippy::exit, reason = "the main thread is busy with a cycle that takes too long")]
    process::exit(i32::from(Exit::Success.code()));
}
