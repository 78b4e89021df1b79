//! The built program in network namespaces that the tests make: what it must report is what a test opened itself.
//!
//! They run as root, and in a user namespace as anybody else, and need `unshare`, `mount` and `setpriv` (util-linux) and
//! `ip` and `ss` (iproute2). A test that cannot run here fails and says what is missing. Every test starts itself again
//! inside; see [`in_namespaces`].

mod containers;
mod oracles;
mod program;
mod sources;
mod traffic;
mod zoo;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use procfs::net::TcpState;
use serde_json::Value;
use socket2::SockRef;

use crate::properties::shape::with_short_names;
use crate::support::{HOST, NET, Part, in_namespaces, ip, output, powerless, until, without_id};

use program::{collect, collect_text, connections, copy_of_program, expected, sockets};
use zoo::{Zoo, client, listener, tcp_rows};

#[test]
fn the_report_lists_exactly_the_sockets_that_are_open() {
    in_namespaces(NET, |_| {
        let zoo = Zoo::open();
        for source in ["proc", "netlink"] {
            let report = collect(&["--source", source]);
            let (tcp, udp, connections) = (Zoo::tcp_ports(source), zoo.udp_ports(source), Zoo::connections(source));
            assert_eq!(sockets(&report), expected(&tcp, &udp, &connections), "{source}");
            assert!(report["header"]["report_id"].as_u64().unwrap() > 0);
        }
    });
}

#[test]
fn compat_connector_lists_every_socket_as_the_connector_did() {
    in_namespaces(NET, |_| {
        // First nothing at all: it left empty lists out.
        let report = |source| sockets(&collect(&["--compat", "connector", "--source", source]));
        for source in ["proc", "netlink"] {
            assert_eq!(report(source)["metrics"], serde_json::json!({ "network_stats": null }));
        }

        let zoo = Zoo::open();
        let (tcp, udp) = (Zoo::connector_tcp_ports(), zoo.connector_udp_ports());
        for source in ["proc", "netlink"] {
            let expected = expected(&tcp, &udp, &Zoo::connector_connections());
            assert_eq!(sorted(report(source)), sorted(expected), "{source}");
        }
    });
}

#[test]
fn an_empty_namespace_has_empty_lists_and_not_missing_ones() {
    in_namespaces(NET, |_| {
        let nothing = Value::Array(Vec::new());
        assert_eq!(sockets(&collect(&["--source", "proc"])), expected(&nothing, &nothing, &nothing));
        let report = collect(&["--source", "netlink"]);
        assert_eq!(sockets(&report), expected(&nothing, &nothing, &nothing));
        let zero = serde_json::json!({ "bytes_in": 0, "bytes_out": 0, "packets_in": 0, "packets_out": 0 });
        assert_eq!(report["metrics"]["network_stats"], zero);
    });
}

#[test]
fn short_names_say_the_same_and_a_second_run_prints_the_same_bytes() {
    in_namespaces(NET, |_| {
        let _zoo = Zoo::open();
        // The counters move by themselves: IPv6 talks whenever an interface is up.
        for style in [&["--exclude-interface", "*"][..], &["--exclude-interface", "*", "--compat", "connector"]] {
            let long = collect_text(style);
            let short = collect_text(&[style, &["--names", "short"]].concat());
            let again = collect_text(style);
            assert_eq!(without_id(&long), without_id(&again));
            assert_eq!(without_id(&with_short_names(&long)), without_id(&short));
        }
    });
}

#[test]
fn steady_connections_are_all_reported_once_while_others_come_and_go() {
    const STEADY: u16 = 500;
    const RUNS: usize = 20;
    in_namespaces(NET, |_| {
        ip("link set dev lo up");
        // Nobody accepts the connections, so that this process needs half the descriptors; 128 may wait at a port.
        let host = |n: u16| if n.is_multiple_of(5) { "[::1]" } else { "127.0.0.1" };
        let port = |n: u16| 5000 + n / 100;
        let _listeners: Vec<_> = (0..STEADY)
            .filter(|n| n % 100 < 2)
            .map(|n| listener(if n.is_multiple_of(5) { "6" } else { "4" }, &format!("{}:{}", host(n), port(n))))
            .collect();
        let mut steady = BTreeMap::new();
        let mut open = Vec::new();
        for n in 0..STEADY {
            let (from, to) = (format!("{}:{}", host(n), 10000 + n), format!("{}:{}", host(n), port(n)));
            open.push(client(&from, &to));
            steady.insert((to, u64::from(10000 + n)), 0);
            steady.insert((from, u64::from(port(n))), 0);
        }
        let established = || tcp_rows().iter().filter(|row| row.state == TcpState::Established).count();
        until("all connections established", || established() == steady.len());

        let (stop, cycles) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let _stop = StopOnDrop(&stop);
            scope.spawn(|| open_and_close(&stop, &cycles));
            for run in 0..RUNS {
                let before = cycles.load(Ordering::Relaxed);
                until("a connection came and went", || cycles.load(Ordering::Relaxed) > before);
                let mut seen = steady.clone();
                let source = if run % 2 == 0 { "netlink" } else { "proc" };
                for connection in connections(&collect(&["--source", source])) {
                    let remote = connection["remote_addr"].as_str().unwrap().to_owned();
                    let local_port = connection["local_port"].as_u64().unwrap();
                    seen.entry((remote, local_port)).and_modify(|times| *times += 1);
                    assert_eq!(connection["local_interface"], "lo");
                }
                seen.retain(|_, times| *times != 1);
                assert_eq!(seen, BTreeMap::new(), "run {run}: not reported exactly once");
            }
        });
    });
}

