//! What `watch` is told: intervals, connector definitions, and settings that can never work, which end it at once.

use serde_json::json;

use crate::support::{Broker, CommandLine, Device, Outcome, Service, accepting};

/// Runs what must end at once, with this code, nothing on standard output, and each of these on standard error.
#[track_caller]
fn refused(line: &CommandLine, code: i32, texts: &[&str]) {
    line.ends(code, texts).says_nothing_of(&["first report in"]);
}

/// Settings that are good, of a broker that is not there.
fn good(device: &Device) -> CommandLine {
    device.watch_port(1).without("--interval").without("--allow-short-interval")
}

/// A connector definition as it is given to `create-connector-definition`.
fn definition(device: &Device, interval: &str, path: &str) {
    let connector = json!({
        "Id": "dd",
        "ConnectorArn": "arn:aws:greengrass:eu-west-1::/connectors/DeviceDefender/versions/3",
        "Parameters": {"SampleIntervalSeconds": interval, "ProcDestinationPath": path,
                       "ProcDestinationPath-ResourceId": "my-proc-resource"},
    });
    device.write("connector.json", json!({"Connectors": [connector]}).to_string());
}

#[test]
fn intervals_below_300_s_must_be_allowed() {
    let device = Device::with_credentials();
    for interval in ["299", "1", "4m59s", "299999ms"] {
        refused(&good(&device).set("--interval", interval), 2, &["--interval", interval, "5 minutes"]);
    }
    for interval in ["0", "0s", "", "-1", "3e2", "300.0", "five", "1y 1", "99999999999999999999999"] {
        let mut run = good(&device).flag("--allow-short-interval").run();
        run.command.arg(format!("--interval={interval}"));
        Outcome::of(run).is(2, &["interval"]);
    }
}

/// All the ways to say it: when the next report is due is told.
#[test]
fn intervals_are_seconds_or_durations() {
    let device = Device::with_credentials();
    let flags = device.watch_port(1).without("--interval").set("--splay", "1s");
    let given =
        [("300", "5m"), ("00300", "5m"), ("5m", "5m"), ("1h 30m", "1h 30m"), ("172800", "2days"), ("2days", "2days")];
    let given = given.map(|(interval, told)| (flags.clone().set("--interval", interval), told));
    // A flag beats the environment, where an empty value is none.
    let from_env = |value| flags.clone().env("DEVICE_DEFENDER_INTERVAL", value);
    let others = [(from_env("600"), "10m"), (from_env(""), "5m"), (from_env("600").set("--interval", "7m"), "7m")];
    for (flags, told) in given.into_iter().chain(others) {
        let mut watch = flags.start();
        let line = watch.logs("first report in ");
        assert!(line.ends_with(&format!("first report in 1s, then every {told}")), "{told} expected: {line}");
        watch.stop();
    }
    let flags = device.watch_port(1).without("--interval");
    let ended = flags.env("DEVICE_DEFENDER_INTERVAL", "often").start().ends();
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    assert!(ended.log.iter().any(|line| line.contains("DEVICE_DEFENDER_INTERVAL")), "{ended:?}");
}

#[test]
fn the_splay_is_announced_and_below_an_interval() {
    let device = Device::with_credentials();
    let mut lines = Vec::new();
    for thing in ["a", "b"] {
        let mut flags = device.watch_port(1).set("--thing-name", thing).set("--interval", "1day");
        flags = flags.without("--splay");
        let mut watch = flags.start();
        lines.push(watch.logs("first report in "));
        watch.stop();
    }
    assert_ne!(lines[0], lines[1]);
    assert!(lines.iter().all(|line| !line.contains("day,")), "{lines:#?}");
    refused(&good(&device).set("--splay", "soon"), 2, &["--splay", "soon"]);
}

#[test]
fn a_connector_definition_gives_interval_and_path() {
    let (broker, service, device) = accepting();
    definition(&device, "600", "/host_proc");
    let flags = device.watch_broker(&broker).without("--interval").without("--proc").set("--params", "connector.json");

    // The path is not there: that is told, and /proc is read.
    let mut watch = flags.clone().set("--splay", "2s").start();
    let line = watch.logs("ProcDestinationPath");
    assert!(line.contains("/host_proc") && line.ends_with("reading /proc"), "{line}");
    assert!(watch.logs("first report in ").ends_with("then every 10m"));
    watch.until("accepted");
    watch.stop();
    assert_eq!(device.state().unwrap()["baseline"]["proc"], "/proc");

    // It is there.
    definition(&device, "600", "/proc");
    flags.clone().set("--state-dir", "other").set("--count", 1).start().ends().logged(&["accepted"]);

    // A flag and the environment beat it.
    for flags in [
        flags.clone().set("--proc", "proc").set("--interval", "7m"),
        flags.clone().env("DEVICE_DEFENDER_PROC", "proc").env("DEVICE_DEFENDER_INTERVAL", "7m"),
    ] {
        definition(&device, "600", "/host_proc");
        let flags = flags.set("--state-dir", "third").set("--splay", "1s");
        let mut watch = flags.start();
        assert!(watch.logs("first report in ").ends_with("then every 7m"));
        watch.until("accepted");
        let ended = watch.stop();
        assert!(!ended.log.iter().any(|line| line.contains("ProcDestinationPath")), "{:#?}", ended.log);
        let report = service.reports().pop().unwrap().json();
        assert_eq!(report["metrics"]["listening_tcp_ports"]["total"], 1, "that of the saved tree");
        std::fs::remove_dir_all(device.path("third")).unwrap();
    }
}

