//! A report as tables for people, with foreign text escaped.
//!
//! This form is not meant for programs and may change.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use colored::Colorize;

use super::custom::CustomMetrics;
use super::traffic::NetworkStats;
use super::{Connections, Interface, Ports, Report};
use crate::collector::counters::Counters;
use crate::collector::proc::owners::{Owner, Owners};
use crate::table::{Cells, Column, Table};
use crate::text::{escape, quote};

/// What the tables show in addition to the report.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The columns of the terminal; `None` does not wrap.
    pub width: Option<usize>,
    /// `Some` adds a column with the processes that own the sockets.
    pub owners: Option<&'a Owners>,
    /// The time that the traffic covers, such as `since boot`.
    pub traffic_covers: &'a str,
}

impl View<'_> {
    /// A row, with the cell of the processes if there is such a column.
    fn row<const N: usize>(&self, cells: [String; N], inodes: &[u32]) -> Vec<String> {
        let owners = self.owners.map(|owners| match processes(owners, inodes) {
            Some(processes) => processes,
            None if is_unaccepted(inodes) => "-".to_owned(),
            None => "not known".to_owned(),
        });
        cells.into_iter().chain(owners).collect()
    }
}

/// # Errors
/// What `out` returns.
pub fn write(report: &Report<'_>, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} {}", "Report".bold(), identify(report.report_id))?;
    write_ports("Listening TCP ports", report.listening_tcp_ports.as_ref(), view, out)?;
    write_ports("Listening UDP ports", report.listening_udp_ports.as_ref(), view, out)?;
    write_connections(report.established_connections.as_ref(), view, out)?;
    write_traffic(report.network_stats.as_ref(), view, out)?;
    report.custom_metrics.as_ref().map_or(Ok(()), |custom| write_custom(custom, view, out))
}

/// The id and its time, `1700000300 (2023-11-14T22:18:20Z)`.
pub(crate) fn identify(report_id: u64) -> String {
    const YEAR_9999: u64 = 253_402_300_799; // the last second RFC 3339 can write
    match UNIX_EPOCH.checked_add(Duration::from_secs(report_id)) {
        Some(time) if report_id <= YEAR_9999 => format!("{report_id} ({})", humantime::format_rfc3339_seconds(time)),
        _ => report_id.to_string(),
    }
}

fn write_ports(title: &str, ports: Option<&Ports<'_>>, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_title(title, ports.map(|ports| ports.total), out)?;
    let Some(ports) = ports.filter(|ports| ports.total > 0) else { return Ok(()) };
    let mut table = sockets(&[("Port", Cells::Numbers), ("Interface", Cells::Text), ("Family", Cells::Words)], view);
    table.fill(ports.ports.iter(), |port| {
        let family = match (port.v4, port.v6) {
            (true, true) => "v4 v6",
            (true, false) => "v4",
            (false, _) => "v6",
        };
        view.row([port.port.to_string(), interface(port.interface), family.to_owned()], &port.inodes)
    });
    write_table(&table, view, out)
}

fn write_connections(connections: Option<&Connections<'_>>, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_title("Established TCP connections", connections.map(|list| list.total), out)?;
    let Some(connections) = connections.filter(|list| list.total > 0) else { return Ok(()) };
    let columns = [("Remote address", Cells::Words), ("Local port", Cells::Numbers), ("Interface", Cells::Text)];
    let mut table = sockets(&columns, view);
    table.fill(connections.iter(), |connection| {
        let local_interface = interface(connection.local_interface);
        let row = [connection.remote.to_string(), connection.local_port.to_string(), local_interface];
        view.row(row, &[connection.inode])
    });
    write_table(&table, view, out)
}

fn write_traffic(stats: Option<&NetworkStats>, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some(stats) = stats else { return write_title("Traffic", None, out) };
    writeln!(out, "\n{}", format!("Traffic {}", view.traffic_covers).bold())?;
    let numbers = ["Bytes in", "Bytes out", "Packets in", "Packets out"].map(|name| Column::new(name, Cells::Numbers));
    let mut table = Table::new([&[Column::new("Interface", Cells::Text)], &numbers[..]].concat());
    let row = |name: String, counters: &Counters| {
        let Counters { bytes_in, packets_in, bytes_out, packets_out } = *counters;
        vec![name, bytes(bytes_in), bytes(bytes_out), packets_in.to_string(), packets_out.to_string()]
    };
    table.fill(stats.by_interface.iter(), |(name, counters)| row(quote(name), counters));
    table.push(row("all".to_owned(), &stats.sum));
    write_table(&table, view, out)
}

fn write_custom(custom: &CustomMetrics, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_title("Custom metrics", u64::try_from(custom.iter().count()).ok(), out)?;
    let mut table = Table::new(vec![Column::new("Name", Cells::Text), Column::new("Value", Cells::Words)]);
    table.fill(custom.iter(), |(name, value)| vec![escape(name), escape(&value.to_string())]);
    write_table(&table, view, out)
}

/// An empty table of sockets, with a column for their processes if the owners are known.
fn sockets(columns: &[(&'static str, Cells)], view: View<'_>) -> Table {
    let processes = view.owners.map(|_| ("Processes", Cells::Notes));
    let columns = columns.iter().copied().chain(processes);
    Table::new(columns.map(|(heading, cells)| Column::new(heading, cells)).collect())
}

fn write_table(table: &Table, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    table.write(view.width, out)?;
    match table.omitted {
        0 => Ok(()),
        more => writeln!(out, "… and {more} more; --format json has them all"),
    }
}

/// Writes the title of a block and its number of entries; `None` is unknown.
fn write_title(title: &str, total: Option<u64>, out: &mut dyn Write) -> io::Result<()> {
    let total = match total {
        None => "unknown".yellow().to_string(),
        Some(0) => "none".to_owned(),
        Some(total) => total.to_string(),
    };
    writeln!(out, "\n{}: {total}", title.bold())
}

/// The interface in words. Every text that is not a name contains a blank, and a name that does is in quotes.
fn interface(interface: Interface<'_>) -> String {
    match interface {
        Interface::Any => "any address".to_owned(),
        Interface::Unknown | Interface::Null => "not known".to_owned(),
        Interface::Name(name) => quote(name),
    }
}

/// The distinct processes that have one of these sockets open, as `name(pid)`; `None` if no process is known.
pub(crate) fn processes(owners: &Owners, inodes: &[u32]) -> Option<String> {
    let mut list: Vec<&Owner> = inodes.iter().flat_map(|&inode| owners.of(inode)).collect();
    list.sort_unstable();
    list.dedup();
    let list: Vec<String> = list.iter().map(|owner| format!("{}({})", quote(&owner.name), owner.pid)).collect();
    (!list.is_empty()).then(|| list.join(" "))
}

/// Whether these sockets are connections that no process has accepted yet. Until then the kernel shows the inode 0
/// (`get_tcp4_sock` in `net/ipv4/tcp_ipv4.c`).
pub(crate) fn is_unaccepted(inodes: &[u32]) -> bool {
    !inodes.is_empty() && inodes.iter().all(|&inode| inode == 0)
}

/// Bytes with a binary unit (IEC 80000-13) and one decimal, rounded down.
fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = UNITS.into_iter().zip(1..).take_while(|(_, power)| number >> (10 * power) > 0).last();
    let Some((unit, power)) = unit else { return format!("{number} B") };
    let tenths = (u128::from(number) * 10) >> (10 * power);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}
