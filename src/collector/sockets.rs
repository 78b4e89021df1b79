//! `net/tcp`, `net/tcp6`, `net/udp` and `net/udp6`: one row a socket.
//!
//! The columns are those of the kernel's `Documentation/networking/proc_net_tcp.rst` and of `tcp4_seq_show`,
//! `tcp6_seq_show`, `udp4_seq_show` and `__ip6_dgram_sock_seq_show`:
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 34562 1 …
//! ```
//!
//! An address is its 32-bit words in network order, each printed as a number of the machine: on a little-endian machine
//! the bytes of every word look reversed. Ports are plain hexadecimal numbers. Columns after `inode` are not looked at.
#![warn(clippy::arithmetic_side_effects)]

use std::fmt;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::table::{Excerpt, Line, Malformed, RowError, TableError, for_each_line};

/// The byte order of the machine that wrote a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// x86, nearly all of ARM, RISC-V.
    Little,
    /// s390x, some of MIPS and PowerPC.
    Big,
}

impl Endian {
    /// The byte order of the machine this program runs on.
    pub const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };
}

impl fmt::Display for Endian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        })
    }
}

/// The state of a socket, numbered as in the kernel's `include/net/tcp_states.h`. A number this program has no name for
/// is kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State(pub u8);

impl State {
    /// `TCP_ESTABLISHED`; a UDP socket that is connected to a peer.
    pub const ESTABLISHED: Self = Self(1);
    /// `TCP_CLOSE`; a UDP socket that is bound and not connected.
    pub const CLOSE: Self = Self(7);
    /// `TCP_LISTEN`. A UDP socket never has it.
    pub const LISTEN: Self = Self(10);
}

/// One socket. Ordered by state, remote end, local end and inode, so that a sorted table has the sockets of one state
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket<A> {
    /// The socket's state.
    pub state: State,
    /// The peer's address; unspecified for a socket that has no peer.
    pub remote: A,
    /// The peer's port; 0 for a socket that has no peer.
    pub remote_port: u16,
    /// The address the socket is bound to; unspecified for a wildcard listener.
    pub local: A,
    /// The port the socket is bound to.
    pub local_port: u16,
    /// The socket's inode number, by which its owners can be found; 0 where there is none (`TIME_WAIT`).
    pub inode: u64,
}

impl<A: Address> Socket<A> {
    /// What tables are sorted by: the same order as that of the sockets themselves, compared in half the time.
    fn sort_key(&self) -> impl Ord + use<A> {
        (self.state, self.remote.bits(), self.remote_port, self.local.bits(), self.local_port, self.inode)
    }
}

/// The sockets of one protocol, both tables, each sorted and without repetitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sockets {
    /// Rows of `net/tcp` or `net/udp`.
    pub v4: Vec<Socket<Ipv4Addr>>,
    /// Rows of `net/tcp6` or `net/udp6`.
    pub v6: Vec<Socket<Ipv6Addr>>,
}

/// What one file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketTable<A> {
    /// Its sockets, sorted, each once.
    pub sockets: Vec<Socket<A>>,
    /// How many rows were repetitions of another: the kernel repeats rows while the table changes.
    pub repeated: usize,
    /// The rows that were skipped.
    pub malformed: Malformed,
}

/// The part of a table, sorted as [`Socket`] is ordered, that is in one state.
#[must_use]
pub fn in_state<A>(sockets: &[Socket<A>], state: State) -> &[Socket<A>] {
    let from = sockets.partition_point(|socket| socket.state < state);
    let rest = sockets.get(from..).unwrap_or_default();
    let until = rest.partition_point(|socket| socket.state == state);
    rest.get(..until).unwrap_or_default()
}

/// An address as these tables print it.
pub trait Address: Copy + Ord + fmt::Debug {
    /// How many hexadecimal digits it takes.
    const DIGITS: usize;

    /// Takes exactly [`Self::DIGITS`] digits; anything else is `None`.
    fn from_hex(digits: &[u8], endian: Endian) -> Option<Self>;

    /// The same as a number, of the same order and quicker to compare.
    fn bits(self) -> impl Ord + use<Self>;
}

impl Address for Ipv4Addr {
    const DIGITS: usize = 8;

    fn from_hex(digits: &[u8], endian: Endian) -> Option<Self> {
        let word = hex::<8>(digits.try_into().ok()?)?;
        Some(Self::from(match endian {
            Endian::Little => word.to_le_bytes(),
            Endian::Big => word.to_be_bytes(),
        }))
    }

    fn bits(self) -> impl Ord + use<> {
        self.to_bits()
    }
}

impl Address for Ipv6Addr {
    const DIGITS: usize = 32;

    fn from_hex(digits: &[u8], endian: Endian) -> Option<Self> {
        let mut octets = [0; 16];
        let (words, []) = digits.as_chunks::<8>() else { return None };
        let (groups, []) = octets.as_chunks_mut::<4>() else { return None };
        if words.len() != groups.len() {
            return None;
        }
        for (word, group) in words.iter().zip(groups) {
            *group = Ipv4Addr::from_hex(word, endian)?.octets();
        }
        Some(Self::from(octets))
    }

    fn bits(self) -> impl Ord + use<> {
        self.to_bits()
    }
}

