//! What `watch` is told: intervals, connector definitions, and settings that can never work, which end it at once.

use serde_json::json;

use crate::broker::mosquitto::Broker;
use crate::broker::service::Service;
use crate::common::Run;
use crate::device::Device;

/// A run that must end at once, with this code, nothing on standard output, and each of these on standard error.
#[track_caller]
fn refused(device: &Device, args: &[&str], code: i32, told: &[&str]) {
    let output = Run::new(device.dir(), &[&["watch"], args].concat()).finish();
    let all = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{all}");
    assert!(output.stdout.is_empty());
    for text in told {
        assert!(all.to_lowercase().contains(&text.to_lowercase()), "{args:?}: nothing of {text:?}\n{all}");
    }
    assert!(!all.contains("panicked") && !all.contains("first report in"), "{all}");
}

/// Settings that are good, of a broker that is not there.
const GOOD: [&str; 14] = [
    "--endpoint",
    "localhost",
    "--port",
    "1",
    "--thing-name",
    "gw",
    "--ca-file",
    "ca.pem",
    "--cert-file",
    "gw.pem",
    "--key-file",
    "gw.key",
    "--state-dir",
    "state",
];

/// A connector definition as it is given to `create-connector-definition`.
fn definition(device: &Device, interval: &str, path: &str) {
    let connector = json!({
        "Id": "dd",
        "ConnectorArn": "arn:aws:greengrass:eu-west-1::/connectors/DeviceDefender/versions/3",
        "Parameters": {"SampleIntervalSeconds": interval, "ProcDestinationPath": path,
                       "ProcDestinationPath-ResourceId": "my-proc-resource"},
    });
    device.put("connector.json", json!({"Connectors": [connector]}).to_string());
}

#[test]
fn intervals_below_300_s_must_be_allowed() {
    let device = Device::new();
    for interval in ["299", "1", "4m59s", "299999ms"] {
        refused(&device, &[&GOOD[..], &["--interval", interval]].concat(), 2, &["--interval", interval, "5 minutes"]);
    }
    for interval in ["0", "0s", "", "-1", "5", "3e2", "300.0", "five", "1y 1", "99999999999999999999999"] {
        let args = ["--allow-short-interval".to_owned(), format!("--interval={interval}")];
        let args: Vec<&str> = GOOD.into_iter().chain(args.iter().map(String::as_str)).collect();
        match interval {
            "5" => {} // that is allowed
            _ => refused(&device, &args, 2, &["interval"]),
        }
    }
}

/// All the ways to say it: when the next report is due is told.
#[test]
fn intervals_are_seconds_or_durations() {
    let device = Device::new();
    for (interval, told) in
        [("300", "5m"), ("00300", "5m"), ("5m", "5m"), ("1h 30m", "1h 30m"), ("172800", "2days"), ("2days", "2days")]
    {
        let mut watch = device.watch_port(1).set("--interval", interval).set("--splay", "1s").start();
        let line = watch.logs("first report in ");
        assert!(line.ends_with(&format!("first report in 1s, then every {told}")), "{interval}: {line}");
        watch.stop();
    }
    // From the environment, which a flag beats, and an empty value is none.
    let flags = device.watch_port(1).without("--interval").set("--splay", "1s");
    for (value, told) in [("600", "10m"), ("", "5m")] {
        let mut watch = flags.clone().env("DEVICE_DEFENDER_INTERVAL", value).start();
        assert!(watch.logs("first report in ").ends_with(&format!("then every {told}")));
        watch.stop();
    }
    let mut watch = flags.clone().set("--interval", "7m").env("DEVICE_DEFENDER_INTERVAL", "600").start();
    assert!(watch.logs("first report in ").ends_with("then every 7m"));
    watch.stop();
    let flags = device.watch_port(1).without("--interval");
    let ended = flags.env("DEVICE_DEFENDER_INTERVAL", "often").start().ends();
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    assert!(ended.log.iter().any(|line| line.contains("DEVICE_DEFENDER_INTERVAL")), "{ended:?}");
}

#[test]
fn the_splay_is_announced_and_below_an_interval() {
    let device = Device::new();
    let mut lines = Vec::new();
    for thing in ["a", "b", "a"] {
        let mut flags = device.watch_port(1).set("--thing-name", thing).set("--interval", "1day");
        flags = flags.without("--splay");
        let mut watch = flags.start();
        lines.push(watch.logs("first report in "));
        watch.stop();
    }
    assert_eq!(lines[0], lines[2], "the same each time");
    assert_ne!(lines[0], lines[1]);
    assert!(lines.iter().all(|line| !line.contains("day,")), "{lines:#?}");
    refused(&device, &[&GOOD[..], &["--splay", "soon"]].concat(), 2, &["--splay", "soon"]);
}

