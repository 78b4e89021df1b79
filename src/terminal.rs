//! Standard output and standard error: what goes where, color, a reader that goes away, foreign text escaped.
//!
//! When standard error is connected to the journal, every line begins with its priority, `<6>` and so on, as `sd-daemon(3)`
//! says, and without the program's name, which the journal adds.

use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::LazyLock;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{fstat, makedev};
use serde::Serialize;
use terminal_size::{Width, terminal_size_of};

use crate::progress;
use crate::text::{escape, escape_json};
use crate::warning::Warnings;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
#[expect(clippy::doc_markdown, reason = "these comments are in the help texts, shown as they are")]
pub(crate) enum Color {
    /// If standard output is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Verbosity {
    /// Errors.
    Quiet,
    /// Errors and warnings.
    #[default]
    Normal,
    /// Each step.
    Verbose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdout {
    /// As far as can be seen.
    Open,
    /// The reader has closed it.
    Closed,
}

#[derive(Debug)]
pub(crate) struct StdoutError(pub(crate) io::Error);

/// Standard output, as a result is written to it: a plain file, because the standard library's own stdout ignores a
/// descriptor that cannot be written to. A concrete type, so that half a million connections cost no indirect calls.
pub(crate) type Out = BufWriter<File>;

/// The priority of a line (`syslog(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// Whether standard output is a terminal.
    pub(crate) is_interactive: bool,
    /// Whether standard error is a terminal that can erase a line, and somebody wants to see one.
    pub(crate) shows_progress: bool,
    verbosity: Verbosity,
    /// Whether standard error is connected to the journal.
    journal: bool,
}

impl Terminal {
    /// Decides once about color on standard output; this program never colors standard error.
    pub(crate) fn new(color: Color, verbosity: Verbosity) -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let shows_progress = verbosity > Verbosity::Quiet && io::stderr().is_terminal() && set("TERM") && !dumb;
        let is_interactive = io::stdout().is_terminal();
        colored::control::set_override(match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_interactive && !set("NO_COLOR") && !dumb,
        });
        Self { is_interactive, shows_progress, verbosity, journal: is_journal().unwrap_or(false) }
    }

    /// The columns of the terminal that standard output is; `None` when it is not one.
    pub(crate) fn width(&self) -> Option<usize> {
        let (Width(columns), _) = terminal_size_of(io::stdout()).filter(|_| self.is_interactive)?;
        Some(usize::from(columns)).filter(|&columns| columns > 0)
    }

    /// Whether only errors are printed (`-q`).
    pub(crate) fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Writes a result, or a part of one. A reader that has gone away has seen enough, so that is not an error.
    #[expect(clippy::unused_self, reason = "nothing is written before there is a terminal")]
    pub(crate) fn write(&self, write: impl FnOnce(&mut Out) -> io::Result<()>) -> Result<Stdout, StdoutError> {
        check_stdout()?;
        let file = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(StdoutError)?);
        let mut out = BufWriter::with_capacity(64 * 1024, file);
        let outcome = progress::without(|| write(&mut out).and_then(|()| out.flush()));
        let _unwritten = out.into_parts(); // dropping it would try to write once more
        match outcome {
            Ok(()) => Ok(Stdout::Open),
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(Stdout::Closed),
            Err(e) => Err(StdoutError(e)),
        }
    }

    /// Writes a JSON document: on one line, for a terminal indented and escaped.
    pub(crate) fn write_json(&self, document: &impl Serialize) -> Result<Stdout, StdoutError> {
        self.write(|out| {
            if self.is_interactive {
                out.write_all(escape_json(&serde_json::to_string_pretty(document)?).as_bytes())?;
            } else {
                serde_json::to_writer(&mut *out, document)?;
            }
            out.write_all(b"\n")
        })
    }

    /// A JSON document on one line, without its end; for a terminal escaped.
    pub(crate) fn json_line(&self, document: &impl Serialize) -> io::Result<String> {
        let text = serde_json::to_string(document)?;
        Ok(if self.is_interactive { escape_json(&text) } else { text })
    }

    /// Prints a step, with `-v`.
    pub(crate) fn debug(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            self.print(Priority::Debug, &text);
        }
    }

    /// Logs that all goes on as before: to the journal, whose readers filter by priority, and with `-v`.
    pub(crate) fn info(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Verbose || (self.journal && self.verbosity >= Verbosity::Normal) {
            self.print(Priority::Info, &text);
        }
    }

    /// Prints something that was asked for, or that changed for the better.
    pub(crate) fn notice(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.print(Priority::Notice, &text);
        }
    }

    /// Logs that something works again; with `-q` too, whose readers have seen the failure.
    pub(crate) fn recovered(&self, text: impl Display) {
        self.print(Priority::Notice, &text);
    }

    pub(crate) fn warn(&self, text: impl Display) {
        self.warn_line(format_args!("warning: {text}"));
    }

    /// Warns of something that decides the exit code. With `-q` it is an error, so that a failure never comes without a reason.
    pub(crate) fn warn_of_failure(&self, text: impl Display) {
        if self.is_quiet() { self.error(text) } else { self.warn(text) }
    }

    /// Logs a line that contains warnings.
    pub(crate) fn warn_line(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.print(Priority::Warning, &text);
        }
    }

    pub(crate) fn warn_all(&self, warnings: &mut Warnings) {
        for text in warnings.take_new() {
            self.warn(text);
        }
    }

    pub(crate) fn error(&self, text: impl Display) {
        self.print(Priority::Error, &text);
    }

    /// Prints how the program is used, lines that come from the parser of the command line.
    pub(crate) fn usage(text: &str) {
        let text: String = text.lines().flat_map(|line| [escape(line), "\n".to_owned()]).collect();
        let _unreadable = io::stderr().write_all(text.as_bytes());
    }

    /// Writes an escaped line to standard error. If that fails, nobody is left to hear of it.
    fn print(&self, priority: Priority, text: &dyn Display) {
        let text = escape(&text.to_string());
        let line = if self.journal {
            #[expect(clippy::as_conversions, reason = "the number is the variant's value")]
            let number = priority as u8;
            format!("<{number}>{text}\n")
        } else {
            format!("device-defender: {text}\n")
        };
        progress::instead(|| drop(io::stderr().write_all(line.as_bytes())));
    }
}

