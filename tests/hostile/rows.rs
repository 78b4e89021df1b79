//! Rows that are not understood: skipped, counted, and told with file and line. The rest of the table is used.

use serde_json::json;

use crate::hostile::tree::{ALL, HEADER, HEADER_6, Tree, row};

/// What stands in a row from its queues on, with this inode number.
fn tail(inode: &str) -> String {
    format!("00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0000000000000000 100 0 0 10 0")
}

#[test]
fn a_malformed_row_is_skipped_with_a_warning_of_its_place() {
    let (any, rest) = ("00000000:0000", tail("9"));
    let with_nul = format!("   9: 00000000:0\u{0}16 {any} 0A {rest}");
    let cases: [(String, &str); 25] = [
        (String::new(), "column sl is missing"),
        ("   ".to_owned(), "column sl is missing"),
        ("garbage".to_owned(), "column sl holds `garbage`"),
        (HEADER.trim_end().to_owned(), "column sl holds `sl`"),
        ("   9:".to_owned(), "column local_address is missing"),
        ("   9: 00000000:0016".to_owned(), "column rem_address is missing"),
        (format!("   9: 00000000:0016 {any}"), "column st is missing"),
        (format!("   9: 00000000:0016 {any} 0A"), "column tx_queue:rx_queue is missing"),
        (format!("   9: 00000000:0016 {any} 0A 0:0 0:0 0 0 0"), "column inode is missing"),
        (format!("   x: 00000000:0016 {any} 0A {rest}"), "column sl holds `x:`"),
        (format!("   9: 0000000:0016 {any} 0A {rest}"), "column local_address holds `0000000:0016`"),
        (format!("   9: 000000000:0016 {any} 0A {rest}"), "column local_address holds `000000000:0016`"),
        (format!("   9: 0000000G:0016 {any} 0A {rest}"), "column local_address holds `0000000G:0016`"),
        (format!("   9: 00000000:016 {any} 0A {rest}"), "column local_address holds `00000000:016`"),
        (format!("   9: 00000000:10016 {any} 0A {rest}"), "column local_address holds `00000000:10016`"),
        (format!("   9: 00000000:+016 {any} 0A {rest}"), "column local_address holds `00000000:+016`"),
        (format!("   9: 00000000.0016 {any} 0A {rest}"), "column local_address holds `00000000.0016`"),
        (format!("   9: 00000000:0016 00000000:XXXX 0A {rest}"), "column rem_address holds `00000000:XXXX`"),
        (format!("   9: 00000000:0016 {any} A {rest}"), "column st holds `A`"),
        (format!("   9: 00000000:0016 {any} 00A {rest}"), "column st holds `00A`"),
        (format!("   9: 00000000:0016 {any} ZZ {rest}"), "column st holds `ZZ`"),
        (format!("   9: 00000000:0016 {any} 0A {}", tail("-1")), "column inode holds `-1`"),
        (
            format!("   9: 00000000:0016 {any} 0A {}", tail("18446744073709551616")),
            "column inode holds `18446744073709551616`",
        ),
        (with_nul, r"column local_address holds `00000000:0\u{0}16`"),
        ("\u{1b}[2J\u{9b}0m".to_owned(), r"column sl holds `\u{1b}[2J\u{9b}0m`"),
    ];
    for (bad, reason) in cases {
        let tree = Tree::new();
        // In the middle, so that what follows is seen to be read.
        tree.write("udp", format!("{HEADER}{bad}\n{}", row(5, "00000000:0044", any, "07")));
        let tells = format!("warning: tree/net/udp:2: row skipped: {reason}");
        tree.check(&bad, ALL, &tells, 65);
    }
}

#[test]
fn an_ipv6_row_among_ipv4_ones_is_malformed_and_the_other_way_round() {
    let (four, six) = ("0100007F", "00000000000000000000000001000000");
    for (table, header, address) in [("tcp", HEADER, six), ("tcp6", HEADER_6, four)] {
        let tree = Tree::new();
        tree.append(table, row(9, &format!("{address}:0017"), &format!("{address}:0000"), "0A"));
        let (lines, excerpt) =
            if table == "tcp" { (5, format!("{address}:0017")) } else { (3, format!("{address}:0017")) };
        assert!(header.ends_with("inode\n") && excerpt.len() <= 40);
        let tells = format!("warning: tree/net/{table}:{lines}: row skipped: column local_address holds `{excerpt}`");
        tree.check(table, ALL, &tells, 65);
    }
}

#[test]
fn a_last_row_that_is_cut_off_is_skipped_wherever_it_is_cut() {
    let whole = row(9, "00000000:0035", "00000000:0000", "07");
    let after_inode = whole.find(" 9 1 0").unwrap() + 3; // behind the blank that ends it
    for length in 1..whole.len() {
        let tree = Tree::new();
        tree.append("udp", whole.split_at(length).0);
        let told = String::from_utf8(tree.collect(&["--strict"]).finish().stderr).unwrap();
        if length < after_inode {
            let place = "device-defender: warning: tree/net/udp:3: row skipped: ";
            assert!(told.starts_with(place) && told.lines().count() == 1, "{length}: {told}");
        } else {
            assert_eq!(told, "", "{length}: all that is used of the row is there");
        }
    }
    let tree = Tree::new();
    tree.append("udp", whole.split_at(after_inode - 1).0);
    let tells = "warning: tree/net/udp:3: row skipped: the file ends inside this row";
    tree.check("perhaps 9, perhaps 90", ALL, tells, 65);
}

