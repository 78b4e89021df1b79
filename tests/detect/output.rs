//! How it is printed: formats, exit codes, streams as they happen, foreign text.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tabled::grid::util::string::get_string_width;

use crate::detect::{behavior, only_22};
use crate::support::{Dir, Run, fixtures, program};

fn ports(id: u64, ports: &[u16]) -> String {
    let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
    json!({"header": {"report_id": id, "version": "1.0"}, "metrics": {"listening_tcp_ports": {"ports": ports}}})
        .to_string()
}

#[test]
fn violated_beats_invalid_and_invalid_beats_all_else() {
    let conforms = behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [22]}));
    let violated = behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [23]}));
    let invalid = behavior("aws:listening-tcp-ports", "less-than", &json!({"count": 5}));
    let not_judged = behavior("aws:num-disconnects", "less-than", &json!({"count": 5}));
    for (behaviors, code) in [
        (json!([conforms]), 0),
        (json!([not_judged]), 0),
        (json!([conforms, not_judged]), 0),
        (json!([invalid, conforms, not_judged]), 65),
        (json!([violated]), 1),
        (json!([invalid, violated, not_judged, conforms]), 1),
    ] {
        let dir = Dir::with_profile(&behaviors);
        let verdicts = dir.judge(ports(300, &[22]), &[]).code(code).json();
        assert_eq!(verdicts["violated"], code == 1);
        let stream = format!("{}\n{}\n", ports(300, &[22]), ports(600, &[22]));
        let has_never_judged = behaviors.to_string().matches("less-than").count() > 0;
        let lines = usize::from(code == 1) + usize::from(has_never_judged);
        assert_eq!(dir.judge(stream, &[]).code(code).may_warn().lines().len(), lines, "{behaviors}");
        dir.write("report.json", ports(300, &[22]));
        let table = dir.detect(&["--report", "report.json"]).code(code).text();
        assert!(table.starts_with("Report 300 (1970-01-01T00:05:00Z)\n\nBehavior  Metric"), "{table}");
    }
}

#[test]
fn a_table_says_what_was_observed_what_is_normal_and_why() {
    let mut bytes = behavior("aws:all-bytes-out", "less-than-equals", &json!({"count": 4096}));
    bytes["name"] = json!("bytes");
    bytes["criteria"]["durationSeconds"] = json!(300);
    bytes["criteria"]["consecutiveDatapointsToAlarm"] = json!(3);
    let mut ports = behavior("aws:listening-tcp-ports", "not-in-port-set", &json!({"ports": [23, 80]}));
    ports["name"] = json!("ports");
    let wrong = json!({"metric": "aws:all-bytes-in", "criteria": null});
    let mut one = behavior("aws:num-listening-tcp-ports", "less-than-equals", &json!({"count": 1}));
    one["name"] = json!("one");
    let dir = Dir::with_profile(&json!([bytes, ports, wrong, one]));
    let report = json!({"header": {"report_id": 1_700_000_300, "version": "1.0"}, "metrics": {
        "network_stats": {"bytes_out": 4097},
        "listening_tcp_ports": {"ports": [{"port": 80}, {"port": 22}], "total": 1}}});
    dir.write("report.json", report.to_string());
    let expected = "\
Report 1700000300 (2023-11-14T22:18:20Z)

Behavior  Metric                       Observed    Normal                    Verdict
bytes     aws:all-bytes-out            4097 bytes  at most 4096 bytes in 5m  violated
ports     aws:listening-tcp-ports      22, 80      none of 23, 80            violated
.[2]      aws:all-bytes-in                                                   invalid
one       aws:num-listening-tcp-ports  1 port      at most 1 port            conforms

bytes  an alarm needs 3 violating reports in a row
bytes  a single report does not say what time its traffic covers; assumed to be durationSeconds
ports  violated by 80
.[2]   invalid: .[2].name: missing
.[2]   invalid: .[2].criteria: missing
2 violated, 1 conforming, 1 invalid
";
    assert_eq!(dir.detect(&["--report", "report.json"]).code(1).text(), expected);
}

