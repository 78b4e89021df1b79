//! `detect -q`, as cron runs it: nothing when all is well, otherwise what needs attention, and no failure without a reason.

use serde_json::{Value, json};

use crate::detect::{behavior, message, only_22};
use crate::support::{Device, Dir};

fn ports(id: u64, ports: &[u16]) -> String {
    let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
    json!({"header": {"report_id": id, "version": "1.0"}, "metrics": {"listening_tcp_ports": {"ports": ports}}})
        .to_string()
}

/// A behavior with each verdict on a report of port 22, named by it. `cloud` is one that only the service can judge.
fn every_verdict() -> Vec<Value> {
    let named = |name: &str, mut behavior: Value| {
        behavior["name"] = json!(name);
        behavior
    };
    let ports = |ports: &[u16]| behavior("aws:listening-tcp-ports", "in-port-set", &json!({ "ports": ports }));
    vec![
        named("conforms", ports(&[22])),
        named("violated", ports(&[23])),
        named("invalid", behavior("aws:listening-tcp-ports", "less-than", &json!({"count": 5}))),
        named("not-judged", behavior("aws:all-bytes-out", "less-than", &json!({"count": 5}))),
        named("cloud", behavior("aws:num-disconnects", "less-than", &json!({"count": 5}))),
    ]
}

#[test]
fn only_what_needs_attention_is_printed() {
    let [conforms, violated, invalid, not_judged, cloud] = &every_verdict()[..] else { panic!() };
    for (behaviors, code, shown) in [
        (vec![conforms], 0, vec![]),
        (vec![cloud], 0, vec![]),
        (vec![conforms, cloud], 0, vec![]),
        (vec![not_judged, conforms, cloud], 0, vec!["not-judged"]),
        (vec![invalid, conforms], 65, vec!["invalid"]),
        (vec![conforms, violated, invalid, not_judged, cloud], 1, vec!["violated", "invalid", "not-judged"]),
    ] {
        let dir = Dir::with_profile(&json!(behaviors));
        let one = dir.judge(ports(300, &[22]), &["-q"]).code(code).text();
        let said = if one.is_empty() { Value::Null } else { serde_json::from_str(&one).unwrap() };
        let names = said["behaviors"].as_array().into_iter().flatten().map(|said| said["behavior"].as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), shown);

        let stream = format!("{}\n{}\n", ports(300, &[22]), ports(600, &[22]));
        for reports in [ports(300, &[22]), stream.clone()] {
            dir.write("reports", reports);
            let table = dir.detect(&["-q", "--report", "reports"]).code(code).text();
            let rows = table.lines().skip_while(|line| !line.starts_with("Behavior")).skip(1);
            let rows: Vec<&str> = rows.take_while(|line| !line.is_empty()).collect();
            assert_eq!(table.is_empty(), shown.is_empty(), "{table}");
            assert!(rows.iter().map(|row| row.split(' ').next().unwrap()).eq(shown.iter().copied()), "{table}");
        }
        let events = dir.judge(stream, &["-q"]).code(code).lines();
        let never_judged = events.iter().filter_map(|event| event["neverJudged"].as_array()).flatten();
        let never_judged: Vec<&str> = never_judged.map(|said| said["behavior"].as_str().unwrap()).collect();
        assert_eq!(never_judged, if shown.contains(&"invalid") { vec!["invalid"] } else { vec![] });
        let alarms = events.iter().filter(|event| event["violationEventType"] == "in-alarm").count();
        assert_eq!(alarms, usize::from(code == 1), "{events:?}");
    }
}

#[test]
fn the_table_names_the_report_and_counts_what_it_leaves_out() {
    let dir = Dir::with_profile(&json!(every_verdict()));
    dir.write("report.json", ports(300, &[22]));
    let expected = "\
Report 300 (1970-01-01T00:05:00Z)

Behavior    Metric                   Observed  Normal             Verdict
violated    aws:listening-tcp-ports  22        only 23            violated
invalid     aws:listening-tcp-ports                               invalid
not-judged  aws:all-bytes-out        unknown   less than 5 bytes  not-judged

violated    violated by 22
invalid     invalid: .[2].criteria.comparisonOperator: must be one of in-port-set, not-in-port-set for this metric; \
found \"less-than\"
not-judged  not judged: the report does not have this metric
1 violated, 1 conforming, 2 not judged, 1 invalid
";
    assert_eq!(dir.detect(&["-q", "--report", "report.json"]).code(1).text(), expected);
}

#[test]
fn alarms_of_a_stream_are_printed_and_things_that_conform_are_not() {
    let dir = Dir::with_profile(&only_22(1, 2));
    let on = |thing: &str, id: u64, port: u16| message(thing, &ports(id, &[port]));
    let quiet: String = (0..20).map(|n| on(&format!("t{n}"), 300, 22)).collect();
    dir.write("reports", &quiet);
    dir.detect(&["-q", "--report", "reports"]).prints_nothing();
    dir.judge(quiet.clone(), &["-q"]).prints_nothing();

    // A thing that conforms again is listed as long as it is in alarm.
    dir.write("reports", quiet.clone() + &on("gw", 300, 23) + &on("gw", 600, 22));
    let expected = "\
300 (1970-01-01T00:05:00Z) in-alarm gw b: aws:listening-tcp-ports: 23 (normal: only 22)

After 22 reports

Thing  Behavior  Metric                   Observed  Normal   Verdict   Alarm
gw     b         aws:listening-tcp-ports  22        only 22  conforms  in-alarm

0 violated, 21 conforming, 1 in alarm
";
    assert_eq!(dir.detect(&["-q", "--report", "reports"]).code(1).text(), expected);
    let reports = quiet + &on("gw", 300, 23) + &on("gw", 600, 22) + &on("gw", 900, 22);
    let events = dir.judge(reports, &["-q"]).lines();
    let types: Vec<&str> = events.iter().map(|event| event["violationEventType"].as_str().unwrap()).collect();
    assert_eq!(types, ["in-alarm", "alarm-cleared"]);
}

/// cron mails output, never an exit code.
#[test]
fn no_failure_comes_without_a_reason() {
    let dir = Dir::with_profile(&only_22(1, 1));
    let stream = format!("{}\nx\n{}\n", ports(300, &[22]), ports(600, &[22]));
    let skipped = "report: standard input: 1 input was not a report and was skipped";
    dir.judge(stream, &["-q"]).code(65).stderr(skipped).prints_nothing();
    let stream = format!("{}\nx\ny\n", ports(300, &[22]));
    let skipped = "report: standard input: 2 inputs were not reports and were skipped";
    dir.judge(stream, &["-q"]).code(65).stderr(skipped).prints_nothing();
    let fleet = message("a", &ports(300, &[22])) + &message("b", &ports(300, &[22]));
    let forgotten = "report: standard input: line 2: more than 1 things (--max-things); the least recently seen are \
                     forgotten, with their alarms and counts";
    dir.judge(fleet, &["-q", "--max-things", "1"]).code(65).stderr(forgotten).prints_nothing();

    let device = Device::with(&[]);
    let udp = behavior("aws:num-listening-udp-ports", "less-than", &json!({"count": 100}));
    device.write("profile.json", json!([udp]).to_string());
    let args = ["-q", "--proc", "proc"];
    device.detect(&args).prints_nothing();
    std::fs::remove_file(device.path("proc/net/tcp")).unwrap();
    device.detect(&args).prints_nothing();
    let unread = "proc/net/tcp: No such file or directory (os error 2); what it holds is left out";
    device.detect(&[&args[..], &["--strict"]].concat()).code(66).stderr(unread).prints_nothing();
}
