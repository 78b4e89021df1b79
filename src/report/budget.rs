//! Fitting a report into a payload limit.
//!
//! Only the lists are cut, never the totals. What is kept is decided in two rounds: first one entry for every distinct
//! port and for every distinct remote address, then the rest. In both rounds the three lists take turns, each in its
//! own order, and an entry is kept if it still fits. So the result depends on the report alone, and no entry that was
//! left out would have fitted.

use std::io::{self, Write};

use serde::Serialize;

use super::document::Named;
use super::json::{self, Layout};
use super::names::Names;
use super::{Connections, Encoding, Ports, Report, cbor};

/// The most bytes of a report that AWS IoT is sure to take; its limit is 128 KiB.
pub const MAX_BYTES: usize = 128_000;

/// How many entries of each list were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut {
    /// Of the listening TCP ports.
    pub tcp_ports: usize,
    /// Of the listening UDP ports.
    pub udp_ports: usize,
    /// Of the established connections.
    pub connections: usize,
}

/// The report does not fit even with empty lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the report takes {needed} bytes even with its lists empty")]
pub struct TooSmall {
    /// The least number of bytes it takes.
    pub needed: usize,
}

/// Cuts the lists of `report` so that it takes at most `max` bytes, exactly.
///
/// # Errors
/// [`TooSmall`] when even empty lists are too much; the report is unchanged then.
pub fn fit(report: &mut Report<'_>, encoding: Encoding, names: &Names, max: usize) -> Result<Cut, TooSmall> {
    let needed = encoding.size_of_report(&without_lists(report), names);
    let mut left = max.checked_sub(needed).ok_or(TooSmall { needed })?;
    let mut lists = [
        list_of_ports(report.listening_tcp_ports.as_ref(), encoding, names),
        list_of_ports(report.listening_udp_ports.as_ref(), encoding, names),
        list_of_connections(report, encoding, names),
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

/// One entry of a list.
struct Entry {
    size: u32,
    /// Whether it is the first with its port or remote address.
    first: bool,
    kept: bool,
}

/// A list that is being cut.
#[derive(Default)]
struct List {
    entries: Vec<Entry>,
    kept: usize,
    /// In the first round: whether an entry with the present port or remote address is kept.
    covered: bool,
}

impl List {
    /// Keeps the entry at `place` if it is its round and it fits into what is left.
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

fn list_of_ports(ports: Option<&Ports<'_>>, encoding: Encoding, names: &Names) -> List {
    let ports = ports.map_or(&[][..], |ports| &ports.ports);
    let mut last = None;
    let entries = ports.iter().map(|port| Entry {
        size: encoding.size_of(&Named(port, names)),
        first: last.replace(port.port) != Some(port.port),
        kept: false,
    });
    List { entries: entries.collect(), ..List::default() }
}

fn list_of_connections(report: &Report<'_>, encoding: Encoding, names: &Names) -> List {
    let connections = report.established_connections.iter().flat_map(Connections::iter);
    let mut last = None;
    let entries = connections.map(|connection| Entry {
        size: encoding.size_of(&Named(connection, names)),
        first: last.replace(connection.remote.ip()) != Some(connection.remote.ip()),
        kept: false,
    });
    List { entries: entries.collect(), ..List::default() }
}

fn keep_ports(ports: Option<&mut Ports<'_>>, list: &List) {
    if let Some(ports) = ports {
        let mut kept = list.entries.iter().map(|entry| entry.kept);
        ports.ports.retain(|_| kept.next() == Some(true));
    }
}

/// The same report with its lists empty and its totals true.
fn without_lists<'a>(report: &Report<'a>) -> Report<'a> {
    let empty = |ports: &Ports<'a>| Ports { ports: Vec::new(), total: ports.total };
    Report {
        report_id: report.report_id,
        listening_tcp_ports: report.listening_tcp_ports.as_ref().map(empty),
        listening_udp_ports: report.listening_udp_ports.as_ref().map(empty),
        network_stats: report.network_stats.clone(),
        established_connections: report.established_connections.clone().map(|mut list| {
            list.keep(std::iter::empty());
            list
        }),
        custom_metrics: report.custom_metrics.clone(),
    }
}

impl Encoding {
    fn size_of_report(self, report: &Report<'_>, names: &Names) -> usize {
        let mut counter = Counter(0);
        let written = match self {
            Self::Json => json::write(report, names, Layout::Line, &mut counter),
            Self::Cbor => cbor::write(report, names, &mut counter),
        };
        written.map_or(usize::MAX, |()| counter.0)
    }

    fn size_of(self, entry: &impl Serialize) -> u32 {
        let mut counter = Counter(0);
        let written = match self {
            Self::Json => serde_json::to_writer(&mut counter, entry).is_ok(),
            Self::Cbor => ciborium::into_writer(entry, &mut counter).is_ok(),
        };
        u32::try_from(counter.0).ok().filter(|_| written).unwrap_or(u32::MAX)
    }

    /// What one more entry costs beside its own bytes, in a list that has `entries` so far: a comma in JSON; in CBOR the
    /// growth of the list's head (RFC 8949, section 3).
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

/// Counts what is written to it.
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
