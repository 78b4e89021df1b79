//! The collector: `/proc` in, [`Sample`] out.
//!
//! It knows nothing of reports, of the command line or of terminals. What could not be read or understood is part of
//! the sample as a list of [`Problem`]s; nothing is printed here.
//!
//! | file | module |
//! |---|---|
//! | which `/proc`, whose namespace | [`proc_root`] |
//! | `net/tcp`, `net/tcp6`, `net/udp`, `net/udp6` | [`sockets`] |
//! | `net/dev` | [`counters`] |
//! | `net/if_inet6`, `net/fib_trie`, `net/route` | [`interfaces`] |
//! | `PID/fd/*` | [`owners`] |

pub mod counters;
pub mod interfaces;
pub mod owners;
pub mod proc_root;
pub mod sockets;
pub mod table;

use std::path::{Path, PathBuf};

use interfaces::Addresses;
use proc_root::{Netns, ProcRoot, RootError};
use sockets::{Address, Endian, Socket, Sockets};
use table::{Malformed, RowError, TableError};

/// Reads one host's tables.
#[derive(Debug, Clone)]
pub struct Collector {
    /// What is read.
    pub root: ProcRoot,
    /// The byte order the tables are read in.
    pub endian: Endian,
}

/// What was seen at one moment. `None` is unknown: the table could not be read. Empty is empty.
#[derive(Debug, Default)]
pub struct Sample {
    /// TCP sockets of all states. Unknown when either of its two tables is.
    pub tcp: Option<Sockets>,
    /// UDP sockets. Unknown when either of its two tables is.
    pub udp: Option<Sockets>,
    /// Traffic counters by interface.
    pub counters: Option<counters::Interfaces>,
    /// Rows of the counters' table that were not understood: interfaces that are missing above.
    pub missed_interfaces: u64,
    /// Interface names by local address, as far as they are known.
    pub addresses: Addresses,
    /// What could not be read or understood, in the order it was met.
    pub problems: Vec<Problem>,
    /// Which tables were read, and how many rows each held.
    pub tables: Vec<TableRead>,
}

/// One table that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRead {
    /// The file.
    pub path: PathBuf,
    /// Rows kept; `None` when the file does not exist, which is normal for the IPv6 tables of a kernel without IPv6.
    pub rows: Option<usize>,
    /// Rows that repeated another and were dropped.
    pub repeated: usize,
}

/// What could not be read or understood.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A table of the report is unknown.
    #[error("{}: {error}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Why.
        error: TableError,
    },
    /// A table that only interface names come from is unknown.
    #[error("interface names may be missing: {}: {error}", path.display())]
    NoNames {
        /// The file.
        path: PathBuf,
        /// Why.
        error: TableError,
    },
    /// A row was skipped.
    #[error("{}:{line}: row skipped: {error}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        error: RowError,
    },
    /// More rows of the same file were skipped than are told one by one.
    #[error("{}: {count} more rows skipped", path.display())]
    MoreRows {
        /// The file.
        path: PathBuf,
        /// How many more.
        count: u64,
    },
}

impl Collector {
    /// Prepares to read the tables below `root`, a proc mount or a saved copy of one. A copy is read in the byte order its
    /// routes show, as it may come from another machine; all else in that of this machine.
    ///
    /// # Errors
    /// [`RootError`] when there is nothing to read.
    pub fn new(root: &Path, netns: Netns) -> Result<Self, RootError> {
        let root = ProcRoot::find(root, netns)?;
        let routes = table::open(&root.net.join("route")).ok().filter(|_| !root.is_procfs);
        let endian = routes.and_then(interfaces::endian_of_route).unwrap_or(Endian::NATIVE);
        Ok(Self { root, endian })
    }

    /// Reads everything once. Never fails: what is unknown is left `None`, and told in [`Sample::problems`].
    #[must_use]
    pub fn sample(&self) -> Sample {
        let mut sample = Sample::default();
        sample.tcp = self.protocol(["tcp", "tcp6"], &mut sample);
        sample.udp = self.protocol(["udp", "udp6"], &mut sample);
        self.read_counters(&mut sample);
        self.read_addresses(&mut sample);
        sample
    }

    /// Reads the traffic counters alone; every other part of the sample stays unknown.
    #[must_use]
    pub fn sample_counters(&self) -> Sample {
        let mut sample = Sample::default();
        self.read_counters(&mut sample);
        sample
    }

