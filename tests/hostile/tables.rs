//! Whole tables that cannot be used: their block is left out and told, the rest is printed. Unknown is not empty.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::process::Command;

use device_defender::internals::collector::counters;

use crate::hostile::tree::{ALL, HEADER, HEADER_6, HEADER_DEV, Tree, sees};

/// The tables of the report, and what is still seen when one of them is unknown.
const TABLES: [(&str, &str); 5] = [
    ("tcp", "tcp:? udp:68 traffic:300/3/700/7 established:?"),
    ("tcp6", "tcp:? udp:68 traffic:300/3/700/7 established:?"),
    ("udp", "tcp:22,80@eth0 udp:? traffic:300/3/700/7 established:1"),
    ("udp6", "tcp:22,80@eth0 udp:? traffic:300/3/700/7 established:1"),
    ("dev", "tcp:22,80@eth0 udp:68 traffic:? established:1"),
];

/// Something that can stand in the place of a table, and what is said about it.
type Stranger = (&'static str, fn(&Tree, &str), &'static str);

const STRANGERS: [Stranger; 6] = [
    ("a pipe", make_fifo, "not a regular file"),
    ("a directory", |tree, table| std::fs::create_dir(tree.net().join(table)).unwrap(), "not a regular file"),
    ("a link to /dev/zero", |tree, table| link("/dev/zero", tree, table), "not a regular file"),
    ("a link to a pipe", link_to_fifo, "not a regular file"),
    ("a link to itself", |tree, table| link(table, tree, table), "Too many levels of symbolic links (os error 40)"),
    ("a link through a file", |tree, table| link("route/x", tree, table), "Not a directory (os error 20)"),
];

fn make_fifo(tree: &Tree, name: &str) {
    assert!(Command::new("mkfifo").arg(tree.net().join(name)).status().unwrap().success());
}

fn link_to_fifo(tree: &Tree, table: &str) {
    make_fifo(tree, "pipe");
    link("pipe", tree, table);
}

fn link(target: &str, tree: &Tree, table: &str) {
    symlink(target, tree.net().join(table)).unwrap();
}

#[test]
fn a_tree_in_order_is_read_without_a_word() {
    Tree::new().check("in order", ALL, "", 0);
}

#[test]
fn what_is_no_regular_file_is_left_alone() {
    for (table, expected) in TABLES {
        for (what, put, reason) in STRANGERS {
            let tree = Tree::new();
            tree.remove(table);
            put(&tree, table);
            let tells = format!("warning: tree/net/{table}: {reason}; what it holds is left out");
            tree.check(&format!("{what} for {table}"), expected, &tells, 66);
        }
    }
}

#[test]
fn a_table_with_a_header_that_is_not_its_own_is_unknown() {
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let sockets: [(&str, &[u8], &str); 9] = [
        ("empty", b"", ""),
        ("a lone newline", b"\n", ""),
        ("text", b"hello\nworld\n", "hello"),
        ("NULs", &[0; 100], &format!("{}…", r"\u{0}".repeat(40))),
        ("binary", &binary, r"\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}"),
        ("a color", b"\x1b[31mred\x1b[0m\xc2\x9b1m\n", r"\u{1b}[31mred\u{1b}[0m\u{9b}1m"),
        (
            "a row first",
            b"   0: 00000000:0016 00000000:0000 0A 00000000\n",
            "0: 00000000:0016 00000000:0000 0A 000000…",
        ),
        ("columns moved", b"  sl  st local_address rem_address inode\n", "sl  st local_address rem_address inode"),
        ("a header cut off", b"  sl  local_address rem_add", "sl  local_address rem_add"),
    ];
    for (what, content, found) in sockets {
        for (table, expected) in &TABLES[..4] {
            let tree = Tree::new();
            tree.write(table, content);
            let fault = fault(content, 1, found);
            let tells = format!("warning: tree/net/{table}: {fault}; what it holds is left out");
            tree.check(&format!("{what} in {table}"), expected, &tells, 66);
        }
    }
    let (dev, expected) = TABLES[4];
    let first = HEADER_DEV.lines().next().unwrap();
    for (what, content, found) in [
        ("empty", String::new(), ""),
        ("one line", format!("{first}\n"), ""),
        ("no header", "eth0: 1 2 3\neth1: 1 2 3\n".to_owned(), "eth1: 1 2 3"),
        ("no packets", HEADER_DEV.replace("packets", "parcels"), "face |bytes    parcels errs drop fifo fr…"),
        (
            "half",
            HEADER_DEV.replace("|bytes    packets errs drop fifo colls", ""),
            "face |bytes    packets errs drop fifo fr…",
        ),
        ("a color", format!("{first}\n\x1b]0;title\x07\n"), r"\u{1b}]0;title\u{7}"),
    ] {
        let tree = Tree::new();
        let fault = fault(content.as_bytes(), 2, found);
        tree.write(dev, content);
        let tells = format!("warning: tree/net/dev: {fault}; what it holds is left out");
        tree.check(what, expected, &tells, 66);
    }
}