#[test]
fn a_line_of_ten_megabytes_is_skipped() {
    let long = vec![b'x'; 10_000_000];
    let place = "warning: tree/net/tcp:5: row skipped: the line is longer than 4096 bytes";
    for end in ["", "\n", "\n\n"] {
        let tree = Tree::new();
        tree.append("tcp", [long.as_slice(), end.as_bytes()].concat());
        let blank = if end == "\n\n" { "\nwarning: tree/net/tcp:6: row skipped: column sl is missing" } else { "" };
        tree.check(end, ALL, &format!("{place}{blank}"), 65);
    }
    for bytes in [0_u8, 0xff, b' ', b'0', b':'] {
        let tree = Tree::new();
        tree.append("tcp", [&vec![bytes; 10_000_000], b"\n".as_slice()].concat());
        tree.check("one byte, often", ALL, place, 65);
    }
    let tree = Tree::new();
    tree.append("tcp", [long.as_slice(), b"\n", &row(9, "00000000:0017", "00000000:0000", "0A").into_bytes()].concat());
    tree.check("the row behind it", "tcp:22,23,80@eth0 udp:68 traffic:300/3/700/7 established:1", place, 65);
}

#[test]
fn many_malformed_rows_are_reported_in_a_few_lines() {
    for (count, more) in [(5, ""), (6, "\nwarning: tree/net/udp: 1 more rows skipped"), (100_000, "")] {
        let tree = Tree::new();
        tree.append("udp", "x\n".repeat(count));
        let first = (3..8).map(|line| format!("warning: tree/net/udp:{line}: row skipped: column sl holds `x`"));
        let mut tells = first.collect::<Vec<_>>().join("\n") + more;
        if count == 100_000 {
            tells += "\nwarning: tree/net/udp: 99995 more rows skipped";
        }
        tree.check("many", ALL, &tells, 65);
    }
}

#[test]
fn binary_rows_are_skipped_and_never_reach_the_terminal_raw() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64; // xorshift: the same bytes every time
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()
    })
    .take(20_000)
    .flatten()
    .collect();
    for table in ["tcp", "tcp6", "udp", "udp6", "dev", "if_inet6", "route", "fib_trie"] {
        for whole in [false, true] {
            let tree = Tree::new();
            if whole {
                tree.write(table, &noise);
            } else {
                tree.append(table, &noise);
            }
            let output = tree.collect(&[]).finish();
            assert_eq!(output.status.code(), Some(0), "{table}");
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(told.lines().count() <= 7, "{told}");
            assert!(table == "fib_trie" || told.contains(&format!("tree/net/{table}:")), "{table}: {told}");
            assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
        }
    }
}

#[test]
fn states_without_a_name_are_in_no_list_and_no_fault() {
    let any = "00000000:0000";
    let tree = Tree::new();
    for (number, state) in (10..).zip(["00", "02", "03", "0B", "0C", "0D", "7f", "FF"]) {
        tree.append("tcp", row(number, "00000000:0017", any, state));
        tree.append("udp", row(number, "00000000:0017", any, state));
    }
    tree.append("udp", row(30, "00000000:0018", any, "0A")); // a UDP socket never listens
    tree.append("udp", row(31, "00000000:0019", "076433C6:0035", "01"));
    tree.append("udp", row(32, any, any, "07")); // no port yet
    tree.append("tcp", row(33, any, any, "0A"));
    tree.check("unknown states", ALL, "", 0);
}

#[test]
fn rows_that_the_kernel_repeats_count_once() {
    let tree = Tree::new();
    let tcp = std::fs::read_to_string(tree.net().join("tcp")).unwrap();
    let rows = tcp.split_once('\n').unwrap().1;
    for _ in 0..1000 {
        tree.append("tcp", rows);
    }
    tree.check("repeated", ALL, "", 0);
    tree.append("tcp", row(99, "0A0200C0:0050", "076433C6:9C40", "01")); // the same pair as another socket
    tree.check("the pair twice", ALL, "", 0);
}

#[test]
fn lower_case_digits_and_other_spacing_are_understood() {
    let tree = Tree::new();
    tree.append("tcp", "9: 0a0200c0:01bb 00000000:0000 0a 0:0 0:0 0 0 0 9\n");
    tree.append("tcp", "   10:   0A0200C0:01BC   00000000:0000   0A   0:0 0:0 0 0 0   18446744073709551615   \n");
    let expected = ALL.replace("80@eth0", "80@eth0,443@eth0,444@eth0");
    tree.check("digits", &expected, "", 0);
}

/// Two interfaces can have the same peer from the same port. AWS's agent kept a connection once that it wrote like another.
#[test]
fn the_connector_wrote_connections_once_that_differ_only_in_their_local_address() {
    let tree = Tree::new();
    let peer = "076433C6:9C40"; // 198.51.100.7:40000
    let rows = [
        row(10, "0B0200C0:0050", peer, "01"), // 192.0.2.11 and .12, which no interface has
        row(11, "0C0200C0:0050", peer, "01"),
        row(12, "0C0200C0:0051", peer, "01"),
        row(13, "0C0200C0:0050", "086433C6:9C40", "01"),
    ];
    tree.append("tcp", rows.concat());
    let connections = |args: &[&str]| {
        let report = tree.collect(args).json();
        let established = &report["metrics"]["tcp_connections"]["established_connections"];
        let list = established["connections"].as_array().unwrap().clone();
        assert_eq!(established["total"], list.len());
        list
    };
    assert_eq!(connections(&[]).len(), 5);
    let entry = |interface: Option<&str>, port: u16, peer: &str| json!({"local_interface": interface, "local_port": port, "remote_addr": peer});
    let (one, other) = ("198.51.100.7:40000", "198.51.100.8:40000");
    let expected = [entry(Some("eth0"), 80, one), entry(None, 80, one), entry(None, 81, one), entry(None, 80, other)];
    assert_eq!(connections(&["--compat", "connector"]), expected);
}
