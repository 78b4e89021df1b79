//! What is kept between runs: ids, baselines, the lock, and state files and directories that cannot be used.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::holding;
use crate::support::{
    BEFORE, Broker, Device, NEVER, Outcome, Peer, Service, Tls, accepting, copy_pki, is_root, traffic,
};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn ids_are_the_time_or_one_more_than_the_last() {
    let (broker, service, device) = accepting();
    let start = now();
    let id = || {
        device.publish_to(&broker).succeeds();
        let id = service.report().id();
        assert_eq!(device.last_id(), Some(id));
        id
    };
    let first = id();
    assert!((start..=now()).contains(&first), "{first}");
    assert!(id() > first);
    let ahead = now() + 1_000_000;
    device.remember(ahead, BEFORE);
    assert_eq!([id(), id()], [ahead + 1, ahead + 2]);
}

#[test]
fn the_id_is_on_disk_before_the_report_is_sent() {
    let device = Device::new();
    device.remember(now() + 1000, BEFORE);
    let file = device.path("state/gw.json");
    let (sender, state) = channel();
    let peer = Peer::tls(Tls::default(), move |link| {
        link.up_to_report()?;
        sender.send(fs::read(file)).unwrap();
        link.close()
    });
    device.publish_to_peer(&peer).ends(77, &[]);
    let state: Value = serde_json::from_slice(&state.recv().unwrap().unwrap()).unwrap();
    let seen = peer.seen();
    let report: Value = serde_json::from_slice(&seen.reports()[0].payload).unwrap();
    assert_eq!(state["last_report_id"], report["header"]["report_id"]);
    assert_eq!(device.last_id(), state["last_report_id"].as_u64());
    assert_eq!(device.baseline(), Some(BEFORE));
}

#[test]
fn bytes_of_reports_that_were_not_accepted_are_in_the_next() {
    let (broker, device) = (Broker::start(), Device::new());
    let mut answers = ["Throttled", "", "InvalidPayload"].into_iter();
    let service = Service::start(broker.plain, move |report| match answers.next() {
        Some("") => Vec::new(),
        Some(code) => vec![report.rejected(code, "no")],
        None => vec![report.accepted()],
    });
    device.remember(7, BEFORE);
    let plus = |n: u64| BEFORE.map(|counter| counter + n);
    for (n, code) in [(100, 75), (200, 75), (300, 76)] {
        device.count(plus(n));
        device.publish_to(&broker).set("--timeout", "2s").ends(code, &[]);
        assert_eq!(traffic(&service.report().json()), Some([n; 4]));
    }
    device.count(plus(400));
    device.publish_to(&broker).succeeds();
    assert_eq!(traffic(&service.report().json()), Some([400; 4]));
    assert_eq!(device.baseline(), Some(plus(400)));
}

#[test]
fn after_a_reboot_all_that_the_counters_show_is_new() {
    let (broker, service, device) = accepting();
    device.remember(7, [5000; 4]);
    device.boots("11111111-2222-3333-4444-555555555555");
    device.publish_to(&broker).succeeds();
    assert_eq!(traffic(&service.report().json()), Some(BEFORE));
    assert_eq!(device.state().unwrap()["baseline"]["boot_id"], "11111111-2222-3333-4444-555555555555");
}

#[test]
fn a_baseline_of_something_else_is_none() {
    let (broker, service, device) = accepting();
    device.remember(7, BEFORE);
    fs::rename(device.path("proc"), device.path("other")).unwrap();
    let elsewhere = device.publish_to(&broker).set("--proc", "other");
    assert_eq!(elsewhere.clone().outcome().code, Some(0));
    assert_eq!(traffic(&service.report().json()), None, "another /proc");
    elsewhere.clone().succeeds();
    assert_eq!(traffic(&service.report().json()), Some([0; 4]));

    fs::remove_file(device.path("other/self/ns/net")).unwrap();
    symlink("net:[1]", device.path("other/self/ns/net")).unwrap();
    assert_eq!(elsewhere.clone().outcome().code, Some(0));
    assert_eq!(traffic(&service.report().json()), None, "another namespace");

    fs::remove_file(device.path("other/sys/kernel/random/boot_id")).unwrap();
    assert_eq!(elsewhere.clone().outcome().code, Some(0));
    assert_eq!(traffic(&service.report().json()), None, "an unknown boot");
    assert_eq!(elsewhere.outcome().code, Some(0));
    assert_eq!(traffic(&service.report().json()), None, "still");
}

/// Counters that could not be read are no counters of 0, and nothing to count from later.
#[test]
fn a_report_without_counters_leaves_the_baseline_as_it_is() {
    let (broker, service, device) = accepting();
    device.remember(7, BEFORE);
    fs::remove_file(device.path("proc/net/dev")).unwrap();
    device.publish_to(&broker).ends(0, &["warning: ", "proc/net/dev"]);
    let report = service.report();
    assert_eq!(traffic(&report.json()), None);
    assert_eq!((device.last_id(), device.baseline()), (Some(report.id()), Some(BEFORE)));
    device.count(BEFORE.map(|counter| counter + 9));
    device.publish_to(&broker).succeeds();
    assert_eq!(traffic(&service.report().json()), Some([9; 4]));
}

#[test]
fn collect_counts_from_what_publish_left() {
    let (broker, _service, device) = accepting();
    device.publish_to(&broker).succeeds();
    device.count(BEFORE.map(|counter| counter + 5));
    let args = ["collect", "--proc", "proc", "--since", "report", "--state-dir", "state"];
    let report = crate::support::Run::new(device.root(), &args).output();
    assert_eq!(traffic(&serde_json::from_slice(&report).unwrap()), Some([5; 4]));
}

