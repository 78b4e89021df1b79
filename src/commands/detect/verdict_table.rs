//! Verdicts as a table for people, with the reasons below it. Foreign text is escaped.
//!
//! This form is not meant for programs and may change.

use std::fmt::Display;
use std::io::{self, Write};

use colored::Colorize;

use super::behaviors::{ProfileBehavior, safe_name};
use crate::collector::proc::owners::Owners;
use crate::detect::alarms::{AlarmChange, BehaviorState};
use crate::detect::criterion::list;
use crate::detect::judge::{ASSUMED, Judgment, Verdict};
use crate::detect::measured::Measured;
use crate::detect::metric::Metric;
use crate::detect::profile::{Meaning, Rule, span};
use crate::report::display::{is_unaccepted, processes};
use crate::report::{Connections, Report};
use crate::table::{Cells, Column, Table};
use crate::text::escape;

/// The columns that move below a narrow table, in this order, so that no number or address in them is broken.
const MOVED: [&str; 3] = ["Metric", "Normal", "Observed"];

/// The most elements of a list in the table.
const SHOWN_OBSERVED: usize = 5;

/// The most elements of a list below the table.
const SHOWN_OFFENDING: usize = 50;

pub(super) struct OwnerLookup<'a> {
    pub(super) owners: &'a Owners,
    pub(super) report: &'a Report<'a>,
}

/// The number of each verdict on one report, in the order of [`VERDICTS`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally([u16; 4]);

/// The names of the verdicts, and how the summary calls them.
const VERDICTS: [(&str, &str); 4] =
    [("violated", "violated"), ("conforms", "conforming"), ("not-judged", "not judged"), ("invalid", "invalid")];

impl<'v> FromIterator<&'v Verdict> for Tally {
    fn from_iter<I: IntoIterator<Item = &'v Verdict>>(verdicts: I) -> Self {
        let mut tally = Self::default();
        for verdict in verdicts {
            let counts = tally.0.iter_mut().zip(VERDICTS);
            counts.filter(|(_, (name, _))| *name == verdict.name()).for_each(|(count, _)| *count += 1);
        }
        tally
    }
}

/// What the summary counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Total {
    pub(super) verdicts: [usize; 4],
    /// The rows that the table should have, of which it may show fewer.
    pub(super) rows: usize,
    /// The number of alarms, if there were several reports.
    pub(super) in_alarm: Option<usize>,
}

impl Total {
    pub(super) fn add(&mut self, tally: Tally) {
        self.verdicts.iter_mut().zip(tally.0).for_each(|(total, count)| *total += usize::from(count));
    }
}

/// A row of the table and the lines below it, without the whole measurement.
#[derive(Clone)]
pub(super) struct Row<'a> {
    thing: Option<&'a str>,
    entry: &'a ProfileBehavior,
    verdict: &'static str,
    observed: String,
    alarm: Option<&'static str>,
    reasons: Vec<String>,
}

