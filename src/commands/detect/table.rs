//! Verdicts as a table for people, and below it why. Foreign text is made harmless.
//!
//! This form is not meant for programs and may change.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;

use colored::Colorize;

use super::Judged;
use super::columns::{self, Column};
use super::verdict::ASSUMED;
use crate::collector::owners::Owners;
use crate::detect::criterion::list;
use crate::detect::judge::{Judgement, Verdict};
use crate::detect::measured::Measured;
use crate::detect::metric::Metric;
use crate::detect::profile::{Meaning, Rule, span};
use crate::detect::quote;
use crate::detect::stream::State;
use crate::escape::escape;
use crate::report::{Connections, Ports, Report, table};

/// The most rows of a table. Who wants more wants JSON.
const MAX_ROWS: usize = 1000;

/// The most elements of a list that are shown in a table, and below it.
const SHOWN: (usize, usize) = (5, 50);

/// The sockets of a report and their owners.
pub(super) struct Whose<'a> {
    pub(super) owners: &'a Owners,
    pub(super) report: &'a Report<'a>,
}

/// A row of the table, and what stands below: no more of a measurement than is shown.
pub(super) struct Row<'a> {
    thing: Option<&'a str>,
    judged: &'a Judged,
    verdict: &'static str,
    observed: String,
    alarm: Option<&'static str>,
    why: Vec<String>,
}

/// What there is beside a judgement.
#[derive(Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    /// Where the behaviour stands, where there were several reports.
    pub(super) state: Option<&'a State>,
    /// Where the processes behind offending elements are found; `None` for not at all.
    pub(super) whose: Option<&'a Whose<'a>>,
}

/// Writes the verdicts on one report, in so many columns of a terminal.
///
/// # Errors
/// What `out` returns.
pub(super) fn write(
    report_id: Option<u64>,
    judged: &[Judged],
    judgements: &[Judgement],
    whose: Option<&Whose<'_>>,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let id = report_id.map_or_else(|| "without an id".to_owned(), table::identify);
    writeln!(out, "{} {id}\n", "Report".bold())?;
    let beside = Beside { state: None, whose };
    let rows: Vec<Row<'_>> =
        judged.iter().zip(judgements).map(|(judged, judgement)| Row::new(judged, judgement, beside)).collect();
    write_rows(&rows, width, out)
}

