//! A report as tables for people: 80 columns wide where it can be, foreign text made harmless.
//!
//! This form is not meant for programs and may change.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use colored::Colorize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::peaker::Priority;
use tabled::settings::{Alignment, Modify, Padding, Style, Width};

use super::custom::CustomMetrics;
use super::traffic::NetworkStats;
use super::{Connections, Interface, Ports, Report};
use crate::collector::counters::Counters;
use crate::collector::owners::{Owner, Owners};
use crate::escape::escape;

/// The most rows of one table. Who wants more wants JSON.
const MAX_ROWS: usize = 1000;

/// What a table shows beside the report itself.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The columns of the terminal; `None` for as wide as it gets.
    pub width: Option<usize>,
    /// The processes behind the sockets; `None` for no such column.
    pub owners: Option<&'a Owners>,
    /// What the traffic covers, such as `since boot`.
    pub traffic_covers: &'a str,
}

/// Writes `report`.
///
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

/// The id, and the time it stands for.
pub(crate) fn identify(report_id: u64) -> String {
    const YEAR_9999: u64 = 253_402_300_799; // the last second RFC 3339 can write
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(report_id)).filter(|_| report_id <= YEAR_9999);
    time.map_or_else(
        || report_id.to_string(),
        |time| format!("{report_id} ({})", humantime::format_rfc3339_seconds(time)),
    )
}

fn write_ports(title: &str, ports: Option<&Ports<'_>>, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_title(title, ports.map(|ports| ports.total), out)?;
    let Some(ports) = ports.filter(|ports| ports.total > 0) else { return Ok(()) };
    let mut table = Table::new(&["Port", "Interface", "Family"], view.owners);
    for port in ports.ports.iter().take(MAX_ROWS) {
        let family = match (port.v4, port.v6) {
            (true, true) => "v4 v6",
            (true, false) => "v4",
            (false, _) => "v6",
        };
        table.add(vec![port.port.to_string(), interface(port.interface), family.to_owned()], &port.inodes);
    }
    table.write(&[0], ports.ports.len(), view, out)
}

fn write_connections(connections: Option<&Connections<'_>>, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_title("Established TCP connections", connections.map(|list| list.total), out)?;
    let Some(connections) = connections.filter(|list| list.total > 0) else { return Ok(()) };
    let mut table = Table::new(&["Remote address", "Local port", "Interface"], view.owners);
    for connection in connections.iter().take(MAX_ROWS) {
        let local_interface = interface(connection.local_interface);
        let row = vec![connection.remote.to_string(), connection.local_port.to_string(), local_interface];
        table.add(row, &[connection.inode]);
    }
    table.write(&[1], connections.written(), view, out)
}

fn write_traffic(stats: Option<&NetworkStats>, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some(stats) = stats else { return write_title("Traffic", None, out) };
    writeln!(out, "\n{}", format!("Traffic {}", view.traffic_covers).bold())?;
    let mut table = Table::new(&["Interface", "Bytes in", "Bytes out", "Packets in", "Packets out"], None);
    let interfaces = stats.by_interface.iter().map(|(name, counters)| (escape(name), *counters)).take(MAX_ROWS);
    for (name, counters) in interfaces.chain([("all".to_owned(), stats.sum)]) {
        let Counters { bytes_in, packets_in, bytes_out, packets_out } = counters;
        let row = [name, bytes(bytes_in), bytes(bytes_out), packets_in.to_string(), packets_out.to_string()];
        table.add(row.to_vec(), &[]);
    }
    table.write(&[1, 2, 3, 4], stats.by_interface.len(), view, out)
}

fn write_custom(custom: &CustomMetrics, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_title("Custom metrics", u64::try_from(custom.iter().count()).ok(), out)?;
    let mut table = Table::new(&["Name", "Value"], None);
    for (name, value) in custom.iter().take(MAX_ROWS) {
        table.add(vec![escape(name), escape(&value.to_string())], &[]);
    }
    table.write(&[], custom.iter().count(), view, out)
}

/// Writes the title of a block and how many entries it has; `None` is unknown.
fn write_title(title: &str, total: Option<u64>, out: &mut dyn Write) -> io::Result<()> {
    let title = title.bold();
    match total {
        None => writeln!(out, "\n{title}: {}", "unknown".yellow()),
        Some(0) => writeln!(out, "\n{title}: none"),
        Some(total) => writeln!(out, "\n{title}: {total}"),
    }
}

/// A table without borders that is being filled.
struct Table<'o> {
    rows: Builder,
    owners: Option<&'o Owners>,
}

impl<'o> Table<'o> {
    /// Begins a table with these columns, and one for the processes if their owners are known.
    fn new(columns: &[&str], owners: Option<&'o Owners>) -> Self {
        let processes = owners.map(|_| "Processes");
        let mut rows = Builder::default();
        rows.push_record(columns.iter().copied().chain(processes).map(|name| name.dimmed().to_string()));
        Self { rows, owners }
    }

    /// Adds a row about the sockets with these inode numbers.
    fn add(&mut self, mut row: Vec<String>, inodes: &[u64]) {
        row.extend(self.owners.map(|owners| processes(owners, inodes)));
        self.rows.push_record(row);
    }

    /// Writes the table, with the columns in `numbers` set to the right, and says how many of `rows` are not in it.
    fn write(self, numbers: &[usize], rows: usize, view: View<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut table = self.rows.build();
        table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
        for &column in numbers {
            table.with(Modify::new(Columns::one(column)).with(Alignment::right()));
        }
        if let Some(width) = view.width {
            table.with(Width::wrap(width).priority(Priority::max(true)).keep_words(true));
        }
        for line in table.to_string().lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        match rows.saturating_sub(MAX_ROWS) {
            0 => Ok(()),
            more => writeln!(out, "… and {more} more; --format json has them all"),
        }
    }
}

/// The interface in words. What is no name has a blank, which no name can have.
fn interface(interface: Interface<'_>) -> String {
    match interface {
        Interface::Any => "all interfaces".to_owned(),
        Interface::Unknown | Interface::Null => "not known".to_owned(),
        Interface::Name(name) => escape(name),
    }
}

/// The processes that have one of these sockets open, each once.
pub(crate) fn processes(owners: &Owners, inodes: &[u64]) -> String {
    let mut list: Vec<&Owner> = inodes.iter().flat_map(|&inode| owners.of(inode)).collect();
    list.sort_unstable();
    list.dedup();
    if list.is_empty() {
        return "not known".to_owned();
    }
    let list: Vec<String> = list.iter().map(|owner| format!("{}({})", escape(&owner.name), owner.pid)).collect();
    list.join(" ")
}

/// A number of bytes with a binary unit (IEC 80000-13) and one digit after the point, rounded down.
fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut tenths = u128::from(number).saturating_mul(10);
    let mut unit = None;
    for next in UNITS {
        if tenths < 10240 {
            break;
        }
        tenths /= 1024;
        unit = Some(next);
    }
    match unit {
        None => format!("{number} B"),
        Some(unit) => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}
