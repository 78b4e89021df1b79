//! What reading any table below `/proc/net` has in common: it goes through the lines in bounded memory and keeps
//! count of rows that are not understood.
//!
//! The kernel returns a table in pieces of at most one page of whole lines (`seq_file`). Nothing here relies on that: a
//! saved copy may be cut anywhere, and may hold anything.
#![warn(clippy::arithmetic_side_effects)]

use std::fmt;
use std::io::{self, Read};

use crate::text::truncate;

/// Longest line that is read, in bytes. The kernel's own lines stay below 256.
const MAX_LINE: usize = 4096;

/// Size of the read buffer: more than [`MAX_LINE`], and no less than the kernel returns at once (4050 bytes on x86).
const BUFFER: usize = 16 * 1024;

/// The most bytes of a table that are read: room for more than a million sockets.
pub(crate) const MAX_TABLE: u64 = 256 << 20;

/// The most interfaces, addresses of interfaces, or networks that are kept: what is made of them stays below the 64 MB of
/// the unit's `MemoryMax=`, and the state file below the size that is read.
pub(crate) const MAX_KEPT: usize = 32_768;

/// The most bytes in the name of an interface (`IFNAMSIZ` of the kernel, less the NUL at the end).
const MAX_NAME: usize = 15;

/// How many malformed rows of a table are kept with their line number; the rest are only counted.
const REMEMBERED: usize = 5;

/// How much of an unexpected text is kept, in characters.
const EXCERPT: usize = 40;

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("{0}")]
    Open(#[source] io::Error),
    /// `line` is the last one that was read whole.
    #[error("reading stopped after line {line}: {source}")]
    Read { line: u64, source: io::Error },
    /// The kernel's tables have at least a header; a copying tool that trusts the size 0 of `/proc` files drops even that.
    #[error("the file is empty")]
    Empty,
    #[error("larger than {} MiB", MAX_TABLE >> 20)]
    TooLarge,
    #[error("more than {MAX_KEPT} {0}")]
    TooMany(&'static str),
    /// Interfaces whose names look the same.
    #[error("the counters of `{name}` add up to more than 64 bits hold")]
    Overflow { name: String },
    /// The first line (in `net/dev` the second) does not name the columns this program knows.
    #[error("line {line} is not the header of this table: `{found}`")]
    Header { line: u64, found: Excerpt },
}

impl TableError {
    /// What distinguishes it from other errors, without what was read.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Open(error) | Self::Read { source: error, .. } => format!("{:?}", error.kind()),
            Self::Empty => "empty".to_owned(),
            Self::TooLarge => "too large".to_owned(),
            Self::TooMany(what) => (*what).to_owned(),
            Self::Overflow { .. } => "overflow".to_owned(),
            Self::Header { .. } => "header".to_owned(),
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Open(e) if e.kind() == io::ErrorKind::NotFound)
    }
}

/// The beginning of some text that was not understood. Bytes that are not UTF-8 are shown as U+FFFD; control characters
/// are kept: escape it before showing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    pub(super) fn new(text: &[u8]) -> Self {
        Self(truncate(&String::from_utf8_lossy(text), EXCERPT))
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("column {0} is missing")]
    Missing(&'static str),
    #[error("column {column} holds `{text}`")]
    Column { column: &'static str, text: Excerpt },
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("the file ends inside this row")]
    CutOff,
}

impl RowError {
    /// What distinguishes it from other errors, without what was read.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Missing(column) | Self::Column { column, .. } => column,
            Self::TooLong => "too long",
            Self::CutOff => "cut off",
        }
    }

    #[cold] // so that the code of a row without errors is inlined
    pub(super) fn column(column: &'static str, text: &[u8]) -> Self {
        Self::Column { column, text: Excerpt::new(text) }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Malformed {
    pub count: u64,
    /// Line number (from 1) and reason of the first few.
    pub first: Vec<(u64, RowError)>,
}

impl Malformed {
    pub(super) fn add(&mut self, line: u64, error: RowError) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < REMEMBERED {
            self.first.push((line, error));
        }
    }
}

/// One line of a table, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableLine<'a> {
    Whole(&'a [u8]),
    /// The last line of a file that does not end with a newline.
    Unended(&'a [u8]),
    /// A line of more than [`MAX_LINE`] bytes; its content is dropped.
    TooLong,
}

impl<'a> TableLine<'a> {
    /// The text, even if the end of it may be missing.
    pub(super) fn text(self) -> Result<&'a [u8], RowError> {
        match self {
            Self::Whole(text) | Self::Unended(text) => Ok(text),
            Self::TooLong => Err(RowError::TooLong),
        }
    }

    /// The text of a line that has its end.
    pub(super) fn whole(self) -> Result<&'a [u8], RowError> {
        if let Self::Unended(_) = self { Err(RowError::CutOff) } else { self.text() }
    }
}