#[test]
fn the_table_names_the_processes_that_own_the_sockets() {
    in_namespaces(HOST, |part| {
        if part.name == "other" {
            // A process may call itself anything.
            fs::write("/proc/self/comm", "\x1bsshd(1) nginx").unwrap();
            let _listener = listener("6", "[::1]:7002");
            Part::hold();
            return;
        }
        ip("link set dev lo up");
        let _listener = listener("4", "127.0.0.1:7001");
        let other = part.start("other", &[]);
        let own_name = fs::read_to_string("/proc/self/comm").unwrap();
        let table = collect_text(&["--processes", "--format", "table"]);
        for (port, expected) in [
            ("7001", format!("7001 lo v4 {}({})", own_name.trim(), std::process::id())),
            ("7002", format!("7002 lo v6 \"\\u{{1b}}sshd(1) nginx\"({})", other.pid())),
        ] {
            assert_eq!(row(&table, port).join(" "), expected, "{table}");
        }
        assert!(!table.contains('\x1b'), "{table}");

        // A connection has no process before one accepts it.
        let waiting = TcpListener::bind("127.0.0.1:7003").unwrap();
        let client = TcpStream::connect("127.0.0.1:7003").unwrap();
        let client = client.local_addr().unwrap().to_string();
        for source in ["netlink", "proc"] {
            let table = collect_text(&["--processes", "--format", "table", "--source", source]);
            assert_eq!(row(&table, &client).join(" "), format!("{client} 7003 lo -"), "{source}: {table}");
        }
        let accepted = waiting.accept().unwrap();
        let table = collect_text(&["--processes", "--format", "table"]);
        let owner = format!("{}({})", own_name.trim(), std::process::id());
        assert_eq!(row(&table, &client).join(" "), format!("{client} 7003 lo {owner}"), "{table}");
        drop(accepted);

        // Who may not look into other processes is told so.
        let mut command = powerless(&copy_of_program(part));
        let output = output(command.args(["collect", "--processes", "--format", "table"]));
        let (table, words) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{words}");
        assert!(row(&table, "7001").starts_with(&["7001", "lo", "v4"]) && !table.contains("(1)"), "{table}");
        assert!(words.contains("could not be inspected") && words.lines().count() == 1, "{words}");
    });
}

/// The words in the row of a port.
fn row<'t>(table: &'t str, port: &str) -> Vec<&'t str> {
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.into_iter().find(|words| words.first() == Some(&port)).unwrap_or_default()
}

/// Opens and closes connections to a port of its own until it is told to stop. They end by a reset, so that the machine
/// is not left with a `TIME_WAIT` of each.
fn open_and_close(stop: &AtomicBool, cycles: &AtomicU64) {
    let listener = listener("4", "127.0.0.1:6000");
    while !stop.load(Ordering::Relaxed) {
        let connection = TcpStream::connect("127.0.0.1:6000").unwrap();
        let accepted = listener.accept();
        SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
        drop(connection);
        assert!(accepted.is_ok_and(|(socket, _)| {
            socket.take_error().is_ok_and(|error| error.is_none_or(|error| error.kind() == ErrorKind::ConnectionReset))
        }));
        cycles.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ends the other thread even when a check fails: the scope waits for it.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The same report with every list in some fixed order: no order is promised for what imitates the connector.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(sorted).collect();
            list.sort_by_key(Value::to_string);
            Value::Array(list)
        }
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, sorted(value))).collect(),
        other => other,
    }
}