/// Reads one table.
///
/// # Errors
/// [`TableError`] when the header is not this table's, or reading fails. A row that is not understood is no error: it is
/// skipped and counted.
pub fn read<A: Address>(table: impl Read, endian: Endian) -> Result<SocketTable<A>, TableError> {
    let mut sockets = Vec::new();
    let mut malformed = Malformed::default();
    let mut header_seen = false;
    for_each_line(table, |number, line| {
        let (text, ended) = match line {
            Line::Whole(text) => (text, true),
            Line::Unended(text) => (text, false),
            Line::TooLong if header_seen => {
                malformed.add(number, RowError::TooLong);
                return Ok(());
            }
            Line::TooLong => (&[][..], true),
        };
        if !header_seen {
            header_seen = is_header(text);
            return if header_seen { Ok(()) } else { Err(not_the_header(text)) };
        }
        match parse_row(text, ended, endian) {
            Ok(socket) => sockets.push(socket),
            Err(error) => malformed.add(number, error),
        }
        Ok(())
    })?;
    if !header_seen {
        return Err(TableError::Empty);
    }
    let rows = sockets.len();
    sockets.sort_unstable_by_key(Socket::sort_key);
    sockets.dedup();
    let repeated = rows.saturating_sub(sockets.len());
    Ok(SocketTable { sockets, repeated, malformed })
}

fn not_the_header(found: &[u8]) -> TableError {
    TableError::Header { line: 1, found: Excerpt::new(found.trim_ascii()) }
}

/// Whether the columns this program reads stand where it reads them. More columns may follow.
fn is_header(line: &[u8]) -> bool {
    let names = line.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty());
    let mut names = names.map(|name| if name == b"remote_address" { b"rem_address" } else { name });
    [
        "sl",
        "local_address",
        "rem_address",
        "st",
        "tx_queue",
        "rx_queue",
        "tr",
        "tm->when",
        "retrnsmt",
        "uid",
        "timeout",
        "inode",
    ]
    .iter()
    .all(|expected| names.next() == Some(expected.as_bytes()))
}

/// Parses one row; `ended` tells whether a newline follows it.
fn parse_row<A: Address>(row: &[u8], ended: bool, endian: Endian) -> Result<Socket<A>, RowError> {
    let mut columns = Columns(row);
    let sl = columns.next("sl")?;
    if !matches!(sl, [digits @ .., b':'] if decimal(digits).is_some()) {
        return Err(RowError::column("sl", sl));
    }
    let (local, local_port) = end(columns.next("local_address")?, "local_address", endian)?;
    let (remote, remote_port) = end(columns.next("rem_address")?, "rem_address", endian)?;
    let st = columns.next("st")?;
    let state = st.try_into().ok().and_then(hex::<2>).and_then(|state| u8::try_from(state).ok());
    let state = State(state.ok_or_else(|| RowError::column("st", st))?);
    if !columns.skip_usual() {
        for name in ["tx_queue:rx_queue", "tr:tm->when", "retrnsmt"] {
            columns.next(name)?;
        }
    }
    for name in ["uid", "timeout"] {
        columns.next(name)?;
    }
    let inode = columns.next("inode")?;
    let inode_number = decimal(inode).ok_or_else(|| RowError::column("inode", inode))?;
    if !ended && columns.0.is_empty() {
        return Err(RowError::CutOff); // the number itself may have lost its last digits
    }
    Ok(Socket { state, remote, remote_port, local, local_port, inode: inode_number })
}

/// The columns of a row, separated by blanks.
struct Columns<'a>(&'a [u8]);

impl<'a> Columns<'a> {
    /// The next column, which is called `name`.
    fn next(&mut self, name: &'static str) -> Result<&'a [u8], RowError> {
        let start = self.0.iter().position(|&b| b != b' ').ok_or(RowError::Missing(name))?;
        let text = self.0.get(start..).unwrap_or_default();
        let length = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
        let (column, rest) = text.split_at_checked(length).unwrap_or_default();
        self.0 = rest;
        Ok(column)
    }

    /// Passes over the queues, the timer and the retransmits at once if they have their usual widths: nothing in them is
    /// needed, and half a million rows have them.
    fn skip_usual(&mut self) -> bool {
        let Some((text, rest)) = self.0.split_first_chunk::<39>() else { return false };
        let blanks = [text[0], text[18], text[30], rest.first().copied().unwrap_or_default()];
        let usual = blanks == [b' '; 4] && [text[9], text[21]] == [b':'; 2]; // ` 00000000:00000000 00:00000000 00000000 `
        if usual {
            self.0 = rest;
        }
        usual
    }
}

/// Parses `ADDRESS:PORT`.
fn end<A: Address>(column: &[u8], name: &'static str, endian: Endian) -> Result<(A, u16), RowError> {
    let parse = || {
        let (address, port) = column.split_at_checked(A::DIGITS)?;
        let port: &[u8; 4] = port.strip_prefix(b":")?.try_into().ok()?;
        Some((A::from_hex(address, endian)?, u16::try_from(hex(port)?).ok()?))
    };
    parse().ok_or_else(|| RowError::column(name, column))
}

/// The value of every hexadecimal digit; [`NO_DIGIT`] for what is none.
#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "a place that is not there would not compile")]
const DIGITS: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let (mut value, mut digit) = (0, b'0');
    while value < 16 {
        values[digit as usize] = value;
        values[digit.to_ascii_lowercase() as usize] = value;
        (value, digit) = (value + 1, if digit == b'9' { b'A' } else { digit + 1 });
    }
    values
};
const NO_DIGIT: u8 = 0xff;

/// Parses at most eight hexadecimal digits. One look at the end tells whether all were digits: this is the hot loop.
fn hex<const N: usize>(digits: &[u8; N]) -> Option<u32> {
    const { assert!(N <= 8) };
    let mut number = 0_u32;
    let mut all = 0;
    for &digit in digits {
        let value = DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
        number = number << 4 | u32::from(value);
        all |= value;
    }
    (all < 16).then_some(number)
}

/// Parses a number of decimal digits only: no sign, no blank, at least one digit, no overflow.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let value = digit.checked_sub(b'0').filter(|&value| value <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(value))
    })
}
