//! SIGTERM and SIGINT: the loop ends between two cycles, or the process ends during one that takes too long. The state on disk
//! is whole at every instant, so only an answer can be lost.

use std::cell::Cell;
use std::io;
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, raise};

use super::notify;
use crate::error::Error;
use crate::exit::Exit;
use crate::progress;

/// How long a cycle may go on after a signal.
const GRACE: Duration = Duration::from_millis(1500);

/// What a shell makes of the end by SIGINT.
const INTERRUPTED: i32 = 130;

pub(super) struct Signals {
    incoming: Receiver<Signal>,
    /// The one that ends the loop.
    received: Cell<Signal>,
}

impl Signals {
    /// Must be called before any other thread is started.
    pub(super) fn listen() -> Result<Self, Error> {
        let failed = |source: io::Error| Error::System { what: "signals", source };
        let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
        // Blocked in this thread and all that it starts. Otherwise the kernel may deliver them to this thread while it hangs
        // in a file system, where it cannot handle them.
        signals.thread_block().map_err(|error| failed(error.into()))?;
        let (sender, incoming) = mpsc::channel();
        let (start_grace, grace) = mpsc::channel();
        let listen = move || {
            if let Ok(signal) = signals.wait() {
                let _loop_has_ended = sender.send(signal);
                let _never_gone = start_grace.send(signal);
            }
            if let Ok(signal) = signals.wait() {
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
        Ok(Self { incoming, received: Cell::new(Signal::SIGTERM) })
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
        if self.received.get() == Signal::SIGINT {
            end_process(Signal::SIGINT);
        }
        Exit::Success
    }
}

fn end_process(signal: Signal) {
    progress::instead(|| {});
    let mut code = i32::from(Exit::Success.code());
    if signal == Signal::SIGINT {
        let _not_ended = SigSet::from(signal).thread_unblock().and_then(|()| raise(signal));
        code = INTERRUPTED; // the signal was ignored when the process was started
    }
    #[expect(clippy::exit, reason = "the main thread is busy with a cycle that takes too long")]
    process::exit(code);
}
