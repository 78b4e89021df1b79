//! The things of a stream: their alarms, and what the table at the end shows of them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroU32;

use super::behaviors::ProfileBehavior;
use super::verdict::is_news;
use super::verdict_table::{Row, Tally, Total, write_rows};
use crate::detect::alarms::{AlarmRules, BehaviorOutcome, DeviceState, Processed};
use crate::detect::observation::Observation;
use crate::detect::recent::RecentThings;
use crate::table::MAX_ROWS;

pub(super) struct Fleet<'b> {
    behaviors: &'b [ProfileBehavior],
    rules: AlarmRules<'b>,
    /// By name, which is empty for reports without one.
    things: RecentThings<Thing>,
    forgotten: Forgotten,
    /// For the table; `None` if there will be none.
    rows: Option<LatestRows<'b>>,
}

#[derive(Default)]
struct Thing {
    state: DeviceState,
    /// The verdicts of the latest report.
    tally: Tally,
    /// How many of them belong in the table.
    listed: u16,
}

/// Whether a thing was forgotten, because there were too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forgotten {
    None,
    Quiet,
    InAlarm,
}

impl<'b> Fleet<'b> {
    pub(super) fn new(behaviors: &'b [ProfileBehavior], max_things: NonZeroU32, rows: Option<LatestRows<'b>>) -> Self {
        Self {
            behaviors,
            rules: AlarmRules::new(behaviors.iter().map(|entry| &entry.behavior)),
            things: RecentThings::new(max_things),
            forgotten: Forgotten::None,
            rows,
        }
    }

    /// Judges the `number`th report.
    pub(super) fn process<'o>(
        &mut self,
        thing: Option<&str>,
        observation: &'o Observation,
        number: u64,
    ) -> Processed<'o> {
        let name = thing.unwrap_or_default();
        let (thing, forgotten) = self.things.see(name);
        let processed = thing.state.process(&self.rules, observation, number);
        if let (Some(rows), Processed::Judged { outcomes, .. }) = (&mut self.rows, &processed) {
            thing.tally = outcomes.iter().map(|outcome| &outcome.judgment.verdict).collect();
            thing.listed = rows.update(name, self.behaviors.iter().zip(outcomes));
        }
        if let Some((name, thing)) = forgotten {
            let how = if thing.state.in_alarm() > 0 { Forgotten::InAlarm } else { Forgotten::Quiet };
            self.forgotten = self.forgotten.max(how);
            self.rows.iter_mut().for_each(|rows| rows.forget(&name));
        }
        processed
    }

    pub(super) fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    /// Whether a thing is in alarm, or was when it was forgotten.
    pub(super) fn in_alarm(&self) -> bool {
        self.forgotten == Forgotten::InAlarm || self.things.values().any(|thing| thing.state.in_alarm() > 0)
    }

    /// What the table counts.
    pub(super) fn total(&self) -> Total {
        let mut total = Total::default();
        let mut in_alarm = 0;
        for thing in self.things.values() {
            total.add(thing.tally);
            total.rows += usize::from(thing.listed);
            in_alarm += thing.state.in_alarm();
        }
        total.in_alarm = Some(in_alarm);
        total
    }

    /// Writes the verdicts of the latest report of each thing, if the fleet was made for a table.
    pub(super) fn write_table(&self, total: &Total, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let rows = self.rows.as_ref().map_or_else(Vec::new, LatestRows::rows);
        write_rows(&rows, total, width, out)
    }
}

/// The rows of the table, as many as it can show. Violations and alarms take precedence, whatever the number of things.
#[derive(Default)]
pub(super) struct LatestRows<'b> {
    /// Only those that `-q` prints.
    only_news: bool,
    notable: Rows<'b>,
    others: Rows<'b>,
}

/// At most [`MAX_ROWS`] rows, by thing, each with the place of its behavior.
#[derive(Default)]
struct Rows<'b> {
    by_thing: BTreeMap<Box<str>, Vec<(usize, Row<'b>)>>,
    len: usize,
}

impl<'b> LatestRows<'b> {
    pub(super) fn new(only_news: bool) -> Self {
        Self { only_news, ..Self::default() }
    }

    /// Replaces the rows of a thing. Returns how many there are, whether there was room for them or not.
    fn update<'o>(
        &mut self,
        thing: &str,
        outcomes: impl Iterator<Item = (&'b ProfileBehavior, &'o BehaviorOutcome<'o>)>,
    ) -> u16 {
        self.forget(thing);
        let mut listed = 0;
        for (place, (entry, BehaviorOutcome { judgment, state, .. })) in outcomes.enumerate() {
            if self.only_news && !is_news(entry, &judgment.verdict, Some(state)) {
                continue;
            }
            listed += 1; // there are at most 65535 behaviors
            let is_notable = judgment.is_violated() || state.in_alarm();
            let rows = if is_notable { &mut self.notable } else { &mut self.others };
            if rows.len < MAX_ROWS {
                rows.len += 1;
                let row = Row::new(entry, judgment, Some(state), None);
                rows.by_thing.entry(thing.into()).or_default().push((place, row));
            }
        }
        listed
    }

    fn forget(&mut self, thing: &str) {
        for rows in [&mut self.notable, &mut self.others] {
            rows.len -= rows.by_thing.remove(thing).map_or(0, |rows| rows.len());
        }
    }

    /// As many as a table shows, in the order of things and behaviors.
    fn rows(&self) -> Vec<Row<'_>> {
        let all = [&self.notable, &self.others].into_iter().flat_map(|rows| &rows.by_thing);
        let all = all.flat_map(|(thing, rows)| rows.iter().map(move |(place, row)| (&**thing, *place, row)));
        let mut shown: Vec<_> = all.take(MAX_ROWS).collect();
        shown.sort_unstable_by_key(|(thing, place, _)| (*thing, *place));
        shown.into_iter().map(|(thing, _, row)| row.of_thing(thing)).collect()
    }
}
