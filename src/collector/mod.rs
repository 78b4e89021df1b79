//! The collector: sockets, counters and addresses in, [`Sample`] out.
//!
//! It knows nothing of reports, the command line or terminals. What could not be read or understood becomes a [`Problem`]
//! in the sample; nothing is printed here.
//!
//! What a sample consists of, whichever source it comes from, is in [`sockets`], [`counters`] and [`addresses`]. The sources
//! are [`proc`], which can read any host, and [`netlink`], which is cheaper and only for the namespace of this process.

pub(crate) mod addresses;
pub(crate) mod counters;
pub(crate) mod netlink;
mod problem;
pub(crate) mod proc;
pub(crate) mod sockets;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use crate::files;
use addresses::Addresses;
use netlink::sockets::SocketDump;
pub use problem::{Problem, Protocol, Refusal, Source, Table, TableRead};
use proc::interfaces;
use proc::numbers::{Endian, HexAddress};
use proc::root::{Netns, ProcRoot, RootError};
use proc::sockets::SocketTable;
use proc::tables::{Malformed, TableError};
use sockets::{Socket, Sockets};

#[derive(Debug, Clone)]
pub struct Collector {
    pub root: ProcRoot,
    pub(crate) endian: Endian,
    /// Where sockets come from. Anything but [`SocketSource::Files`] only if `root` shows the namespace of this process.
    pub sockets_from: SocketSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketSource {
    Files,
    Kernel,
    /// The kernel, and for a protocol that it refuses the files.
    KernelOrFiles,
}

/// The state of a host at one moment. `None`: unknown, it could not be read. Empty: read, no rows.
#[derive(Debug, Default)]
pub struct Sample {
    /// TCP sockets, at least those in the states ESTABLISHED and LISTEN. Unknown if either of the two tables is.
    pub tcp: Option<Sockets>,
    /// UDP sockets. Unknown if either of the two tables is.
    pub udp: Option<Sockets>,
    /// Traffic counters by interface. Unknown if any row was skipped: the next sample would take the skipped interface for
    /// a new one and count its lifetime total as traffic.
    pub counters: Option<counters::Interfaces>,
    pub addresses: Addresses,
    /// What could not be read or understood, in the order of reading.
    pub problems: Vec<Problem>,
    pub tables: Vec<TableRead>,
    /// Why sockets do not come from the kernel.
    pub refusals: Vec<Refusal>,
}

impl Collector {
    /// Prepares to read the tables below `root`, a proc mount or a saved copy of one. A copy may come from another machine,
    /// so its byte order is taken from its routes if they show it.
    pub fn new(root: &Path, netns: Netns) -> Result<Self, RootError> {
        let root = ProcRoot::find(root, netns)?;
        let routes = if root.is_procfs { None } else { files::open(&root.net.join("route")).ok() };
        let endian = routes.and_then(interfaces::endian_of_route).unwrap_or(Endian::NATIVE);
        Ok(Self { root, endian, sockets_from: SocketSource::Files })
    }

    /// Reads everything once. Never fails: what is unknown is `None` and explained in [`Sample::problems`].
    pub fn sample(&self) -> Sample {
        let mut sample = Sample::default();
        let mut devices = BTreeSet::new();
        sample.tcp = self.read_protocol(Protocol::Tcp, &mut devices, &mut sample);
        sample.udp = self.read_protocol(Protocol::Udp, &mut devices, &mut sample);
        self.read_counters(&mut sample);
        sample.addresses = self.read_addresses(&mut sample);
        sample.addresses.devices = netlink::addresses::names(&devices);
        sample
    }

    /// Reads only the traffic counters; the rest of the sample stays unknown.
    pub(crate) fn sample_counters(&self) -> Sample {
        let mut sample = Sample::default();
        self.read_counters(&mut sample);
        sample
    }

    /// The uptime of the machine in seconds (`proc_uptime(5)`); `None` if it cannot be read.
    pub(crate) fn uptime(&self) -> Option<u64> {
        files::read_short(&self.root.root.join("uptime"))?.split('.').next()?.parse().ok()
    }

