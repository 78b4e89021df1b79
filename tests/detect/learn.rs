//! `detect --learn`: what is learned from a device and from reports, and that they conform to it.

use std::fs;

use serde_json::{Value, json};

use crate::detect::message;
use crate::detect::streams::ndjson;
use crate::support::{Device, Dir, Run, fixtures, to_cbor};

const BASE: u64 = 1_700_000_000;

/// A report at this time with these listening TCP ports and destinations, no UDP port, and this traffic.
fn report(time: u64, ports: &[u16], destinations: &[&str], traffic: Option<u64>) -> Value {
    let listening: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
    let connections: Vec<Value> =
        destinations.iter().map(|address| json!({"remote_addr": format!("{address}:443")})).collect();
    let mut report = json!({"header": {"report_id": BASE + time, "version": "1.0"}, "metrics": {
        "listening_tcp_ports": {"ports": listening, "total": ports.len()},
        "listening_udp_ports": {"ports": [], "total": 0},
        "tcp_connections": {"established_connections": {"connections": connections, "total": destinations.len()}}}});
    if let Some(traffic) = traffic {
        report["metrics"]["network_stats"] =
            json!({"bytes_in": traffic, "bytes_out": 2 * traffic, "packets_in": 3, "packets_out": 4});
    }
    report
}

fn learn(dir: &Dir, args: &[&str]) -> Run {
    Run::new(dir.root(), &[&["detect", "--learn"], args].concat())
}

fn learn_from(reports: impl Into<Vec<u8>>, args: &[&str]) -> Run {
    Run::new(&fixtures(), &[&["detect", "--learn", "--report", "-"], args].concat()).stdin(reports)
}

/// The criteria of a learned behavior, without what all have.
fn criteria<'p>(profile: &'p Value, name: &str) -> (&'p str, &'p Value, Option<u64>) {
    let behaviors = profile["behaviors"].as_array().unwrap();
    let Some(behavior) = behaviors.iter().find(|behavior| behavior["name"] == name) else {
        return ("", &Value::Null, None);
    };
    assert_eq!(behavior["metric"], format!("aws:{name}"));
    let criteria = &behavior["criteria"];
    (criteria["comparisonOperator"].as_str().unwrap(), &criteria["value"], criteria["durationSeconds"].as_u64())
}

/// The names of the learned behaviors.
fn names(profile: &Value) -> Vec<&str> {
    profile["behaviors"].as_array().unwrap().iter().map(|behavior| behavior["name"].as_str().unwrap()).collect()
}

/// Three commands without AWS: learn, save, check.
#[test]
fn a_device_conforms_to_what_was_learned_from_it_and_a_new_port_does_not() {
    let device = Device::with(&[("eth0", [712, 8, 668, 8])]);
    let proc = ["--proc", "proc", "--since", "boot"];
    let tells = "warning: aws:all-bytes-in, aws:all-bytes-out, aws:all-packets-in, aws:all-packets-out: not learned: the time \
                 that the counters cover is unknown; --since 300s counts for 5m";
    let profile = learn(&device, &proc).stderr(tells).text();
    device.write("profile.json", &profile);
    assert_eq!(learn(&device, &proc).stderr(tells).text(), profile, "the same device, the same bytes");
    device.detect(&[&proc[..], &["-q"]].concat()).prints_nothing();
    assert!(device.detect(&proc).text().ends_with("\n0 violated, 6 conforming\n"));

    let tcp = device.path("proc/net/tcp");
    let row = "   9: 00000000:115C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1 0 100 0 0 10 0\n";
    fs::write(&tcp, fs::read_to_string(&tcp).unwrap() + row).unwrap();
    let table = device.detect(&[&proc[..], &["-q"]].concat()).code(1).text();
    assert!(table.contains("\nlistening-tcp-ports  violated by 4444\n1 violated, 5 conforming\n"), "{table}");
}

#[test]
fn every_captured_host_conforms_to_what_was_learned_from_it() {
    for host in ["idle", "busy", "container", "ipv6-off", "odd-names", "vlan-bridge", "big-endian"] {
        let dir = Dir::new();
        let proc = fixtures().join(host).join("proc");
        let args = ["--proc", proc.to_str().unwrap(), "--since", "boot"];
        for prefixes in [&[][..], &["--learn-prefix", "24,64"]] {
            dir.write("profile.json", learn(&dir, &[&args[..], prefixes].concat()).may_warn().output());
            let table = dir.detect(&args).may_warn().text();
            assert!(table.contains("\n0 violated, ") && !table.contains("not judged"), "{host}\n{table}");
        }
    }
}

