//! SIGTERM and SIGINT: the loop ends between two cycles, or the process does in the middle of one when that takes too
//! long. The state on disk is whole at every instant, so nothing is lost by that but an answer.

use std::cell::Cell;
use std::process;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Incoming;
use signal_hook::low_level::emulate_default_handler;

use super::notify;
use crate::exit::{Exit, Failure};

/// How long a cycle may go on after a signal.
const GRACE: Duration = Duration::from_millis(1500);

/// The signals that came.
pub(super) struct Signals {
    incoming: Receiver<i32>,
    /// The one that ends the loop.
    received: Cell<i32>,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the system gives no descriptor or thread for it.
    pub(super) fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Unavailable, format!("signals: {error}"));
        let mut signals = Incoming::new([SIGTERM, SIGINT]).map_err(failed)?;
        let (sender, incoming) = mpsc::channel();
        let (begin_grace, grace) = mpsc::channel();
        let listen = move || {
            let mut signals = signals.forever();
            if let Some(signal) = signals.next() {
                let _loop_has_ended = sender.send(signal);
                let _never_gone = begin_grace.send(signal);
            }
            if let Some(signal) = signals.next() {
                end_process(signal); // asked twice
            }
        };
        // Both are made now: when a signal comes, there may be no room for another thread.
        let limit = move || {
            if let Ok(signal) = grace.recv() {
                thread::sleep(GRACE);
                notify::stopping();
                end_process(signal);
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
        thread::Builder::new().name("grace".to_owned()).spawn(limit).map_err(failed)?;
        Ok(Self { incoming, received: Cell::new(SIGTERM) })
    }

    /// Waits for a signal, for so long; whether one came.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        match self.incoming.recv_timeout(longest) {
            Ok(signal) => {
                self.received.set(signal);
                true
            }
            Err(mpsc::RecvTimeoutError::Timeout) => false,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                thread::sleep(longest); // the listener is gone, which it never is before a signal came
                false
            }
        }
    }

    /// Ends the loop: with 0 after SIGTERM; after SIGINT the way it ends any process, so that a shell sees it.
    pub(super) fn end(&self) -> Exit {
        notify::stopping();
        if self.received.get() == SIGINT {
            end_process(SIGINT);
        }
        Exit::Done
    }
}

/// Ends the process here and now.
fn end_process(signal: i32) {
    if signal == SIGINT {
        drop(emulate_default_handler(SIGINT));
    }
    #[expect(clippy::exit, reason = "the main thread is busy with a cycle that takes too long")]
    process::exit(i32::from(Exit::Done.code()));
}
