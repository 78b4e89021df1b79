//! What reading any table below `/proc/net` has in common: opening it without ever blocking, walking its lines in
//! bounded memory, and keeping account of rows that could not be understood.
//!
//! The kernel hands such a table out in pieces of at most one page, whole lines each (`seq_file`). Nothing here relies
//! on that: a saved copy may be cut anywhere, and may hold anything.
#![warn(clippy::arithmetic_side_effects)]

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use memchr::arch::all::memchr::One;
use nix::fcntl::OFlag;

/// Longest line that is looked at, in bytes. The kernel's own lines stay below 256.
const MAX_LINE: usize = 4096;

/// Size of the read buffer: more than [`MAX_LINE`], and no less than the kernel gives at once (4050 bytes on x86).
const BUFFER: usize = 16 * 1024;

/// How many malformed rows of a table are remembered with their place; the rest are only counted.
const REMEMBERED: usize = 5;

/// How much of an offending text is kept, in bytes.
const EXCERPT: usize = 40;

/// Why a whole table is unknown.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file could not be opened.
    #[error("{0}")]
    Open(#[source] io::Error),
    /// The file is a directory, a pipe or a device: every `/proc` table is a regular file.
    #[error("not a regular file")]
    NotAFile,
    /// Reading failed after so many complete lines.
    #[error("reading stopped after line {line}: {source}")]
    Read {
        /// The last line that was read whole.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing in it. The kernel's tables have at least a header; a copy made by size has not even that.
    #[error("the file is empty")]
    Empty,
    /// The first line (in `net/dev` the second) does not name the columns this program knows.
    #[error("line {line} is not the header of this table: `{found}`")]
    Header {
        /// Where the header was expected, counted from 1.
        line: u64,
        /// What was found there.
        found: Excerpt,
    },
}

impl TableError {
    /// Whether the file is simply not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Open(e) if e.kind() == io::ErrorKind::NotFound)
    }
}

/// The beginning of some text that was not understood. Bytes that are no UTF-8 are shown as U+FFFD; control characters
/// are kept, so whoever shows it must escape it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// Keeps the first 40 bytes of `text`.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let cut = text.get(..EXCERPT);
        let mut kept = String::from_utf8_lossy(cut.unwrap_or(text)).into_owned();
        if cut.is_some_and(|cut| cut.len() < text.len()) {
            kept.push('…');
        }
        Self(kept)
    }
}

impl std::fmt::Display for Excerpt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why one row was skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row ends before this column.
    #[error("column {0} is missing")]
    Missing(&'static str),
    /// A column holds something else than it should.
    #[error("column {column} holds `{text}`")]
    Column {
        /// The kernel's name of the column.
        column: &'static str,
        /// What stands there.
        text: Excerpt,
    },
    /// The row is longer than any the kernel writes.
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// The file ends inside this row.
    #[error("the file ends inside this row")]
    CutOff,
}

impl RowError {
    /// A column that holds `text`, which it must not.
    #[must_use]
    pub fn column(column: &'static str, text: &[u8]) -> Self {
        Self::Column { column, text: Excerpt::new(text) }
    }
}

/// The rows of one table that were skipped: how many, and where the first few stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Malformed {
    /// How many rows were skipped.
    pub count: u64,
    /// Line number (from 1) and reason of the first few.
    pub first: Vec<(u64, RowError)>,
}

impl Malformed {
    /// Adds one skipped row.
    pub fn add(&mut self, line: u64, error: RowError) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < REMEMBERED {
            self.first.push((line, error));
        }
    }
}

