//! The tables that only interface names come from, and names that try to drive a terminal.

use crate::hostile::tree::{ALL, HEADER_DEV, HEADER_ROUTE, Tree, interface};

/// What is seen when the interface of 192.0.2.10 is not known.
fn unnamed() -> String {
    ALL.replace("80@eth0", "80")
}

#[test]
fn without_a_table_of_names_the_names_are_missing_and_nothing_else() {
    let gone = "No such file or directory (os error 2)";
    for (table, content, reason, expected) in [
        ("route", None, gone, unnamed()),
        ("fib_trie", None, gone, unnamed()),
        ("route", Some(""), "", unnamed()),
        ("route", Some("x\n"), "line 1 is not the header of this table: `x`", unnamed()),
        ("fib_trie", Some(""), "", unnamed()),
        ("fib_trie", Some("|-- 192.0.2.300\n/32 host LOCAL\n|-- \n/32 host LOCAL\n"), "", unnamed()),
        ("fib_trie", Some("/32 host LOCAL\n|-- 192.0.2.10\n/24 host LOCAL\n/32 link UNICAST\n"), "", unnamed()),
        ("if_inet6", Some(""), "", ALL.to_owned()),
    ] {
        let tree = Tree::new();
        match content {
            Some(content) => tree.write(table, content),
            None => tree.remove(table),
        }
        let tells = format!("warning: interface names may be missing: tree/net/{table}: {reason}");
        tree.check(table, &expected, if reason.is_empty() { "" } else { &tells }, 0);
    }
}

#[test]
fn a_malformed_row_of_a_table_of_names_is_reported() {
    let row = "eth9\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    for (table, row, reason) in [
        ("route", "eth9\n".to_owned(), "column Destination is missing"),
        ("route", row.replace("000200C0", "000200CX"), "column Destination holds `000200CX`"),
        ("route", row.replace("0001", "ZZZZ"), "column Flags holds `ZZZZ`"),
        ("route", row.replace("00FFFFFF", "255.255.255.0"), "column Mask holds `255.255.255.0`"),
        ("route", row.replace("\t00FFFFFF", ""), "column Mask holds `0`"),
        ("route", row.trim_end().to_owned(), "the file ends inside this row"),
        ("route", "\n".to_owned(), "column Iface is missing"),
        ("if_inet6", "\n".to_owned(), "column address is missing"),
        ("if_inet6", "00000000000000000000000000000001 01 80 10 80\n".to_owned(), "column name is missing"),
        ("if_inet6", "::1 01 80 10 80 lo\n".to_owned(), "column address holds `::1`"),
        ("if_inet6", "\u{1b}c 01 80 10 80 lo\n".to_owned(), r"column address holds `\u{1b}c`"),
    ] {
        let tree = Tree::new();
        tree.append(table, &row);
        let line = if table == "route" { 3 } else { 2 };
        tree.check(&row, ALL, &format!("warning: tree/net/{table}:{line}: row skipped: {reason}"), 65);
    }
}

#[test]
fn an_ambiguous_interface_is_left_out() {
    let eth0 = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    for (what, rows, expected) in [
        ("no route", String::new(), unnamed()),
        ("two alike", format!("{eth0}{}", eth0.replace("eth0", "eth1")), unnamed()),
        ("the same twice", eth0.repeat(2), ALL.to_owned()),
        ("by a gateway", eth0.replace("00000000", "010200C0"), unnamed()),
        ("not up", eth0.replace("0001", "0000"), unnamed()),
        ("the default route only", eth0.replace("000200C0", "00000000").replace("00FFFFFF", "00000000"), unnamed()),
    ] {
        let tree = Tree::new();
        tree.write("route", HEADER_ROUTE.to_owned() + &rows);
        tree.check(what, &expected, "", 0);
    }
}

