//! Columns of text without borders, in the width of a terminal. Cells are wrapped at blanks, and where a column must not
//! break its words, nowhere else.

use std::io::{self, Write};

use colored::Colorize;
use tabled::builder::Builder;
use tabled::settings::{Padding, Style};

/// The blanks between two columns.
const BETWEEN: usize = 2;

/// The least width of a column whose words may be broken, unless it needs less.
const LEAST: usize = 12;

/// A column.
pub(super) struct Column {
    /// Its heading; empty in a table without headings.
    pub(super) heading: &'static str,
    /// Its cells: harmless, without colour.
    pub(super) cells: Vec<String>,
    /// Whether words stay whole, however narrow the terminal is.
    pub(super) whole_words: bool,
    /// What gives a cell its colour, once it is wrapped.
    pub(super) paint: fn(&str) -> String,
}

impl Column {
    fn natural(&self) -> usize {
        let cells = self.cells.iter().map(|cell| width(cell));
        cells.max().unwrap_or_default().max(width(self.heading))
    }

    fn least(&self) -> usize {
        let words = self.cells.iter().flat_map(|cell| cell.split(' ')).map(width);
        let longest = words.max().unwrap_or_default().max(width(self.heading));
        if self.whole_words { longest } else { longest.min(LEAST) }
    }
}

/// Whether the columns fit, wrapped as they may be.
pub(super) fn fit(columns: &[Column], width: Option<usize>) -> bool {
    let least = columns.iter().map(Column::least).fold(between(columns), usize::saturating_add);
    width.is_none_or(|width| least <= width)
}

/// The blanks between these columns.
fn between(columns: &[Column]) -> usize {
    BETWEEN.saturating_mul(columns.len().saturating_sub(1))
}

/// Writes the columns, wrapped to fit as well as they can: the widest one gives way first.
///
/// # Errors
/// What `out` returns.
pub(super) fn write(columns: &[Column], width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut widths: Vec<usize> = columns.iter().map(Column::natural).collect();
    let least: Vec<usize> = columns.iter().map(Column::least).collect();
    let between = between(columns);
    while width.is_some_and(|width| widths.iter().copied().fold(between, usize::saturating_add) > width) {
        let can_shrink = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
        let Some((widest, _)) = can_shrink.max_by_key(|(width, _)| **width) else { break };
        *widest = widest.saturating_sub(1);
    }
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or_default();
    let mut table = Builder::default();
    if columns.iter().any(|column| !column.heading.is_empty()) {
        table.push_record(columns.iter().map(|column| column.heading.dimmed().to_string()));
    }
    for row in 0..rows {
        table.push_record(columns.iter().zip(&widths).map(|(column, &width)| {
            let lines = column.cells.get(row).map(|cell| wrap(cell, width)).unwrap_or_default();
            lines.iter().map(|line| (column.paint)(line)).collect::<Vec<_>>().join("\n")
        }));
    }
    let mut table = table.build();
    table.with(Style::empty()).with(Padding::new(0, BETWEEN, 0, 0));
    table.to_string().lines().filter(|line| !line.is_empty()).try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// Breaks a text into lines at blanks, and a word that is longer than a line where it must.
fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line).saturating_add(1).saturating_add(width(word)) > most {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) >= most.max(1) {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

fn width(text: &str) -> usize {
    text.chars().count()
}