    /// How long the machine has been up, in seconds (`proc_uptime(5)`); `None` when that cannot be read.
    #[must_use]
    pub fn uptime(&self) -> Option<u64> {
        table::read_short(&self.root.root.join("uptime"))?.split('.').next()?.parse().ok()
    }

    /// Reads the two tables of a protocol.
    fn protocol(&self, [v4, v6]: [&str; 2], sample: &mut Sample) -> Option<Sockets> {
        let v4 = self.sockets(v4, true, sample);
        let v6 = self.sockets(v6, false, sample);
        Some(Sockets { v4: v4?, v6: v6? })
    }

    /// Reads one socket table. One that is not `required` may be missing, and is empty then.
    fn sockets<A: Address>(&self, name: &str, required: bool, sample: &mut Sample) -> Option<Vec<Socket<A>>> {
        let path = self.root.net.join(name);
        match table::open(&path).and_then(|file| sockets::read(file, self.endian)) {
            Ok(table) => {
                let rows = Some(table.sockets.len());
                sample.skipped(&path, table.malformed);
                sample.tables.push(TableRead { path, rows, repeated: table.repeated });
                Some(table.sockets)
            }
            Err(error) if !required && error.is_missing() => {
                sample.tables.push(TableRead { path, rows: None, repeated: 0 });
                Some(Vec::new())
            }
            Err(error) => {
                sample.problems.push(Problem::Unknown { path, error });
                None
            }
        }
    }

    fn read_counters(&self, sample: &mut Sample) {
        let path = self.root.net.join("dev");
        match table::open(&path).and_then(counters::read) {
            Ok((interfaces, malformed)) => {
                sample.missed_interfaces = malformed.count;
                let is_known = !interfaces.is_empty() || malformed.count == 0;
                sample.skipped(&path, malformed);
                sample.tables.push(TableRead { path, rows: Some(interfaces.len()), repeated: 0 });
                sample.counters = is_known.then_some(interfaces);
            }
            Err(error) => sample.problems.push(Problem::Unknown { path, error }),
        }
    }

    /// Finds the interface names: from the system where the namespace is our own, else from the tables.
    fn read_addresses(&self, sample: &mut Sample) {
        if self.root.own_namespace
            && let Ok(addresses) = Addresses::of_this_namespace()
        {
            sample.addresses = addresses;
            return;
        }
        let mut addresses = Addresses::default();
        self.names(sample, "if_inet6", |file| Ok(((), interfaces::read_if_inet6(file, &mut addresses)?)));
        let trie = self.names(sample, "fib_trie", |file| Ok((interfaces::read_fib_trie(file)?, Malformed::default())));
        let networks = self.names(sample, "route", |file| interfaces::read_route(file, self.endian));
        addresses.add_by_network(&trie.unwrap_or_default(), &networks.unwrap_or_default());
        sample.addresses = addresses;
    }

    /// Reads one of the tables that interface names come from. `if_inet6` may be missing: IPv6 is off then.
    fn names<T>(
        &self,
        sample: &mut Sample,
        name: &str,
        read: impl FnOnce(std::fs::File) -> Result<(T, Malformed), TableError>,
    ) -> Option<T> {
        let path = self.root.net.join(name);
        match table::open(&path).and_then(read) {
            Ok((found, malformed)) => {
                sample.skipped(&path, malformed);
                Some(found)
            }
            Err(error) if name == "if_inet6" && error.is_missing() => None,
            Err(error) => {
                sample.problems.push(Problem::NoNames { path, error });
                None
            }
        }
    }
}

impl Sample {
    /// The counters, if they are those of every interface: only then can a later sample be counted from them. An interface
    /// that was missed would look new there, and all it ever carried would count.
    #[must_use]
    pub fn all_counters(&self) -> Option<&counters::Interfaces> {
        self.counters.as_ref().filter(|_| self.missed_interfaces == 0)
    }

    /// Adds the problems of an earlier look, those that this one did not meet again.
    pub fn add_problems(&mut self, earlier: Vec<Problem>) {
        let known: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        let new = earlier.into_iter().filter(|problem| !known.contains(&problem.to_string()));
        self.problems.splice(0..0, new);
    }

    /// Notes the rows of `path` that were skipped.
    fn skipped(&mut self, path: &Path, malformed: Malformed) {
        let more = malformed.count.saturating_sub(u64::try_from(malformed.first.len()).unwrap_or(u64::MAX));
        for (line, error) in malformed.first {
            self.problems.push(Problem::Row { path: path.to_owned(), line, error });
        }
        if more > 0 {
            self.problems.push(Problem::MoreRows { path: path.to_owned(), count: more });
        }
    }
}
