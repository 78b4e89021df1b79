//! `net/dev`: counters and names as they should not be.

use crate::hostile::tree::{ALL, HEADER_DEV, Tree, interface, sees};
use crate::support::Run;

/// What is seen when a row of `net/dev` was skipped.
const UNKNOWN: &str = "tcp:22,80@eth0 udp:68 traffic:? established:1";

/// What is said about one skipped row.
fn skipped(line: u32, reason: &str) -> String {
    format!(
        "warning: tree/net/dev:{line}: row skipped: {reason}\n\
         warning: no network_stats: 1 row of tree/net/dev could not be read"
    )
}

/// What is seen with this traffic.
fn traffic(counters: &str) -> String {
    ALL.replace("300/3/700/7", counters)
}

#[test]
fn a_sum_of_more_than_64_bits_is_unknown() {
    let max = "18446744073709551615";
    let tree = Tree::new();
    let shows = |rows: &[(&str, [&str; 4])]| {
        let rows: String = rows.iter().map(|(name, counters)| interface(name, *counters)).collect();
        tree.write("dev", HEADER_DEV.to_owned() + &rows);
    };
    shows(&[("a", [max, "1", "2", "3"]), ("b", ["0", "1", max, "0"])]);
    let unknown = "warning: no network_stats: the counters of the interfaces add up to more than 64 bits hold";
    tree.check("one of four", UNKNOWN, unknown, 0);
    let table = tree.collect(&["--format", "table"]).stderr(unknown).text();
    assert!(table.contains("\nTraffic: unknown\n"), "{table}");
    shows(&[("a", [max, "1", "2", "3"]), ("b", ["0", "1", "3", max])]);
    let excluded = tree.collect(&["--exclude-interface", "b"]).output();
    assert_eq!(sees(&excluded), traffic(&format!("{max}/1/2/3")), "what is excluded is not added");
    shows(&[("a", [max; 4]), ("b", ["0"; 4])]);
    tree.check("the largest sum", &traffic(&[max; 4].join("/")), "", 0);
    tree.write(
        "dev",
        [HEADER_DEV.as_bytes(), b"x\xff: 9 9 0 0 0 0 0 0 9 9\nx\xfe: ", max.as_bytes(), b" 1 0 0 0 0 0 0 1 1\n"]
            .concat(),
    );
    let tells = "warning: tree/net/dev: the counters of `x\u{fffd}` add up to more than 64 bits hold; what it holds is left out";
    tree.check("names that look the same", UNKNOWN, tells, 66);
}

#[test]
fn a_counter_that_is_no_number_of_64_bits_is_a_malformed_row() {
    for (bad, shown) in [
        ("18446744073709551616", "18446744073709551616"),
        ("123456789012345678901", "123456789012345678901"),
        ("-1", "-1"),
        ("+1", "+1"),
        ("0x10", "0x10"),
        ("1.5", "1.5"),
        ("1,000", "1,000"),
        ("\u{1b}[31m1", r"\u{1b}[31m1"),
        ("９", "９"),
    ] {
        for (place, column) in (0..).zip(["receive bytes", "receive packets", "transmit bytes", "transmit packets"]) {
            let mut counters = ["1"; 4];
            counters[place] = bad;
            let tree = Tree::new();
            tree.append("dev", interface("bad0", counters) + &interface("good0", ["1"; 4]));
            let tells = skipped(5, &format!("column {column} holds `{shown}`"));
            tree.check(bad, UNKNOWN, &tells, 65);
        }
    }
    let tree = Tree::new();
    tree.append("dev", "odd0: 1 1 ? ? ? ? ? ? 1 1\n"); // the other columns are not read
    tree.check("other columns", &traffic("301/4/701/8"), "", 0);
}