    /// Reads all sockets of a protocol from one source. Adds the indexes of the interfaces that they are bound to to
    /// `devices`.
    fn read_protocol(&self, protocol: Protocol, devices: &mut BTreeSet<u32>, sample: &mut Sample) -> Option<Sockets> {
        let (v4, v6) = protocol.tables();
        if self.sockets_from != SocketSource::Files {
            match netlink::sockets::read(protocol) {
                Ok(SocketDump { sockets, repeated, devices: bound }) => {
                    let rows = [sockets.v4.len(), sockets.v6.len()];
                    for (table, (rows, repeated)) in [v4, v6].into_iter().zip(rows.into_iter().zip(repeated)) {
                        sample.tables.push(TableRead {
                            table,
                            from: Source::SockDiag(table),
                            rows: Some(rows),
                            repeated,
                        });
                    }
                    devices.extend(bound);
                    return Some(sockets);
                }
                Err(error) => sample.refusals.push(Refusal { protocol, error }),
            }
            if self.sockets_from == SocketSource::Kernel {
                return None;
            }
        }
        let v4 = self.read_sockets(v4, sample);
        let v6 = self.read_sockets(v6, sample);
        Some(Sockets { v4: v4?, v6: v6? })
    }

    fn read_sockets<A: HexAddress>(&self, table: Table, sample: &mut Sample) -> Option<Vec<Socket<A>>> {
        self.read(table, sample, |file, about| {
            let SocketTable { sockets, repeated, malformed } = proc::sockets::read(file, self.endian)?;
            (about.rows, about.repeated) = (Some(sockets.len()), repeated);
            Ok((sockets, malformed))
        })
    }

    fn read_counters(&self, sample: &mut Sample) {
        let interfaces = self.read(Table::Dev, sample, |file, about| {
            proc::counters::read(file).inspect(|(interfaces, _)| about.rows = Some(interfaces.len()))
        });
        let is_complete = !sample.problems.iter().any(|problem| matches!(problem, Problem::NoCounters { .. }));
        sample.counters = interfaces.filter(|_| is_complete);
    }

    /// Finds the interface names: from the system if the namespace is our own, else from the tables. The system's answer has
    /// no bound, so it is not asked where there are too many interfaces.
    fn read_addresses(&self, sample: &mut Sample) -> Addresses {
        let too_many = |problem: &Problem| matches!(problem, Problem::Unknown { error: TableError::TooMany(_), .. });
        if self.root.own_namespace
            && !sample.problems.iter().any(too_many)
            && let Ok(addresses) = netlink::addresses::read()
        {
            return addresses;
        }
        let mut addresses = Addresses::default();
        self.read(Table::IfInet6, sample, |file, _| Ok(((), interfaces::read_if_inet6(file, &mut addresses)?)));
        let fib =
            self.read(Table::FibTrie, sample, |file, _| Ok((interfaces::read_fib_trie(file)?, Malformed::default())));
        let networks = self.read(Table::Route, sample, |file, _| interfaces::read_route(file, self.endian));
        addresses.add_by_network(&fib.unwrap_or_default(), &networks.unwrap_or_default());
        addresses
    }

    /// Reads one table; `None` if it is unknown. Problems go to the sample, and what was read of a table of the report.
    fn read<T: Default>(
        &self,
        table: Table,
        sample: &mut Sample,
        parse: impl FnOnce(File, &mut TableRead) -> Result<(T, Malformed), TableError>,
    ) -> Option<T> {
        let path = self.root.net.join(table.to_string());
        let mut about = TableRead { table, from: Source::File(path.clone()), rows: None, repeated: 0 };
        let content = match files::open(&path).map_err(TableError::Open).and_then(|file| parse(file, &mut about)) {
            Ok((content, malformed)) => {
                sample.add_skipped(table, &about.from, malformed);
                content
            }
            Err(error) if table.may_be_missing() && error.is_missing() => T::default(),
            Err(error) => {
                let from = about.from;
                sample.problems.push(if table.is_reported() {
                    Problem::Unknown { table, from, error }
                } else {
                    Problem::NoNames { table, from, error }
                });
                return None;
            }
        };
        if table.is_reported() {
            sample.tables.push(about);
        }
        Some(content)
    }
}

impl Sample {
    /// Whether no table of the report could be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        let dev_was_read = self.tables.iter().any(|read| read.table == Table::Dev);
        self.tcp.is_none() && self.udp.is_none() && !dev_was_read
    }

    fn add_skipped(&mut self, table: Table, from: &Source, malformed: Malformed) {
        let Malformed { count, first } = malformed;
        let more = count.saturating_sub(u64::try_from(first.len()).unwrap_or(u64::MAX));
        for (line, error) in first {
            self.problems.push(Problem::Row { table, from: from.clone(), line, error });
        }
        if more > 0 {
            self.problems.push(Problem::MoreRows { table, from: from.clone(), count: more });
        }
        if table == Table::Dev && count > 0 {
            self.problems.push(Problem::NoCounters { table, from: from.clone(), count });
        }
    }
}
