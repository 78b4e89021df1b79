//! Tables of text without borders that fit a terminal.
//!
//! Widths are display widths: an ideograph or an emoji takes two columns. Where a table is too wide, a column of notes moves
//! below each row. Then the widest column gives way first: cells are wrapped at blanks, then words of foreign text are
//! broken, and then headings are wrapped. Numbers and addresses never are, so that they can be copied. Where a table is too
//! wide all the same, the cells of each row stand below each other, each after its heading; only a long address may be too
//! wide even so.

use std::io::{self, Write};

use colored::Colorize;
use tabled::builder::Builder;
pub(crate) use tabled::grid::util::string::get_string_width as width_of;
use tabled::settings::formatting::AlignmentStrategy;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

/// The most rows that a table shows. Larger results are for programs.
pub(crate) const MAX_ROWS: usize = 1000;

/// The blanks between two columns.
const GAP: usize = 2;

/// No column gets narrower than this, unless it needs less.
const MIN_WIDTH: usize = 12;

/// Names up to this width are broken only if nothing else helps.
const NAME_WIDTH: usize = 32;

/// The most characters of an address or a number.
const MAX_ADDRESS: usize = 50;

/// The blanks before a note below its row.
const INDENT: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cells {
    /// Names and other text, whose words may be broken.
    Text,
    /// Words that are broken only when no column of text can give way, and addresses, which are not.
    Words,
    /// Numbers, perhaps with a unit: right-aligned and never wrapped.
    Numbers,
    /// In the last column: text that moves below its row where the table is too narrow for it.
    Notes,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Empty in every column of a table without headings.
    pub(crate) heading: &'static str,
    pub(crate) cells: Cells,
    /// Colors one line of a cell, after wrapping.
    pub(crate) paint: Paint,
}

