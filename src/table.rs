//! Tables of text without borders that fit a terminal.
//!
//! Widths are display widths: an ideograph or an emoji takes two columns. Where a table is too wide, the widest column gives
//! way first: cells are wrapped at blanks, then words of foreign text are broken, and only then numbers and addresses.

use std::io::{self, Write};

use colored::Colorize;
use tabled::builder::Builder;
pub(crate) use tabled::grid::util::string::get_string_width as width_of;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

/// The most rows that a table shows. Larger results are for programs.
pub(crate) const MAX_ROWS: usize = 1000;

/// The blanks between two columns.
const GAP: usize = 2;

/// No column gets narrower than this, unless it needs less.
const MIN_WIDTH: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cells {
    /// Names and other text, whose words may be broken.
    Text,
    /// Addresses and other words, broken only when no column of text can give way.
    Words,
    /// Numbers, right-aligned, otherwise like words.
    Numbers,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Empty in every column of a table without headings.
    pub(crate) heading: &'static str,
    pub(crate) cells: Cells,
    /// Colors one line of a cell, after wrapping.
    pub(crate) paint: fn(&str) -> String,
}

impl Column {
    pub(crate) fn new(heading: &'static str, cells: Cells) -> Self {
        Self { heading, cells, paint: str::to_owned }
    }
}

/// A table that is being filled. Its cells must be escaped and without color.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    /// The number of items without a row.
    pub(crate) omitted: usize,
}

impl Table {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), omitted: 0 }
    }

    /// Adds a row for each of the first 1000 items.
    pub(crate) fn fill<T>(&mut self, mut items: impl Iterator<Item = T>, row: impl FnMut(T) -> Vec<String>) {
        self.rows.extend(items.by_ref().take(MAX_ROWS).map(row));
        self.omitted += items.count();
    }

    /// Adds a row, whatever the number of rows.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Whether the table fits `width` without breaking numbers and addresses.
    pub(crate) fn fits(&self, width: Option<usize>) -> bool {
        let [_, breaking_text, _] = self.floors();
        width.is_none_or(|width| total(&breaking_text) <= width)
    }

    /// Writes the table in `width` columns; `None` does not wrap.
    pub(crate) fn write(&self, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths(width);
        let mut table = Builder::default();
        if self.columns.iter().any(|column| !column.heading.is_empty()) {
            table.push_record(self.columns.iter().map(|column| column.heading.dimmed().to_string()));
        }
        for row in &self.rows {
            table.push_record(row.iter().zip(&self.columns).zip(&widths).map(|((cell, column), &width)| {
                wrap(cell, width).iter().map(|line| (column.paint)(line)).collect::<Vec<_>>().join("\n")
            }));
        }
        let mut table = table.build();
        table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0));
        for (index, _) in self.columns.iter().enumerate().filter(|(_, column)| column.cells == Cells::Numbers) {
            table.modify(Columns::one(index), Alignment::right());
        }
        for line in table.to_string().lines().filter(|line| !line.is_empty()) {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// The width of every column: natural if there is room, otherwise as wide as the table allows.
    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths = self.measure(width_of);
        let Some(width) = width else { return widths };
        for floor in self.floors() {
            while total(&widths) > width {
                let can_shrink = widths.iter_mut().zip(&floor).filter(|(width, floor)| **width > **floor);
                let Some((widest, _)) = can_shrink.max_by_key(|(width, _)| **width) else { break };
                *widest -= 1;
            }
        }
        widths
    }

    /// How narrow the columns get with whole words, with broken text, and with any word broken.
    fn floors(&self) -> [Vec<usize>; 3] {
        let words = self.measure(|cell| cell.split(' ').map(width_of).max().unwrap_or(0));
        let break_if = |breaks: fn(&Column) -> bool| {
            let floor = |(column, &word): (&Column, &usize)| {
                if breaks(column) { word.min(MIN_WIDTH).max(width_of(column.heading)) } else { word }
            };
            self.columns.iter().zip(&words).map(floor).collect()
        };
        [break_if(|_| false), break_if(|column| column.cells == Cells::Text), break_if(|_| true)]
    }

    /// The largest measure of the cells of every column. A heading is never broken.
    fn measure(&self, of_cell: fn(&str) -> usize) -> Vec<usize> {
        let cells = |index| self.rows.iter().filter_map(move |row| row.get(index)).map(|cell: &String| of_cell(cell));
        let columns = self.columns.iter().enumerate();
        columns.map(|(index, column)| cells(index).max().unwrap_or(0).max(width_of(column.heading))).collect()
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Breaks a text into lines at blanks, and inside a word that is wider than a line.
fn wrap(text: &str, max: usize) -> Vec<String> {
    if width_of(text) <= max {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width_of(&line) + 1 + width_of(word) > max {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            line.push(c);
            if width_of(&line) > max && line.pop().is_some() {
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(table: &Table, width: Option<usize>) -> String {
        colored::control::set_override(false);
        let mut text = Vec::new();
        table.write(width, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// The lines of a table with one row. They fit.
    fn lines(columns: [(&'static str, Cells, &str); 2], width: usize) -> Vec<String> {
        let mut table = Table::new(columns.iter().map(|(heading, cells, _)| Column::new(heading, *cells)).collect());
        table.push(columns.iter().map(|(_, _, cell)| (*cell).to_owned()).collect());
        let lines: Vec<String> = text_of(&table, Some(width)).lines().map(str::to_owned).collect();
        assert!(lines.iter().all(|line| width_of(line) <= width), "{width}: {lines:#?}");
        lines
    }

    #[test]
    fn wide_characters_fit() {
        for name in ["漢".repeat(60), "😀".repeat(60), "漢😀a".repeat(30), "e\u{301}".repeat(120), "漢字 ".repeat(40)]
        {
            for width in [80, 79, 60, 41] {
                let text = lines([("Name", Cells::Text, &name), ("Value", Cells::Words, "12345")], width);
                let shown: String = text.concat().chars().filter(|c| name.contains(*c) && *c != ' ').collect();
                assert!(shown.contains(&name.replace(' ', "")), "nothing is lost: {text:#?}");
            }
        }
    }

    #[test]
    fn an_address_is_broken_last() {
        let address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
        let name = "a-rather-long-name".repeat(7);
        for (width, whole) in [(80, true), (60, true), (59, false), (40, false), (26, false)] {
            let text = lines([("Name", Cells::Text, &name), ("Address", Cells::Words, address)], width);
            assert_eq!(text.iter().any(|line| line.contains(address)), whole, "{width}: {text:#?}");
        }
    }

    #[test]
    fn numbers_are_right_aligned_and_rows_are_limited() {
        let mut table = Table::new(vec![Column::new("Number", Cells::Numbers), Column::new("", Cells::Text)]);
        table.fill(1..=1234, |number: u32| vec![number.to_string(), "x".to_owned()]);
        table.push(vec!["all".to_owned(), String::new()]);
        let text = text_of(&table, None);
        assert!(text.starts_with("Number\n     1  x\n     2  x\n") && text.ends_with("  1000  x\n   all\n"), "{text}");
        assert_eq!((table.omitted, text.lines().count()), (234, 1002));
    }
}
