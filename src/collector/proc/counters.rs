//! `net/dev`: the traffic counters of every network interface (kernel: `net/core/net-procfs.c`).
//!
//! ```text
//! Inter-|   Receive                                                |  Transmit
//!  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//!   eth0: 1296000    4321    0    0    0     0          0         0   123456     789    0    0    0     0       0          0
//! ```
//!
//! Counters start when the interface appears. They are 64 bits wide, or 32 bits on 32-bit kernels and in some old
//! drivers. A name is up to 15 bytes of anything but white space, `/` and `:`; kernels before 2.6.39 left no blank after
//! the colon.
#![warn(clippy::arithmetic_side_effects)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;

use super::numbers::decimal;
use super::tables::{MAX_KEPT, Malformed, RowError, TableError, TableLine, interface_name, read_rows, words};
use crate::collector::counters::{Counters, Interfaces};

/// Positions of the counters in a row, counted from 0 after the name, in the order of [`COLUMNS`].
type Positions = [usize; 4];

const COLUMNS: [&str; 4] = ["receive bytes", "receive packets", "transmit bytes", "transmit packets"];

/// Reads `net/dev`. The kernel may list an interface twice if the list changes meanwhile; the last row counts. Rows that
/// are not understood are skipped and counted.
pub fn read(table: impl Read) -> Result<(Interfaces, Malformed), TableError> {
    let mut rows = BTreeMap::new();
    let positions = Cell::new(Positions::default());
    let is_header = |line: TableLine<'_>| {
        let found = line.whole().ok().and_then(parse_header);
        found.inspect(|found| positions.set(*found)).is_some()
    };
    // The first line has the names of the two halves; the second one repeats where they begin.
    let malformed = read_rows(table, 2, is_header, |line| {
        if rows.len() <= MAX_KEPT {
            let (name, counters) = parse_row(line.whole()?, positions.get())?;
            rows.insert(name, counters);
        }
        Ok(())
    })?;
    if rows.len() > MAX_KEPT {
        return Err(TableError::TooMany("interfaces"));
    }
    let mut interfaces = Interfaces::new();
    for (name, counters) in rows {
        let name = String::from_utf8_lossy(&name).into_owned();
        let before = interfaces.get(&name).copied().unwrap_or_default();
        let Some(sum) = before.checked_add(counters) else { return Err(TableError::Overflow { name }) };
        interfaces.insert(name, sum);
    }
    Ok((interfaces, malformed))
}

fn parse_header(line: &[u8]) -> Option<Positions> {
    let mut halves = line.split(|&b| b == b'|');
    if halves.next()?.trim_ascii() != b"face" {
        return None;
    }
    let received: Vec<&[u8]> = words(halves.next()?).collect();
    let sent: Vec<&[u8]> = words(halves.next()?).collect();
    let place = |half: &[&[u8]], name: &[u8]| half.iter().position(|&column| column == name);
    let place_sent = |name| place(&sent, name)?.checked_add(received.len());
    Some([place(&received, b"bytes")?, place(&received, b"packets")?, place_sent(b"bytes")?, place_sent(b"packets")?])
}

fn parse_row(row: &[u8], positions: Positions) -> Result<(Vec<u8>, Counters), RowError> {
    let colon = row.iter().rposition(|&b| b == b':').ok_or(RowError::Missing("face"))?;
    let (name, numbers) = row.split_at_checked(colon).unwrap_or_default();
    let name = interface_name("face", name.trim_ascii_start())?;
    let numbers: Vec<&[u8]> = words(numbers.get(1..).unwrap_or_default()).collect();
    let mut counters = [0; 4];
    for ((counter, place), column) in counters.iter_mut().zip(positions).zip(COLUMNS) {
        let text = numbers.get(place).ok_or(RowError::Missing(column))?;
        *counter = decimal(text).ok_or_else(|| RowError::column(column, text))?;
    }
    let [bytes_in, packets_in, bytes_out, packets_out] = counters;
    Ok((name.to_vec(), Counters { bytes_in, packets_in, bytes_out, packets_out }))
}
