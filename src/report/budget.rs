//! Fitting a report into a payload limit.
//!
//! Only the lists are cut, never the totals. Entries are chosen in two rounds: first one for each distinct port and each
//! distinct remote address, then the rest. In both rounds the three lists take turns, each in its own order, and an entry is
//! kept if it still fits. So the result depends on the report alone, and no entry that was left out would have fitted.

use std::io::{self, Write};

use super::document::Part;
use super::encode::Encoding;
use super::names::Names;
use super::{Connections, Ports, Report};

/// The most bytes of a report that AWS IoT is sure to accept; its limit is 128 KiB.
pub(crate) const MAX_BYTES: usize = 128_000;

/// How many entries of each list were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut {
    pub tcp_ports: usize,
    pub udp_ports: usize,
    pub connections: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum FitError {
    #[error("the report takes {needed} bytes even with its lists empty")]
    TooSmall { needed: usize },
    /// This is a bug.
    #[error("the report cannot be encoded: {0}")]
    Encode(#[from] io::Error),
}

/// Cuts the lists of `report` so that it takes at most `max` bytes, exactly. After an error the report is unchanged.
pub fn fit(report: &mut Report<'_>, encoding: Encoding, names: &Names, max: usize) -> Result<Cut, FitError> {
    let mut counter = Counter(0);
    encoding.write(&without_lists(report), names, &mut counter)?;
    let needed = counter.0;
    let mut left = max.checked_sub(needed).ok_or(FitError::TooSmall { needed })?;
    let size = |part: Part<'_>| encoding.size_of(&part, names);
    let ports = |ports: Option<&Ports<'_>>| {
        list(ports.into_iter().flat_map(|ports| &ports.ports).map(|port| (port.port, size(Part::Port(port)))))
    };
    let connections = report.established_connections.iter().flat_map(Connections::iter);
    let mut lists = [
        ports(report.listening_tcp_ports.as_ref())?,
        ports(report.listening_udp_ports.as_ref())?,
        list(connections.map(|connection| (connection.remote.ip(), size(Part::Connection(connection)))))?,
    ];
    for one_of_each in [true, false] {
        let longest = lists.iter().map(|list| list.entries.len()).max().unwrap_or_default();
        for place in 0..longest {
            for list in &mut lists {
                list.take(place, one_of_each, encoding, &mut left);
            }
        }
    }
    let [tcp, udp, connections] = lists;
    let cut = Cut { tcp_ports: tcp.left_out(), udp_ports: udp.left_out(), connections: connections.left_out() };
    keep_ports(report.listening_tcp_ports.as_mut(), &tcp);
    keep_ports(report.listening_udp_ports.as_mut(), &udp);
    if let Some(list) = report.established_connections.as_mut().filter(|_| cut.connections > 0) {
        list.keep(connections.entries.iter().map(|entry| entry.kept));
    }
    Ok(cut)
}

struct Entry {
    size: u32,
    /// Whether it is the first with its port or remote address.
    first: bool,
    kept: bool,
}

#[derive(Default)]
struct List {
    entries: Vec<Entry>,
    kept: usize,
    /// In the first round: whether an entry with the present port or remote address is kept.
    covered: bool,
}

impl List {
    /// Keeps the entry at `place` if this is its round and it fits into what is left.
    fn take(&mut self, place: usize, one_of_each: bool, encoding: Encoding, left: &mut usize) {
        let Some(entry) = self.entries.get_mut(place) else { return };
        if one_of_each {
            self.covered &= !entry.first;
        }
        if entry.kept || (one_of_each && self.covered) {
            return;
        }
        let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
        let cost = size.saturating_add(encoding.cost_of_one_more(self.kept));
        if let Some(rest) = left.checked_sub(cost) {
            *left = rest;
            entry.kept = true;
            self.covered = true;
            self.kept = self.kept.saturating_add(1);
        }
    }

    fn left_out(&self) -> usize {
        self.entries.len().saturating_sub(self.kept)
    }
}

/// A list from the port or remote address and the size of every entry.
fn list<K: PartialEq + Copy>(sizes: impl Iterator<Item = (K, io::Result<u32>)>) -> io::Result<List> {
    let mut last = None;
    let entries =
        sizes.map(|(key, size)| Ok(Entry { size: size?, first: last.replace(key) != Some(key), kept: false }));
    Ok(List { entries: entries.collect::<io::Result<_>>()?, ..List::default() })
}

fn keep_ports(ports: Option<&mut Ports<'_>>, list: &List) {
    if let Some(ports) = ports {
        let mut kept = list.entries.iter().map(|entry| entry.kept);
        ports.ports.retain(|_| kept.next() == Some(true));
    }
}

/// A copy of the report with empty lists and true totals.
fn without_lists<'a>(report: &Report<'a>) -> Report<'a> {
    let no_ports = |ports: &Ports<'a>| Ports { ports: Vec::new(), total: ports.total };
    let no_connections = |list: &Connections<'a>| Connections { kept: Some(Vec::new()), ..list.clone() };
    Report {
        report_id: report.report_id,
        listening_tcp_ports: report.listening_tcp_ports.as_ref().map(no_ports),
        listening_udp_ports: report.listening_udp_ports.as_ref().map(no_ports),
        network_stats: report.network_stats.clone(),
        established_connections: report.established_connections.as_ref().map(no_connections),
        custom_metrics: report.custom_metrics.clone(),
    }
}

impl Encoding {
    fn size_of(self, entry: &Part<'_>, names: &Names) -> io::Result<u32> {
        let mut counter = Counter(0);
        self.write_part(entry, names, &mut counter)?;
        u32::try_from(counter.0).map_err(io::Error::other)
    }

    /// What one more entry costs in addition to its own bytes, in a list that has `entries` so far: a comma in JSON; in CBOR
    /// the growth of the list's head (RFC 8949, section 3).
    fn cost_of_one_more(self, entries: usize) -> usize {
        match (self, entries) {
            (Self::Json, 0) => 0,
            (Self::Json, _) | (Self::Cbor, 23 | 255) => 1,
            (Self::Cbor, 65535) => 2,
            (Self::Cbor, 0xffff_ffff) => 4,
            (Self::Cbor, _) => 0,
        }
    }
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
