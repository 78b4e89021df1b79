//! `net/dev`: the traffic counters of every network interface (kernel: `net/core/net-procfs.c`).
//!
//! ```text
//! Inter-|   Receive                                                |  Transmit
//!  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//!   eth0: 1296000    4321    0    0    0     0          0         0   123456     789    0    0    0     0       0          0
//! ```
//!
//! The counters run from when the interface appeared. They are 64 bits wide, on 32-bit kernels and in some old drivers
//! 32 bits. A name is up to 15 bytes of anything but white space, `/` and `:`; kernels before 2.6.39 left no blank
//! after the colon.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::sockets::decimal;
use super::table::{Excerpt, Line, Malformed, RowError, TableError, for_each_line};

/// What one interface has carried since it appeared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Bytes received.
    pub bytes_in: u64,
    /// Packets received.
    pub packets_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Packets sent.
    pub packets_out: u64,
}

impl Counters {
    /// Adds what another interface has carried. A sum stops at 2^64 - 1.
    pub fn add(&mut self, other: Self) {
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.packets_in = self.packets_in.saturating_add(other.packets_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.packets_out = self.packets_out.saturating_add(other.packets_out);
    }
}

/// The counters of every interface by name. Bytes of a name that are no UTF-8 read as U+FFFD; interfaces whose names read
/// alike count together.
pub type Interfaces = BTreeMap<String, Counters>;

/// Which number of a row is which, counted from 0 after the name.
struct Layout {
    bytes_in: usize,
    packets_in: usize,
    bytes_out: usize,
    packets_out: usize,
}

/// Reads `net/dev`. An interface that the kernel names twice, because the list changed meanwhile, counts as it was last.
///
/// # Errors
/// [`TableError`] when the header does not name the four columns, or reading fails. A row that is not understood is
/// skipped and counted.
pub fn read(table: impl Read) -> Result<(Interfaces, Malformed), TableError> {
    let mut rows = BTreeMap::new();
    let mut malformed = Malformed::default();
    let mut layout = None;
    let mut has_lines = false;
    for_each_line(table, |number, line| {
        let text = match line {
            Line::Whole(text) => Ok(text),
            Line::Unended(_) => Err(RowError::CutOff),
            Line::TooLong => Err(RowError::TooLong),
        };
        has_lines = true;
        match (number, &layout) {
            (1, _) => {} // the names of the two halves; the second line repeats where they begin
            (_, None) => layout = Some(Layout::from_header(text.unwrap_or_default())?),
            (_, Some(layout)) => match text.and_then(|text| parse_row(text, layout)) {
                Ok((name, counters)) => drop(rows.insert(name, counters)),
                Err(error) => malformed.add(number, error),
            },
        }
        Ok(())
    })?;
    if layout.is_none() {
        let no_header = TableError::Header { line: 2, found: Excerpt::new(b"") };
        return Err(if has_lines { no_header } else { TableError::Empty });
    }
    let mut interfaces = Interfaces::new();
    for (name, counters) in rows {
        interfaces.entry(String::from_utf8_lossy(&name).into_owned()).or_default().add(counters);
    }
    Ok((interfaces, malformed))
}

impl Layout {
    fn from_header(line: &[u8]) -> Result<Self, TableError> {
        let find = || {
            let mut halves = line.split(|&b| b == b'|');
            if halves.next()?.trim_ascii() != b"face" {
                return None;
            }
            let received: Vec<&[u8]> = words(halves.next()?).collect();
            let sent: Vec<&[u8]> = words(halves.next()?).collect();
            let place = |half: &[&[u8]], name: &[u8]| half.iter().position(|&column| column == name);
            Some(Self {
                bytes_in: place(&received, b"bytes")?,
                packets_in: place(&received, b"packets")?,
                bytes_out: received.len().checked_add(place(&sent, b"bytes")?)?,
                packets_out: received.len().checked_add(place(&sent, b"packets")?)?,
            })
        };
        find().ok_or_else(|| TableError::Header { line: 2, found: Excerpt::new(line.trim_ascii()) })
    }
}

fn parse_row(row: &[u8], layout: &Layout) -> Result<(Vec<u8>, Counters), RowError> {
    let colon = row.iter().rposition(|&b| b == b':').ok_or(RowError::Missing("face"))?;
    let (name, numbers) = row.split_at_checked(colon).unwrap_or_default();
    let name = name.trim_ascii_start();
    if name.is_empty() {
        return Err(RowError::Missing("face"));
    }
    let numbers: Vec<&[u8]> = words(numbers.get(1..).unwrap_or_default()).collect();
    let number = |place: usize, column| {
        let text = numbers.get(place).ok_or(RowError::Missing(column))?;
        decimal(text).ok_or_else(|| RowError::column(column, text))
    };
    let counters = Counters {
        bytes_in: number(layout.bytes_in, "receive bytes")?,
        packets_in: number(layout.packets_in, "receive packets")?,
        bytes_out: number(layout.bytes_out, "transmit bytes")?,
        packets_out: number(layout.packets_out, "transmit packets")?,
    };
    Ok((name.to_vec(), counters))
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}
