//! File systems that do not respond: what hangs is logged, it ends when it is asked to, and goes on when they respond again.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use crate::support::{CommandLine, DeadMount, Device, NET, Part, accepting, in_namespaces, ip};
use crate::watch::running::Watch;

/// What may be on a mount: the flag, the file, and what is logged.
const FILES: [(&str, &str, &str); 4] = [
    ("--state-dir", "state", "using the state in "),
    ("--key-file", "gw.key", "reading the certificates and the key"),
    ("--custom-metrics", "metrics.json", "reading the custom metrics"),
    ("--proc", "proc", "reading "),
];

/// Runs it until its mount has stopped responding and that was logged, for each of these files.
fn hangs(part: &Part, files: &[(&'static str, &str, &str)], play: impl Fn(&DeadMount, Watch, &str)) {
    ip("link set dev lo up");
    let (broker, _service, device) = accepting();
    device.write("metrics.json", r#"{"cpu": 1}"#);
    for (flag, name, told) in files {
        drop(fs::remove_file(device.path("state/gw.json"))); // the next run keeps to no schedule
        let mount = DeadMount::new(part, device.root(), name);
        let file = mount.path().join(name);
        let flags = device.watch_broker(&broker).set("--timeout", "1s").set(flag, file.display());
        play(&mount, stuck(&flags, &mount, told), told);
    }
}

fn stuck(flags: &CommandLine, mount: &DeadMount, told: &str) -> Watch {
    let mut watch = flags.start();
    watch.until("accepted");
    mount.stop();
    let line = watch.logs(": not done within --timeout 1s; ");
    assert!(line.contains(told) && line.contains("; hint: "), "{line}");
    watch
}

#[test]
fn sigterm_ends_it_with_0() {
    in_namespaces(NET, |part| {
        hangs(part, &FILES, |_, watch, told| {
            let log = watch.stop().log;
            assert!(log.last().is_some_and(|line| line.contains(told)), "{log:#?}");
        });
    });
}

#[test]
fn sigint_ends_it_as_signals_do() {
    in_namespaces(NET, |part| {
        hangs(part, &FILES[..1], |_, watch, _| {
            watch.signal("INT");
            assert_eq!(watch.ends().status.signal(), Some(2));
        });
    });
}

#[test]
fn it_is_reported_once_and_goes_on_when_the_file_system_responds_again() {
    in_namespaces(NET, |part| {
        hangs(part, &FILES, |mount, mut watch, _| {
            let status = loop {
                let notice = watch.notice();
                if notice.contains("not done within") {
                    break notice;
                }
            };
            assert!(status.starts_with("STATUS="), "{status}");
            mount.resume();
            watch.until("accepted");
            watch.stays(2, "accepted");
            let ended = watch.stop();
            ended.never_repeats();
            let [first, hangs, rest @ .., last] = &ended.log[..] else { panic!("{:#?}", ended.log) };
            assert!(first.contains("accepted") && hangs.contains("not done within") && last.contains("accepted"));
            // The cycle that hung has no time left for the network.
            assert!(rest.iter().all(|line| line.contains("no time was left")) && rest.len() < 2, "{rest:#?}");
        });
    });
}

#[cfg(feature = "greengrass")]
#[test]
fn settings_that_cannot_be_read_are_reported_as_well() {
    in_namespaces(NET, |part| {
        let device = Device::with_credentials();
        device.write("params.json", "{}");
        let mount = DeadMount::new(part, device.root(), "dead");
        mount.stop();
        let flags = device.watch_port(1).set("--timeout", "100ms");
        for (flag, name) in [("--params", "params.json"), ("--greengrass-root", "core")] {
            let mut watch = flags.clone().set(flag, mount.path().join(name).display()).start();
            watch.logs("reading the settings: not done within --timeout 100ms; nothing was sent");
            watch.stop();
        }
    });
}

#[test]
fn what_is_printed_to_standard_output_needs_no_file_system_but_proc() {
    in_namespaces(NET, |part| {
        let device = Device::with_credentials();
        let mount = DeadMount::new(part, device.root(), "dead");
        let proc = mount.path().join("proc");
        let flags = device.watch().set("--interval", "100ms").flag("--print").set("--proc", proc.display());
        let mut watch = flags.set("--timeout", "1s").start();
        watch.cycle();
        mount.stop();
        watch.logs("reading ");
        mount.resume();
        watch.logs(" printed");
        watch.stop();
    });
}