/// Reads the lines after the header, which is line `header` (0: the table has none), with `parse_row`; returns the rows
/// that it refused.
pub(super) fn read_rows(
    table: impl Read,
    header: u64,
    mut is_header: impl FnMut(TableLine<'_>) -> bool,
    mut parse_row: impl FnMut(TableLine<'_>) -> Result<(), RowError>,
) -> Result<Malformed, TableError> {
    let mut malformed = Malformed::default();
    let mut last = 0;
    for_each_line(table, |number, line| {
        last = number;
        if number > header {
            parse_row(line).unwrap_or_else(|error| malformed.add(number, error));
        } else if number == header && !is_header(line) {
            let found = Excerpt::new(line.text().unwrap_or_default().trim_ascii());
            return Err(TableError::Header { line: number, found });
        }
        Ok(())
    })?;
    match last {
        0 if header > 0 => Err(TableError::Empty),
        _ if last < header => Err(TableError::Header { line: header, found: Excerpt::new(b"") }),
        _ => Ok(malformed),
    }
}

/// Calls `each` for every line of `table` with its number, counted from 1, and stops at the first error. A table of more than
/// [`MAX_TABLE`] bytes, which may never end, is one.
pub(super) fn for_each_line(
    mut table: impl Read,
    mut each: impl FnMut(u64, TableLine<'_>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0; // bytes at the start of the buffer that belong to an unfinished line
    let mut number = 0_u64;
    let next = |number: u64| number.saturating_add(1);
    let mut too_long = false;
    let mut left = MAX_TABLE;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        let more = match table.read(free) {
            Ok(0) => break,
            Ok(more) => more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(TableError::Read { line: number, source }),
        };
        left = u64::try_from(more).ok().and_then(|more| left.checked_sub(more)).ok_or(TableError::TooLarge)?;
        let end = filled.saturating_add(more);
        let mut rest = buffer.get(..end).unwrap_or_default();
        while let Some((line, after)) = split_line(rest) {
            rest = after;
            number = next(number);
            let line = if too_long || line.len() > MAX_LINE { TableLine::TooLong } else { TableLine::Whole(line) };
            too_long = false;
            each(number, line)?;
        }
        too_long |= rest.len() > MAX_LINE;
        filled = if too_long { 0 } else { rest.len() };
        buffer.copy_within(end.saturating_sub(filled)..end, 0);
    }
    match buffer.get(..filled).unwrap_or_default() {
        _ if too_long => each(next(number), TableLine::TooLong),
        [] => Ok(()),
        last => each(next(number), TableLine::Unended(last)),
    }
}

/// Checks the name of an interface, which stands in `column`.
pub(super) fn interface_name<'a>(column: &'static str, name: &'a [u8]) -> Result<&'a [u8], RowError> {
    match name.len() {
        0 => Err(RowError::Missing(column)),
        1..=MAX_NAME => Ok(name),
        _ => Err(RowError::column(column, name)),
    }
}

pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Splits at the first newline, which belongs to neither side.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = text.split_at_checked(find_newline(text)?)?;
    Some((line, rest.get(1..).unwrap_or_default()))
}

/// Finds the first newline with what every processor of its kind has. `memchr::memchr` first asks for the features of this
/// processor, which on a virtual machine takes as long as reading the tables of an idle device.
#[cfg(target_arch = "x86_64")]
fn find_newline(text: &[u8]) -> Option<usize> {
    memchr::arch::x86_64::sse2::memchr::One::new(b'\n')?.find(text)
}

#[cfg(not(target_arch = "x86_64"))]
fn find_newline(text: &[u8]) -> Option<usize> {
    memchr::arch::all::memchr::One::new(b'\n').find(text)
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

    /// Every line, with its newline if it has one.
    fn lines(text: &[u8], step: usize) -> Vec<String> {
        let mut seen = Vec::new();
        for_each_line(Pieces(text, step), |number, line| {
            seen.push(match line {
                TableLine::Whole(line) => format!("{}\n", str::from_utf8(line).unwrap()),
                TableLine::Unended(line) => str::from_utf8(line).unwrap().to_owned(),
                TableLine::TooLong => "too long".to_owned(),
            });
            assert_eq!(number, u64::try_from(seen.len()).unwrap());
            Ok(())
        })
        .unwrap();
        seen
    }

    #[test]
    fn a_file_may_end_without_a_newline() {
        assert_eq!(lines(b"a\n\nb", 2), ["a\n", "\n", "b"]);
        assert!(lines(b"", 1).is_empty());
    }

    #[test]
    fn a_line_of_ten_megabytes_is_skipped_in_bounded_memory() {
        let mut text = b"head\n".to_vec();
        text.resize(10_000_000, b'x');
        text.extend_from_slice(b"\ntail\n");
        assert_eq!(lines(&text, usize::MAX), ["head\n", "too long", "tail\n"]);
    }

    #[test]
    fn an_excerpt_is_short_and_says_that_it_was_cut() {
        assert_eq!(Excerpt::new(b"abc").to_string(), "abc");
        assert_eq!(Excerpt::new(&[b'x'; 41]).to_string(), format!("{}…", "x".repeat(40)));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_are_read(text in "([a-z]{0,9}\n?){0,200}", step in 1..300_usize) {
            prop_assert_eq!(lines(text.as_bytes(), step), lines(text.as_bytes(), usize::MAX));
            prop_assert_eq!(lines(text.as_bytes(), step).concat(), text);
        }
    }
}
