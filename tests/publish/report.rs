//! The report itself: format, names, size, what is left out, and how to see it without sending it.

use std::fs;

use serde_json::Value;

use crate::support::{BEFORE, Device, Peer, accepting, traffic};

#[test]
fn the_format_and_the_names_are_the_reports() {
    let (broker, service, device) = accepting();
    let keys = |report: &Value| report.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    device.publish_to(&broker).set("--format", "cbor").succeeds();
    let report = service.report();
    assert_eq!(report.topic, "$aws/things/gw/defender/metrics/cbor");
    assert_eq!(keys(&report.json()), ["header", "metrics"]);
    device.publish_to(&broker).set("--format", "cbor").set("--names", "short").succeeds();
    assert_eq!(keys(&service.report().json()), ["hed", "met"]);
    device.publish_to(&broker).set("--names", "short").succeeds();
    let report = service.report();
    assert_eq!(report.topic, "$aws/things/gw/defender/metrics/json");
    assert_eq!(keys(&report.json()), ["hed", "met"]);
}

#[test]
fn a_dry_run_prints_the_payload_and_touches_nothing() {
    let (peer, device) = (Peer::raw(|_| Ok(())), Device::new());
    device.remember(7, [0; 4]);
    let before = device.state();
    let outcome = device.publish_to_peer(&peer).dry_run();
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(traffic(&report), Some(BEFORE));
    assert!(report["header"]["report_id"].as_u64().unwrap() > 7);
    outcome.says(&["localhost", &peer.port().to_string(), "$aws/things/gw/defender/metrics/json"]);

    let outcome = device.publish_to_peer(&peer).set("--format", "cbor").set("--names", "short").dry_run();
    let report: Value = ciborium::from_reader(&outcome.stdout[..]).unwrap();
    assert!(report["hed"]["rid"].is_u64());
    outcome.says(&["$aws/things/gw/defender/metrics/cbor"]);

    assert_eq!(device.state(), before);
    let names: Vec<_> = fs::read_dir(device.path("state")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["gw.json"]);
    assert!(!peer.seen().connected);
}

#[test]
fn a_dry_run_that_cannot_be_printed_fails() {
    Device::new().publish_to_port(1).flag("--dry-run").run().fails_on_a_full_disk();
}

#[test]
fn a_report_fits_the_limit() {
    let (broker, service, device) = accepting();
    let list: Vec<u64> = (0..).take(12_000).collect();
    let metrics = serde_json::json!({"many": [{"number_list": list}]}).to_string();
    fs::write(device.path("many.json"), metrics).unwrap();
    device.publish_to(&broker).set("--custom-metrics", "many.json").succeeds();
    let length = service.report().payload.len();
    assert!((50_000..128_000).contains(&length), "{length}");

    let mut rows = fs::read_to_string(device.path("proc/net/tcp")).unwrap();
    let row = rows.lines().find(|line| line.contains(" 01 ")).unwrap().to_owned();
    let address = row.split_whitespace().nth(2).unwrap().to_owned();
    for n in 0..4000_u32 {
        rows.push_str(&row.replace(&address, &format!("{:08X}:01BB", 0x0100_000A + (n << 8))));
        rows.push('\n');
    }
    fs::write(device.path("proc/net/tcp"), rows).unwrap();
    for (limit, max) in [(None, 128_000), (Some(5000), 5000)] {
        let publish = device.publish_to(&broker);
        let publish = limit.map_or(publish.clone(), |limit| publish.set("--max-bytes", limit));
        publish.ends(0, &["warning: ", "cut", &max.to_string()]);
        let report = service.report();
        assert!((max - 200..=max).contains(&report.payload.len()), "{}", report.payload.len());
        let total = &report.json()["metrics"]["tcp_connections"]["established_connections"]["total"];
        assert_eq!(total, 4001);
    }
    device.publish_to(&broker).set("--max-bytes", 10).ends(2, &["--max-bytes"]);
}

#[test]
fn strict_still_sends_and_then_says_what_was_wrong() {
    let (broker, service, device) = accepting();
    let path = device.path("proc/net/tcp");
    let rows = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{rows}   9: nonsense\n")).unwrap();
    device.publish_to(&broker).flag("--strict").ends(65, &["warning: ", "proc/net/tcp"]);
    assert_eq!(service.reports().len(), 1);
    assert_eq!(device.baseline(), Some(BEFORE));
    device.publish_to(&broker).ends(0, &["warning: ", "proc/net/tcp"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    device.publish_to(&broker).flag("--strict").ends(66, &["warning: ", "proc/net/tcp"]);
    assert_eq!(service.reports().len(), 2);
}

#[test]
fn what_keeps_the_report_from_being_made_is_reported_before_connecting() {
    let (peer, device) = (Peer::raw(|_| Ok(())), Device::new());
    let publish = || device.publish_to_peer(&peer);
    publish().set("--custom-metrics", "gone.json").ends(66, &["gone.json"]);
    for (content, told) in [("{", "EOF"), ("[]", "object"), (r#"{"aws:x": 1, "a b": "c"}"#, "aws:x")] {
        fs::write(device.path("metrics.json"), content).unwrap();
        publish().set("--custom-metrics", "metrics.json").ends(65, &["metrics.json", told]);
    }
    let list: Vec<u64> = (0..).take(40_000).collect();
    let metrics = serde_json::json!({"many": [{"number_list": list}]}).to_string();
    fs::write(device.path("metrics.json"), metrics).unwrap();
    publish().set("--custom-metrics", "metrics.json").ends(65, &["128000", "hint: ", "custom metrics"]);
    publish().set("--proc", "gone").ends(66, &["gone"]);
    publish().set("--max-bytes", 10).ends(2, &["--max-bytes"]);
    assert!(!peer.seen().connected);
    assert_eq!((device.last_id().unwrap_or_default(), device.baseline()), (0, None));
}

#[test]
fn collects_flags_do_what_they_do_there() {
    let (broker, service, device) = accepting();
    fs::write(device.path("metrics.json"), r#"{"load": 5, "peers": {"ip_list": ["192.0.2.1"]}}"#).unwrap();
    device.remember(7, [0; 4]);
    let publish = device.publish_to(&broker).set("--custom-metrics", "metrics.json").set("--exclude-interface", "eth*");
    publish.clone().succeeds();
    let report = service.report().json();
    assert_eq!(traffic(&report), Some([0; 4]), "there is no interface but eth0");
    assert_eq!(report["custom_metrics"]["load"][0]["number"], 5);
    assert_eq!(device.baseline(), Some(BEFORE), "the baseline has every interface");
    publish.set("--compat", "connector").succeeds();
    let report = service.report().json();
    assert!(report["metrics"]["listening_tcp_ports"]["ports"][0]["interface"].is_string());
}
