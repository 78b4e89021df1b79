//! `--since report`: the difference to the counters of the last report, where those are of the same device.
//! `--since DURATION`: what happened meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Device, Interfaces, Run, Traffic, state, traffic};

impl Device {
    /// A run of `collect --since report` there.
    pub(super) fn collect(&self, args: &[&str]) -> Run {
        let since = ["collect", "--proc", "proc", "--since", "report", "--state-dir", "state"];
        Run::new(self.root(), &[&since, args].concat())
    }

    /// The traffic since the last report of `gw`, `None` when the block is left out, with these lines on standard error.
    #[track_caller]
    pub(super) fn traffic_since(&self, stderr: &str) -> Option<Traffic> {
        traffic(&self.collect(&["--thing-name", "gw"]).stderr(stderr).json())
    }
}

/// A state file of the thing `gw` with these counters.
pub(super) fn with_baseline(before: Interfaces<'_>) -> Value {
    state(1_700_000_300, before)
}

/// Every rule of the difference is in `properties::traffic`.
#[test]
fn traffic_is_what_each_interface_carried_since_the_last_report() {
    const WRAP: u64 = 1 << 32;
    let cases: [(&str, Interfaces<'_>, Interfaces<'_>, Traffic); 6] = [
        ("traffic", &[("eth0", [4000, 40, 6000, 60])], &[("eth0", [5000, 50, 7500, 66])], [1000, 10, 1500, 6]),
        (
            "two",
            &[("lo", [1, 1, 1, 1]), ("eth0", [1, 2, 3, 4])],
            &[("eth0", [2, 4, 6, 8]), ("lo", [11, 2, 11, 2])],
            [11, 3, 13, 5],
        ),
        ("a wrap", &[("eth0", [WRAP - 296, 10, 0, 0])], &[("eth0", [704, 20, 0, 0])], [1000, 10, 0, 0]),
        ("a reset", &[("eth0", [5000, 50, 6000, 60])], &[("eth0", [300, 3, 40, 4])], [300, 3, 40, 4]),
        ("renamed", &[("eth0", [7, 6, 5, 4])], &[("lan0", [9, 8, 7, 6])], [9, 8, 7, 6]),
        ("as much as can be", &[], &[("a", [u64::MAX - 1, 1, 1, 1]), ("b", [1, 1, 1, 1])], [u64::MAX, 2, 2, 2]),
    ];
    for (what, before, now, expected) in cases {
        let device = Device::with(now);
        device.save(&with_baseline(before));
        assert_eq!(device.traffic_since(""), Some(expected), "{what}");
    }
}

#[test]
fn an_excluded_interface_is_out_of_the_difference_too() {
    let device = Device::with(&[("eth0", [5, 5, 5, 5]), ("lo", [9, 9, 9, 9])]);
    device.save(&with_baseline(&[("eth0", [1, 2, 3, 4]), ("lo", [1, 1, 1, 1])]));
    let report = device.collect(&["--thing-name", "gw", "--exclude-interface", "lo"]).json();
    assert_eq!(traffic(&report), Some([4, 3, 2, 1]));
}

/// The device of the cases below has eth0 with these counters now, and this baseline.
pub(super) const NOW: Interfaces<'_> = &[("eth0", [50, 5, 70, 7])];
pub(super) const EARLIER: Interfaces<'_> = &[("eth0", [40, 4, 40, 4])];

#[test]
fn a_baseline_counts_for_the_same_boot_path_and_namespace_only() {
    let other = |field: &str, value: Value| {
        let mut state = with_baseline(EARLIER);
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
        let device = Device::with(NOW);
        device.save(&other(field, value));
        let tells = if tells.is_empty() { String::new() } else { format!("warning: {tells}") };
        assert_eq!(device.traffic_since(&tells), expected, "{field}");
    }

    let device = Device::with(NOW);
    device.save(&with_baseline(EARLIER));
    fs::remove_file(device.path("proc/self/ns/net")).unwrap();
    assert_eq!(device.traffic_since(&format!("warning: {namespace}")), None, "the namespace is not known now");
    for boot_id in ["", "\n"] {
        device.write("proc/sys/kernel/random/boot_id", boot_id);
        assert_eq!(device.traffic_since("warning: no network_stats: the boot ID cannot be read"), None);
    }
    fs::remove_file(device.path("proc/sys/kernel/random/boot_id")).unwrap();
    assert_eq!(device.traffic_since("warning: no network_stats: the boot ID cannot be read"), None);

    let device = Device::with(NOW);
    device.save(&with_baseline(EARLIER));
    fs::create_dir(device.path("proc/1")).unwrap();
    fs::rename(device.path("proc/net"), device.path("proc/1/net")).unwrap();
    assert_eq!(device.traffic_since(&format!("warning: {path}")), None, "another net directory is read now");
}

#[test]
fn verbose_shows_since_when_and_nothing_in_the_file_drives_the_terminal() {
    let device = Device::with(NOW);
    let mut state = with_baseline(EARLIER);
    let none = "No such file or directory (os error 2)";
    for (taken_at, shown) in [("2023-11-14T22:18:20Z", "2023-11-14T22:18:20Z"), ("\u{1b}[31m", "\\u{1b}[31m")] {
        state["baseline"]["taken_at"] = json!(taken_at);
        device.save(&state);
        device
            .collect(&["-v"])
            .stderr(&format!(
                "thing gw, state in state\n\
                 reading proc/net\n\
                 proc/1/net: {none}; reading proc/net instead\n\
                 network_stats: since the report accepted at {shown}\n\
                 proc/net/tcp: 2 rows\nproc/net/tcp6: 1 rows\nproc/net/udp: 1 rows\nproc/net/udp6: 0 rows\n\
                 proc/net/dev: 1 rows"
            ))
            .output();
    }
    let table = String::from_utf8(device.collect(&["--format", "table"]).output()).unwrap();
    assert!(table.contains("\nTraffic since the last accepted report\n"), "{table}");
    let unknown = device.collect(&["--format", "table", "--thing-name", "new", "-q"]).output();
    assert!(String::from_utf8(unknown).unwrap().contains("\nTraffic: unknown\n"));
}

/// Runs `collect --since` for a while, does something once the first look has been taken, and returns the report and
/// the warnings.
fn meanwhile(device: &Device, act: impl FnOnce()) -> (Value, Vec<String>) {
    let mut run = Run::new(device.root(), &["collect", "--proc", "proc", "--since", "1s 500ms", "-v"]);
    let mut child = run.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let waiting = "device-defender: waiting 1s 500ms";
    let mut told: Vec<String> = (&mut lines).take_while(|line| line != waiting).collect();
    act();
    let mut report = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut report).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    told.extend(lines);
    told.retain(|line| line.contains("warning"));
    (serde_json::from_slice(&report).unwrap(), told)
}

#[test]
fn since_a_duration_is_what_happened_meanwhile() {
    let device = Device::with(NOW);
    let (report, warnings) = meanwhile(&device, || device.shows(&[("eth0", [51, 7, 73, 11]), ("ppp0", [1; 4])]));
    assert_eq!((traffic(&report), warnings.len()), (Some([2, 3, 4, 5]), 0));
}

#[test]
fn counters_that_were_unknown_at_the_first_look_are_reported() {
    let device = Device::with(NOW);
    device.write("proc/net/dev", "");
    let (report, warnings) = meanwhile(&device, || device.shows(NOW));
    assert_eq!(traffic(&report), None);
    assert_eq!(warnings.len(), 1, "a block that is left out is told: {warnings:?}");
}
