//! Tables of text without borders that fit a terminal.
//!
//! Widths are display widths: an ideograph or an emoji takes two columns. Where a table is too wide, a column of notes moves
//! below each row. Then the widest column gives way first: cells are wrapped at blanks, and then words of foreign text are
//! broken. Numbers and addresses never are, so that they can be copied; with them, a table may be too wide.

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
    /// Numbers, right-aligned, otherwise like words.
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

    /// Whether the table fits `width` without breaking numbers, addresses, and names that are not very long.
    pub(crate) fn fits(&self, width: Option<usize>) -> bool {
        width.is_none_or(|width| total(&self.floor(|_, word| word.min(NAME_WIDTH))) <= width)
    }

    /// Writes the table in `width` columns; `None` does not wrap.
    pub(crate) fn write(&self, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let last = self.columns.last().filter(|last| last.cells == Cells::Notes && !self.fits(width));
        let Some(notes) = last else { return self.write_rows(width, |_, _| Ok(()), out) };
        let write_note = |note: &str, out: &mut dyn Write| {
            let lines = wrap(note, width.unwrap_or(usize::MAX).saturating_sub(INDENT).max(MIN_WIDTH));
            lines.iter().try_for_each(|line| writeln!(out, "{:INDENT$}{}", "", (notes.paint)(line)))
        };
        let split = |row: &Vec<String>| row.split_last().map(|(note, row)| (row.to_vec(), note.clone()));
        let (rows, row_notes): (Vec<_>, Vec<_>) = self.rows.iter().filter_map(split).unzip();
        let columns = self.columns.iter().take(self.columns.len() - 1).copied().collect();
        let write_notes = |place: Option<usize>, out: &mut dyn Write| match place {
            None => writeln!(out, "{:INDENT$}{}", "", notes.heading.dimmed()),
            Some(place) => row_notes.get(place).map_or(Ok(()), |note| write_note(note, out)),
        };
        Self { columns, rows, omitted: 0 }.write_rows(width, write_notes, out)
    }

    /// Writes the rows, and after each what `below` writes for its place; `None` is the place of the headings.
    fn write_rows(
        &self,
        width: Option<usize>,
        below: impl Fn(Option<usize>, &mut dyn Write) -> io::Result<()>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let widths = self.widths(width);
        let mut table = Builder::default();
        // The number of lines of each row.
        let mut heights = Vec::new();
        if self.columns.iter().any(|column| !column.heading.is_empty()) {
            table.push_record(self.columns.iter().map(|column| column.heading.dimmed().to_string()));
            heights.push((None, 1));
        }
        for (place, row) in self.rows.iter().enumerate() {
            let mut height = 1;
            table.push_record(row.iter().zip(&self.columns).zip(&widths).map(|((cell, column), &width)| {
                let lines = wrap(cell, width);
                height = height.max(lines.len());
                lines.iter().map(|line| (column.paint)(line)).collect::<Vec<_>>().join("\n")
            }));
            heights.push((Some(place), height));
        }
        let mut table = table.build();
        table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0));
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

    /// The width of every column: natural if there is room, otherwise as wide as the table allows.
    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths = self.measure(width_of);
        let Some(width) = width else { return widths };
        let whole_words = self.floor(|_, word| word);
        let broken_text = self.floor(|cells, word| if cells == Cells::Text { word.min(MIN_WIDTH) } else { word });
        let broken_words = self.floor(|_, word| word.min(MIN_WIDTH));
        for floor in [whole_words, broken_text, broken_words] {
            while total(&widths) > width {
                let can_shrink = widths.iter_mut().zip(&floor).filter(|(width, floor)| **width > **floor);
                let Some((widest, _)) = can_shrink.max_by_key(|(width, _)| **width) else { break };
                *widest -= 1;
            }
        }
        widths
    }

    /// How narrow the columns get if a word may be broken to a width that depends on the column. A heading and an address are
    /// not broken.
    fn floor(&self, of_word: impl Fn(Cells, usize) -> usize) -> Vec<usize> {
        let of_cell = |cells: Cells, cell: &str| {
            let words = cell.split(' ').map(|word| match width_of(word) {
                width if cells != Cells::Text && is_address(word) => width,
                width => of_word(if cells == Cells::Notes { Cells::Text } else { cells }, width),
            });
            words.max().unwrap_or(0)
        };
        self.measure_by(of_cell)
    }

    fn measure(&self, of_cell: fn(&str) -> usize) -> Vec<usize> {
        self.measure_by(|_, cell| of_cell(cell))
    }

    /// The largest measure of the cells of every column, and of its heading.
    fn measure_by(&self, of_cell: impl Fn(Cells, &str) -> usize) -> Vec<usize> {
        let columns = self.columns.iter().enumerate().map(|(index, column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let widest = cells.map(|cell| of_cell(column.cells, cell)).max().unwrap_or(0);
            widest.max(width_of(column.heading))
        });
        columns.collect()
    }
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
    fn an_address_is_never_broken() {
        let address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
        let name = "a-rather-long-name".repeat(7);
        for width in [80, 60, 59, 40, 26, 1] {
            let mut table = Table::new(vec![Column::new("Name", Cells::Text), Column::new("Address", Cells::Words)]);
            table.push(vec![name.clone(), address.to_owned()]);
            let text = text_of(&table, Some(width));
            assert!(text.lines().any(|line| line.ends_with(address)), "{width}: {text}");
            let fits = text.lines().all(|line| width_of(line) <= width);
            assert_eq!(fits, width >= MIN_WIDTH + GAP + address.len(), "{width}: {text}");
        }
        for (word, expected) in [
            ("192.0.2.1,", true),
            ("[2001:db8::1]:443", true),
            ("2001:db8::/32", true),
            ("18446744073709551615", true),
            ("::", true),
            ("decade", false),
            ("eth0", false),
            (&"1".repeat(51), false),
        ] {
            assert_eq!(is_address(word), expected, "{word}");
        }
    }

    #[test]
    fn notes_move_below_their_rows_where_there_is_no_room() {
        let column = |heading, cells| Column::new(heading, cells);
        let mut table = Table::new(vec![column("Address", Cells::Words), column("Notes", Cells::Notes)]);
        table.push(vec!["[2001:db8:1234:5678:9abc:def0:1234:5678]:1".to_owned(), "one(1) two(2)".to_owned()]);
        table.push(vec!["192.0.2.1:1".to_owned(), "-".to_owned()]);
        let wide = "\
Address                                     Notes
[2001:db8:1234:5678:9abc:def0:1234:5678]:1  one(1) two(2)
192.0.2.1:1                                 -
";
        for width in [None, Some(57)] {
            assert_eq!(text_of(&table, width), wide);
        }
        let wrapped = "\
Address                                     Notes
[2001:db8:1234:5678:9abc:def0:1234:5678]:1  one(1)
                                            two(2)
192.0.2.1:1                                 -
";
        assert_eq!(text_of(&table, Some(52)), wrapped);
        let narrow = "\
Address
  Notes
[2001:db8:1234:5678:9abc:def0:1234:5678]:1
  one(1) two(2)
192.0.2.1:1
  -
";
        assert_eq!(text_of(&table, Some(48)), narrow);
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