#[test]
fn the_profile_is_what_create_security_profile_takes() {
    let reports = [
        report(0, &[443, 22], &["192.0.2.1", "192.0.2.9", "[2001:db8::1]"], None),
        report(300, &[22], &[], Some(1000)),
    ];
    let profile = learn_from(ndjson(&reports), &[]).json();
    let set = |operator: &str, value: Value| json!({"comparisonOperator": operator, "value": value});
    let most = |count: u64, duration: Option<u64>| {
        let mut criteria = json!({"comparisonOperator": "less-than-equals", "value": {"count": count},
                                  "consecutiveDatapointsToAlarm": 1, "consecutiveDatapointsToClear": 1});
        if let Some(duration) = duration {
            criteria["durationSeconds"] = json!(duration);
        }
        criteria
    };
    let behavior =
        |name: &str, criteria: Value| json!({"name": name, "metric": format!("aws:{name}"), "criteria": criteria});
    let expected = json!({
        "securityProfileName": "learned",
        "securityProfileDescription": "Learned from 2 reports by device-defender detect --learn. A start: edit before use.",
        "behaviors": [
            behavior("listening-tcp-ports", set("in-port-set", json!({"ports": [22, 443]}))),
            behavior("destination-ip-addresses",
                     set("in-cidr-set", json!({"cidrs": ["192.0.2.1/32", "192.0.2.9/32", "2001:db8::1/128"]}))),
            behavior("num-listening-tcp-ports", most(7, Some(300))),
            behavior("num-listening-udp-ports", most(0, Some(300))),
            behavior("num-established-tcp-connections", most(8, None)),
            behavior("all-bytes-in", most(1500, Some(300))),
            behavior("all-bytes-out", most(3000, Some(300))),
            behavior("all-packets-in", most(8, Some(300))),
            behavior("all-packets-out", most(9, Some(300))),
        ],
    });
    assert_eq!(profile, expected);
    // The name of the thing is the name of the profile, if the service accepts it.
    for (thing, name) in [("edge-1", "edge-1"), ("Pump 7", "learned")] {
        let profile = learn_from(ndjson(&reports), &["--thing-name", thing]).json();
        assert_eq!(profile["securityProfileName"], name);
    }
    let text = learn_from(ndjson(&reports), &["--format", "json"]).text();
    assert!(text.starts_with("{\n  \"securityProfileName\": "), "indented in a pipe, too: {text}");
}

#[test]
fn every_form_of_a_log_teaches_the_same() {
    let reports =
        [report(0, &[22], &["192.0.2.1"], None), report(300, &[22, 80], &[], Some(7)), report(600, &[], &[], Some(9))];
    let expected = learn_from(ndjson(&reports), &[]).json();
    let topic = |encoding: &str| format!("$aws/things/gw/defender/metrics/{encoding}");
    let hex = |report: &Value| to_cbor(report).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let lines = |line: &dyn Fn(&Value) -> String| reports.iter().map(line).collect::<String>().into_bytes();
    let forms = [
        lines(&|report| format!("{report:#}\n")),
        lines(&|report| format!("{} {report}\n", topic("json"))),
        lines(&|report| message("gw", &report.to_string())),
        lines(&|report| format!("{} {}\n", hex(report), topic("cbor"))),
        reports.iter().flat_map(to_cbor).collect(),
    ];
    for form in forms {
        assert_eq!(learn_from(form, &[]).json(), expected);
    }
    let dir = Dir::new();
    dir.write("log", ndjson(&reports));
    assert_eq!(learn(&dir, &["--report", "log"]).json(), expected);
}

#[test]
fn a_fleet_makes_one_profile_for_all_and_a_name_picks_one_thing() {
    let on = |thing: &str, report: Value| message(thing, &report.to_string());
    let log = [
        on("a", report(0, &[22], &["192.0.2.1"], None)),
        on("b", report(0, &[80], &["192.0.2.2"], None)),
        on("a", report(300, &[22], &[], Some(100))),
        on("b", report(300, &[80, 81, 82, 83], &[], Some(1000))),
    ];
    let profile = learn_from(log.concat(), &[]).json();
    assert_eq!(criteria(&profile, "listening-tcp-ports").1, &json!({"ports": [22, 80, 81, 82, 83]}));
    assert_eq!(criteria(&profile, "num-listening-tcp-ports").1, &json!({"count": 9}), "of one thing");
    assert_eq!(criteria(&profile, "all-bytes-in").1, &json!({"count": 1500}), "of one thing");
    let dir = Dir::with_profile(&profile);
    assert_eq!(dir.judge(log.concat(), &[]).text(), "");

    let profile = learn_from(log.concat(), &["--thing-name", "a"]).code(65).may_warn().json();
    assert_eq!(criteria(&profile, "listening-tcp-ports").1, &json!({"ports": [22]}));
    assert_eq!(criteria(&profile, "all-bytes-in").1, &json!({"count": 150}));
    assert_eq!(profile["securityProfileName"], "a");
}

