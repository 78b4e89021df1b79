//! Clocks that step by years, machines that are suspended, and spacing over restarts.

use std::fs;
use std::sync::mpsc::channel;

use crate::support::{Broker, Device, Received, Service, accepting, clocked, shim, step};
use crate::watch::running::Watch;

const YEAR: i64 = 365 * 86400;

/// Waits until the loop has looked at the clock so many times; the cycles it told of meanwhile.
fn wakes(watch: &mut Watch, times: usize) -> Vec<String> {
    let (mut seen, mut cycles) = (0, Vec::new());
    while seen < times {
        let notice = watch.notice();
        seen += usize::from(notice == "WATCHDOG=1");
        cycles.extend(notice.strip_prefix("STATUS=").map(str::to_owned));
    }
    cycles
}

#[test]
fn ids_grow_and_the_schedule_stands_while_the_clock_steps_by_years() {
    let (broker, service, device) = accepting();
    let mut watch = clocked(&device, device.watch_plain(broker.plain)).start();
    watch.until("accepted");
    for years in [0, 20, 19, -30, 0, 200, -60, 0] {
        step(&device, years * YEAR, 0); // before 1970, too
        let before = sent(&device);
        watch.stays(3, "accepted");
        let passed = sent(&device) - before;
        assert!(passed >= 2 * 100, "{years}: three reports within {passed} ms");
    }
    watch.stop().logged(&["accepted"]);
    let ids: Vec<u64> = service.reports().iter().map(Received::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let now = 1_700_000_000;
    let year = u64::try_from(YEAR).unwrap();
    assert!(ids[0] < now + 10 * year && ids.last().unwrap() > &(now + 200 * year), "{ids:?}: the clock was followed");
}

#[test]
fn a_clock_that_steps_makes_no_report_come_early() {
    let (broker, service, device) = accepting();
    let flags = device.watch_plain(broker.plain).set("--interval", "300").env("WATCHDOG_USEC", "100000");
    let mut watch = clocked(&device, flags).start();
    watch.until("accepted");
    for years in [1, -1, 100] {
        step(&device, years * YEAR, 0);
        assert!(wakes(&mut watch, 4).is_empty(), "{years}");
    }
    watch.stop();
    assert_eq!(service.reports().len(), 1);
}

#[test]
fn a_machine_that_was_suspended_reports_once_when_it_wakes() {
    let (broker, service, device) = accepting();
    let flags = device.watch_plain(broker.plain).set("--interval", "300").env("WATCHDOG_USEC", "100000");
    let mut watch = clocked(&device, flags).start();
    watch.until("accepted");
    let mut slept = 0;
    for (count, seconds) in [290, 20, 3600, 5 * 86400].into_iter().enumerate() {
        slept += seconds;
        step(&device, slept, slept);
        let cycles = wakes(&mut watch, 6);
        assert_eq!(cycles.len(), usize::from(count > 0), "after {seconds} s: {cycles:?}");
    }
    watch.stop().logged(&["accepted"]);
    assert_eq!(service.reports().len(), 4);
}

/// Certificates are judged by the clock that can be wrong: that is told, and is over when the clock is right.
#[test]
fn a_clock_that_is_wrong_for_a_while() {
    let (broker, _service, device) = accepting();
    let mut watch = clocked(&device, device.watch_broker(&broker)).start();
    watch.until("accepted");
    for (years, told) in [(50, "expired at "), (-60, "not valid before ")] {
        step(&device, years * YEAR, 0);
        watch.until(told);
        watch.stays(3, told);
        step(&device, 0, 0);
        watch.until("accepted");
    }
    watch.stop().logged(&["accepted", "expired at ", "accepted", "not valid before ", "accepted"]);
}

/// When the last report was sent, by the state file: milliseconds since boot.
fn sent(device: &Device) -> u64 {
    device.state().unwrap()["sent"]["since_boot_ms"].as_u64().unwrap()
}

#[test]
fn the_spacing_is_kept_over_restarts() {
    let (broker, device) = (Broker::start(), Device::with_credentials());
    let service = Service::start(broker.plain, move |report| match report.id() % 2 {
        0 => vec![report.accepted()],
        _ => vec![report.rejected("Throttled", "Too many")], // it arrived, whatever the answer is
    });
    let flags = device.watch_broker(&broker).set("--interval", "1500ms");
    let first = flags.clone().set("--count", 2).start().ends();
    assert!(first.status.code().is_some());
    let mut moments = vec![sent(&device)];
    for run in 0..3 {
        let mut watch = flags.clone().set("--count", 1).start();
        if run == 1 {
            watch.is_ready();
            watch.logs("first report in ");
            drop(watch); // killed while it waits
            watch = flags.clone().set("--count", 1).start();
        }
        let ended = watch.ends();
        assert!(ended.log[0].starts_with("first report in "), "{:#?}", ended.log);
        moments.push(sent(&device));
    }
    assert!(moments.windows(2).all(|pair| pair[1] - pair[0] >= 1500), "{moments:?}");
    assert_eq!(service.reports().len(), 5);
}

/// The service counts between arrivals: what saving the state takes before the PUBLISH must not be missing afterwards.
#[test]
fn a_slow_disk_does_not_shorten_the_spacing() {
    let (broker, device) = (Broker::start(), Device::with_credentials());
    let clocks = device.path("clocks");
    let (sender, arrivals) = channel();
    let _service = Service::start(broker.plain, move |report| {
        sender.send(fs::read(&clocks).unwrap()).unwrap();
        vec![report.accepted()]
    });
    let flags = clocked(&device, device.watch_broker(&broker).set("--interval", "4h").set("--count", 1));
    flags.clone().env("TEST_SLOW_DISK_S", "3600").start().ends();
    let arrival = arrivals.recv().unwrap();
    assert!(!arrival.starts_with(b"0 "), "the id is saved before the report is sent");
    device.write("clocks", arrival); // as if the next run began when the report arrived
    let mut watch = flags.start();
    let line = watch.logs("first report in ");
    assert!(line.contains("in 3h 59m") || line.contains("in 4h"), "{line}");
    watch.stop();
}

/// Somebody who looks for a fault sends a report by hand. The service counts that, too.
#[test]
fn a_report_that_is_sent_by_hand_meanwhile_is_counted_from() {
    let (broker, service, device) = accepting();
    let flags = device.watch_broker(&broker).set("--interval", "2500ms");
    let mut watch = flags.start();
    watch.until("accepted");
    let by_hand = flags.clone().command("publish").without("--interval").without("--splay");
    by_hand.without("--allow-short-interval").succeeds();
    let mut moments = vec![sent(&device)];
    for _ in 0..2 {
        watch.until("accepted");
        moments.push(sent(&device));
    }
    watch.stop().logged(&["accepted", "another run reported", "accepted"]);
    assert!(moments.windows(2).all(|pair| pair[1] - pair[0] >= 2500), "{moments:?}");
    assert_eq!(service.reports().len(), 4);
}

#[test]
fn a_moment_of_another_boot_or_of_the_future_is_not_waited_for() {
    let (broker, _service, device) = accepting();
    let flags = device.watch_broker(&broker).set("--interval", "2h").set("--count", 1);
    flags.start().ends();
    let state = device.state().unwrap();
    for (boot_id, later) in [("some-other-boot", 0), ("", 86_400_000)] {
        let mut state = state.clone();
        if !boot_id.is_empty() {
            state["sent"]["boot_id"] = boot_id.into();
        }
        state["sent"]["since_boot_ms"] = (sent(&device) + later).into();
        device.write("state/gw.json", state.to_string());
        let ended = flags.start().ends();
        ended.logged(&["accepted"]);
    }
    // One of this boot is.
    let mut watch = flags.start();
    let line = watch.logs("first report in ");
    assert!(line.contains("1h 59m") || line.contains("2h"), "{line}");
    watch.stop();
}

/// Without a clock the loop would never be due again: it ends, so that whoever supervises it notices.
#[test]
fn a_clock_that_fails_ends_it() {
    let device = Device::with_credentials();
    let flags = device.watch().flag("--print").env("LD_PRELOAD", shim()).env("TEST_NO_BOOTTIME", "1");
    flags.ends(69, &["clock CLOCK_BOOTTIME: Invalid argument"]);
}
