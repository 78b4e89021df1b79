//! `net/tcp`, `net/tcp6`, `net/udp` and `net/udp6`: one row per socket.
//!
//! The columns are those of the kernel's `Documentation/networking/proc_net_tcp.rst` and of `tcp4_seq_show`,
//! `tcp6_seq_show`, `udp4_seq_show` and `__ip6_dgram_sock_seq_show`:
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 34562 1 …
//! ```
//!
//! Ports are plain hexadecimal numbers. Columns after `inode` are ignored.
#![warn(clippy::arithmetic_side_effects)]

use std::io::Read;

use super::numbers::{Endian, HexAddress, decimal, hex, split_decimal};
use super::tables::{Malformed, RowError, TableError, TableLine, read_rows, words};
use crate::collector::sockets::{Socket, SocketState, sort};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketTable<A> {
    /// Sorted, each once.
    pub sockets: Vec<Socket<A>>,
    /// How many rows repeated another: the kernel repeats rows while the table changes.
    pub repeated: usize,
    pub malformed: Malformed,
}

/// Reads one table. Rows that are not understood are skipped and counted.
pub fn read<A: HexAddress>(table: impl Read, endian: Endian) -> Result<SocketTable<A>, TableError> {
    let mut sockets = Vec::new();
    let malformed = read_rows(table, 1, is_header, |line| {
        sockets.push(parse_row(line, endian)?);
        Ok(())
    })?;
    let repeated = sort(&mut sockets);
    Ok(SocketTable { sockets, repeated, malformed })
}

/// Whether the columns stand where [`parse_row`] reads them. More columns may follow.
fn is_header(line: TableLine<'_>) -> bool {
    const NAMES: &str = "sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode";
    let mut names = words(line.text().unwrap_or_default());
    NAMES.split(' ').all(|expected| match names.next() {
        Some(b"remote_address") => expected == "rem_address",
        name => name == Some(expected.as_bytes()),
    })
}

fn parse_row<A: HexAddress>(line: TableLine<'_>, endian: Endian) -> Result<Socket<A>, RowError> {
    let mut columns = Columns(line.text()?);
    let sl = columns.next("sl")?;
    let row = sl.strip_suffix(b":").unwrap_or_default();
    if row.is_empty() || !row.iter().all(u8::is_ascii_digit) {
        return Err(RowError::column("sl", sl));
    }
    let local = columns.next_of(A::WIDTH, "local_address")?;
    let (local, local_port) = end(local, endian).ok_or_else(|| RowError::column("local_address", local))?;
    let remote = columns.next_of(A::WIDTH, "rem_address")?;
    let (remote, remote_port) = end(remote, endian).ok_or_else(|| RowError::column("rem_address", remote))?;
    let st = columns.next_of(2, "st")?;
    let state = st.try_into().ok().and_then(hex::<2>).and_then(|state| u8::try_from(state).ok());
    let state = SocketState(state.ok_or_else(|| RowError::column("st", st))?);
    if !columns.skip_usual() {
        for name in ["tx_queue:rx_queue", "tr:tm->when", "retrnsmt", "uid", "timeout"] {
            columns.next(name)?;
        }
    }
    let inode = columns.number("inode")?;
    if columns.0.is_empty() && matches!(line, TableLine::Unended(_)) {
        return Err(RowError::CutOff); // the number itself may have lost its last digits
    }
    let inode = u32::try_from(inode & u64::from(u32::MAX)).unwrap_or_default();
    Ok(Socket { state, remote, remote_port, local, local_port, device: 0, inode })
}

/// The columns of a row, separated by blanks.
struct Columns<'a>(&'a [u8]);

impl<'a> Columns<'a> {
    /// The next column; `name` is for the error.
    fn next(&mut self, name: &'static str) -> Result<&'a [u8], RowError> {
        let start = self.0.iter().position(|&b| b != b' ').ok_or(RowError::Missing(name))?;
        let text = self.0.get(start..).unwrap_or_default();
        let length = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
        let (column, rest) = text.split_at_checked(length).unwrap_or_default();
        self.0 = rest;
        Ok(column)
    }

    /// The next column, which must be a number.
    #[inline]
    fn number(&mut self, name: &'static str) -> Result<u64, RowError> {
        // Nearly always this goes through the column once, not to find its end first.
        let usual = self.0.strip_prefix(b" ").and_then(split_decimal);
        if let Some((number, rest @ ([] | [b' ', ..]))) = usual {
            self.0 = rest;
            return Ok(number);
        }
        let column = self.next(name)?;
        decimal(column).ok_or_else(|| RowError::column(name, column))
    }

    /// Like [`Self::next`], without a search if there is a column of this `width`. Its content is still to be checked: it may
    /// have blanks.
    #[inline]
    fn next_of(&mut self, width: usize, name: &'static str) -> Result<&'a [u8], RowError> {
        let usual = self.0.strip_prefix(b" ").and_then(|text| text.split_at_checked(width));
        match usual {
            Some((column, rest)) if rest.first() == Some(&b' ') => {
                self.0 = rest;
                Ok(column)
            }
            _ => self.next(name),
        }
    }

    /// Skips the five columns before the inode in one step if they have their usual widths; returns whether it did. Nothing
    /// in them is needed, and on a busy host this is most of a row.
    #[inline]
    fn skip_usual(&mut self) -> bool {
        // ` 00000000:00000000 00:00000000 00000000  1000        0 `
        let Some((text, rest)) = self.0.split_first_chunk::<54>() else { return false };
        let blanks = [text[0], text[18], text[30], text[39], text[45], rest.first().copied().unwrap_or_default()];
        let usual = blanks == [b' '; 6]
            && [text[9], text[21]] == [b':'; 2]
            && text[44].is_ascii_digit()
            && text[53].is_ascii_digit();
        if usual {
            self.0 = rest;
        }
        usual
    }
}

/// Parses `ADDRESS:PORT`.
#[inline]
fn end<A: HexAddress>(column: &[u8], endian: Endian) -> Option<(A, u16)> {
    let (address, port) = column.split_at_checked(A::DIGITS)?;
    let port: &[u8; 4] = port.strip_prefix(b":")?.try_into().ok()?;
    Some((A::from_hex(address, endian)?, u16::try_from(hex(port)?).ok()?))
}
