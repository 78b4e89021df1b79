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
        assert_eq!(fits, width >= "Address".len() + GAP + address.len(), "{width}: {text}");
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
fn what_is_too_wide_as_a_table_becomes_a_list_for_each_row() {
    let numbers = ["Bytes in", "Packets in"].map(|heading| Column::new(heading, Cells::Numbers));
    let mut table = Table::new([&[Column::new("Interface", Cells::Text)], &numbers[..]].concat());
    table.push(["eth0", "1023.9 KiB", "123456"].map(str::to_owned).to_vec());
    table.push(["lo", "0 B", "0"].map(str::to_owned).to_vec());
    let wide = "\
Interface    Bytes in  Packets in
eth0       1023.9 KiB      123456
lo                0 B           0
";
    assert_eq!(text_of(&table, Some(33)), wide);
    let narrow = "\
Interface    Bytes in  Packets
                            in
eth0       1023.9 KiB   123456
lo                0 B        0
";
    for width in [32, 30] {
        assert_eq!(text_of(&table, Some(width)), narrow);
    }
    let lists = "\
Interface   eth0
Bytes in    1023.9 KiB
Packets in  123456

Interface   lo
Bytes in    0 B
Packets in  0
";
    for width in [29, 22, 1] {
        assert_eq!(text_of(&table, Some(width)), lists);
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