#[test]
fn a_row_of_the_wrong_form_is_reported() {
    for (row, reason) in [
        ("\n", "column face is missing"),
        ("eth9 1 2 3 4 5 6 7 8 9 10\n", "column face is missing"),
        (": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", "column face is missing"),
        ("eth9:\n", "column receive bytes is missing"),
        ("eth9: 1\n", "column receive packets is missing"),
        ("eth9: 1 2 3 4 5 6 7 8\n", "column transmit bytes is missing"),
        ("eth9: 1 2 3 4 5 6 7 8 9\n", "column transmit packets is missing"),
        ("eth9: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "the file ends inside this row"),
        ("eth9: 1 2 3", "the file ends inside this row"),
    ] {
        let tree = Tree::new();
        tree.append("dev", row);
        tree.check(row, UNKNOWN, &skipped(5, reason), 65);
    }
}

#[test]
fn names_may_be_glued_to_their_numbers_and_hold_colons() {
    for (name, what) in [
        ("eth9", "plain"),
        ("a:b:c:d", "colons"),
        ("eth0:1", "a label"),
        ("::", "nothing but colons"),
        ("9", "a number"),
    ] {
        for blank in ["", " ", "\t", "      "] {
            let tree = Tree::new();
            tree.append("dev", format!("{name}:{blank}1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"));
            tree.check(what, &traffic("301/4/701/8"), "", 0);
            let excluded = tree.collect(&["--exclude-interface", name]).output();
            assert_eq!(sees(&excluded), ALL, "{what}: the name is {name}");
        }
    }
}

#[test]
fn an_interface_that_stands_there_twice_counts_once_as_it_was_last() {
    let tree = Tree::new();
    tree.append("dev", interface("eth0", ["201", "3", "601", "7"]) + &interface("eth0", ["202", "4", "602", "8"]));
    tree.check("twice", &traffic("302/5/702/9"), "", 0);
}

#[test]
fn two_interfaces_whose_names_differ_only_in_what_is_no_utf_8_both_count() {
    let tree = Tree::new();
    for name in [b"b\xffd", b"b\xfed"] {
        tree.append("dev", [name.as_slice(), b": 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"].concat());
    }
    tree.check("both", &traffic("302/5/702/9"), "", 0);
}

#[test]
fn columns_are_found_by_name() {
    let tree = Tree::new();
    let header = HEADER_DEV.replace("bytes    packets errs", "errs packets bytes");
    tree.write("dev", header + "eth0: 7 2 1 0 0 0 0 0 7 4 3 0 0 0 0 0\n");
    tree.check("moved", &traffic("1/2/3/4"), "", 0);
    let header = HEADER_DEV.replace(" compressed multicast", "");
    tree.write("dev", header + "eth0: 1 2 0 0 0 0 3 4 0 0 0 0 0 0\n");
    tree.check("fewer, as old kernels have", &traffic("1/2/3/4"), "", 0);
}

/// The unit that `generate` writes limits the memory to 64 MB.
#[test]
fn more_interfaces_than_fit_the_memory_of_the_unit_are_refused() {
    let tree = Tree::new();
    let interfaces = |count: u32| -> String {
        HEADER_DEV.to_owned()
            + &(0..count).map(|n| interface(&format!("interface{n:06}"), ["1"; 4])).collect::<String>()
    };
    let in_64_mb = |run: Run| -> Run { run.with_memory(64 << 20) };
    tree.write("dev", interfaces(32_768));
    let full = in_64_mb(tree.collect(&[])).output();
    assert_eq!(sees(&full), traffic("32768/32768/32768/32768"));
    let refused = "warning: tree/net/dev: more than 32768 interfaces; what it holds is left out";
    for count in [1_000_000, 32_769] {
        tree.write("dev", interfaces(count));
        let report = in_64_mb(tree.collect(&[])).stderr(refused).output();
        assert_eq!(sees(&report), UNKNOWN);
    }
    tree.check("strict", UNKNOWN, refused, 66);
}

#[test]
fn a_name_that_no_interface_can_have_is_a_malformed_row() {
    let tree = Tree::new();
    tree.append("dev", interface("a123456789bcdef", ["1"; 4]));
    tree.check("15 bytes", &traffic("301/4/701/8"), "", 0);
    tree.append("dev", interface("a123456789bcdefg", ["1"; 4]));
    tree.check("16 bytes", UNKNOWN, &skipped(6, "column face holds `a123456789bcdefg`"), 65);
}

#[test]
fn traffic_of_which_no_row_was_understood_is_unknown_and_not_zero() {
    let tree = Tree::new();
    tree.write("dev", HEADER_DEV.to_owned() + &interface("eth0", ["99999999999999999999", "1", "1", "1"]));
    let tells = skipped(3, "column receive bytes holds `99999999999999999999`");
    tree.check("one row, malformed", UNKNOWN, &tells, 65);
    for table in ["tcp", "udp"] {
        tree.remove(table);
    }
    tree.collect(&["-q"]).output(); // net/dev was read, so this is not the case where nothing could be
}

/// All rows of `net/dev` count: the report must not show the traffic of some interfaces as that of all.
#[test]
fn every_skipped_row_is_counted() {
    let tree = Tree::new();
    tree.append("dev", "x\n".repeat(7));
    let rows = (5..10).map(|line| format!("warning: tree/net/dev:{line}: row skipped: column face is missing\n"));
    let tells = rows.collect::<String>()
        + "warning: tree/net/dev: 2 more rows skipped\n\
           warning: no network_stats: 7 rows of tree/net/dev could not be read";
    tree.check("seven rows", UNKNOWN, &tells, 65);
}
