//! Standard output and standard error: what goes where, colour, a reader that goes away, foreign text made harmless.
//!
//! When standard error is the journal's, every line begins with its priority, `<6>` and so on, as `sd-daemon(3)` says, and
//! without the program's name, which the journal adds.

use std::cell::RefCell;
use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use serde::Serialize;
use terminal_size::{Width, terminal_size_of};

use crate::escape::{escape, escape_json};
use crate::exit::{Exit, Failure};

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal that can, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is told on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Errors and warnings.
    #[default]
    Normal,
    /// Every step.
    Verbose,
}

/// Whether standard output is still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// As far as can be told.
    There,
    /// It has been closed.
    Gone,
}

/// Standard output, as a result is written to it: a plain file, as the standard library's own standard output passes over
/// a descriptor that cannot be written to. A named type, so that half a million connections cost no indirect calls.
pub type Out = BufWriter<File>;

/// How important a line is (`syslog(3)`).
#[derive(Debug, Clone, Copy)]
enum Priority {
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

/// The two output streams of this process.
#[derive(Debug)]
pub struct Terminal {
    verbosity: Verbosity,
    /// Whether standard error is the journal's.
    journal: bool,
    /// Warnings that are held back.
    held: RefCell<Option<Vec<String>>>,
}

impl Terminal {
    /// Decides about colour once, for standard output; nothing of ours is coloured on standard error.
    #[must_use]
    pub fn new(color: Color, verbosity: Verbosity) -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        colored::control::set_override(match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
        });
        Self { verbosity, journal: is_journal().unwrap_or_default(), held: RefCell::new(None) }
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// The columns of the terminal that standard output is; `None` when it is none.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        terminal_size_of(io::stdout()).map(|(Width(columns), _)| usize::from(columns)).filter(|&columns| columns > 0)
    }

    /// Writes the result. A reader that has gone away is no failure: it has seen enough.
    ///
    /// # Errors
    /// [`Exit::Output`] for anything else that keeps the result from being written, a full disk for one.
    pub fn result(&self, write: impl FnOnce(&mut Out) -> io::Result<()>) -> Result<(), Failure> {
        self.event(write).map(|_| ())
    }

    /// Writes a document as the result: JSON on one line, for a terminal indented and harmless.
    ///
    /// # Errors
    /// As those of [`Self::result`].
    pub fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        self.result(|out| {
            if self.stdout_is_terminal() {
                out.write_all(escape_json(&serde_json::to_string_pretty(document)?).as_bytes())?;
            } else {
                serde_json::to_writer(&mut *out, document)?;
            }
            out.write_all(b"\n")
        })
    }

    /// Writes a part of a result that comes in parts, at once, and tells whether anyone is there to read the next.
    ///
    /// # Errors
    /// As those of [`Self::result`].
    pub fn event(&self, write: impl FnOnce(&mut Out) -> io::Result<()>) -> Result<Reader, Failure> {
        let failed = |e: io::Error| Failure::new(Exit::Output, format!("standard output: {e}"));
        let file = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
        let mut out = BufWriter::with_capacity(64 * 1024, file);
        let outcome = write(&mut out).and_then(|()| out.flush());
        let _unwritten = out.into_parts(); // dropping it would try once more
        match outcome {
            Ok(()) => Ok(Reader::There),
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
            Err(e) => Err(failed(e)),
        }
    }

    /// Tells something that happened on the way, for those who asked with `-v`.
    pub fn step(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            self.tell(Priority::Debug, &text);
        }
    }

    /// Tells that all goes on as it did: to the journal, which sorts by priority, and to those who asked with `-v`.
    pub fn info(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Verbose || (self.journal && self.verbosity >= Verbosity::Normal) {
            self.tell(Priority::Info, &text);
        }
    }

    /// Tells something that was asked for beside the result, or that is news.
    pub fn notice(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.tell(Priority::Notice, &text);
        }
    }

    /// Tells that something is not as it was; what `failed` is told even to those who want errors only.
    pub fn change(&self, text: impl Display, failed: bool) {
        if failed || self.verbosity >= Verbosity::Normal {
            self.tell(Priority::Notice, &text);
        }
    }

    /// Tells something that makes the result less than it could be.
    pub fn warning(&self, text: impl Display) {
        if let Some(held) = self.held.borrow_mut().as_mut() {
            held.push(text.to_string());
        } else if self.verbosity >= Verbosity::Normal {
            self.tell(Priority::Warning, &format_args!("warning: {text}"));
        }
    }

    /// Holds warnings back from now on, for [`Self::held`].
    pub fn hold_warnings(&self) {
        self.held.replace(Some(Vec::new()));
    }

    /// The warnings that were held back since it was last asked.
    #[must_use]
    pub fn held(&self) -> Vec<String> {
        self.held.borrow_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Shows why the run failed.
    pub fn failure(&self, failure: &Failure) {
        for message in &failure.messages {
            self.tell(Priority::Error, message);
        }
        if let Some(hint) = &failure.hint {
            self.tell(Priority::Error, &format_args!("hint: {hint}"));
        }
    }

    /// Writes a line to standard error, harmless for a terminal. Nobody is left to tell when that fails.
    fn tell(&self, priority: Priority, text: &dyn Display) {
        let text = escape(&text.to_string());
        let line = if self.journal {
            let number = match priority {
                Priority::Error => 3,
                Priority::Warning => 4,
                Priority::Notice => 5,
                Priority::Info => 6,
                Priority::Debug => 7,
            };
            format!("<{number}>{text}\n")
        } else {
            format!("device-defender: {text}\n")
        };
        let _unreadable = io::stderr().write_all(line.as_bytes());
    }
}

/// Whether standard error goes to the journal: systemd gives its device and inode number (`systemd.exec(5)`).
fn is_journal() -> Option<bool> {
    let stream = env::var("JOURNAL_STREAM").ok()?;
    let stderr = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
    Some(stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}