/// Whether standard error is connected to the journal: systemd passes its device and inode number (`systemd.exec(5)`).
fn is_journal() -> Option<bool> {
    let stream = env::var("JOURNAL_STREAM").ok()?;
    let stderr = fstat(io::stderr()).ok()?;
    Some(stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

/// Fails when the program was started with a closed standard output (`>&-`).
///
/// By now that is hard to see: before `main`, Rust's runtime opens `/dev/null` in the place of the standard descriptors that
/// are closed, for reading and writing. Who discards output opens it for writing only, as shells and systemd do. Two others
/// open it for both. Daemons (`daemon(3)`, `start-stop-daemon`) do so for standard error, too: where both are like that,
/// nothing is closed, or nobody wants to know. And some programs do so for standard output alone, such as Python with
/// `subprocess.DEVNULL`. Nothing distinguishes that, so the message names it.
pub(crate) fn check_stdout() -> Result<(), StdoutError> {
    // It does not change, and a stream of events is written line by line.
    static IS_CLOSED: LazyLock<bool> = LazyLock::new(|| {
        let null = makedev(1, 3); // Documentation/admin-guide/devices.txt of the kernel
        let is_null_for_both = |fd: BorrowedFd<'_>| {
            let flags = fcntl(fd, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
            flags.is_ok_and(|flags| flags & OFlag::O_ACCMODE == OFlag::O_RDWR)
                && fstat(fd).is_ok_and(|s| s.st_rdev == null)
        };
        is_null_for_both(io::stdout().as_fd()) && !is_null_for_both(io::stderr().as_fd())
    });
    if *IS_CLOSED {
        return Err(StdoutError(io::Error::other("closed, or /dev/null opened for reading and writing")));
    }
    Ok(())
}
