//! This device, judged: a baseline, `--since`, the size of its report, processes.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::detect::behavior;
use crate::support::{self, Device, Dir, Run, fixtures};

/// At most all that can be counted, in so many seconds: conforms whenever it is judged.
fn any_traffic(seconds: Option<u64>) -> Value {
    let mut behavior = behavior("aws:all-bytes-out", "less-than-equals", &json!({ "count": u64::MAX }));
    if let Some(seconds) = seconds {
        behavior["criteria"]["durationSeconds"] = json!(seconds);
    }
    behavior
}

/// The state of a report of the thing `gw`, accepted so many seconds ago.
fn state(ago: i64) -> Value {
    let now = SystemTime::now();
    let ago_abs = Duration::from_secs(ago.unsigned_abs());
    let taken_at = if ago < 0 { now + ago_abs } else { now - ago_abs };
    let mut state = support::state(300, &[("eth0", [700, 7, 600, 7])]);
    state["baseline"]["taken_at"] = json!(humantime::format_rfc3339_seconds(taken_at).to_string());
    state
}

/// A machine that has been up for so many seconds: the saved tree `idle`, whose eth0 has received 712 and sent 668 bytes.
fn machine(profile: &Value, uptime: Option<&str>) -> Device {
    let device = Device::with(&[("eth0", [712, 8, 668, 8])]);
    device.write("profile.json", profile.to_string());
    if let Some(uptime) = uptime {
        device.write("proc/uptime", uptime);
    }
    device
}

const JSON: [&str; 7] = ["--proc", "proc", "--state-dir", "state", "--format", "json", "--color=never"];

#[test]
fn a_baseline_is_used_when_it_is_old_enough() {
    let day = "86400.00 1.00";
    for (ago, uptime, seconds, verdict, covers) in [
        (400, Some(day), Some(300), "conforms", "400"),
        (400, None, Some(300), "conforms", "400"),
        (200, Some(day), Some(300), "not-judged", "200"),
        (200, Some(day), None, "conforms", "200"),
        (400, Some("250.00 1.00"), Some(300), "not-judged", "250"), // the clock was set, or it was rebooted
        (-1000, Some(day), Some(300), "not-judged", ""),
        (-1000, Some(day), None, "conforms", ""),
    ] {
        let dir = machine(&json!([any_traffic(seconds)]), uptime);
        dir.write("state/gw.json", state(ago).to_string());
        let verdicts = dir.detect(&JSON).may_warn().json();
        let said = &verdicts["behaviors"][0];
        assert_eq!(said["verdict"], verdict, "{ago} {uptime:?} {seconds:?}: {said}");
        assert_eq!(said["observed"], json!({"count": 68}), "668 - 600");
        let told = said["covers_seconds"].as_u64();
        // A second may pass meanwhile.
        let expected = covers.parse::<u64>().ok();
        assert!(told == expected || told == expected.map(|seconds| seconds + 1), "{told:?} {expected:?}");
    }
}

#[test]
fn a_figure_of_more_or_less_time_proves_one_side() {
    // 68 bytes were sent since the baseline: what that says of so many in 300 seconds.
    for (operator, bound, of_200, of_320, of_400) in [
        ("less-than-equals", 67, "violated", "violated", "not-judged"),
        ("less-than-equals", 68, "not-judged", "conforms", "conforms"),
        ("less-than", 68, "violated", "violated", "not-judged"),
        ("greater-than-equals", 68, "conforms", "conforms", "not-judged"),
        ("greater-than", 68, "not-judged", "violated", "violated"),
    ] {
        let mut behavior = behavior("aws:all-bytes-out", operator, &json!({ "count": bound }));
        behavior["criteria"]["durationSeconds"] = json!(300);
        let dir = machine(&json!([behavior]), Some("86400.00 1.00"));
        for (ago, expected) in [(200, of_200), (320, of_320), (400, of_400)] {
            dir.write("state/gw.json", state(ago).to_string());
            let output = dir.detect(&JSON).finish().stdout;
            let said = &serde_json::from_slice::<Value>(&output).unwrap()["behaviors"][0];
            assert_eq!(said["verdict"], expected, "{operator} {bound} {ago}");
            let compared = if ago == 200 { ", less than 5m" } else { ", more than 5m" };
            let reason = said["reason"].as_str();
            assert_eq!(reason.is_some_and(|reason| reason.ends_with(compared)), expected == "not-judged", "{said}");
        }
    }
}

