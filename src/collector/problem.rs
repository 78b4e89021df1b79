//! What a sample was made from, and what could not be read or understood.

use std::fmt;
use std::path::PathBuf;

use super::netlink::NetlinkError;
use super::proc::tables::{RowError, TableError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// Its tables, of IPv4 and IPv6 sockets.
    pub(crate) fn tables(self) -> (Table, Table) {
        match self {
            Self::Tcp => (Table::Tcp, Table::Tcp6),
            Self::Udp => (Table::Udp, Table::Udp6),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// The kernel refused to list the sockets of a protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sock_diag: {protocol} sockets: {error}")]
pub struct Refusal {
    pub protocol: Protocol,
    pub error: NetlinkError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Tcp,
    Tcp6,
    Udp,
    Udp6,
    Dev,
    IfInet6,
    FibTrie,
    Route,
}

impl Table {
    /// The tables of a report; the others only serve to name interfaces.
    pub(crate) const REPORTED: [Self; 5] = [Self::Tcp, Self::Tcp6, Self::Udp, Self::Udp6, Self::Dev];

    pub(crate) fn is_reported(self) -> bool {
        Self::REPORTED.contains(&self)
    }

    /// A kernel without IPv6 does not have these tables; they are empty then.
    pub(crate) fn may_be_missing(self) -> bool {
        matches!(self, Self::Tcp6 | Self::Udp6 | Self::IfInet6)
    }
}

/// The kernel's name, that of the file below `/proc/net`.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Tcp6 => "tcp6",
            Self::Udp => "udp",
            Self::Udp6 => "udp6",
            Self::Dev => "dev",
            Self::IfInet6 => "if_inet6",
            Self::FibTrie => "fib_trie",
            Self::Route => "route",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    File(PathBuf),
    /// What the kernel answers instead of this table.
    SockDiag(Table),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::SockDiag(table) => write!(f, "sock_diag {table}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRead {
    pub table: Table,
    pub from: Source,
    /// Rows kept; `None` for a table that the kernel does not have.
    pub rows: Option<usize>,
    /// Rows dropped because they repeated another.
    pub repeated: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A table of the report is unknown.
    #[error("{from}: {error}")]
    Unknown { table: Table, from: Source, error: TableError },
    /// A table that only serves to name interfaces is unknown.
    #[error("interface names may be missing: {from}: {error}")]
    NoNames { table: Table, from: Source, error: TableError },
    /// A row was skipped. Lines are counted from 1.
    #[error("{from}:{line}: row skipped: {error}")]
    Row { table: Table, from: Source, line: u64, error: RowError },
    #[error("{from}: {count} more rows skipped")]
    MoreRows { table: Table, from: Source, count: u64 },
    /// The counters are unknown because this many rows were skipped.
    #[error("{count} {} of {from} could not be read", if *count == 1 { "row" } else { "rows" })]
    NoCounters { table: Table, from: Source, count: u64 },
}

impl Problem {
    /// What distinguishes it from other problems, in this sample and later ones: no line, no count and nothing that was read.
    pub(crate) fn key(&self) -> String {
        let table = self.table();
        match self {
            Self::Unknown { error, .. } | Self::NoNames { error, .. } => format!("{table} {}", error.key()),
            Self::Row { error, .. } => format!("{table} {}", error.key()),
            Self::MoreRows { .. } | Self::NoCounters { .. } => table.to_string(),
        }
    }

    pub fn table(&self) -> Table {
        match self {
            Self::Unknown { table, .. }
            | Self::NoNames { table, .. }
            | Self::Row { table, .. }
            | Self::MoreRows { table, .. }
            | Self::NoCounters { table, .. } => *table,
        }
    }
}