#[test]
fn a_table_without_rows_is_empty_and_that_is_no_fault() {
    for (tables, header, expected) in [
        (&["tcp", "tcp6"][..], HEADER, "tcp: udp:68 traffic:300/3/700/7 established:0"),
        (&["udp", "udp6"], HEADER, "tcp:22,80@eth0 udp: traffic:300/3/700/7 established:1"),
        (&["tcp", "tcp6"], HEADER_6, "tcp: udp:68 traffic:300/3/700/7 established:0"),
        (&["dev"], HEADER_DEV, "tcp:22,80@eth0 udp:68 traffic:0/0/0/0 established:1"),
    ] {
        let tree = Tree::new();
        for table in tables {
            tree.write(table, header);
        }
        tree.check(&format!("{tables:?}"), expected, "", 0);
    }
    // The kernel ends its header with a newline; a copy that has lost it is whole all the same.
    let tree = Tree::new();
    tree.write("udp", HEADER.trim_end());
    tree.check("no newline", "tcp:22,80@eth0 udp: traffic:300/3/700/7 established:1", "", 0);
}

#[test]
fn a_missing_ipv6_table_is_empty_and_any_other_is_unknown() {
    let tree = Tree::new();
    for table in ["tcp6", "udp6", "if_inet6"] {
        tree.remove(table);
    }
    tree.check("IPv6 is off", ALL, "", 0);
    let missing = "No such file or directory (os error 2); what it holds is left out";
    for (table, expected) in [TABLES[0], TABLES[2], TABLES[4]] {
        let tree = Tree::new();
        tree.remove(table);
        tree.check(table, expected, &format!("warning: tree/net/{table}: {missing}"), 66);
    }
    for (left, expected, gone) in [
        ("tcp", "tcp:22,80@eth0 udp:? traffic:?/?/?/? established:1", ["udp", "dev"]),
        ("udp", "tcp:? udp:68 traffic:? established:?", ["tcp", "dev"]),
        ("dev", "tcp:? udp:? traffic:300/3/700/7 established:?", ["tcp", "udp"]),
    ] {
        let tree = Tree::new();
        for table in gone {
            tree.remove(table);
        }
        let tells = gone.map(|table| format!("warning: tree/net/{table}: {missing}"));
        tree.check(left, &expected.replace("?/?/?/?", "?"), &tells.join("\n"), 66);
    }
}

#[test]
fn an_unreadable_table_beats_a_malformed_row() {
    let tree = Tree::new();
    tree.append("tcp", "nonsense\n");
    tree.append("dev", "nonsense\n");
    tree.remove("udp");
    tree.check(
        "a row and a table",
        "tcp:22,80@eth0 udp:? traffic:? established:1",
        "warning: tree/net/tcp:5: row skipped: column sl holds `nonsense`\n\
         warning: tree/net/udp: No such file or directory (os error 2); what it holds is left out\n\
         warning: tree/net/dev:5: row skipped: column face is missing\n\
         warning: no network_stats: 1 row of tree/net/dev could not be read",
        66,
    );
}

/// What is told of a table whose header, on this line, is something else.
fn fault(content: &[u8], line: u32, found: &str) -> String {
    if content.is_empty() {
        return "the file is empty".to_owned();
    }
    format!("line {line} is not the header of this table: `{found}`")
}

#[test]
fn when_no_table_can_be_read_nothing_is_printed() {
    let tree = Tree::new();
    for table in ["tcp", "udp", "dev"] {
        tree.write(table, "");
    }
    let empty = "the file is empty; what it holds is left out";
    let failure = "tree/net: no table of the report could be read";
    let tells = format!(
        "warning: tree/net/tcp: {empty}\nwarning: tree/net/udp: {empty}\nwarning: tree/net/dev: {empty}\n{failure}"
    );
    for args in [&[][..], &["--strict"], &["--format", "cbor"], &["--format", "table"]] {
        assert!(tree.collect(args).code(66).stderr(&tells).output().is_empty());
    }
    assert!(tree.collect(&["-q"]).code(66).stderr(failure).output().is_empty());
}

/// Such as a file that somebody else keeps writing to. Most of this one is a hole, so it takes no room.
#[test]
fn a_table_that_never_ends_is_given_up() {
    for (table, expected) in TABLES {
        let tree = Tree::new();
        File::options().append(true).open(tree.net().join(table)).unwrap().set_len(1 << 40).unwrap();
        let tells = format!("warning: tree/net/{table}: larger than 256 MiB; what it holds is left out");
        let report = tree.collect(&["--strict"]).code(66).stderr(&tells).output();
        assert_eq!(sees(&report), expected, "{table}");
    }
}

#[test]
fn no_more_of_a_table_is_read_than_the_bound() {
    let mut endless = Counted(0);
    let error = counters::read(&mut endless).unwrap_err();
    assert_eq!(error.to_string(), "larger than 256 MiB");
    assert!(endless.0 <= (256 << 20) + 16 * 1024, "{} bytes were read", endless.0);
}

/// Headers of `net/dev` without end, and how many bytes of them were read.
struct Counted(usize);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let text = HEADER_DEV.as_bytes().iter().cycle().skip(self.0 % HEADER_DEV.len());
        buffer.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        self.0 += buffer.len();
        Ok(buffer.len())
    }
}