#[test]
fn a_connector_definition_gives_interval_and_path() {
    let (broker, device) = (Broker::start(), Device::new());
    let service = Service::accepting(broker.plain);
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
    let device = Device::new();
    let with = |args: &[&'static str]| [&GOOD[..], &["--params", "connector.json"], args].concat();
    refused(&device, &with(&[]), 66, &["connector.json"]);
    device.put("connector.json", "{");
    refused(&device, &with(&[]), 65, &["connector.json"]);
    device.put("connector.json", r#"{"some": "thing"}"#);
    refused(&device, &with(&[]), 65, &["connector.json"]);
    for (interval, path, told) in [
        ("299", "/host_proc", "SampleIntervalSeconds"),
        ("300\n", "/host_proc", "SampleIntervalSeconds"),
        ("300", "/a/b", "ProcDestinationPath"),
        ("300", "", "ProcDestinationPath"),
    ] {
        definition(&device, interval, path);
        refused(&device, &with(&[]), 78, &["connector.json", told]);
        refused(&device, &with(&["--interval", "300", "--proc", "proc"]), 78, &[told]);
    }
    // It passes the pattern, and is too much.
    for interval in ["18446744073709551616", "299"] {
        definition(&device, interval, "/host_proc");
        refused(&device, &with(&[]), 78, &[]);
    }
    // All that is wrong at once, and the worst of it counts.
    definition(&device, "299", "/a/b");
    let told = ["SampleIntervalSeconds", "ProcDestinationPath", "no endpoint", "no thing name"];
    refused(&device, &["--params", "connector.json"], 78, &told);
    refused(&device, &["--params", "missing.json"], 78, &["missing.json", "no endpoint"]);
    refused(&device, &with(&["--interval", "1"]), 2, &["SampleIntervalSeconds", "--interval"]);
}

#[test]
fn settings_that_are_missing_or_wrong_end_it_at_once() {
    let device = Device::new();
    refused(&device, &[], 78, &["no endpoint", "no thing name"]);
    refused(&device, &["--endpoint", "localhost"], 78, &["no thing name"]);
    for (flag, value, code) in [
        ("--port", "0", 2),
        ("--port", "70000", 2),
        ("--thing-name", "a/b", 2),
        ("--endpoint", "not a name", 2),
        ("--timeout", "0s", 2),
        ("--timeout", "soon", 2),
        ("--client-id", "", 2),
        ("--greengrass-root", "nowhere", 78),
    ] {
        if flag != "--client-id" {
            refused(
                &device,
                &[&GOOD[..], &[flag, value][..]].concat().into_iter().collect::<Vec<_>>().without(flag),
                code,
                &[value],
            );
        }
    }
}

/// A list of arguments in which the last of each flag stays.
trait Without {
    fn without(self, flag: &str) -> Self;
}

impl Without for Vec<&str> {
    fn without(self, flag: &str) -> Self {
        let last = self.iter().rposition(|arg| *arg == flag).unwrap();
        let keeps = |at: usize| at >= last || (self[at] != flag && (at == 0 || self[at - 1] != flag));
        (0..self.len()).filter(|at| keeps(*at)).map(|at| self[at]).collect()
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let device = Device::new();
    refused(&device, &["--print", "--custom-metrics", "-"], 2, &["standard input"]);
    refused(&device, &[&GOOD[..], &["--custom-metrics", "-"]].concat(), 2, &["standard input"]);
    refused(&device, &["--print", "--params", "-"], 2, &["standard input"]);
    refused(&device, &["--print", "--format", "cbor"], 2, &["JSON"]);
    refused(&device, &["--print", "--count", "0"], 2, &["--count"]);
    refused(&device, &["--print", "--count", "-1"], 2, &[]);
    refused(&device, &["--print", "--once"], 2, &["--once"]);
    refused(&device, &["--print", "--dry-run"], 2, &["--dry-run"]);
    refused(&device, &["--print", "extra"], 2, &["extra"]);
}

/// Wrong at the start is fatal; but the name of a host that nobody knows, or a file that is not there yet, may heal.
#[test]
fn what_may_heal_is_not_fatal() {
    let device = Device::new();
    for (flags, told) in [
        (device.watch_port(1), "refused"),
        (device.watch_port(1).set("--ca-file", "none"), "none: "),
        (device.watch_port(1).set("--key-file", "none"), "none: "),
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
    let (broker, device) = (Broker::start(), Device::new());
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