#[test]
fn a_stream_is_reported_as_it_happens_and_in_the_end_as_a_table() {
    let dir = Dir::with_profile(&only_22(1, 1));
    dir.write("reports.json", format!("{}\n{}\n", ports(300, &[22, 80]), ports(600, &[])));
    let expected = "\
300 (1970-01-01T00:05:00Z) in-alarm b: aws:listening-tcp-ports: 80 (normal: only 22)
600 (1970-01-01T00:10:00Z) alarm-cleared b: aws:listening-tcp-ports: none (normal: only 22)

After 2 reports

Behavior  Metric                   Observed  Normal   Verdict   Alarm
b         aws:listening-tcp-ports  none      only 22  conforms  no

0 violated, 1 conforming, 0 in alarm
";
    assert_eq!(dir.detect(&["--report", "reports.json"]).text(), expected);
}

#[test]
fn a_stream_without_an_event_says_why_there_is_no_alarm() {
    let mut profile = only_22(1, 1);
    profile[0]["criteria"]["consecutiveDatapointsToAlarm"] = json!(3);
    let dir = Dir::with_profile(&profile);
    dir.write("reports.json", format!("{}\n{}\n", ports(300, &[80]), ports(600, &[80])));
    let expected = "\
After 2 reports

Behavior  Metric                   Observed  Normal   Verdict   Alarm
b         aws:listening-tcp-ports  80        only 22  violated  no

b  violated by 80
b  an alarm needs 3 violating reports in a row; so far 2
1 violated, 0 conforming, 0 in alarm
";
    assert_eq!(dir.detect(&["--report", "reports.json"]).text(), expected);
}

/// A run whose standard input stays open.
fn open(
    dir: &Dir,
    format: &str,
) -> (std::process::Child, std::process::ChildStdin, BufReader<std::process::ChildStdout>) {
    let mut command = dir.detect(&["--report", "-", "--format", format]).command;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, stdin, BufReader::new(stdout))
}

