//! State directories that go away, fill up, or become read-only while the loop runs: reports go on, and what must be
//! remembered is remembered in memory meanwhile.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{
    BEFORE, Broker, Device, NET, Part, Received, Service, accepting, in_namespaces, ip, small_disk, system, tool,
    traffic, until,
};
use crate::watch::running::Watch;

/// A device with a state directory that can be made to fail, and the service it reports to.
fn on_small_disk(part: &Part, play: impl FnOnce(&Device, &mut Watch, &Service)) {
    ip("link set dev lo up");
    let (broker, service, device) = accepting();
    let state = small_disk(part, "64k");
    fs::remove_dir(device.path("state")).unwrap();
    std::os::unix::fs::symlink(&state, device.path("state")).unwrap();
    let mut watch = device.watch_broker(&broker).start();
    watch.until("accepted");
    play(&device, &mut watch, &service);
    let received = service.reports();
    let ids: Vec<u64> = received.iter().map(Received::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    watch.stop().never_repeats();
}

/// Counts on, and looks at what the next reports say of it: it must be counted once.
fn counts_once(device: &Device, service: &Service, from: u64, to: u64) {
    device.count([to, 10, 2000, 20]);
    let mut counted = 0;
    while counted < to - from {
        counted += bytes_in(&service.report());
    }
    for _ in 0..3 {
        counted += bytes_in(&service.report());
    }
    assert_eq!(counted, to - from, "each byte is counted once");
}

fn bytes_in(report: &Received) -> u64 {
    traffic(&report.json()).map_or(0, |[bytes, ..]| bytes)
}

fn saved_id(device: &Device) -> Option<u64> {
    device.state().as_ref().and_then(|state: &Value| state["last_report_id"].as_u64())
}

/// The disk fails while reports go on, and is well again.
fn fails_and_recovers(part: &Part, fail: impl FnOnce(&Path), recover: impl FnOnce(&Path)) {
    let disk = part.dir.join("state");
    on_small_disk(part, |device, watch, service| {
        fail(&disk);
        watch.catches_up();
        watch.stays(2, "accepted");
        let before = saved_id(device);
        counts_once(device, service, 1000, 5000);
        assert_eq!(saved_id(device), before, "nothing can be saved");
        recover(&disk);
        watch.catches_up();
        watch.stays(2, "accepted");
        assert!(saved_id(device) > before, "it is saved again");
        assert_eq!(device.baseline(), Some([5000, 10, 2000, 20]));
        counts_once(device, service, 5000, 6000);
    });
}

#[test]
fn a_full_disk() {
    in_namespaces(NET, |part| {
        let fill = |disk: &Path| assert!(fs::write(disk.join("filler"), vec![0; 1 << 20]).is_err(), "it is full");
        fails_and_recovers(part, fill, |disk| fs::remove_file(disk.join("filler")).unwrap());
    });
}

#[test]
fn a_disk_that_is_read_only() {
    in_namespaces(NET, |part| {
        let remount = |disk: &Path, how: &str| {
            let mut mount = tool("mount");
            mount.args(["-o", &format!("remount,{how}")]).arg(disk);
            until(how, || mount.output().unwrap().status.success()); // refused while a file is open for writing
        };
        fails_and_recovers(part, |disk| remount(disk, "ro"), |disk| remount(disk, "rw"));
    });
}

/// What was kept is readable, so it is used: ids go on from there, and so does the traffic.
#[test]
fn a_disk_that_is_read_only_from_the_start() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up");
        let (broker, service, device) = accepting();
        let state = small_disk(part, "64k");
        let last = 4_000_000_000;
        fs::write(state.join("gw.json"), crate::support::state(last, &[("eth0", BEFORE)]).to_string()).unwrap();
        system(tool("mount").args(["-o", "remount,ro"]).arg(&state));
        device.count([5000, 10, 2000, 20]);
        let mut watch = device.watch_broker(&broker).set("--state-dir", state.display()).start();
        let first = service.report();
        assert_eq!((first.id(), bytes_in(&first)), (last + 1, 4000));
        watch.stays(2, "accepted");
        device.count([6000, 10, 2000, 20]);
        watch.stays(2, "accepted");
        let later = service.reports();
        assert!(later.iter().map(Received::id).eq((last + 2..).take(later.len())), "ids never go back");
        assert_eq!(later.iter().map(bytes_in).sum::<u64>(), 1000, "each byte is counted once");
        let log = watch.stop().log;
        assert!(log[0].contains("Read-only file system") && !log[0].contains("starting over"), "{log:#?}");
        // A single report, where nobody asked for this directory.
        let publish = device.publish_to(&broker).without("--state-dir").env("STATE_DIRECTORY", &state);
        publish.ends(0, &["Read-only file system"]);
        let single = service.reports().pop().unwrap();
        assert_eq!((single.id(), bytes_in(&single)), (last + 1, 5000));
    });
}

#[test]
fn a_directory_that_is_gone() {
    let (broker, service, device) = accepting();
    let mut watch = device.watch_broker(&broker).start();
    watch.until("accepted");
    fs::rename(device.path("state"), device.path("moved")).unwrap();
    counts_once(&device, &service, 1000, 5000);
    watch.catches_up();
    watch.stays(2, "accepted");
    assert!(saved_id(&device).is_some(), "it is made anew");
    // Something else in its place.
    fs::rename(device.path("state"), device.path("moved again")).unwrap();
    until("it is faster than the program", || {
        drop(fs::remove_dir_all(device.path("state")));
        fs::write(device.path("state"), "a file").is_ok()
    });
    counts_once(&device, &service, 5000, 9000);
    watch.stays(2, "accepted");
    fs::remove_file(device.path("state")).unwrap();
    watch.catches_up();
    watch.stays(2, "accepted");
    assert!(saved_id(&device).is_some(), "it is made anew");
    watch.stop().never_repeats();
}

#[test]
fn a_state_file_that_somebody_broke() {
    let (broker, service, device) = accepting();
    let mut watch = device.watch_broker(&broker).start();
    let mut bytes = 1000;
    watch.until("accepted");
    for text in ["", "{", "\0\0\0\0", r#"{"version": 99}"#, r#"{"version": 1, "thing_name": "other"}"#] {
        device.write("state/gw.json", text);
        bytes += 1000;
        counts_once(&device, &service, bytes - 1000, bytes);
        watch.catches_up();
        watch.stays(1, "accepted");
        assert!(saved_id(&device).is_some(), "{text}: it is whole again");
    }
    watch.stop().never_repeats();
}

/// The id could be saved, and then there was no room for the counters of the accepted report. They are known all the same.
#[test]
fn a_disk_that_fills_up_between_the_report_and_its_answer() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up");
        let (broker, device) = (Broker::start(), Device::with_credentials());
        let state = small_disk(part, "64k");
        let (filler, mut arrived) = (state.join("filler"), 0);
        let service = Service::start(broker.plain, move |report| {
            arrived += 1;
            if arrived == 2 {
                assert!(fs::write(&filler, vec![0; 1 << 20]).is_err(), "it is full now");
            }
            vec![report.accepted()]
        });
        let mut watch =
            device.watch_broker(&broker).set("--state-dir", state.display()).set("--interval", "1s").start();
        assert_eq!(traffic(&service.report().json()), None);
        watch.until("accepted");
        device.count([5000, 10, 2000, 20]);
        assert_eq!(bytes_in(&service.report()), 4000, "accepted, and the disk is full");
        watch.until("accepted");
        assert_eq!(bytes_in(&service.report()), 0, "the 4000 bytes were accepted already");
        watch.stop();
    });
}