#[test]
fn a_broken_state_file_is_reported_once_and_replaced() {
    let (broker, service, device) = accepting();
    device.remember(7, BEFORE);
    let whole = fs::read_to_string(device.path("state/gw.json")).unwrap();
    for content in [
        "",
        "[]",
        "\u{1b}[31m",
        whole.strip_suffix('}').unwrap(),
        &whole.chars().take(20).collect::<String>(),
        &whole.replace("\"gw\"", "\"other\""),
        &whole.replace("\"version\":1", "\"version\":99"),
        &whole.replace("\"last_report_id\":7", "\"last_report_id\":9223372036854775807"),
    ] {
        fs::write(device.path("state/gw.json"), content).unwrap();
        device.publish_to(&broker).ends(0, &["warning: ", "state/gw.json"]);
        let report = service.report();
        assert_eq!(traffic(&report.json()), None, "{content}");
        assert_eq!((device.last_id(), device.baseline()), (Some(report.id()), Some(BEFORE)));
        device.publish_to(&broker).succeeds();
        assert_eq!(traffic(&service.report().json()), Some([0; 4]), "{content}");
    }
}

#[test]
fn a_state_file_is_private_and_keeps_its_directorys_owner() {
    let (broker, _service, device) = accepting();
    let root = is_root();
    if root {
        std::os::unix::fs::chown(device.path("state"), Some(65534), Some(65534)).unwrap();
    }
    for _ in 0..2 {
        device.publish_to(&broker).succeeds();
        for entry in fs::read_dir(device.path("state")).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            assert_eq!(about.mode() & 0o777, 0o600, "{entry:?}");
            assert!(about.uid() == 65534 || !root, "{entry:?}");
        }
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_is_reported_before_connecting() {
    let device = Device::new();
    fs::write(device.path("file"), "").unwrap();
    for dir in ["file", "file/state", "/proc/self/state"] {
        let peer = Peer::raw(|_| Ok(()));
        device.publish_to_peer(&peer).set("--state-dir", dir).ends(73, &[dir]);
        let variable = device.publish_to_peer(&peer).without("--state-dir").env("DEVICE_DEFENDER_STATE_DIR", dir);
        variable.ends(73, &[dir]);
        assert!(!peer.seen().connected);
    }
    if is_root() {
        copy_pki(&["ec.pem", "ec.key", "ca.pem"], device.root());
        fs::set_permissions(device.path("ec.key"), Permissions::from_mode(0o644)).unwrap();
        let peer = Peer::raw(|_| Ok(()));
        let publish = device.publish_to_peer(&peer).set("--ca-file", "ca.pem");
        let publish = publish.set("--cert-file", "ec.pem").set("--key-file", "ec.key");
        Outcome::of(publish.run().by_nobody()).is(73, &["state", "Permission denied"]);
        assert!(!peer.seen().connected);
    }
}

#[test]
fn without_a_state_directory_of_ones_own_the_report_is_sent_all_the_same() {
    let (broker, service, device) = accepting();
    fs::write(device.path("file"), "").unwrap();
    let publish = device.publish_to(&broker).without("--state-dir").env("STATE_DIRECTORY", device.path("file/state"));
    publish.ends(0, &["warning: ", "file/state"]);
    assert_eq!(traffic(&service.report().json()), None);
}

#[test]
fn a_state_directory_is_made() {
    let (broker, service, device) = accepting();
    fs::remove_dir(device.path("state")).unwrap();
    device.publish_to(&broker).succeeds();
    assert_eq!(device.last_id(), Some(service.report().id()));
    assert_eq!(fs::metadata(device.path("state")).unwrap().mode() & 0o077, 0, "for nobody else");
}

#[test]
fn every_thing_has_a_state_of_its_own() {
    let (broker, service, device) = accepting();
    for thing in ["gw", "a b", "..", "ü:_-", ".hidden", "gw.lock"] {
        device.publish_to(&broker).set("--thing-name", thing).set("--client-id", "x").succeeds();
        let report = service.report();
        assert_eq!(report.topic, format!("$aws/things/{thing}/defender/metrics/json"));
        assert_eq!(traffic(&report.json()), None, "{thing}");
        assert_eq!(device.state_of(thing).unwrap()["thing_name"], thing);
    }
}

#[test]
fn another_run_is_waited_for_until_the_deadline() {
    let (broker, service, device) = accepting();
    let (first, is_connected, finish) = holding();
    thread::scope(|scope| {
        scope.spawn(|| device.publish_to_peer(&first).succeeds());
        is_connected.recv_timeout(NEVER).unwrap();
        let told = ["another", "hint: "];
        let outcome = device.publish_to(&broker).set("--timeout", "1s").ends(75, &told);
        outcome.says_nothing_of(&["PUBACK"]);
        assert_eq!(service.reports(), []);
        // Another thing is not in the way.
        device.publish_to(&broker).set("--thing-name", "other").succeeds();
        assert_eq!(service.reports().len(), 1);
        // Neither is a look.
        device.publish_to(&broker).set("--timeout", "1s").dry_run();

        let second = scope.spawn(|| device.publish_to(&broker).succeeds());
        finish.send(()).unwrap();
        second.join().unwrap();
    });
    let first: Value = serde_json::from_slice(&first.seen().reports()[0].payload).unwrap();
    let second = service.report();
    assert!(second.id() > first["header"]["report_id"].as_u64().unwrap());
    assert_eq!(traffic(&second.json()), Some([0; 4]));
}
