//! Verdicts as a table for people, and below it why. Foreign text is made harmless.
//!
//! This form is not meant for programs and may change.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;

use colored::Colorize;
use tabled::builder::Builder;
use tabled::settings::peaker::Priority;
use tabled::settings::{Padding, Style, Width};

use super::Judged;
use super::verdict::ASSUMED;
use crate::collector::owners::Owners;
use crate::detect::criterion::list;
use crate::detect::judge::{Covers, Judgement, Verdict};
use crate::detect::measured::Measured;
use crate::detect::metric::{Metric, Named};
use crate::detect::profile::{Meaning, Rule, span};
use crate::detect::quote;
use crate::escape::escape;
use crate::report::{Connections, Ports, Report, table};

/// The most rows of a table. Who wants more wants JSON.
const MAX_ROWS: usize = 1000;

/// The most elements of a list that are shown in a table, and below it.
const SHOWN: (usize, usize) = (5, 50);

/// What a table shows beside the verdicts.
pub(super) struct View<'a> {
    /// The columns of the terminal; `None` for as wide as it gets.
    pub(super) width: Option<usize>,
    /// Where the processes behind offending elements are found; `None` for not at all.
    pub(super) whose: Option<&'a Whose<'a>>,
}

/// The sockets of a report and their owners.
pub(super) struct Whose<'a> {
    pub(super) owners: &'a Owners,
    pub(super) report: &'a Report<'a>,
}

/// A row of the table.
pub(super) struct Row<'a> {
    /// Whose report it is, where reports of several things were judged.
    pub(super) thing: Option<&'a str>,
    pub(super) judged: &'a Judged,
    pub(super) judgement: &'a Judgement,
    /// Whether it is in alarm, where there were several reports.
    pub(super) alarm: Option<bool>,
}

/// Writes the verdicts on one report.
///
/// # Errors
/// What `out` returns.
pub(super) fn write(
    report_id: Option<u64>,
    judged: &[Judged],
    judgements: &[Judgement],
    view: &View<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let id = report_id.map_or_else(|| "without an id".to_owned(), table::identify);
    writeln!(out, "{} {id}\n", "Report".bold())?;
    let row = |(judged, judgement)| Row { thing: None, judged, judgement, alarm: None };
    let rows: Vec<Row<'_>> = judged.iter().zip(judgements).map(row).collect();
    write_rows(&rows, view, out)
}