#[test]
fn a_connector_definition_that_is_wrong_is_refused_before_anything_starts() {
    let device = Device::with_credentials();
    let with = good(&device).set("--params", "connector.json");
    refused(&with, 66, &["connector.json"]);
    device.write("connector.json", "{");
    refused(&with, 65, &["connector.json"]);
    device.write("connector.json", r#"{"some": "thing"}"#);
    refused(&with, 65, &["connector.json"]);
    for (interval, path, told) in [
        ("299", "/host_proc", "SampleIntervalSeconds"),
        ("300\n", "/host_proc", "SampleIntervalSeconds"),
        ("300", "/a/b", "ProcDestinationPath"),
        ("300", "", "ProcDestinationPath"),
    ] {
        definition(&device, interval, path);
        refused(&with, 78, &["connector.json", told]);
        refused(&with.clone().set("--interval", "300"), 78, &[told]);
    }
    // It passes the pattern, and is too much.
    for interval in ["18446744073709551616", "299"] {
        definition(&device, interval, "/host_proc");
        refused(&with, 78, &[]);
    }
    // All that is wrong at once, and the worst of it counts.
    definition(&device, "299", "/a/b");
    let told = ["SampleIntervalSeconds", "ProcDestinationPath", "no endpoint", "no thing name"];
    refused(&device.watch().set("--params", "connector.json"), 78, &told);
    refused(&device.watch().set("--params", "missing.json"), 78, &["missing.json", "no endpoint"]);
    refused(&with.set("--interval", "1"), 2, &["SampleIntervalSeconds", "--interval"]);
}

#[test]
fn settings_that_are_missing_or_wrong_end_it_at_once() {
    let device = Device::with_credentials();
    refused(&device.watch(), 78, &["no endpoint", "no thing name"]);
    refused(&device.watch().set("--endpoint", "localhost"), 78, &["no thing name"]);
    for (flag, value, code) in [
        ("--port", "0", 2),
        ("--port", "70000", 2),
        ("--thing-name", "a/b", 2),
        ("--endpoint", "not a name", 2),
        ("--timeout", "0s", 2),
        ("--timeout", "soon", 2),
        ("--greengrass-root", "nowhere", 78),
    ] {
        refused(&good(&device).set(flag, value), code, &[value]);
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let device = Device::with_credentials();
    let print = device.watch().flag("--print");
    refused(&print.clone().set("--custom-metrics", "-"), 2, &["standard input"]);
    refused(&good(&device).set("--custom-metrics", "-"), 2, &["standard input"]);
    refused(&print.clone().set("--params", "-"), 2, &["standard input"]);
    refused(&print.clone().set("--format", "cbor"), 2, &["JSON"]);
    refused(&print.clone().set("--count", "0"), 2, &["--count"]);
    refused(&print.clone().set("--count", "-1"), 2, &[]);
    for flag in ["--once", "--dry-run", "extra"] {
        refused(&print.clone().flag(flag), 2, &[flag]);
    }
}

/// Wrong at the start is fatal; but the name of a host that nobody knows, or a file that is not there yet, may heal.
#[test]
fn what_may_heal_is_not_fatal() {
    let device = Device::with_credentials();
    for (flags, told) in [
        (device.watch_port(1), "refused"),
        (device.watch_port(1).set("--ca-file", "none"), "none (--ca-file): "),
        (device.watch_port(1).set("--key-file", "none"), "none (--key-file): "),
        (device.watch_port(1).set("--custom-metrics", "none"), "none: "),
        (device.watch_port(1).set("--proc", "none"), "none"),
    ] {
        let mut watch = flags.start();
        watch.until(told);
        watch.stays(2, told);
        watch.stop().logged(&[told]);
    }
}

#[test]
fn the_code_is_that_of_the_last_cycle() {
    let (broker, device) = (Broker::start(), Device::with_credentials());
    let mut arrived = 0;
    let _service = Service::start(broker.plain, move |report| {
        arrived += 1;
        match arrived {
            1 | 4 => vec![report.accepted()],
            2 => vec![report.rejected("InvalidPayload", "no")],
            _ => vec![report.rejected("Throttled", "no")],
        }
    });
    let flags = device.watch_broker(&broker);
    for (count, code) in [(1, 0), (1, 76), (1, 75), (1, 0), (2, 75)] {
        let ended = flags.clone().set("--count", count).start().ends();
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    }
    let ended = flags.set("--port", 1).set("--count", 3).start().ends();
    assert_eq!(ended.status.code(), Some(69), "{ended:?}");
}

#[test]
fn durations_are_seconds_or_durations_everywhere_and_refused_in_one_style() {
    let device = Device::with_credentials();
    let expected = "expected seconds (300) or a duration (5m)";
    let wrong = device.watch().set("--interval", "soon").set("--splay", "soon").set("--timeout", "soon");
    let lines = ["interval", "splay", "timeout"].map(|name| format!("{name} `soon` (--{name}): {expected}"));
    wrong.ends(2, &lines.each_ref().map(String::as_str));
    let since = "since `soon` (--since): expected boot, report, seconds (10) or a duration (5m)";
    device.watch().command("collect").set("--since", "soon").ends(2, &[since]);

    let bare = device.watch().flag("--print").set("--interval", 300).set("--splay", 0).set("--timeout", 5);
    assert_eq!(bare.set("--count", 1).outcome().code, Some(0));
    let tables = device.root().join("proc");
    let collect = CommandLine::new(device.root(), "collect").set("--proc", tables.display()).set("--since", 1);
    assert_eq!(collect.outcome().code, Some(0));
}