#[test]
fn nothing_seen_is_forbidden() {
    let profile = learn_from(report(0, &[], &[], None).to_string(), &[]).may_warn().json();
    assert_eq!(criteria(&profile, "listening-tcp-ports").0, "");
    assert_eq!(criteria(&profile, "num-listening-tcp-ports"), ("less-than-equals", &json!({"count": 0}), Some(300)));
    let none = json!({"cidrs": ["0.0.0.0/0", "::/0"]});
    assert_eq!(criteria(&profile, "destination-ip-addresses"), ("not-in-cidr-set", &none, None));
    let dir = Dir::with_profile(&profile);
    let violated = |report: Value| {
        let said = dir.judge(report.to_string(), &[]).finish();
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        let behaviors = said["behaviors"].as_array().unwrap().iter();
        let violated = behaviors.filter(|said| said["verdict"] == "violated");
        violated.map(|said| said["behavior"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(violated(report(300, &[], &[], None)).is_empty());
    assert_eq!(violated(report(300, &[22], &[], None)), ["num-listening-tcp-ports"]);
    for address in ["192.0.2.1", "[2001:db8::1]"] {
        assert_eq!(violated(report(300, &[], &[address], None)), ["destination-ip-addresses"]);
    }
}

#[test]
fn what_is_unknown_is_not_learned() {
    // A block that is missing.
    let mut without = report(0, &[22], &[], None);
    without["metrics"].as_object_mut().unwrap().remove("listening_udp_ports");
    let tells = "warning: aws:listening-udp-ports, aws:num-listening-udp-ports, aws:all-bytes-in, aws:all-bytes-out, \
                 aws:all-packets-in, aws:all-packets-out: not learned: the report does not have this metric";
    let profile = learn_from(without.to_string(), &[]).stderr(tells).json();
    assert_eq!(
        names(&profile),
        [
            "listening-tcp-ports",
            "destination-ip-addresses",
            "num-listening-tcp-ports",
            "num-established-tcp-connections"
        ]
    );

    // A list that is shorter than its total: nobody knows the others. The number is known.
    let mut cut = report(0, &[22], &["192.0.2.1"], None);
    cut["metrics"]["listening_tcp_ports"]["total"] = json!(9);
    let run = learn_from(cut.to_string(), &[]).may_warn();
    let profile = run.json();
    assert_eq!(names(&profile)[0], "destination-ip-addresses");
    assert_eq!(criteria(&profile, "num-listening-tcp-ports").1, &json!({"count": 14}));

    // Where some reports are complete, what the others have is learned, too.
    let log = ndjson(&[cut, report(300, &[80], &[], None)]);
    let profile = learn_from(log.clone(), &[]).may_warn().json();
    assert_eq!(criteria(&profile, "listening-tcp-ports").1, &json!({"ports": [22, 80]}));
    let stderr = learn_from(log, &[]).finish().stderr;
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains("warning: aws:listening-tcp-ports: some reports are incomplete: "), "{stderr}");

    // Nothing at all.
    let nothing = "report: standard input: nothing to learn: no report has a metric of the service that is complete";
    learn_from(r#"{"header": {"report_id": 1700000300, "version": "1.0"}, "metrics": {}}"#, &[])
        .code(65)
        .stderr(nothing)
        .prints_nothing();
}

#[test]
fn what_of_a_device_cannot_be_read_is_not_learned_and_is_66() {
    let device = Device::with(&[("eth0", [712, 8, 668, 8])]);
    fs::remove_file(device.path("proc/net/udp")).unwrap();
    let tells = "warning: proc/net/udp: No such file or directory (os error 2); what it holds is left out\n\
                 warning: aws:listening-udp-ports, aws:num-listening-udp-ports: not learned: proc/net/udp: No such file or \
                 directory (os error 2)\n\
                 warning: aws:all-bytes-in, aws:all-bytes-out, aws:all-packets-in, aws:all-packets-out: not learned: the time \
                 that the counters cover is unknown; --since 300s counts for 5m";
    let profile = learn(&device, &["--proc", "proc", "--since", "boot"]).code(66).stderr(tells).json();
    assert_eq!(names(&profile).len(), 4);
}

/// The times of reports, with the time that traffic is learned over.
#[test]
fn traffic_is_learned_over_a_time_that_the_reports_cover() {
    let every = |seconds: u64, count: u64| (0..count).map(|n| n * seconds).collect::<Vec<_>>();
    let outage = [every(300, 10), (0..10).map(|n| 20_000 + n * 300).collect()].concat();
    for (times, duration) in [
        (every(300, 20), Some(300)),
        (every(301, 20), Some(300)),
        (every(60, 20), Some(300)),
        (every(1, 400), Some(300)),
        (every(600, 20), Some(600)),
        (every(900, 3), Some(900)),
        (every(1000, 20), Some(900)), // the longest that each report covers
        (every(3600, 4), Some(3600)),
        (every(5000, 4), Some(3600)),
        (every(450, 2), Some(300)),
        (vec![0, 299, 600, 899, 1200], Some(300)),
        (vec![0, 290, 600, 890, 1200], Some(300)),
        (outage, Some(300)),
        (every(7200, 4), None),
        (every(60, 4), None),
        (vec![0], None),
    ] {
        // The traffic rises and falls, differently for each time.
        let traffic = |time: u64| (time * 2_654_435_761) % 1_000_000;
        let reports: Vec<Value> = times.iter().map(|&time| report(time, &[22], &[], Some(traffic(time)))).collect();
        let profile = learn_from(ndjson(&reports), &[]).may_warn().json();
        for metric in ["all-bytes-in", "all-bytes-out", "all-packets-in", "all-packets-out"] {
            assert_eq!(criteria(&profile, metric).2, duration, "{metric} {times:?}");
        }
        let dir = Dir::with_profile(&profile);
        dir.write("log", ndjson(&reports));
        let table = dir.detect(&["--report", "log"]).text();
        assert!(table.contains("\n0 violated, "), "{times:?}\n{table}");
    }
    for (seconds, reason) in [
        (60, "the traffic is known for only 1m, less than 5m"),
        (7200, "the traffic is known only for 2h at once; the service sums it over 1h at most"),
    ] {
        let reports = [report(0, &[22], &[], None), report(seconds, &[22], &[], Some(7))];
        let tells = format!(
            "warning: aws:all-bytes-in, aws:all-bytes-out, aws:all-packets-in, aws:all-packets-out: not learned: {reason}"
        );
        learn_from(ndjson(&reports), &[]).stderr(&tells).output();
    }
}

#[test]
fn a_state_file_shows_what_traffic_to_allow() {
    let device = Device::with(&[("eth0", [1712, 8, 668, 8])]);
    let mut state = crate::support::state(300, &[("eth0", [712, 7, 600, 7])]);
    let taken_at = std::time::SystemTime::now() - std::time::Duration::from_secs(320);
    state["baseline"]["taken_at"] = json!(humantime::format_rfc3339_seconds(taken_at).to_string());
    device.write("state/gw.json", state.to_string());
    let args = ["--proc", "proc", "--state-dir", "state", "--thing-name", "gw"];
    let profile = learn(&device, &args).json();
    assert_eq!(criteria(&profile, "all-bytes-in"), ("less-than-equals", &json!({"count": 1500}), Some(300)));
    assert_eq!(profile["securityProfileName"], "gw");
    device.write("profile.json", profile.to_string());
    device.detect(&[&args[..], &["-q"]].concat()).prints_nothing();
}

#[test]
fn what_is_skipped_in_a_log_is_reported_as_when_it_is_checked() {
    let log = format!("{}x\n{}", ndjson(&[report(0, &[22], &[], None)]), ndjson(&[report(300, &[80], &[], None)]));
    let skipped = "warning: report: standard input: line 2: not a report: expected `{`, or the topic of a report from the \
                   first line on; skipped\n\
                   warning: aws:all-bytes-in, aws:all-bytes-out, aws:all-packets-in, aws:all-packets-out: not learned: the \
                   report does not have this metric";
    let profile = learn_from(log, &[]).code(65).stderr(skipped).json();
    assert_eq!(criteria(&profile, "listening-tcp-ports").1, &json!({"ports": [22, 80]}));
    let none = "standard input: contains no report\n\
                hint: expected the output of `device-defender collect` or `device-defender watch --print`";
    learn_from("", &[]).code(65).stderr(none).prints_nothing();
}

#[test]
fn the_limits_of_the_service_are_kept() {
    let addresses = |count: usize| (0..count).map(|n| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)).collect();
    let to = |addresses: Vec<String>| {
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        report(0, &[22], &addresses, None).to_string()
    };
    // The port and three limits are values, too.
    let profile = learn_from(to(addresses(996)), &[]).may_warn().json();
    assert_eq!(criteria(&profile, "destination-ip-addresses").1["cidrs"].as_array().unwrap().len(), 996);
    let hint =
        "hint: --learn-prefix 24,64 learns networks instead of single addresses; shorter prefixes make fewer of them";
    let limit = "but a security profile holds at most 1000";
    let values = "1001 values (listening ports: 1, destination networks: 997, limits: 3)";
    let tells = format!("report: standard input: {values}, {limit}\n{hint}");
    learn_from(to(addresses(997)), &[]).code(65).stderr(&tells).prints_nothing();
    for count in [1001, 20_000] {
        let tells = format!("report: standard input: more than 1000 destination networks, {limit} values\n{hint}");
        learn_from(to(addresses(count)), &[]).code(65).stderr(&tells).prints_nothing();
    }
    let profile = learn_from(to(addresses(20_000)), &["--learn-prefix", "16,64"]).may_warn().json();
    assert_eq!(criteria(&profile, "destination-ip-addresses").1, &json!({"cidrs": ["10.0.0.0/16"]}));
    let mixed =
        ["192.0.2.1", "192.0.2.200", "198.51.100.1", "[2001:db8::1]", "[2001:db8::f:0:0:0:2]", "[::ffff:192.0.2.7]"];
    let mixed = mixed.map(str::to_owned).to_vec();
    let profile = learn_from(to(mixed.clone()), &["--learn-prefix", "24,64"]).may_warn().json();
    let networks = json!({"cidrs": ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/64", "2001:db8:0:f::/64"]});
    assert_eq!(criteria(&profile, "destination-ip-addresses").1, &networks);
    let dir = Dir::with_profile(&profile);
    dir.judge(to(mixed), &["-q"]).prints_nothing();

    let ports: Vec<u16> = (1..=1200).collect();
    let tells = format!(
        "report: standard input: 1205 values (listening ports: 1200, destination networks: 2, limits: 3), {limit}\n\
         hint: learn from fewer devices, or from reports with fewer ports; a behavior cannot have ranges of ports"
    );
    learn_from(report(0, &ports, &[], None).to_string(), &[]).code(65).stderr(&tells).prints_nothing();
}

#[test]
fn flags_that_do_not_fit_learning_are_refused() {
    let dir = Dir::new();
    let hint = "hint: see device-defender detect --help";
    let table = format!("--learn prints JSON, so --format table cannot be used with it\n{hint}");
    learn(&dir, &["--format", "table"]).code(2).stderr(&table).prints_nothing();
    let prefix = "learn prefix `24` (--learn-prefix): expected the prefix lengths for IPv4 (1 to 32) and IPv6 (1 to 128), such \
                  as 24,64";
    learn(&dir, &["--learn-prefix", "24"]).code(2).stderr(prefix).prints_nothing();
    let custom = format!("--custom-metrics cannot be used with --learn, which does not learn them\n{hint}");
    learn(&dir, &["--custom-metrics", "x"]).code(2).stderr(&custom).prints_nothing();
    for flags in [&["--profile", "x"][..], &["--processes"]] {
        let output = learn(&dir, flags).finish();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("error: the argument '--learn' cannot be used with"), "{stderr}");
    }
    let output = Run::new(dir.root(), &["detect", "--learn-prefix", "24,64"]).finish();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("required arguments were not provided:\n  <--profile <FILE>...|--learn>\n"), "{stderr}");
}

#[test]
fn output_that_cannot_be_written_is_reported() {
    let dir = Dir::new();
    dir.write("log", report(0, &[22], &[], None).to_string());
    learn(&dir, &["--report", "log"]).fails_on_a_full_disk();
    let tells = "warning: aws:all-bytes-in, aws:all-bytes-out, aws:all-packets-in, aws:all-packets-out: not learned: the \
                 report does not have this metric";
    learn(&dir, &["--report", "log"]).stderr(tells).without_a_reader();
}