/// One line of a table, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line.
    Whole(&'a [u8]),
    /// The last line of a file that does not end with a newline.
    Unended(&'a [u8]),
    /// A line of more than 4096 bytes; its content is gone.
    TooLong,
}

/// Opens a table for reading.
///
/// # Errors
/// [`TableError::Open`], or [`TableError::NotAFile`] for anything that is no regular file: a pipe in a saved tree would
/// block for ever, a device might never end.
pub fn open(path: &Path) -> Result<File, TableError> {
    let file =
        File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(TableError::Open)?;
    let kind = file.metadata().map_err(TableError::Open)?.file_type();
    if kind.is_file() { Ok(file) } else { Err(TableError::NotAFile) }
}

/// Reads a file of one line or two, such as `uptime`, with the care of [`open`]. `None` when it cannot be read.
#[must_use]
pub fn read_short(path: &Path) -> Option<String> {
    let mut text = String::new();
    open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Calls `each` for every line of `table` with its number, counted from 1, and stops at the first error it returns.
///
/// # Errors
/// What `each` returned, or [`TableError::Read`].
pub fn for_each_line(
    mut table: impl Read,
    mut each: impl FnMut(u64, Line<'_>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0; // bytes at the start of the buffer that belong to a line not yet ended
    let mut number = 0_u64;
    let next = |number: u64| number.saturating_add(1);
    let mut too_long = false;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        let more = match table.read(free) {
            Ok(0) => break,
            Ok(more) => more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(TableError::Read { line: number, source }),
        };
        let end = filled.saturating_add(more);
        let mut rest = buffer.get(..end).unwrap_or_default();
        while let Some((line, after)) = split_line(rest) {
            rest = after;
            number = next(number);
            let line = if too_long || line.len() > MAX_LINE { Line::TooLong } else { Line::Whole(line) };
            too_long = false;
            each(number, line)?;
        }
        too_long |= rest.len() > MAX_LINE;
        filled = if too_long { 0 } else { rest.len() };
        buffer.copy_within(end.saturating_sub(filled)..end, 0);
    }
    let last = buffer.get(..filled).unwrap_or_default();
    if too_long {
        each(next(number), Line::TooLong)?;
    } else if !last.is_empty() {
        each(next(number), Line::Unended(last))?;
    }
    Ok(())
}

/// Splits at the first newline, which belongs to neither side.
///
/// The plain search of `memchr` is quick enough, and unlike its quickest one need not ask the processor what it can do:
/// on a virtual machine that takes as long as reading the tables of an idle device.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = text.split_at_checked(One::new(b'\n').find(text)?)?;
    Some((line, rest.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives out at most `step` bytes a read, as a slow or paged file does.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let take = self.1.min(buffer.len()).min(self.0.len());
            buffer[..take].copy_from_slice(&self.0[..take]);
            self.0 = &self.0[take..];
            Ok(take)
        }
    }

    fn lines(text: &[u8], step: usize) -> Vec<(u64, Option<Vec<u8>>, bool)> {
        let mut seen = Vec::new();
        for_each_line(Pieces(text, step), |number, line| {
            seen.push(match line {
                Line::Whole(line) => (number, Some(line.to_vec()), true),
                Line::Unended(line) => (number, Some(line.to_vec()), false),
                Line::TooLong => (number, None, true),
            });
            Ok(())
        })
        .unwrap();
        seen
    }

    #[test]
    fn a_file_may_end_without_a_newline() {
        assert_eq!(
            lines(b"a\n\nb", 2),
            [(1, Some(b"a".to_vec()), true), (2, Some(vec![]), true), (3, Some(b"b".to_vec()), false)]
        );
        assert_eq!(lines(b"", 1), []);
    }

    #[test]
    fn a_line_of_ten_megabytes_is_skipped_in_bounded_memory() {
        let mut text = b"head\n".to_vec();
        text.resize(10_000_000, b'x');
        text.extend_from_slice(b"\ntail\n");
        assert_eq!(
            lines(&text, usize::MAX),
            [(1, Some(b"head".to_vec()), true), (2, None, true), (3, Some(b"tail".to_vec()), true)]
        );
    }

    #[test]
    fn an_excerpt_is_short_and_says_that_it_was_cut() {
        assert_eq!(Excerpt::new(b"abc").to_string(), "abc");
        assert_eq!(Excerpt::new(&[b'x'; 41]).to_string(), format!("{}…", "x".repeat(40)));
    }

    #[test]
    fn a_pipe_is_refused_instead_of_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tcp");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(open(&path), Err(TableError::NotAFile)));
        assert!(matches!(open(Path::new("/dev/zero")), Err(TableError::NotAFile)));
        assert!(matches!(open(dir.path()), Err(TableError::NotAFile)));
        assert!(open(&dir.path().join("gone")).unwrap_err().is_missing());
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_are_read(text in "([a-z]{0,9}\n?){0,200}", step in 1..300_usize) {
            prop_assert_eq!(lines(text.as_bytes(), step), lines(text.as_bytes(), usize::MAX));
            let joined: Vec<String> = lines(text.as_bytes(), step)
                .into_iter()
                .map(|(_, line, ended)| {
                    let newline = if ended { "\n" } else { "" };
                    format!("{}{newline}", String::from_utf8(line.unwrap()).unwrap())
                })
                .collect();
            prop_assert_eq!(joined.concat(), text);
        }
    }
}
