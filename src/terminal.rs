//! Standard output and standard error: what goes where, colour, a reader that goes away, foreign text made harmless.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use terminal_size::{Width, terminal_size_of};

use crate::escape::escape;
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

/// Standard output, as a result is written to it: a plain file, as the standard library's own standard output passes over
/// a descriptor that cannot be written to. A named type, so that half a million connections cost no indirect calls.
pub type Out = BufWriter<File>;

/// The two output streams of this process.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    verbosity: Verbosity,
}

impl Terminal {
    /// Decides about colour once, for standard output; nothing of ours is coloured on standard error.
    #[must_use]
    pub fn new(color: Color, verbosity: Verbosity) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        colored::control::set_override(match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
        });
        Self { verbosity }
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub fn stdout_is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// The columns of the terminal that standard output is; `None` when it is none.
    #[must_use]
    pub fn width(self) -> Option<usize> {
        terminal_size_of(io::stdout()).map(|(Width(columns), _)| usize::from(columns)).filter(|&columns| columns > 0)
    }

    /// Writes the result. A reader that has gone away is no failure: it has seen enough.
    ///
    /// # Errors
    /// [`Exit::Output`] for anything else that keeps the result from being written, a full disk for one.
    pub fn result(self, write: impl FnOnce(&mut Out) -> io::Result<()>) -> Result<(), Failure> {
        let failed = |e: io::Error| Failure::new(Exit::Output, format!("standard output: {e}"));
        let file = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
        let mut out = BufWriter::with_capacity(64 * 1024, file);
        let outcome = write(&mut out).and_then(|()| out.flush());
        let _unwritten = out.into_parts(); // dropping it would try once more
        match outcome {
            Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(failed(e)),
            _ => Ok(()),
        }
    }

    /// Tells something that happened on the way, for those who asked with `-v`.
    pub fn step(self, text: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            tell(&text);
        }
    }

    /// Tells something that was asked for beside the result.
    pub fn notice(self, text: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            tell(&text);
        }
    }

    /// Tells something that makes the result less than it could be.
    pub fn warning(self, text: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            tell(&format_args!("warning: {text}"));
        }
    }

    /// Shows why the run failed.
    pub fn failure(self, failure: &Failure) {
        for message in &failure.messages {
            tell(message);
        }
        if let Some(hint) = &failure.hint {
            tell(&format_args!("hint: {hint}"));
        }
    }
}

/// Writes a line to standard error, harmless for a terminal. Nobody is left to tell when that fails.
fn tell(text: &dyn Display) {
    let line = format!("device-defender: {}\n", escape(&text.to_string()));
    let _unreadable = io::stderr().write_all(line.as_bytes());
}
