//! A line on the terminal that says what is waited for.
//!
//! It is shown on standard error when a wait takes more than a second, changes every second, and is erased when the wait ends.
//! Whatever is printed meanwhile takes its place, and it returns below. A signal that ends the process erases it. There is none
//! where standard error is not a terminal, where the terminal cannot erase a line (`TERM=dumb`), and with `-q`.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, raise};
use terminal_size::{Width, terminal_size_of};

use crate::table::width_of;
use crate::terminal::Terminal;
use crate::text::escape;

/// Before a wait is worth a line, and between two changes of the line.
const EVERY: Duration = Duration::from_secs(1);

/// Back to the first column, and everything from there on erased (ECMA-48, EL).
const ERASE: &str = "\r\u{1b}[K";

/// The line of this process, of which there is only one, as there is one standard error.
static LINE: Mutex<Line> = Mutex::new(Line { is_shown: false, is_paused: false });

struct Line {
    is_shown: bool,
    /// Whether standard output, which may be the same terminal, is being written.
    is_paused: bool,
}

/// A wait that is shown until this is dropped.
pub(crate) struct Progress {
    /// `None` where nothing is shown.
    shown_by: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Shows what `text` returns, which may be foreign and contain what would drive a terminal.
    pub(crate) fn start(terminal: &Terminal, text: impl Fn() -> String + Send + 'static) -> Self {
        if !terminal.shows_progress {
            return Self { shown_by: None };
        }
        let (end, ended) = mpsc::channel();
        let show = move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                lock().show(&text());
            }
        };
        // Without a thread there is no line, which nothing depends on.
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(show);
        Self { shown_by: thread.ok().map(|thread| (end, thread)) }
    }

    /// Shows what is done for so long, and how much time is left.
    pub(crate) fn lasting(terminal: &Terminal, what: &str, time: Duration) -> Self {
        let what = format!("{what} for {}", humantime::format_duration(time));
        let start = Instant::now();
        Self::start(terminal, move || format!("{what}: {} left", whole_seconds(time.saturating_sub(start.elapsed()))))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.shown_by.take() {
            drop(end);
            let _ended = thread.join();
            lock().erase();
        }
    }
}

/// Erases the line when SIGINT or SIGTERM ends the process, as the signal ends any other. Must be called before any other
/// thread is started, which could be the one that gets the signal.
pub(crate) fn erase_on_signals(terminal: &Terminal) {
    if !terminal.shows_progress {
        return;
    }
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    if signals.thread_block().is_err() {
        return;
    }
    let listen = move || {
        while let Ok(signal) = signals.wait() {
            // Held to the end, so that the line does not come back. Another thread may hold it for good, while it writes to a
            // terminal that is stopped.
            let mut line = (0..100).find_map(|_| {
                LINE.try_lock().ok().or_else(|| {
                    thread::sleep(Duration::from_millis(1));
                    None
                })
            });
            if let Some(line) = &mut line {
                line.erase();
            }
            let only = SigSet::from(signal);
            // Goes on only if the signal was ignored when the process was started.
            let _ignored = only.thread_unblock().and_then(|()| raise(signal)).and_then(|()| only.thread_block());
        }
    };
    if thread::Builder::new().name("signals".to_owned()).spawn(listen).is_err() {
        let _still_blocked = signals.thread_unblock();
    }
}

/// A duration as the line shows it, rounded up.
pub(crate) fn whole_seconds(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)))
}

/// Writes to standard error in the place of the line.
pub(crate) fn instead(write: impl FnOnce()) {
    let mut line = lock();
    line.erase();
    write();
}

/// Keeps the line away while standard output is written.
pub(crate) fn without<T>(write: impl FnOnce() -> T) -> T {
    {
        let mut line = lock();
        line.erase();
        line.is_paused = true;
    }
    let written = write();
    lock().is_paused = false;
    written
}

fn lock() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn show(&mut self, text: &str) {
        if self.is_paused {
            return;
        }
        let columns = terminal_size_of(io::stderr()).map_or(80, |(Width(columns), _)| usize::from(columns));
        let mut text = escape(text);
        while width_of(&text) >= columns.max(2) {
            text.pop(); // a line that wraps could not be erased
        }
        self.is_shown = true;
        write(&format!("{ERASE}{text}"));
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            write(ERASE);
        }
    }
}

fn write(text: &str) {
    let _unreadable = io::stderr().write_all(text.as_bytes());
}
