//! `watch --print`: reports as lines of JSON, and nothing sent.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{CommandLine, Device, NET, Run, in_namespaces, traffic, until, veth_pair};
use crate::watch::running::Watch;

fn print(device: &Device) -> CommandLine {
    device.watch().flag("--print").set("--interval", "50ms")
}

/// The next line, which must be a report.
fn next(watch: &mut Watch) -> Value {
    let line = watch.prints();
    let report: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(report["header"]["version"], "1.0");
    report
}

fn id(report: &Value) -> u64 {
    report["header"]["report_id"].as_u64().unwrap()
}

#[test]
fn each_line_is_a_report_with_the_traffic_since_the_line_before() {
    let device = Device::with_credentials();
    let mut watch = print(&device).start();
    let first = next(&mut watch);
    assert_eq!(traffic(&first), None, "nothing to count from");
    assert_eq!(first["metrics"]["listening_tcp_ports"]["total"], 1);
    let (mut last, mut counted) = (id(&first), [0; 4]);
    let mut shown = [1000, 10, 2000, 20];
    for step in 1..40 {
        if step % 4 == 0 {
            shown = [shown[0] + step * 1001, shown[1] + 1, shown[2] + step, shown[3] + 2];
            device.count(shown);
        }
        let report = next(&mut watch);
        assert!(id(&report) > last, "ids grow within a second, too");
        last = id(&report);
        let delta = traffic(&report).unwrap();
        counted = [0, 1, 2, 3].map(|n| counted[n] + delta[n]);
    }
    while counted[0] + 1000 < shown[0] {
        let delta = traffic(&next(&mut watch)).unwrap();
        counted = [0, 1, 2, 3].map(|n| counted[n] + delta[n]);
    }
    assert_eq!(counted, [shown[0] - 1000, shown[1] - 10, shown[2] - 2000, shown[3] - 20]);
    let ended = watch.stop();
    assert!(ended.log.is_empty(), "{:#?}", ended.log);
    assert_eq!(device.state(), None, "nothing is kept");
}

#[test]
fn the_kernels_counters_are_counted_to_the_byte() {
    in_namespaces(NET, |_| {
        veth_pair();
        let sent = || {
            let dev = procfs::net::dev_status().unwrap();
            dev["v0"].sent_bytes + dev["v1"].sent_bytes + dev["lo"].sent_bytes
        };
        let device = Device::with_credentials();
        let mut watch = print(&device).without("--proc").start();
        next(&mut watch);
        let before = sent();
        let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
        let mut counted = 0;
        for size in 1..30 {
            socket.send_to(&vec![0; size * 40], "10.9.0.2:9").unwrap();
            counted += traffic(&next(&mut watch)).unwrap()[2];
        }
        let mut after = sent();
        until("all is counted", || {
            counted += traffic(&next(&mut watch)).unwrap()[2];
            after = sent();
            counted >= after - before
        });
        assert_eq!(counted, after - before);
        watch.stop();
    });
}

#[test]
fn nothing_needs_to_be_set() {
    let device = Device::with_credentials();
    let mut watch = CommandLine::new(device.root(), "watch").flag("--print").start();
    next(&mut watch); // at once, although the interval is 300 s
    watch.stop();
    let printed = Run::new(device.root(), &["watch", "--print", "--count", "1"]).output(); // not even an environment
    assert!(serde_json::from_slice::<Value>(&printed).unwrap()["metrics"].is_object());
    let mut watch = print(&device).set("--splay", "1h").start();
    watch.is_ready();
    assert!(watch.stop().printed.is_empty(), "unless it is asked to wait");
}

#[test]
fn a_reader_that_goes_away_ends_it_with_0() {
    let device = Device::with_credentials();
    let mut watch = print(&device).start();
    next(&mut watch);
    watch.stop_reading();
    let ended = watch.ends();
    assert_eq!((ended.status.code(), ended.log.len()), (Some(0), 0), "{ended:?}");
}

#[test]
fn so_many_lines_and_no_more() {
    let device = Device::with_credentials();
    for count in [1, 3] {
        let ended = print(&device).set("--count", count).start().ends();
        assert_eq!((ended.status.code(), ended.printed.len(), ended.log.len()), (Some(0), count, 0), "{ended:?}");
    }
    // The code is that of the last one.
    let strict = print(&device).set("--count", 2).flag("--strict");
    assert_eq!(strict.start().ends().status.code(), Some(0));
    fs::remove_file(device.path("proc/net/tcp")).unwrap();
    symlink("tcp", device.path("proc/net/tcp")).unwrap(); // it cannot be opened
    let ended = strict.start().ends();
    assert_eq!((ended.status.code(), ended.printed.len()), (Some(66), 2), "{ended:?}");
}