#[test]
fn without_anything_to_count_from_traffic_is_not_judged_and_the_way_out_is_reported() {
    let dir = machine(&json!([any_traffic(Some(600)), any_traffic(None)]), None);
    // A place that was given, and of which it is not clear whose state is meant, is wrong.
    let settings = "no thing name given, and no state in state\n\
                    hint: give --thing-name, the name that reports are sent under";
    for since in [&[][..], &["--since", "report"]] {
        dir.detect(&[&JSON[..], since].concat()).code(78).stderr(settings).text();
    }
    // Else that is the reason.
    let path = dir.path("state");
    let reasons = |run: Run, expected: &str| {
        let mut run = run;
        run.command.env("STATE_DIRECTORY", &path);
        for said in run.json()["behaviors"].as_array().unwrap() {
            assert_eq!((&said["verdict"], &said["observed"]), (&json!("not-judged"), &Value::Null));
            assert_eq!(said["reason"], expected);
        }
    };
    let plain = ["--proc", "proc", "--format", "json"];
    reasons(dir.detect(&plain), &format!("no thing name given, and no state in {}", path.display()));
    for thing in ["a", "b"] {
        let mut other = state(400);
        other["thing_name"] = json!(thing);
        dir.write(&format!("state/{thing}.json"), other.to_string());
    }
    let both = format!("no thing name given, and {} has the state of a and of b", path.display());
    reasons(dir.detect(&plain), &both);
    let none =
        format!("warning: no network_stats: no report of thing gw was sent yet (no state in {})", path.display());
    for since in [&[][..], &["--since", "report"]] {
        let run = dir.detect(&[&plain, since, &["--thing-name", "gw"]].concat()).stderr(&none);
        reasons(run, "there is nothing to count traffic from");
    }
    // Where the counters go on, waiting helps.
    let tells = "warning: no network_stats: no report of thing gw was sent yet (no state in none)\n\
                 warning: some behaviors about traffic are not judged; --since 10m measures traffic for long enough";
    dir.detect(&["--thing-name", "gw", "--state-dir", "none"]).stderr(tells).text();
    // A profile that says nothing about traffic does not look for it.
    let dir = machine(&json!([behavior("aws:num-listening-tcp-ports", "less-than", &json!({"count": 5}))]), None);
    dir.detect(&[&JSON[..], &["--thing-name", "gw"]].concat()).json();
}

#[test]
fn a_duration_covers_itself_and_boot_nobody_knows_what() {
    let profile = json!([any_traffic(None), any_traffic(Some(1)), any_traffic(Some(2))]);
    let dir = machine(&profile, Some("86400.00 1.00"));
    let said = |args: &[&str]| {
        let verdicts = dir.detect(args).may_warn().json();
        verdicts["behaviors"].as_array().unwrap().clone()
    };
    let verdicts = said(&["--since", "1s", "--format", "json"]);
    for (said, (verdict, reason)) in verdicts.iter().zip([
        ("conforms", Value::Null),
        ("conforms", Value::Null),
        ("not-judged", json!("the figure covers 1s, less than 2s")),
    ]) {
        assert_eq!((&said["verdict"], &said["reason"], &said["covers_seconds"]), (&json!(verdict), &reason, &json!(1)));
    }
    let verdicts = said(&[&JSON[..], &["--since", "boot"]].concat());
    let reason = json!("the time that the counters cover is unknown; --since 300s counts for 5m");
    for (said, (verdict, reason)) in
        verdicts.iter().zip([("conforms", Value::Null), ("not-judged", reason.clone()), ("not-judged", reason)])
    {
        assert_eq!(
            (&said["verdict"], &said["reason"], &said["covers_seconds"]),
            (&json!(verdict), &reason, &Value::Null)
        );
        assert_eq!(said["observed"], json!({"count": 668}));
    }
    dir.write("profile.json", json!([any_traffic(None)]).to_string());
    let tells = "--since: proc is not a proc file system, and the counters of a copy do not change\n\
                 hint: see device-defender detect --help";
    dir.detect(&["--proc", "proc", "--since", "2s"]).code(2).stderr(tells).text();
}

#[test]
fn flags_are_checked_before_a_profile_is_read() {
    let tells = "since `x` (--since): expected boot, report, seconds (10) or a duration (5m)\n\
                 thing name `b/c` (--thing-name): a thing name has 1 to 128 bytes, and no control characters, `/`, `+` or `#`";
    let args = ["detect", "--profile", "missing.json", "--since", "x", "--thing-name", "b/c"];
    Run::new(Device::with_credentials().root(), &args).code(2).stderr(tells).prints_nothing();
}