/// Writes the table of these rows, why, and how many there are of each verdict.
///
/// # Errors
/// What `out` returns.
pub(super) fn write_rows(rows: &[Row<'_>], view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let has_things = rows.iter().any(|row| row.thing.is_some());
    let has_profiles = rows.iter().any(|row| row.judged.label.is_some());
    let has_alarms = rows.iter().any(|row| row.alarm.is_some());
    let columns = [
        ("Thing", has_things),
        ("Profile", has_profiles),
        ("Behavior", true),
        ("Metric", true),
        ("Observed", true),
        ("Normal", true),
        ("Verdict", true),
        ("Alarm", has_alarms),
    ];
    let mut table = Builder::default();
    let wanted =
        |cells: [String; 8]| cells.into_iter().zip(columns).filter(|(_, (_, shown))| *shown).map(|(cell, _)| cell);
    table.push_record(wanted(columns.map(|(name, _)| name.dimmed().to_string())));
    for row in rows.iter().take(MAX_ROWS) {
        table.push_record(wanted(row.cells()));
    }
    write_columns(table, view, out)?;
    if let more @ 1.. = rows.len().saturating_sub(MAX_ROWS) {
        writeln!(out, "… and {more} more")?;
    }
    let mut reasons = Builder::default();
    for row in rows.iter().take(MAX_ROWS) {
        row.why(view).into_iter().for_each(|why| reasons.push_record([row.name(), why]));
    }
    writeln!(out)?;
    write_columns(reasons, view, out)?;
    writeln!(out, "{}", summary(rows))
}

/// Writes columns without borders, wrapped where they are too wide.
fn write_columns(table: Builder, view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = table.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    if let Some(width) = view.width {
        table.with(Width::wrap(width).priority(Priority::max(true)).keep_words(true));
    }
    table.to_string().lines().filter(|line| !line.is_empty()).try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

impl Row<'_> {
    /// The behaviour, with what tells it from those of the same name.
    fn name(&self) -> String {
        let parts = [self.thing, self.judged.label.as_deref(), Some(name(self.judged))];
        let parts: Vec<String> = parts.into_iter().flatten().map(shown).collect();
        parts.join(" ")
    }

    fn cells(&self) -> [String; 8] {
        let behavior = &self.judged.behavior;
        let verdict = self.judgement.verdict.name();
        [
            shown(self.thing.unwrap_or("not known")),
            shown(self.judged.label.as_deref().unwrap_or_default()),
            shown(name(self.judged)),
            shown(&behavior.metric),
            observed(self.judged, self.judgement, SHOWN.0),
            escape(&behavior.in_words()),
            match self.judgement.verdict {
                Verdict::Conforms => verdict.green().to_string(),
                Verdict::Violated(_) | Verdict::Invalid => verdict.red().to_string(),
                Verdict::NotJudged(_) => verdict.yellow().to_string(),
            },
            match self.alarm {
                Some(true) => "in alarm".red().to_string(),
                Some(false) | None => "no".to_owned(),
            },
        ]
    }

    /// What there is to say beside the row, a line each.
    fn why(&self, view: &View<'_>) -> Vec<String> {
        let mut lines = match (&self.judgement.verdict, &self.judged.behavior.meaning) {
            (Verdict::Violated(offending), Meaning::Rule(rule)) => self.violated(offending, rule, view),
            (Verdict::NotJudged(reason), _) => vec![format!("not judged: {}", escape(reason))],
            (Verdict::Invalid, Meaning::Invalid(faults)) => {
                faults.iter().map(|fault| format!("invalid: {}", escape(&fault.to_string()))).collect()
            }
            _ => Vec::new(),
        };
        if let Some(Covers::Assumed(_)) = self.judgement.covers {
            lines.push(ASSUMED.to_owned());
        }
        lines
    }

    /// What violates the behaviour, which for a number the row has said, and what it takes to an alarm.
    fn violated(&self, offending: &Measured, rule: &Rule, view: &View<'_>) -> Vec<String> {
        let elements = offending.is_list().then(|| offence(offending, rule, view));
        let alone = self.alarm.is_none() && rule.to_alarm > 1;
        let alarm = alone.then(|| format!("an alarm takes {} violating reports in a row", rule.to_alarm));
        elements.into_iter().chain(alarm).collect()
    }
}

/// A foreign name, harmless and not too long.
pub(super) fn shown(name: &str) -> String {
    escape(&quote::name(name))
}

/// The name of a behaviour, which a wrong one may not have.
fn name(judged: &Judged) -> &str {
    match judged.behavior.name.as_str() {
        "" => "(no name)",
        name => name,
    }
}

/// What was measured, in words.
pub(super) fn observed(judged: &Judged, judgement: &Judgement, most: usize) -> String {
    let unit = match Named::find(&judged.behavior.metric) {
        Named::Known(metric) => metric.unit(),
        _ => "",
    };
    let covers = match judgement.covers {
        Some(Covers::Seconds(seconds)) => format!(" in {}", span(seconds)),
        _ => String::new(),
    };
    match &judgement.measured {
        None if judgement.verdict == Verdict::Invalid => String::new(),
        None => "unknown".to_owned(),
        Some(Measured::Number(number)) if unit.is_empty() => number.to_string(),
        Some(Measured::Number(number)) => format!("{number} {unit}{covers}"),
        Some(measured) if measured.is_empty() => "none".to_owned(),
        Some(measured) => escape(&list(&measured.elements(), most)),
    }
}

/// What violates a behaviour, and who.
fn offence(offending: &Measured, rule: &Rule, view: &View<'_>) -> String {
    let elements = match (offending, view.whose) {
        (Measured::Ports(ports), Some(whose)) => {
            ports.iter().map(|&port| format!("{port} {}", whose.port(port, &rule.metric))).collect()
        }
        (Measured::Addresses(addresses), Some(whose)) if rule.metric == Metric::Destinations => {
            addresses.iter().map(|address| format!("{address} {}", whose.address(address))).collect()
        }
        _ => offending.elements(),
    };
    format!("violated by {}", escape(&list(&elements, SHOWN.1)))
}

impl Whose<'_> {
    /// The processes that have a port open.
    fn port(&self, wanted: u16, metric: &Metric) -> String {
        let ports = match metric {
            Metric::UdpPorts => self.report.listening_udp_ports.as_ref(),
            _ => self.report.listening_tcp_ports.as_ref(),
        };
        let inodes = |ports: &Ports<'_>| {
            ports.ports.iter().filter(|port| port.port == wanted).flat_map(|port| port.inodes.clone()).collect()
        };
        table::processes(self.owners, &ports.map_or_else(Vec::new, inodes))
    }

    /// The processes that are connected to an address.
    fn address(&self, wanted: &IpAddr) -> String {
        let connections = self.report.established_connections.iter().flat_map(Connections::iter);
        let inodes: BTreeSet<u64> = connections
            .filter(|connection| connection.remote.ip() == *wanted)
            .map(|connection| connection.inode)
            .collect();
        table::processes(self.owners, &Vec::from_iter(inodes))
    }
}

/// How many there are of each verdict, and of alarms.
fn summary(rows: &[Row<'_>]) -> String {
    let of = |name| rows.iter().filter(|row| row.judgement.verdict.name() == name).count();
    let mut parts = vec![format!("{} violated", of("violated")), format!("{} conforming", of("conforms"))];
    for (name, text) in [("not-judged", "not judged"), ("invalid", "invalid")] {
        if let number @ 1.. = of(name) {
            parts.push(format!("{number} {text}"));
        }
    }
    if rows.iter().any(|row| row.alarm.is_some()) {
        parts.push(format!("{} in alarm", rows.iter().filter(|row| row.alarm == Some(true)).count()));
    }
    parts.join(", ")
}