#[test]
fn custom_metrics_are_read_again_each_time() {
    let device = Device::with_credentials();
    device.write("custom.json", r#"{"jobs": 1}"#);
    let mut watch = print(&device).set("--custom-metrics", "custom.json").start();
    let jobs = |report: &Value| report["custom_metrics"]["jobs"][0]["number"].clone();
    assert_eq!(jobs(&next(&mut watch)), json!(1));
    device.write("custom.json", r#"{"jobs": 2}"#);
    until("the new value", || jobs(&next(&mut watch)) == json!(2));
    for (breaks, told) in [("{", "custom.json"), (r#"{"aws:x": 1}"#, "aws:"), ("[1]", "custom.json")] {
        device.write("custom.json", breaks);
        watch.logs(told);
        watch.until(told);
        watch.stays(2, told);
        device.write("custom.json", r#"{"jobs": 3}"#);
        watch.until("printed");
        until("the new value", || jobs(&next(&mut watch)) == json!(3));
    }
    fs::remove_file(device.path("custom.json")).unwrap();
    watch.logs("No such file");
    device.write("custom.json", r#"{"jobs": 4}"#);
    until("the new value", || jobs(&next(&mut watch)) == json!(4));
    let ended = watch.stop();
    ended.never_repeats();
    let told = ended.log.iter().filter(|line| line.contains("custom metrics: ")).count();
    assert_eq!(told, 4, "{:#?}", ended.log);
}

/// What cannot be read is left out of the line, which is told once; and it is there again when it can be.
#[test]
fn a_table_that_cannot_be_read_for_a_while() {
    let device = Device::with_credentials();
    let mut watch = print(&device).start();
    let has = |report: &Value, table: &str| report["metrics"].get(table).is_some();
    assert!(has(&next(&mut watch), "listening_udp_ports"));
    let udp = fs::read(device.path("proc/net/udp")).unwrap();
    symlink("udp", device.path("loop")).unwrap();
    fs::rename(device.path("loop"), device.path("proc/net/udp")).unwrap();
    until("left out", || !has(&next(&mut watch), "listening_udp_ports"));
    for _ in 0..10 {
        let report = next(&mut watch);
        assert!(has(&report, "listening_tcp_ports") && !has(&report, "listening_udp_ports"), "{report}");
    }
    device.write("proc/net/udp", udp);
    until("there again", || has(&next(&mut watch), "listening_udp_ports"));
    let ended = watch.stop();
    let told = ended.log.iter().filter(|line| line.contains("proc/net/udp")).count();
    assert_eq!(told, 1, "repeats are folded: {:#?}", ended.log);
}

/// The whole tree is away: no line, no end.
#[test]
fn a_proc_that_is_not_mounted_for_a_while() {
    let device = Device::with_credentials();
    let mut watch = print(&device).start();
    next(&mut watch);
    fs::rename(device.path("proc"), device.path("away")).unwrap();
    watch.logs("proc");
    watch.until("proc");
    watch.stays(3, "proc");
    fs::rename(device.path("away"), device.path("proc")).unwrap();
    watch.until("printed");
    let ended = watch.stop();
    ended.never_repeats();
}

#[test]
fn lines_fit_a_size_that_is_given() {
    let device = Device::with_credentials();
    let ended = print(&device).set("--count", 2).set("--names", "short").set("--max-bytes", 300).start().ends();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.printed.iter().all(|line| line.len() < 300 && line.contains(r#""hed""#)), "{:#?}", ended.printed);
}

/// What a failure is about counts, not its words: another fault is news, another wrong value is not.
#[test]
fn a_fault_that_becomes_another_is_logged() {
    let device = Device::with_credentials();
    device.write("m.json", r#"{"temp1": "hot"}"#);
    let mut watch = print(&device).set("--custom-metrics", "m.json").start();
    for (content, told) in [
        (r#"{"temp1": "hotter"}"#, "temp1"),
        (r#"{"temp2": "hot"}"#, "temp2"),
        (r#"{"temp2": "#, "EOF"),
        ("[1]", "expected an object"),
    ] {
        device.write("m.json", content);
        watch.until(told);
        watch.stays(2, told);
    }
    fs::remove_file(device.path("m.json")).unwrap();
    watch.until("No such file");
    fs::create_dir(device.path("m.json")).unwrap();
    watch.until("not a regular file");
    let told = ["temp1", "temp2", "EOF", "expected an object", "No such file", "not a regular file"];
    watch.stop().logged(&told);
}

#[test]
fn a_table_that_fails_in_another_way_is_logged() {
    let device = Device::with_credentials();
    let tcp = device.path("proc/net/tcp");
    fs::remove_file(&tcp).unwrap();
    let mut watch = print(&device).start();
    watch.logs("tcp: No such file");
    fs::create_dir(&tcp).unwrap();
    watch.logs("tcp: not a regular file");
    fs::remove_dir(&tcp).unwrap();
    fs::write(&tcp, "nonsense\n").unwrap();
    watch.logs("tcp: line 1 is not the header");
    watch.stop();
}
