//! What the service manager and the journal are told.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::channel;

use crate::support::{Broker, Device, NEVER, Peer, Service, Tls, accepting};
use crate::watch::running::Watch;

#[test]
fn it_is_ready_before_its_first_report() {
    let device = Device::with_credentials();
    for splay in ["1h", "0s"] {
        let mut watch = device.watch_port(1).set("--splay", splay).start();
        let notice = watch.notice();
        assert!(notice.lines().any(|line| line == "READY=1"), "{notice}");
        watch.stop();
    }
    // Not without settings.
    let mut watch = device.watch().flag("--allow-short-interval").start();
    watch.logs("no endpoint");
    assert!(watch.notices().is_empty());
    assert_eq!(watch.ends().status.code(), Some(78));
}

#[test]
fn the_status_is_the_outcome_and_the_next_time_on_one_line() {
    let (broker, device) = (Broker::start(), Device::with_credentials());
    let mut arrived = 0;
    let _service = Service::start(broker.plain, move |report| {
        arrived += 1;
        match arrived {
            1 => vec![report.accepted()],
            2 => vec![report.rejected("Odd\nREADY=0\nSTOPPING=1", "\u{1b}[2J\u{85}\u{2028}more\0\r\nMAINPID=1")],
            _ => vec![report.rejected("Throttled", "later")],
        }
    });
    let mut watch = device.watch_broker(&broker).start();
    watch.is_ready();
    let accepted = watch.cycle();
    let id = device.state().unwrap()["last_report_id"].as_u64().unwrap();
    assert!(
        accepted.starts_with(&format!("report {id} accepted; next at 20")) && accepted.ends_with('Z'),
        "{accepted}"
    );
    let notice = watch.notice();
    assert!(notice.starts_with("STATUS=") && notice.contains("Odd"), "{notice}");
    assert!(!notice.contains(char::is_control), "{notice:?}");
    watch.until("Throttled");
    let mut notices = watch_to_end(watch);
    assert!(notices.iter().any(|notice| notice.lines().any(|line| line == "STOPPING=1")), "{notices:?}");
    notices.retain(|notice| !notice.starts_with("STATUS=localhost:"));
    notices.retain(|notice| !notice.lines().any(|line| line == "STOPPING=1"));
    assert!(notices.is_empty(), "nothing else: {notices:?}");
}

/// Ends it, and returns what it told to the end.
fn watch_to_end(mut watch: Watch) -> Vec<String> {
    watch.signal("TERM");
    let mut notices = Vec::new();
    loop {
        notices.push(watch.notice());
        if notices.last().is_some_and(|notice| notice.contains("STOPPING=1")) {
            assert_eq!(watch.ends().status.code(), Some(0));
            return notices;
        }
    }
}

#[test]
fn the_watchdog_is_fed_while_it_waits() {
    let (broker, _service, device) = accepting();
    let flags = device.watch_broker(&broker).set("--interval", "1day").env("WATCHDOG_USEC", "200000");
    for flags in [flags.clone(), flags.set("--splay", "1h")] {
        let mut watch = flags.start();
        watch.is_ready();
        for _ in 0..8 {
            while watch.notice() != "WATCHDOG=1" {}
        }
        watch.stop();
    }
    // It is for another process.
    let flags = device.watch_broker(&broker).env("WATCHDOG_USEC", "200000").env("WATCHDOG_PID", "1");
    let mut watch = flags.start();
    watch.stays(3, "accepted");
    assert!(!watch.notices().iter().any(|notice| notice.contains("WATCHDOG")));
    watch.stop();
    // Nobody asks for it.
    let mut watch = device.watch_broker(&broker).start();
    watch.stays(3, "accepted");
    assert!(!watch.notices().iter().any(|notice| notice.contains("WATCHDOG")));
    watch.stop();
}

#[test]
fn the_watchdog_is_fed_during_a_long_session() {
    let device = Device::with_credentials();
    let (sender, reached) = channel();
    let peer = Peer::tls(Tls::default(), move |link| {
        link.up_to_puback()?;
        sender.send(()).unwrap();
        link.silence()
    });
    let flags = device.watch_port(peer.port()).env("WATCHDOG_USEC", "400000").set("--timeout", "60s");
    let mut watch = flags.start();
    reached.recv_timeout(NEVER).unwrap();
    watch.notices();
    assert_eq!([watch.notice(), watch.notice()], ["WATCHDOG=1", "WATCHDOG=1"]);
    watch.stop();
    peer.seen();
}

/// Lines begin with their priority: a failure is an error, recovery a notice, steady success information.
#[test]
fn the_journal_is_given_priorities() {
    let (broker, _service, device) = accepting();
    let journal = |name: &str| {
        let file = File::create(device.path(name)).unwrap();
        let meta = file.metadata().unwrap();
        (file, format!("{}:{}", meta.dev(), meta.ino()))
    };
    let read = |name: &str| fs::read_to_string(device.path(name)).unwrap();

    let (file, stream) = journal("log");
    let flags = device.watch_broker(&broker).env("JOURNAL_STREAM", stream);
    let mut watch = Watch::start_with(&flags, |command| command.stderr(file));
    watch.stays(4, "accepted");
    fs::rename(device.path("gw.key"), device.path("away")).unwrap();
    watch.until("gw.key");
    watch.stays(4, "gw.key");
    fs::rename(device.path("away"), device.path("gw.key")).unwrap();
    watch.until("accepted");
    watch.stop();
    let log = read("log");
    let lines: Vec<&str> = log.lines().collect();
    let (steady, changes): (Vec<&str>, Vec<&str>) = lines.iter().partition(|line| line.starts_with("<6>"));
    assert!(steady.iter().all(|line| line.starts_with("<6>report ")), "{log}");
    assert!(
        matches!(changes[..], [first, failed, again]
            if first.starts_with("<5>") && first.contains("accepted")
                && failed.starts_with("<3>") && failed.contains("gw.key")
                && again.starts_with("<5>") && again.contains("accepted")),
        "{log}"
    );
    assert!(lines.iter().filter(|line| line.starts_with("<6>")).count() >= 3, "steady success is information\n{log}");

    // Another stream than the one that is named.
    let (file, _) = journal("other");
    let flags = device.watch_broker(&broker).env("JOURNAL_STREAM", "1:1").set("--count", 2);
    assert_eq!(Watch::start_with(&flags, |command| command.stderr(file)).ends().status.code(), Some(0));
    let other = read("other");
    let lines: Vec<&str> = other.lines().collect();
    assert!(matches!(lines[..], [line] | [_, line] if line.starts_with("device-defender: report ")), "{other}");

    // Wrong settings are errors.
    let (file, stream) = journal("errors");
    let flags = device.watch().env("JOURNAL_STREAM", stream);
    assert_eq!(Watch::start_with(&flags, |command| command.stderr(file)).ends().status.code(), Some(78));
    let errors = read("errors");
    assert!(!errors.is_empty() && errors.lines().all(|line| line.starts_with("<3>")), "{errors}");
}

#[test]
fn quiet_logs_failures_and_their_end() {
    let (broker, _service, device) = accepting();
    let mut watch = device.watch_broker(&broker).flag("-q").start();
    watch.stays(2, "accepted");
    fs::remove_file(device.path("gw.key")).unwrap();
    watch.until("gw.key");
    device.renew("gw.key", "ec.key");
    watch.until("accepted");
    watch.stop().logged(&["gw.key", "accepted"]);
}