#[test]
fn what_was_in_skipped_rows_is_not_known() {
    let count = |metric: &str, operator: &str, count: u64| behavior(metric, operator, &json!({ "count": count }));
    let profile = json!([
        behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [22]})),
        behavior("aws:listening-tcp-ports", "not-in-port-set", &json!({"ports": [22]})),
        behavior("aws:destination-ip-addresses", "in-cidr-set", &json!({"cidrs": ["0.0.0.0/0"]})),
        count("aws:num-listening-tcp-ports", "less-than", 9),
        count("aws:num-listening-tcp-ports", "less-than", 1),
        count("aws:num-listening-tcp-ports", "greater-than", 0),
        count("aws:num-established-tcp-connections", "less-than", 9),
        count("aws:all-bytes-out", "less-than", 1_000_000),
        count("aws:all-bytes-out", "less-than", 600),
        count("aws:all-bytes-out", "greater-than", 600),
        count("aws:all-bytes-out", "greater-than", 1_000_000),
        behavior("aws:listening-udp-ports", "in-port-set", &json!({"ports": [68]})),
    ]);
    let dir = machine(&profile, None);
    let whole = |dir: &Dir| dir.detect(&[&JSON[..], &["--since", "boot"]].concat()).code(1).may_warn().json();
    let verdicts = |said: &Value| {
        let all = said["behaviors"].as_array().unwrap();
        all.iter().map(|said| said["verdict"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [c, v, n] = ["conforms", "violated", "not-judged"];
    assert_eq!(verdicts(&whole(&dir)), [c, v, c, c, v, c, c, c, v, c, v, c]);
    for (table, row) in [("tcp", "   9: 00000000:1F9Z 00000000:0000 0A\n"), ("dev", "  eth1: 1 2 x\n")] {
        let path = dir.path("proc/net").join(table);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + row).unwrap();
    }
    let said = whole(&dir);
    assert_eq!(verdicts(&said), [n, v, n, n, v, c, n, n, n, n, n, c]);
    assert_eq!(said["behaviors"][0]["reason"], "rows of proc/net/tcp were not understood");
    assert_eq!(said["behaviors"][7]["reason"], "rows of proc/net/dev were not understood");
}

/// Nothing that could not be judged because the device could not be read looks like success.
#[test]
fn a_behavior_whose_table_cannot_be_read_is_66() {
    let count = |metric: &str| behavior(metric, "less-than", &json!({"count": 1_000_000}));
    let [tcp, udp, traffic, size] =
        ["num-listening-tcp-ports", "num-listening-udp-ports", "all-bytes-out", "message-byte-size"]
            .map(|metric| count(&format!("aws:{metric}")));
    let cloud = json!({"name": "cloud", "metric": "aws:all-bytes-in", "criteria": {"mlDetectionConfig": {"confidenceLevel": "HIGH"}}});
    let since_boot = [&JSON[..], &["--since", "boot"]].concat();
    for (behaviors, gone, code, reason) in [
        (json!([tcp]), "tcp", 66, "proc/net/tcp: No such file or directory (os error 2)"),
        (json!([udp, tcp]), "tcp", 66, "proc/net/tcp: No such file or directory (os error 2)"),
        (json!([traffic]), "dev", 66, "proc/net/dev: No such file or directory (os error 2)"),
        (json!([size]), "udp", 66, "proc/net/udp: No such file or directory (os error 2)"),
        (json!([udp]), "tcp", 0, ""),
        (json!([udp, cloud]), "tcp", 0, "only the service has the machine learning model of this metric"),
        (json!([cloud, {"name": "none", "metric": "aws:listening-tcp-ports"}]), "tcp", 65, ""),
        (json!([tcp, {"name": "none", "metric": "aws:listening-tcp-ports"}]), "tcp", 66, ""),
        (json!([tcp, behavior("aws:num-listening-udp-ports", "less-than", &json!({"count": 1}))]), "tcp", 1, ""),
    ] {
        let dir = machine(&behaviors, None);
        fs::remove_file(dir.path("proc/net").join(gone)).unwrap();
        let said = dir.detect(&since_boot).code(code).may_warn().json();
        if !reason.is_empty() {
            let last = said["behaviors"].as_array().unwrap().last().unwrap();
            assert_eq!((&last["verdict"], &last["reason"]), (&json!("not-judged"), &json!(reason)));
        }
    }
}

#[test]
fn a_skipped_row_of_counters_leaves_the_traffic_unknown() {
    let dir = machine(&json!([any_traffic(None)]), None);
    let dev = fs::read_to_string(dir.path("proc/net/dev")).unwrap();
    dir.write("proc/net/dev", dev.replace("712", "x712"));
    let warnings = "warning: proc/net/dev:3: row skipped: column receive bytes holds `x712`\n\
                    warning: no network_stats: 1 row of proc/net/dev could not be read";
    let since_boot = ["--proc", "proc", "--since", "boot", "--format", "json"];
    let said = dir.detect(&since_boot).code(66).stderr(warnings).json();
    assert_eq!(said["behaviors"][0]["reason"], "rows of proc/net/dev were not understood");
    let report = Run::new(dir.root(), &["collect", "--proc", "proc"]).stderr(warnings).json();
    assert_eq!(support::traffic(&report), None);
}

#[test]
fn the_size_is_that_of_the_report_as_it_would_be_sent() {
    let profile = json!([behavior("aws:message-byte-size", "less-than", &json!({"count": 1}))]);
    let dir = machine(&profile, None);
    let size =
        |dir: &Dir| dir.detect(&JSON).code(1).may_warn().json()["behaviors"][0]["observed"]["count"].as_u64().unwrap();
    let sent = Run::new(
        dir.root(),
        &["collect", "--proc", "proc", "--since", "report", "--thing-name", "x", "--state-dir", "state", "-q"],
    );
    assert_eq!(size(&dir), u64::try_from(sent.output().len() - 1).unwrap(), "without the line end");

    // 5000 connections take more than the service does; every address is judged all the same.
    let row = |n: u32| {
        format!("{n}: 0100000A:1F90 {:08X}:01BB 01 00000000:00000000 00:00000000 00000000 0 0 {n} 1\n", 0x0a + (n << 8))
    };
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    dir.write("proc/net/tcp", format!("{head}{}", (1..=5000).map(row).collect::<String>()));
    let size = size(&dir);
    assert!((127_000..=128_000).contains(&size), "{size}");
    dir.write(
        "profile.json",
        json!([
            behavior("aws:num-established-tcp-connections", "less-than-equals", &json!({"count": 5000})),
            behavior("aws:destination-ip-addresses", "in-cidr-set", &json!({"cidrs": ["11.0.0.0/8"]})),
        ])
        .to_string(),
    );
    let verdicts = dir.detect(&JSON).code(1).may_warn().json();
    assert_eq!(verdicts["behaviors"][0]["verdict"], "conforms");
    assert_eq!(verdicts["behaviors"][1]["offending"]["cidrs"].as_array().unwrap().len(), 5000);
}

#[test]
fn strict_counts_after_a_violation() {
    let dir = machine(&json!([behavior("aws:num-listening-tcp-ports", "less-than", &json!({"count": 5}))]), None);
    dir.write("proc/net/udp", "nonsense");
    dir.detect(&JSON).may_warn().text();
    dir.detect(&[&JSON[..], &["--strict"]].concat()).code(66).may_warn().text();
    dir.write(
        "profile.json",
        json!([behavior("aws:num-listening-tcp-ports", "less-than", &json!({"count": 1}))]).to_string(),
    );
    dir.detect(&[&JSON[..], &["--strict"]].concat()).code(1).may_warn().text();
}

#[test]
fn processes_shows_who_violates() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let profile = json!([behavior("aws:listening-tcp-ports", "not-in-port-set", &json!({ "ports": [port] }))]);
    let output = Dir::with_profile(&profile).detect(&["-q", "--processes"]).code(1).text();
    let own = format!("violated by {port} ");
    let line = output.lines().find(|line| line.contains(&own)).unwrap_or_else(|| panic!("{output}"));
    assert!(line.contains(&format!("({})", std::process::id())), "{line}");
    // The address of a connection that nobody has accepted yet, and of nothing else.
    let waiting = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    client.bind(&SocketAddr::from(([127, 77, 77, 77], 0)).into()).unwrap();
    client.connect(&waiting.local_addr().unwrap().into()).unwrap();
    let peers =
        json!([behavior("aws:destination-ip-addresses", "not-in-cidr-set", &json!({ "cidrs": ["127.77.77.77"] }))]);
    let output = Dir::with_profile(&peers).detect(&["-q", "--processes"]).code(1).text();
    assert!(output.contains("violated by 127.77.77.77 (not accepted by a process yet)"), "{output}");
    drop(client);
    let dir = Dir::with_profile(&profile);
    let hint = "hint: see device-defender detect --help";
    let tells = format!("--processes requires --format table\n{hint}");
    dir.detect(&["--processes", "--format", "json"]).code(2).stderr(&tells).text();
    let idle = fixtures().join("idle/proc");
    let tells =
        format!("--processes: {} is not a proc file system, and a copy has no processes\n{hint}", idle.display());
    dir.detect(&["--processes", "--proc", idle.to_str().unwrap()]).code(2).stderr(&tells).text();
}

#[test]
fn custom_metrics_are_judged() {
    let profile = json!([
        behavior("temp", "less-than", &json!({"number": 50})),
        behavior("peers", "in-cidr-set", &json!({"cidrs": ["192.0.2.0/24"]})),
    ]);
    let dir = machine(&profile, None);
    dir.write("custom.json", r#"{"temp": 50.5, "peers": {"ip_list": ["192.0.2.1", "::ffff:192.0.2.2"]}}"#);
    let verdicts = dir.detect(&[&JSON[..], &["--custom-metrics", "custom.json"]].concat()).code(1).may_warn().json();
    assert_eq!(verdicts["behaviors"][0]["observed"], json!({"number": 50.5}));
    assert_eq!(verdicts["behaviors"][1]["verdict"], "conforms");
}
