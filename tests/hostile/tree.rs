//! A small tree that is in order, to be damaged, and what `collect` sees in it.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Dir, Run};

/// What there is to see in the tree before it is damaged, as [`sees`] writes it.
pub(crate) const ALL: &str = "tcp:22,80@eth0 udp:68 traffic:300/3/700/7 established:1";

/// The header of `tcp` and `udp`.
pub(crate) const HEADER: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// The header of `tcp6` and `udp6`.
pub(crate) const HEADER_6: &str = "  sl  local_address                         remote_address                        st \
                                   tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// The two lines of header that `dev` has.
pub(crate) const HEADER_DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";

/// The header of `route`.
pub(crate) const HEADER_ROUTE: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

/// What stands between the state and the inode number of a row.
const QUEUES: &str = "00000000:00000000 00:00000000 00000000     0        0";

/// A row of a socket table with this local end, remote end and state. Its inode number is `number`.
pub(crate) fn row(number: usize, local: &str, remote: &str, state: &str) -> String {
    format!("{number:4}: {local} {remote} {state} {QUEUES} {number} 1 0000000000000000 100 0 0 10 0\n")
}

/// A row of `dev` with these bytes and packets received, and bytes and packets sent.
pub(crate) fn interface(name: &str, counters: [&str; 4]) -> String {
    let [bytes_in, packets_in, bytes_out, packets_out] = counters;
    format!("{name}: {bytes_in} {packets_in} 0 0 0 0 0 0 {bytes_out} {packets_out} 0 0 0 0 0 0\n")
}

/// A saved tree in a directory of its own, where its name is `tree`.
pub(crate) struct Tree(Dir);

impl Deref for Tree {
    type Target = Dir;

    fn deref(&self) -> &Dir {
        &self.0
    }
}

impl Tree {
    /// Makes a tree that is in order.
    pub(crate) fn new() -> Self {
        let tree = Self(Dir::new());
        fs::create_dir_all(tree.net()).unwrap();
        let any = "00000000:0000";
        let tcp = [
            row(1, "00000000:0016", any, "0A"),
            row(2, "0A0200C0:0050", any, "0A"),
            row(3, "0A0200C0:0050", "076433C6:9C40", "01"),
        ];
        tree.write("tcp", HEADER.to_owned() + &tcp.concat());
        let any6 = "00000000000000000000000000000000";
        let wildcard = row(4, &format!("{any6}:0016"), &format!("{any6}:0000"), "0A");
        tree.write("tcp6", HEADER_6.to_owned() + &wildcard);
        tree.write("udp", HEADER.to_owned() + &row(5, "00000000:0044", any, "07"));
        tree.write("udp6", HEADER_6);
        let interfaces = [interface("    lo", ["100", "1", "100", "1"]), interface("  eth0", ["200", "2", "600", "6"])];
        tree.write("dev", HEADER_DEV.to_owned() + &interfaces.concat());
        tree.write("if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n");
        tree.write("route", HEADER_ROUTE.to_owned() + "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
        let leaves = "     |-- 192.0.2.10\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        tree.write("fib_trie", format!("Main:\n  +-- 0.0.0.0/0 3 0 5\n{leaves}"));
        tree
    }

    /// Its `net` directory.
    pub(crate) fn net(&self) -> PathBuf {
        self.path("tree/net")
    }

    /// Writes one of its tables.
    pub(crate) fn write(&self, table: &str, content: impl AsRef<[u8]>) {
        fs::write(self.net().join(table), content).unwrap();
    }

    /// Writes more rows at the end of one of its tables.
    pub(crate) fn append(&self, table: &str, rows: impl AsRef<[u8]>) {
        let mut content = fs::read(self.net().join(table)).unwrap();
        content.extend_from_slice(rows.as_ref());
        self.write(table, content);
    }

    /// Takes one of its tables away.
    pub(crate) fn remove(&self, table: &str) {
        fs::remove_file(self.net().join(table)).unwrap();
    }

    /// A run of `collect` over this tree.
    pub(crate) fn collect(&self, args: &[&str]) -> Run {
        Run::new(self.root(), &[&["collect", "--proc", "tree"], args].concat())
    }

    /// Holds `collect` over this tree against what it must see and tell, and against its exit code with `--strict`;
    /// without, that is 0. With `-q` it tells nothing and does the same.
    pub(crate) fn check(&self, what: &str, expected: &str, tells: &str, strict: i32) {
        for (args, tells, code) in
            [(&[][..], tells, 0), (&["--strict"], tells, strict), (&["-q"], "", 0), (&["-q", "--strict"], "", strict)]
        {
            let seen = sees(&self.collect(args).code(code).stderr(tells).output());
            assert_eq!(seen, expected, "{what}");
        }
    }
}

/// What a report shows, on one line: ports with their interface, traffic as bytes and packets in and out, the number of
/// connections; `?` for a block that is not there.
pub(crate) fn sees(report: &[u8]) -> String {
    let report: Value = serde_json::from_slice(report).unwrap();
    let metrics = &report["metrics"];
    let ports = |block: &str| {
        let Some(list) = metrics[block]["ports"].as_array() else { return "?".to_owned() };
        assert_eq!(metrics[block]["total"], list.len());
        let ports = list.iter().map(|entry| match entry["interface"].as_str() {
            Some(name) => format!("{}@{name}", entry["port"]),
            None => entry["port"].to_string(),
        });
        ports.collect::<Vec<_>>().join(",")
    };
    let traffic = match &metrics["network_stats"] {
        Value::Null => "?".to_owned(),
        stats => ["bytes_in", "packets_in", "bytes_out", "packets_out"].map(|name| stats[name].to_string()).join("/"),
    };
    let established = match &metrics["tcp_connections"] {
        Value::Null => "?".to_owned(),
        connections => connections["established_connections"]["total"].to_string(),
    };
    let (tcp, udp) = (ports("listening_tcp_ports"), ports("listening_udp_ports"));
    format!("tcp:{tcp} udp:{udp} traffic:{traffic} established:{established}")
}