#[test]
fn events_come_while_the_input_is_open() {
    let dir = Dir::with_profile(&only_22(1, 1));
    for format in ["table", "json"] {
        let (mut child, mut stdin, mut stdout) = open(&dir, format);
        let mut event = |text: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            assert!(line.contains(text), "{line}");
        };
        writeln!(stdin, "{}", ports(300, &[80])).unwrap();
        event("in-alarm"); // the first report, too, though no other comes
        writeln!(stdin, "{}", ports(600, &[22])).unwrap();
        event("alarm-cleared");
        writeln!(stdin, "{}", ports(900, &[80])).unwrap();
        event("in-alarm");
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let dir = Dir::with_profile(&only_22(1, 1));
    let (mut child, mut stdin, stdout) = open(&dir, "json");
    drop(stdout);
    for id in (1..).step_by(2).take(10_000) {
        // Each report begins or ends an alarm. The pipe breaks once the program has ended.
        let both = format!("{}\n{}\n", ports(id, &[80]), ports(id + 1, &[22]));
        if stdin.write_all(both.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn output_that_cannot_be_written_is_reported() {
    for reports in [ports(300, &[22]), format!("{}\n{}\n", ports(300, &[80]), ports(600, &[80]))] {
        let dir = Dir::with_profile(&only_22(1, 1));
        dir.write("reports.json", reports);
        dir.detect(&["--report", "reports.json"]).fails_on_a_full_disk();
    }
}

#[test]
fn an_input_without_a_report_is_reported() {
    let dir = Dir::with_profile(&only_22(1, 1));
    let hint = "hint: expected the output of `device-defender collect` or `device-defender watch --print`";
    let none = format!("standard input: contains no report\n{hint}");
    for input in ["", "\n \n"] {
        dir.judge(input, &[]).code(65).stderr(&none).text();
    }
    let begins = "warning: report: standard input: line 1: not a report: expected `{`, or the topic of a report from the first line \
         on; skipped";
    dir.judge("null\n", &[]).code(65).stderr(&format!("{begins}\n{none}")).text();
    let cut = "warning: report: standard input: line 1: the report is cut off; skipped";
    dir.judge("{\"metrics\":\n {", &[]).code(65).stderr(&format!("{cut}\n{none}")).text();
    let missing = "report: none.json: No such file or directory (os error 2)";
    dir.detect(&["--report", "none.json"]).code(66).stderr(missing).text();
    dir.detect(&["--report", "."]).code(66).stderr("report: .: Is a directory (os error 21)").text();
}

#[test]
fn flags_that_make_no_sense_together_are_refused() {
    let dir = Dir::with_profile(&only_22(1, 1));
    let once =
        "standard input can be read only once, so only one file can be `-`\nhint: see device-defender detect --help";
    dir.detect(&["-", "--report", "-"]).code(2).stderr(once).text();
    dir.detect(&["-", "-"]).code(2).stderr(once).text();
    dir.detect(&["-", "--custom-metrics", "-"]).code(2).stderr(once).text();
    for flags in
        [&["--since", "5m"][..], &["--processes"], &["--strict"], &["--custom-metrics", "x"], &["--netns", "1"]]
    {
        let output = dir.detect(&[flags, &["--report", "r"]].concat()).finish();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
    let hint = "hint: see device-defender detect --help";
    for flag in ["--proc", "--state-dir"] {
        let tells = format!("{flag} cannot be used with --report, which reads nothing from this device\n{hint}");
        dir.detect(&[flag, "x", "--report", "r"]).code(2).stderr(&tells).text();
    }
    dir.write("report.json", ports(300, &[22]));
    let mut run = dir.detect(&["--report", "report.json"]);
    run.command.env("DEVICE_DEFENDER_PROC", "x").env("DEVICE_DEFENDER_STATE_DIR", "x"); // set for another command
    run.text();
    assert_eq!(Run::new(dir.root(), &["detect"]).finish().status.code(), Some(2), "a profile is needed");
    for flag in ["--names", "--max-bytes", "--compat"] {
        assert_eq!(dir.detect(&[flag, "1"]).finish().status.code(), Some(2), "{flag} is none of detect's");
    }
}

#[test]
fn nothing_foreign_drives_the_terminal() {
    let evil = "\u{1b}[31m\u{7f}\u{9b}2J\u{202e}";
    let mut wrong = behavior(evil, evil, &json!({ evil: evil }));
    wrong["name"] = json!(evil);
    let set = behavior("m", "in-set", &json!({"strings": [evil]}));
    let profile = json!({"securityProfileName": evil, "behaviors": [wrong, set]});
    let dir = Dir::with_profile(&profile);
    dir.write("other.json", profile.to_string());
    let report = |id: u64| {
        let text = json!({"header": {"report_id": id, "version": "1.0"}, "metrics": {},
                          "custom_metrics": {"m": [{"string_list": [format!("{evil}{id}")]}], evil: evil}});
        format!("$aws/things/\u{202e}x/defender/metrics/json {text}\n")
    };
    for reports in [report(300), report(300) + &report(600), format!("{}{evil}\n", report(300))] {
        dir.write("reports", reports);
        let output = dir.detect(&["other.json", "--report", "reports"]).finish();
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
        }
        assert_eq!(output.status.code(), Some(1));
    }
}

/// What `detect` prints on a terminal with so many columns.
fn screen(dir: &Path, columns: usize, args: &str) -> String {
    let line = format!("stty rows 24 cols {columns}; exec {program} detect {args}", program = program());
    let mut script = Command::new("script");
    script.env_clear().env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh").env("TERM", "xterm").env("NO_COLOR", "1");
    let output = script.current_dir(dir).stdin(Stdio::null()).args(["-qec", &line, "/dev/null"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Whether every line of the tables fits.
fn fits(screen: &str, columns: usize) -> bool {
    let table = screen.split_once("Behavior").unwrap().1;
    table.lines().all(|line| get_string_width(line.trim_end()) <= columns)
}

#[test]
fn a_table_fits_the_columns_of_the_terminal() {
    let dir = fixtures();
    for columns in [80, 120] {
        for source in ["--report reports.ndjson", "--since boot --proc busy/proc"] {
            let screen = screen(&dir, columns, &format!("--profile profile.json {source}"));
            assert!(fits(&screen, columns), "{screen}");
        }
    }
}

#[test]
fn wide_characters_fit_the_columns_of_the_terminal() {
    let address = "2001:db8:1234:5678:9abc:def0:1234:5678";
    for wide in ["漢字".repeat(30), "😀".repeat(60), "漢 字".repeat(20)] {
        let mut peers = behavior("aws:destination-ip-addresses", "not-in-cidr-set", &json!({"cidrs": ["::/0"]}));
        peers["name"] = json!("p".repeat(128));
        let mut strings = behavior("words", "in-set", &json!({"strings": [wide]}));
        strings["name"] = json!(wide);
        let valid = behavior("words", "in-set", &json!({"strings": [wide]}));
        let profile = json!({"securityProfileName": wide, "behaviors": [peers, strings, valid]});
        let dir = Dir::with_profile(&profile);
        let report = json!({"metrics": {"tcp_connections": {"established_connections": {"connections": [
                                {"remote_addr": format!("[{address}]:443")}]}}},
                            "custom_metrics": {"words": [{"string_list": [wide, wide]}]}});
        dir.write("report.json", report.to_string());
        let topic = format!("$aws/things/{}/defender/metrics/json", wide.chars().take(30).collect::<String>());
        dir.write("reports", format!("{topic} {report}\n{topic} {report}\n"));
        for columns in [60, 80, 100] {
            for report in ["report.json", "reports"] {
                let args = format!("-q --profile profile.json profile.json --report {report}");
                let screen = screen(dir.root(), columns, &args);
                assert!(fits(&screen, columns), "{columns}\n{screen}");
                let below = screen.rsplit_once("Verdict").unwrap().1;
                assert!(below.contains(address), "{columns}\n{screen}");
            }
        }
    }
}

#[test]
fn no_number_address_or_network_is_broken_on_a_narrow_terminal() {
    let numbers = ["18446744073709551615", "18446744073709551614"];
    let count = json!({ "count": 18_446_744_073_709_551_614_u64 });
    let mut traffic = behavior("aws:all-bytes-out", "less-than-equals", &count);
    traffic["name"] = json!("a-rather-long-name-for-a-behavior");
    let networks = ["198.51.100.128/25", "2001:db8:1234:5678::/64"];
    let peers = behavior("aws:destination-ip-addresses", "in-cidr-set", &json!({ "cidrs": networks }));
    let dir = Dir::with_profile(&json!([traffic, peers]));
    let address = "2001:db8:1234:5678:9abc:def0:1234:5678";
    let report = json!({"header": {"report_id": 300, "version": "1.0"}, "metrics": {
        "network_stats": {"bytes_out": u64::MAX},
        "tcp_connections": {"established_connections": {"connections": [
            {"remote_addr": format!("[{address}]:443")}, {"remote_addr": "192.0.2.100:443"}]}}}});
    dir.write("report.json", report.to_string());
    let screen = screen(dir.root(), 80, "--profile profile.json --report report.json");
    for word in numbers.into_iter().chain(networks).chain([address, "192.0.2.100", "aws:destination-ip-addresses"]) {
        assert!(screen.split([' ', ',', '\r', '\n']).any(|token| token == word), "{word}\n{screen}");
    }
}

#[test]
fn long_foreign_text_is_cut() {
    let long = "n".repeat(100_000);
    let wrong = behavior(&long, &long, &json!({ &long: &long }));
    let mut named = behavior("m", "not-in-set", &json!({"strings": [long]}));
    named["name"] = json!(long);
    let profile = json!({"securityProfileName": long, "behaviors": [wrong, named]});
    let dir = Dir::with_profile(&profile);
    dir.write("other.json", profile.to_string());
    let report = json!({"custom_metrics": {"m": [{"string_list": [long]}], &long: &long}});
    dir.write("report.json", report.to_string());
    let output = dir.detect(&["other.json", "--report", "report.json"]).finish();
    let longest = |text: Vec<u8>| String::from_utf8(text).unwrap().lines().map(str::len).max().unwrap();
    assert!(longest(output.stdout) < 2000 && longest(output.stderr) < 2000);
    dir.write("profile.json", json!([behavior("m", "not-in-set", &json!({"strings": [long]}))]).to_string());
    let table = dir.detect(&["--report", "report.json", "-q"]).code(1).text();
    assert!(longest(table.into_bytes()) < 500);
}