/// Writes the table of these rows, the reasons, and the number of each verdict.
pub(super) fn write_rows(rows: &[Row<'_>], total: &Total, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut columns = columns_of(rows);
    let mut moved = Vec::new();
    let mut table = fill(&columns, rows);
    for heading in MOVED {
        if table.fits(width) {
            break;
        }
        moved.extend(columns.extract_if(.., |(column, _)| column.heading == heading));
        table = fill(&columns, rows);
    }
    table.write(width, out)?;
    let shown = rows.len() - table.omitted;
    if let more @ 1.. = total.rows - shown {
        writeln!(out, "… and {more} more")?;
    }
    let mut below = Table::new(vec![Column::new("", Cells::Text), Column::new("", Cells::Words)]);
    for row in rows.iter().take(shown) {
        let cells = moved.iter().map(|(column, cell)| (column.heading.to_lowercase(), cell(row)));
        let cells = cells.filter(|(_, cell)| !cell.is_empty()).map(|(heading, cell)| format!("{heading} {cell}"));
        for line in cells.chain(row.reasons.iter().cloned()) {
            below.push(vec![row.entry.full_name(row.thing), line]);
        }
    }
    writeln!(out)?;
    below.write(width, out)?;
    writeln!(out, "{}", summary(total))
}

type Cell = fn(&Row<'_>) -> String;

fn columns_of(rows: &[Row<'_>]) -> Vec<(Column, Cell)> {
    let has_things = rows.iter().any(|row| row.thing.is_some());
    let has_profiles = rows.iter().any(|row| row.entry.label.is_some());
    let has_alarms = rows.iter().any(|row| row.alarm.is_some());
    let text = |heading| Column::new(heading, Cells::Text);
    let words = |heading| Column::new(heading, Cells::Words);
    let painted = |heading| Column { heading, cells: Cells::Words, paint };
    let all: [(bool, Column, Cell); 8] = [
        (has_things, text("Thing"), |row| safe_name(row.thing.unwrap_or("not known"))),
        (has_profiles, text("Profile"), |row| safe_name(row.entry.label.as_deref().unwrap_or_default())),
        (true, text("Behavior"), |row| safe_name(row.entry.name())),
        (true, words("Metric"), |row| safe_name(&row.entry.behavior.metric)),
        (true, words("Observed"), |row| row.observed.clone()),
        (true, words("Normal"), |row| escape(&row.entry.behavior.in_words())),
        (true, painted("Verdict"), |row| row.verdict.to_owned()),
        (has_alarms, painted("Alarm"), |row| row.alarm.unwrap_or_default().to_owned()),
    ];
    all.into_iter().filter(|(has_content, ..)| *has_content).map(|(_, column, cell)| (column, cell)).collect()
}

fn fill(columns: &[(Column, Cell)], rows: &[Row<'_>]) -> Table {
    let mut table = Table::new(columns.iter().map(|(column, _)| *column).collect());
    table.fill(rows.iter(), |row| columns.iter().map(|(_, cell)| cell(row)).collect());
    table
}

fn paint(text: &str) -> String {
    match text {
        "conforms" => text.green().to_string(),
        "violated" | "invalid" | "in-alarm" => text.red().to_string(),
        "not-judged" => text.yellow().to_string(),
        _ => text.to_owned(),
    }
}

impl<'a> Row<'a> {
    /// `state` is the alarm if there were several reports. `owners` shows the processes behind offending elements.
    pub(super) fn new(
        entry: &'a ProfileBehavior,
        judgment: &Judgment<'_>,
        state: Option<&BehaviorState>,
        owners: Option<&OwnerLookup<'_>>,
    ) -> Self {
        let mut reasons = match (&judgment.verdict, &entry.behavior.meaning) {
            (Verdict::Violated(offending), Meaning::Rule(rule)) => violation(offending, rule, state, owners),
            (Verdict::NotJudged(reason), _) => vec![format!("not judged: {}", escape(reason))],
            (Verdict::Invalid, Meaning::Invalid(faults)) => {
                faults.iter().map(|fault| format!("invalid: {}", escape(&fault.to_string()))).collect()
            }
            _ => Vec::new(),
        };
        if judgment.assumed && judgment.is_judged() {
            reasons.push(ASSUMED.to_owned());
        }
        let observed = match judgment.verdict {
            Verdict::Invalid => String::new(),
            _ => observed(entry, judgment.measured.as_deref(), judgment.covers, SHOWN_OBSERVED),
        };
        let alarm = state.map(|state| if state.in_alarm() { AlarmChange::InAlarm.name() } else { "no" });
        Self { thing: None, entry, verdict: judgment.verdict.name(), observed, alarm, reasons }
    }

    /// The row with the name of its thing, which may be empty.
    pub(super) fn of_thing<'r>(&'r self, name: &'r str) -> Row<'r> {
        Row { thing: Some(name).filter(|name| !name.is_empty()), ..self.clone() }
    }
}

/// The elements that violate a behavior, in one line or each with its processes, and how far it is from an alarm. The row
/// itself shows a number.
fn violation(
    offending: &Measured,
    rule: &Rule,
    state: Option<&BehaviorState>,
    owners: Option<&OwnerLookup<'_>>,
) -> Vec<String> {
    let mut lines = match (offending, owners.and_then(|owners| owners.lines(offending, &rule.metric))) {
        (Measured::Number(_), _) => Vec::new(),
        (_, Some(lines)) => lines,
        (_, None) => vec![format!("violated by {}", escape(&list(offending.elements(), SHOWN_OFFENDING)))],
    };
    if let more @ 1.. = lines.len().saturating_sub(SHOWN_OFFENDING) {
        lines.truncate(SHOWN_OFFENDING);
        lines.push(format!("violated by {more} more"));
    }
    let so_far = match state {
        None => String::new(),
        Some(state) if state.in_alarm() => return lines,
        Some(state) => format!("; so far {}", state.violating()),
    };
    if rule.to_alarm > 1 {
        lines.push(format!("an alarm needs {} violating reports in a row{so_far}", rule.to_alarm));
    }
    lines
}

/// A measurement in words, and the seconds it covers.
pub(super) fn observed(
    entry: &ProfileBehavior,
    measured: Option<&Measured>,
    covers: Option<u64>,
    max: usize,
) -> String {
    let covers = covers.map_or_else(String::new, |seconds| format!(" in {}", span(seconds)));
    match measured {
        None => "unknown".to_owned(),
        Some(Measured::Number(number)) => {
            let unit = entry.metric().map_or_else(String::new, |metric| metric.unit_of(number));
            format!("{number}{unit}{covers}")
        }
        Some(measured) if measured.is_empty() => "none".to_owned(),
        Some(measured) => escape(&list(measured.elements(), max)),
    }
}

impl OwnerLookup<'_> {
    /// A line for each element; `None` if no socket belongs to an element of this metric.
    fn lines(&self, offending: &Measured, metric: &Metric) -> Option<Vec<String>> {
        let line = |element: &dyn Display, inodes: Vec<u32>| {
            let owner = processes(self.owners, &inodes);
            let unknown = if is_unaccepted(&inodes) { "(not accepted by a process yet)" } else { "(owner not known)" };
            format!("violated by {element} {}", owner.as_deref().unwrap_or(unknown))
        };
        match (offending, metric) {
            (Measured::Ports(ports), _) => {
                let Report { listening_tcp_ports: tcp, listening_udp_ports: udp, .. } = self.report;
                let listening = if *metric == Metric::UdpPorts { udp } else { tcp };
                let all = || listening.iter().flat_map(|ports| &ports.ports);
                let inodes =
                    |wanted| all().filter(move |port| port.port == wanted).flat_map(|port| port.inodes.clone());
                Some(ports.iter().map(|port| line(port, inodes(*port).collect())).collect())
            }
            (Measured::Addresses(addresses), Metric::Destinations) => {
                let all = || self.report.established_connections.iter().flat_map(Connections::iter);
                let inodes = |wanted| all().filter(move |to| to.remote.ip() == wanted).map(|to| to.inode);
                Some(addresses.iter().map(|address| line(address, inodes(*address).collect())).collect())
            }
            _ => None,
        }
    }
}

fn summary(total: &Total) -> String {
    let counts = total.verdicts.into_iter().zip(VERDICTS).enumerate();
    // How many are violated and conform is always worth saying.
    let counts = counts.filter(|(place, (count, _))| *place < 2 || *count > 0);
    let mut parts: Vec<String> = counts.map(|(_, (count, (_, name)))| format!("{count} {name}")).collect();
    parts.extend(total.in_alarm.map(|count| format!("{count} in alarm")));
    parts.join(", ")
}
