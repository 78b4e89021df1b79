//! `--since report`: the difference to the counters of the last report, where those are of the same machine.
//! `--since DURATION`: what happened meanwhile.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::Run;
use crate::fixtures;

const BOOT: &str = "0b6d5a3c-1111-2222-3333-444455556666";
const NAMESPACE: &str = "net:[4026531840]";

/// Bytes and packets received, bytes and packets sent, by interface.
pub(crate) type Traffic<'a> = &'a [(&'a str, [u64; 4])];

/// A machine with a saved tree, `proc`, and a state directory, `state`.
pub(crate) struct Machine(TempDir);

impl Machine {
    /// A machine whose interfaces show these counters now.
    pub(crate) fn new(now: Traffic<'_>) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for dir in ["proc/net", "proc/self/ns", "proc/sys/kernel/random", "state"] {
            fs::create_dir_all(machine.path(dir)).unwrap();
        }
        for table in ["tcp", "tcp6", "udp", "udp6", "route", "fib_trie"] {
            fs::copy(fixtures().join("idle/proc/net").join(table), machine.path("proc/net").join(table)).unwrap();
        }
        machine.write("proc/sys/kernel/random/boot_id", &format!("{BOOT}\n"));
        symlink(NAMESPACE, machine.path("proc/self/ns/net")).unwrap();
        machine.count(now);
        machine
    }

    /// Where this file of it is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes one of its files.
    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Where it stands.
    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Lets its interfaces show these counters, at once.
    fn count(&self, now: Traffic<'_>) {
        let mut dev = fs::read_to_string(fixtures().join("idle/proc/net/dev")).unwrap();
        dev = dev.split_inclusive('\n').take(2).collect();
        for (name, [bytes_in, packets_in, bytes_out, packets_out]) in now {
            writeln!(dev, "{name}: {bytes_in} {packets_in} 0 0 0 0 0 0 {bytes_out} {packets_out} 0 0 0 0 0 0").unwrap();
        }
        self.write("proc/net/new", &dev);
        fs::rename(self.path("proc/net/new"), self.path("proc/net/dev")).unwrap();
    }

    /// Writes the state of the thing `gw`.
    pub(crate) fn remember(&self, state: &Value) {
        self.write("state/gw.json", &state.to_string());
    }

    /// A run of `collect --since report` there.
    pub(crate) fn collect(&self, args: &[&str]) -> Run {
        let since = ["collect", "--proc", "proc", "--since", "report", "--state-dir", "state"];
        Run::new(self.0.path(), &[&since, args].concat())
    }

    /// The traffic since the last report of `gw`, `None` when the block is left out, with these words on standard error.
    pub(crate) fn traffic(&self, tells: &str) -> Option<[u64; 4]> {
        traffic(&self.collect(&["--thing-name", "gw"]).tells(tells).report())
    }
}

/// The traffic of a report.
pub(crate) fn traffic(report: &Value) -> Option<[u64; 4]> {
    let metrics = &report["metrics"];
    assert_eq!(metrics["listening_tcp_ports"]["total"], 1, "the rest of the report is there");
    let stats = metrics.get("network_stats")?;
    Some(["bytes_in", "packets_in", "bytes_out", "packets_out"].map(|name| stats[name].as_u64().unwrap()))
}

/// A state file of the thing `gw` with this baseline, as the program is documented to read it.
pub(crate) fn state(before: Traffic<'_>) -> Value {
    let interfaces = before.iter().map(|(name, [bytes_in, packets_in, bytes_out, packets_out])| {
        let counters = json!({"bytes_in": bytes_in, "packets_in": packets_in, "bytes_out": bytes_out,
                              "packets_out": packets_out});
        ((*name).to_owned(), counters)
    });
    json!({
        "version": 1,
        "thing_name": "gw",
        "last_report_id": 1_700_000_300,
        "baseline": {
            "boot_id": BOOT,
            "proc": "proc",
            "net": "proc/net",
            "namespace": NAMESPACE,
            "taken_at": "2023-11-14T22:18:20Z",
            "interfaces": interfaces.collect::<serde_json::Map<_, _>>(),
        },
    })
}

#[test]
fn traffic_is_what_each_interface_carried_since_the_last_report() {
    const HALF: u64 = 1 << 31;
    const WRAP: u64 = 1 << 32;
    let cases: [(&str, Traffic<'_>, Traffic<'_>, [u64; 4]); 22] = [
        ("it ran on", &[("eth0", [4000, 40, 6000, 60])], &[("eth0", [5000, 50, 7500, 66])], [1000, 10, 1500, 6]),
        ("nothing happened", &[("eth0", [5, 5, 5, 5])], &[("eth0", [5, 5, 5, 5])], [0; 4]),
        (
            "two",
            &[("lo", [1, 1, 1, 1]), ("eth0", [1, 2, 3, 4])],
            &[("eth0", [2, 4, 6, 8]), ("lo", [11, 2, 11, 2])],
            [11, 3, 13, 5],
        ),
        ("64 bits", &[("eth0", [1 << 63, 5, 0, 0])], &[("eth0", [(1 << 63) + 5, 6, 0, 0])], [5, 1, 0, 0]),
        ("over 32 bits", &[("eth0", [WRAP - 1, 5, 0, 0])], &[("eth0", [WRAP + 9, 6, 0, 0])], [10, 1, 0, 0]),
        ("a wrap", &[("eth0", [WRAP - 296, 10, 0, 0])], &[("eth0", [704, 20, 0, 0])], [1000, 10, 0, 0]),
        ("a wrap of what was sent", &[("eth0", [0, 0, WRAP - 1, 10])], &[("eth0", [0, 0, 0, 10])], [0, 0, 1, 0]),
        ("a wrap of packets", &[("eth0", [10, WRAP - 5, 0, 0])], &[("eth0", [20, 5, 0, 0])], [10, 10, 0, 0]),
        ("a wrap from the middle", &[("eth0", [HALF, 1, 0, 0])], &[("eth0", [0, 1, 0, 0])], [HALF, 0, 0, 0]),
        ("too low for a wrap", &[("eth0", [HALF - 1, 1, 0, 0])], &[("eth0", [7, 1, 0, 0])], [7, 0, 0, 0]),
        ("too high for a wrap", &[("eth0", [WRAP, 1, 0, 0])], &[("eth0", [7, 1, 0, 0])], [7, 0, 0, 0]),
        ("a reset", &[("eth0", [5000, 50, 6000, 60])], &[("eth0", [300, 3, 40, 4])], [300, 3, 40, 4]),
        ("a reset to nothing", &[("eth0", [5000, 50, 6000, 60])], &[("eth0", [0; 4])], [0; 4]),
        ("both fell: a reset", &[("eth0", [WRAP - 1, WRAP - 1, 0, 0])], &[("eth0", [7, 3, 0, 0])], [7, 3, 0, 0]),
        ("received wrapped, sent ran on", &[("eth0", [WRAP - 1, 9, 5, 5])], &[("eth0", [9, 10, 6, 6])], [10, 1, 1, 1]),
        ("new", &[("lo", [1, 1, 1, 1])], &[("lo", [1, 1, 1, 1]), ("ppp0", [7, 6, 5, 4])], [7, 6, 5, 4]),
        ("vanished", &[("lo", [1, 1, 1, 1]), ("ppp0", [7, 6, 5, 4])], &[("lo", [2, 2, 2, 2])], [1, 1, 1, 1]),
        ("renamed", &[("eth0", [7, 6, 5, 4])], &[("lan0", [9, 8, 7, 6])], [9, 8, 7, 6]),
        ("all vanished", &[("eth0", [7, 6, 5, 4])], &[], [0; 4]),
        ("none before", &[], &[("eth0", [7, 6, 5, 4])], [7, 6, 5, 4]),
        (
            "names swapped",
            &[("a", [10, 10, 1, 1]), ("b", [1, 1, 10, 10])],
            &[("b", [10, 10, 1, 1]), ("a", [1, 1, 10, 10])],
            [10, 10, 10, 10],
        ),
        ("as much as can be", &[], &[("a", [u64::MAX, 1, 1, 1]), ("b", [u64::MAX, 1, 1, 1])], [u64::MAX, 2, 2, 2]),
    ];
    for (what, before, now, expected) in cases {
        let machine = Machine::new(now);
        machine.remember(&state(before));
        assert_eq!(machine.traffic(""), Some(expected), "{what}");
    }
}

#[test]
fn an_excluded_interface_is_out_of_the_difference_too() {
    let machine = Machine::new(&[("eth0", [5, 5, 5, 5]), ("lo", [9, 9, 9, 9])]);
    machine.remember(&state(&[("eth0", [1, 2, 3, 4]), ("lo", [1, 1, 1, 1])]));
    let report = machine.collect(&["--thing-name", "gw", "--exclude-interface", "lo"]).report();
    assert_eq!(traffic(&report), Some([4, 3, 2, 1]));
}

/// The machine of the cases below has eth0 with these counters now, and this baseline.
pub(crate) const NOW: Traffic<'_> = &[("eth0", [50, 5, 70, 7])];
pub(crate) const BEFORE: Traffic<'_> = &[("eth0", [40, 4, 40, 4])];

#[test]
fn a_baseline_counts_for_the_same_boot_path_and_namespace_only() {
    let other = |field: &str, value: Value| {
        let mut state = state(BEFORE);
        state["baseline"][field] = value;
        state
    };
    let path = "no network_stats: the last accepted report was read from another /proc path";
    let namespace = "no network_stats: the last accepted report was of another network namespace";
    let (all, delta) = (Some([50, 5, 70, 7]), Some([10, 1, 30, 3]));
    for (field, value, expected, tells) in [
        ("taken_at", json!("1970-01-01T00:00:00Z"), delta, ""),
        ("taken_at", json!("2999-01-01T00:00:00Z"), delta, ""),
        ("boot_id", json!("another"), all, ""),
        ("boot_id", json!(""), all, ""),
        ("proc", json!("/proc"), None, path),
        ("net", json!("proc/1/net"), None, path),
        ("namespace", json!("net:[1]"), None, namespace),
        ("namespace", json!(""), None, namespace),
    ] {
        let machine = Machine::new(NOW);
        machine.remember(&other(field, value));
        let tells = if tells.is_empty() { String::new() } else { format!("warning: {tells}") };
        assert_eq!(machine.traffic(&tells), expected, "{field}");
    }

    let machine = Machine::new(NOW);
    machine.remember(&state(BEFORE));
    fs::remove_file(machine.path("proc/self/ns/net")).unwrap();
    assert_eq!(machine.traffic(&format!("warning: {namespace}")), None, "the namespace is not known now");
    for boot_id in ["", "\n"] {
        machine.write("proc/sys/kernel/random/boot_id", boot_id);
        assert_eq!(machine.traffic("warning: no network_stats: the boot id cannot be read"), None);
    }
    fs::remove_file(machine.path("proc/sys/kernel/random/boot_id")).unwrap();
    assert_eq!(machine.traffic("warning: no network_stats: the boot id cannot be read"), None);

    let machine = Machine::new(NOW);
    machine.remember(&state(BEFORE));
    fs::create_dir(machine.path("proc/1")).unwrap();
    fs::rename(machine.path("proc/net"), machine.path("proc/1/net")).unwrap();
    assert_eq!(machine.traffic(&format!("warning: {path}")), None, "another net directory is read now");
}

#[test]
fn verbose_tells_since_when_and_nothing_in_the_file_drives_the_terminal() {
    let machine = Machine::new(NOW);
    let mut state = state(BEFORE);
    let none = "No such file or directory (os error 2)";
    for (taken_at, shown) in [("2023-11-14T22:18:20Z", "2023-11-14T22:18:20Z"), ("\u{1b}[31m", "\\u{1b}[31m")] {
        state["baseline"]["taken_at"] = json!(taken_at);
        machine.remember(&state);
        machine
            .collect(&["-v"])
            .tells(&format!(
                "thing gw, state in state\n\
                 reading proc/net\n\
                 proc/1/net: {none}; reading proc/net instead\n\
                 network_stats: since the report accepted at {shown}\n\
                 proc/net/tcp: 2 rows\nproc/net/tcp6: 1 rows\nproc/net/udp: 1 rows\nproc/net/udp6: 0 rows\n\
                 proc/net/dev: 1 rows"
            ))
            .output();
    }
    let table = String::from_utf8(machine.collect(&["--format", "table"]).output()).unwrap();
    assert!(table.contains("\nTraffic since the last accepted report\n"), "{table}");
    let unknown = machine.collect(&["--format", "table", "--thing-name", "new", "-q"]).output();
    assert!(String::from_utf8(unknown).unwrap().contains("\nTraffic: unknown\n"));
}

/// Runs `collect --since` for a while, does something once the first look has been taken, and returns the report and
/// what was told after.
fn meanwhile(machine: &Machine, act: impl FnOnce()) -> (Value, Vec<String>) {
    let mut run = Run::new(machine.0.path(), &["collect", "--proc", "proc", "--since", "1s 500ms", "-v"]);
    let mut child = run.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.any(|line| line == "device-defender: waiting 1s 500ms"));
    act();
    let mut report = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut report).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    (serde_json::from_slice(&report).unwrap(), told.filter(|line| line.contains("warning")).collect())
}

#[test]
fn since_a_duration_is_what_happened_meanwhile() {
    let machine = Machine::new(NOW);
    let (report, warnings) = meanwhile(&machine, || machine.count(&[("eth0", [51, 7, 73, 11]), ("ppp0", [1; 4])]));
    assert_eq!((traffic(&report), warnings.len()), (Some([2, 3, 4, 5]), 0));
}

#[test]
fn counters_that_were_unknown_at_the_first_look_are_told() {
    let machine = Machine::new(NOW);
    machine.write("proc/net/dev", "");
    let (report, warnings) = meanwhile(&machine, || machine.count(NOW));
    assert_eq!(traffic(&report), None);
    assert_eq!(warnings.len(), 1, "a block that is left out is told: {warnings:?}");
}