type Paint = fn(&str) -> String;

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

    /// Whether the table fits `width` without breaking numbers, addresses, and names that are not very long.
    pub(crate) fn fits(&self, width: Option<usize>) -> bool {
        width.is_none_or(|width| total(&self.floor(width_of, |_, word| word.min(NAME_WIDTH))) <= width)
    }

    /// Writes the table in `width` columns; `None` does not wrap.
    pub(crate) fn write(&self, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let last = self.columns.last().filter(|last| last.cells == Cells::Notes && !self.fits(width));
        let Some(notes) = last else { return self.write_fitting(self, width, |_, _| Ok(()), out) };
        let write_note = |note: &str, out: &mut dyn Write| {
            let lines = wrap(note, width.unwrap_or(usize::MAX).saturating_sub(INDENT).max(MIN_WIDTH));
            lines.iter().try_for_each(|line| writeln!(out, "{:INDENT$}{}", "", (notes.paint)(line)))
        };
        let split = |row: &Vec<String>| row.split_last().map(|(note, row)| (row.to_vec(), note.clone()));
        let (rows, row_notes): (Vec<_>, Vec<_>) = self.rows.iter().filter_map(split).unzip();
        let columns = self.columns.iter().take(self.columns.len() - 1).copied().collect();
        let write_notes = |place: Option<usize>, out: &mut dyn Write| match place {
            None => writeln!(out, "{:INDENT$}{}", "", dimmed(notes.heading)),
            Some(place) => row_notes.get(place).map_or(Ok(()), |note| write_note(note, out)),
        };
        self.write_fitting(&Self { columns, rows, omitted: 0 }, width, write_notes, out)
    }

    /// Writes the rows of `table`, which is this one, or what is left of it without its notes. If it does not fit the width
    /// whatever gives way, writes this one's rows as lists.
    fn write_fitting(
        &self,
        table: &Self,
        width: Option<usize>,
        below: impl Fn(Option<usize>, &mut dyn Write) -> io::Result<()>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let widths = table.widths(width);
        match width {
            Some(width) if table.has_headings() && total(&widths) > width => self.write_lists(width, out),
            _ => table.write_rows(&widths, below, out),
        }
    }

    /// Writes the rows, and after each what `below` writes for its place; `None` is the place of the headings.
    fn write_rows(
        &self,
        widths: &[usize],
        below: impl Fn(Option<usize>, &mut dyn Write) -> io::Result<()>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut table = Builder::default();
        // The number of lines of each row.
        let mut heights = Vec::new();
        let mut push = |place, (cells, height): (Vec<String>, usize)| {
            table.push_record(cells);
            heights.push((place, height));
        };
        if self.has_headings() {
            let dimmed: Paint = dimmed;
            let headings = self.columns.iter().map(|column| (column.heading, dimmed));
            push(None, wrap_cells(headings, widths));
        }
        for (place, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&self.columns).map(|(cell, column)| (cell, column.paint));
            push(Some(place), wrap_cells(cells, widths));
        }
        let mut table = table.build();
        table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0)).with(AlignmentStrategy::PerLine);
        for (index, _) in self.columns.iter().enumerate().filter(|(_, column)| column.cells == Cells::Numbers) {
            table.modify(Columns::one(index), Alignment::right());
        }
        let text = table.to_string();
        let mut lines = text.lines();
        for (place, height) in heights {
            for line in lines.by_ref().take(height).filter(|line| !line.is_empty()) {
                writeln!(out, "{}", line.trim_end())?;
            }
            below(place, out)?;
        }
        Ok(())
    }

    /// Writes each row as a list of its cells, each after its heading.
    fn write_lists(&self, width: usize, out: &mut dyn Write) -> io::Result<()> {
        let indent = GAP + self.columns.iter().map(|column| width_of(column.heading)).max().unwrap_or(0);
        let width = width.saturating_sub(indent).max(MIN_WIDTH);
        for (place, row) in self.rows.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            for (cell, Column { heading, paint, .. }) in row.iter().zip(&self.columns) {
                let gap = indent.saturating_sub(width_of(heading));
                write!(out, "{}{:gap$}", dimmed(heading), "")?;
                for (line, text) in wrap(cell, width).iter().enumerate() {
                    let indent = if line > 0 { indent } else { 0 };
                    writeln!(out, "{:indent$}{}", "", paint(text))?;
                }
            }
        }
        Ok(())
    }

    fn has_headings(&self) -> bool {
        self.columns.iter().any(|column| !column.heading.is_empty())
    }

    /// The width of every column: natural if there is room, otherwise as wide as the table allows.
    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths = self.measure(width_of, |_, cell| width_of(cell));
        let Some(width) = width else { return widths };
        let whole_words = self.floor(width_of, |_, word| word);
        let broken_text =
            self.floor(width_of, |cells, word| if cells == Cells::Text { word.min(MIN_WIDTH) } else { word });
        let broken_words = self.floor(width_of, |_, word| word.min(MIN_WIDTH));
        let wrapped_headings = self.floor(widest_word, |_, word| word.min(MIN_WIDTH));
        for floor in [whole_words, broken_text, broken_words, wrapped_headings] {
            while total(&widths) > width {
                let can_shrink = widths.iter_mut().zip(&floor).filter(|(width, floor)| **width > **floor);
                let Some((widest, _)) = can_shrink.max_by_key(|(width, _)| **width) else { break };
                *widest -= 1;
            }
        }
        widths
    }

    /// How narrow the columns get if a heading takes `of_heading`, and a word may be broken to a width that depends on the
    /// column. A number and an address are not broken.
    fn floor(&self, of_heading: fn(&str) -> usize, of_word: impl Fn(Cells, usize) -> usize) -> Vec<usize> {
        let of_cell = |cells: Cells, cell: &str| {
            let words = cell.split(' ').map(|word| match width_of(word) {
                width if cells != Cells::Text && is_address(word) => width,
                width => of_word(if cells == Cells::Notes { Cells::Text } else { cells }, width),
            });
            if cells == Cells::Numbers { width_of(cell) } else { words.max().unwrap_or(0) }
        };
        self.measure(of_heading, of_cell)
    }

    /// The largest measure of the cells of every column, and of its heading.
    fn measure(&self, of_heading: fn(&str) -> usize, of_cell: impl Fn(Cells, &str) -> usize) -> Vec<usize> {
        let columns = self.columns.iter().enumerate().map(|(index, column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let widest = cells.map(|cell| of_cell(column.cells, cell)).max().unwrap_or(0);
            widest.max(of_heading(column.heading))
        });
        columns.collect()
    }
}

/// The cells of a row, wrapped and painted, and the number of its lines.
fn wrap_cells(cells: impl Iterator<Item = (impl AsRef<str>, Paint)>, widths: &[usize]) -> (Vec<String>, usize) {
    let mut height = 1;
    let cells = cells.zip(widths).map(|((cell, paint), &width)| {
        let lines = wrap(cell.as_ref(), width);
        height = height.max(lines.len());
        lines.iter().map(|line| paint(line)).collect::<Vec<_>>().join("\n")
    });
    (cells.collect(), height)
}

fn dimmed(text: &str) -> String {
    text.dimmed().to_string()
}

fn widest_word(text: &str) -> usize {
    text.split(' ').map(width_of).max().unwrap_or(0)
}

/// Whether a word is an address, a network or a number, perhaps in a list. Then it is of no use in two pieces.
fn is_address(word: &str) -> bool {
    word.len() <= MAX_ADDRESS
        && word.bytes().any(|b| b.is_ascii_digit() || b == b':')
        && word.bytes().all(|b| b.is_ascii_hexdigit() || b":.[]/,".contains(&b))
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Breaks a text into lines at blanks, and inside a word that is wider than a line, unless it is an address.
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
        if is_address(word) {
            line.push_str(word);
            continue;
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
mod tests;