/// Writes the table of these rows, why, and how many there are of each verdict.
///
/// # Errors
/// What `out` returns.
pub(super) fn write_rows(rows: &[Row<'_>], width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    type Cell = fn(&Row<'_>) -> String;
    let shown = rows.get(..MAX_ROWS).unwrap_or(rows);
    let has_things = rows.iter().any(|row| row.thing.is_some());
    let has_profiles = rows.iter().any(|row| row.judged.label.is_some());
    let has_alarms = rows.iter().any(|row| row.alarm.is_some());
    let all: [(&'static str, bool, Cell); 8] = [
        ("Thing", has_things, |row| self::shown(row.thing.unwrap_or("not known"))),
        ("Profile", has_profiles, |row| self::shown(row.judged.label.as_deref().unwrap_or_default())),
        ("Behavior", true, |row| self::shown(name(row.judged))),
        ("Metric", true, |row| self::shown(&row.judged.behavior.metric)),
        ("Observed", true, |row| row.observed.clone()),
        ("Normal", true, |row| escape(&row.judged.behavior.in_words())),
        ("Verdict", true, |row| row.verdict.to_owned()),
        ("Alarm", has_alarms, |row| row.alarm.unwrap_or_default().to_owned()),
    ];
    let column = |(heading, _, cell)| Column {
        heading,
        cells: shown.iter().map(cell).collect(),
        whole_words: !matches!(heading, "Thing" | "Profile" | "Behavior"),
        paint: if matches!(heading, "Verdict" | "Alarm") { paint } else { str::to_owned },
    };
    let mut table: Vec<Column> = all.into_iter().filter(|(_, wanted, _)| *wanted).map(column).collect();
    // A metric has a long name without a blank. Where there is no room for it, it is told below.
    let has_metrics = columns::fit(&table, width);
    table.retain(|column| has_metrics || column.heading != "Metric");
    columns::write(&table, width, out)?;
    if let more @ 1.. = rows.len().saturating_sub(MAX_ROWS) {
        writeln!(out, "… and {more} more")?;
    }
    let reasons = shown.iter().flat_map(|row| {
        let metric = (!has_metrics).then(|| format!("metric {}", self::shown(&row.judged.behavior.metric)));
        metric.into_iter().chain(row.why.iter().cloned()).map(|why| (row.name(), why))
    });
    let (of, why) = reasons.unzip();
    let plain = |cells| Column { heading: "", cells, whole_words: false, paint: str::to_owned };
    writeln!(out)?;
    columns::write(&[plain(of), plain(why)], width, out)?;
    writeln!(out, "{}", summary(rows))
}

/// Gives verdicts their colours.
fn paint(text: &str) -> String {
    match text {
        "conforms" => text.green().to_string(),
        "violated" | "invalid" | "in alarm" => text.red().to_string(),
        "not-judged" => text.yellow().to_string(),
        _ => text.to_owned(),
    }
}

impl<'a> Row<'a> {
    pub(super) fn new(judged: &'a Judged, judgement: &Judgement, beside: Beside<'_>) -> Self {
        let alarm = |state: &State| if state.alarm.is_some() { "in alarm" } else { "no" };
        Self {
            thing: None,
            judged,
            verdict: judgement.verdict.name(),
            observed: observed(judged, judgement, SHOWN.0),
            alarm: beside.state.map(alarm),
            why: why(judged, judgement, beside),
        }
    }

    /// The same of a thing, where reports of several were judged.
    pub(super) fn of(self, thing: Option<&'a str>) -> Self {
        Self { thing, ..self }
    }

    /// The behaviour, with what tells it from those of the same name.
    fn name(&self) -> String {
        let parts = [self.thing, self.judged.label.as_deref(), Some(name(self.judged))];
        let parts: Vec<String> = parts.into_iter().flatten().map(shown).collect();
        parts.join(" ")
    }
}

/// What there is to say beside the row, a line each.
fn why(judged: &Judged, judgement: &Judgement, beside: Beside<'_>) -> Vec<String> {
    let mut lines = match (&judgement.verdict, &judged.behavior.meaning) {
        (Verdict::Violated(offending), Meaning::Rule(rule)) => violated(offending, rule, beside),
        (Verdict::NotJudged(reason), _) => vec![format!("not judged: {}", escape(reason))],
        (Verdict::Invalid, Meaning::Invalid(faults)) => {
            faults.iter().map(|fault| format!("invalid: {}", escape(&fault.to_string()))).collect()
        }
        _ => Vec::new(),
    };
    if judgement.assumed && judgement.is_judged() {
        lines.push(ASSUMED.to_owned());
    }
    lines
}

/// What violates a behaviour, which for a number the row has said, and what it takes to an alarm.
fn violated(offending: &Measured, rule: &Rule, beside: Beside<'_>) -> Vec<String> {
    let mut lines = if offending.is_list() { offence(offending, rule, beside.whose) } else { Vec::new() };
    let so_far = match beside.state {
        Some(State { alarm: None, violating, .. }) => Some(format!(", so far there are {violating}")),
        Some(_) => None,
        None => Some(String::new()),
    };
    if let Some(so_far) = so_far.filter(|_| rule.to_alarm > 1) {
        lines.push(format!("an alarm takes {} violating reports in a row{so_far}", rule.to_alarm));
    }
    lines
}

/// A foreign name, harmless and not too long.
pub(super) fn shown(name: &str) -> String {
    escape(&quote::name(name))
}

/// The name of a behaviour; the place of a wrong one that has none.
fn name(judged: &Judged) -> &str {
    match judged.behavior.name.as_str() {
        "" => &judged.behavior.path,
        name => name,
    }
}

/// What was measured, in words.
pub(super) fn observed(judged: &Judged, judgement: &Judgement, most: usize) -> String {
    let covers = judgement.covers.map_or_else(String::new, |seconds| format!(" in {}", span(seconds)));
    match &judgement.measured {
        None if judgement.verdict == Verdict::Invalid => String::new(),
        None => "unknown".to_owned(),
        Some(Measured::Number(number)) => {
            let unit = judged.metric().map_or_else(String::new, |metric| metric.unit_of(number));
            format!("{number}{unit}{covers}")
        }
        Some(measured) if measured.is_empty() => "none".to_owned(),
        Some(measured) => escape(&list(&measured.elements(), most)),
    }
}

/// What violates a behaviour; with who is behind it, a line each.
fn offence(offending: &Measured, rule: &Rule, whose: Option<&Whose<'_>>) -> Vec<String> {
    let owned = |element: String, owner: String| match owner.as_str() {
        "not known" => format!("violated by {element} (owner not known)"),
        _ => format!("violated by {element} {owner}"),
    };
    let mut lines: Vec<String> = match (offending, whose) {
        (Measured::Ports(ports), Some(whose)) => {
            ports.iter().map(|&port| owned(port.to_string(), whose.port(port, &rule.metric))).collect()
        }
        (Measured::Addresses(addresses), Some(whose)) if rule.metric == Metric::Destinations => {
            addresses.iter().map(|address| owned(address.to_string(), whose.address(address))).collect()
        }
        _ => return vec![format!("violated by {}", escape(&list(&offending.elements(), SHOWN.1)))],
    };
    if let more @ 1.. = lines.len().saturating_sub(SHOWN.1) {
        lines.truncate(SHOWN.1);
        lines.push(format!("violated by {more} more"));
    }
    lines
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
    let of = |name| rows.iter().filter(|row| row.verdict == name).count();
    let mut parts = vec![format!("{} violated", of("violated")), format!("{} conforming", of("conforms"))];
    for (name, text) in [("not-judged", "not judged"), ("invalid", "invalid")] {
        if let number @ 1.. = of(name) {
            parts.push(format!("{number} {text}"));
        }
    }
    if rows.iter().any(|row| row.alarm.is_some()) {
        parts.push(format!("{} in alarm", rows.iter().filter(|row| row.alarm == Some("in alarm")).count()));
    }
    parts.join(", ")
}