/// In a VRF, an address is local in a routing table of its own, whose routes `net/route` does not list.
#[test]
fn an_address_of_another_routing_table_has_no_interface() {
    let drawing = |tables: &[(&str, &str)]| {
        let leaf = |(name, address)| {
            format!(
                "{name}:\n  +-- 192.0.2.0/24 2 0 1\n     |-- {address}\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n"
            )
        };
        tables.iter().copied().map(leaf).collect::<String>()
    };
    let (vrf, main, local) = ("Id 100", "Main", "Local");
    for (tables, expected) in [
        (&[(vrf, "192.0.2.10"), (main, "192.0.2.11"), (local, "192.0.2.11")][..], unnamed()),
        (&[(main, "192.0.2.11"), (local, "192.0.2.11"), (vrf, "192.0.2.10")], unnamed()),
        (&[(vrf, "192.0.2.11"), (main, "192.0.2.10"), (local, "192.0.2.10")], ALL.to_owned()),
        (&[(vrf, "192.0.2.10"), (local, "192.0.2.10")], unnamed()), // in both, so it is unknown which one a socket has
        (&[(local, "192.0.2.10")], ALL.to_owned()),
    ] {
        let tree = Tree::new();
        tree.write("fib_trie", drawing(tables));
        tree.check(&format!("{tables:?}"), &expected, "", 0);
    }
}

#[test]
fn more_addresses_than_can_be_kept_leave_the_names_out() {
    let tree = Tree::new();
    tree.append("route", "eth0\t000000A0\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n".repeat(32_768));
    let tells = "warning: interface names may be missing: tree/net/route: more than 32768 networks";
    tree.check("networks", &unnamed(), tells, 0);
    let tree = Tree::new();
    tree.append("if_inet6", "20010db8000000000000000000000001 01 80 10 80 eth0\n".repeat(32_768));
    let tells = "warning: interface names may be missing: tree/net/if_inet6: more than 32768 addresses";
    tree.check("addresses", ALL, tells, 0);
}

/// Names that would color, clear, title, hide or turn round what a terminal shows.
const NAMES: [&str; 7] =
    ["\u{1b}[31mred", "\u{1b}]0;t\u{7}", "\u{9b}2J", "a\u{8}\u{8}b", "\u{202e}0hte", "z\u{200b}w", "d\u{7f}"];

#[test]
fn no_name_reaches_a_table_or_standard_error_raw() {
    let tree = Tree::new();
    for name in NAMES {
        tree.append("dev", interface(name, ["1"; 4]) + &interface(name, ["x"; 4]));
    }
    let route = format!("{HEADER_ROUTE}{}\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", NAMES[0]);
    tree.write("route", route);
    let plain = |text: &str| {
        !text.chars().any(|c| c != '\n' && (c.is_control() || NAMES.concat().contains(c) && !c.is_ascii()))
    };
    for args in [&["--format", "table"][..], &["--format", "table", "--color", "never", "-v"]] {
        let output = tree.collect(args).finish();
        assert_eq!(output.status.code(), Some(0));
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8(stream).unwrap();
            assert!(plain(&text), "{text:?}");
        }
    }
    let table = String::from_utf8(tree.collect(&["--format", "table", "-q"]).output()).unwrap();
    assert!(table.contains("  80  \"\\u{1b}[31mred\""), "{table}");
}

#[test]
fn a_name_that_shows_nothing_is_shown_in_a_table() {
    let tree = Tree::new();
    let lines = |name: &str| {
        tree.write("dev", HEADER_DEV.to_owned() + &interface(name, ["1"; 4]));
        let table = tree.collect(&["--format", "table", "-q"]).text();
        table.lines().rev().nth(1).unwrap().split("  ").next().unwrap().to_owned()
    };
    for (name, shown) in [
        ("\u{3164}", r#""\u{3164}""#),
        ("\u{115f}", r#""\u{115f}""#),
        ("\u{1d173}", r#""\u{1d173}""#),
        ("\u{2800}", "\"\u{2800}\""), // a Braille pattern without dots
        ("all", "all"),
        ("eth0.7@if3", "eth0.7@if3"),
        ("br-\u{6f22}", "br-\u{6f22}"),
        (r"\u{3164}", r#""\\u{3164}""#),
        ("a\"b", r#""a\"b""#),
        ("not\u{a0}known", "\"not\u{a0}known\""),
    ] {
        assert_eq!(lines(name), shown, "{name:?}");
    }
}
