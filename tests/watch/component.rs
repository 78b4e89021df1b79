//! `watch` as a Greengrass component: through outages of the nucleus and of the cloud, and nucleus lite's small buffer.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{BEFORE, CommandLine, Device, Nucleus, NucleusLink, Received, clocked, step, traffic};

/// Reports of a component every 100 ms, beginning at once.
fn often(device: &Device) -> CommandLine {
    let line = device.watch().set("--interval", "100ms").set("--splay", "0s").flag("--allow-short-interval");
    line.set("--state-dir", "state")
}

/// Connections for which the nucleus does what `script` says of their number, from 0.
fn by_number(script: fn(&mut NucleusLink, usize) -> io::Result<()>) -> Nucleus {
    let number = AtomicUsize::new(0);
    Nucleus::start(move |link| script(link, number.fetch_add(1, Ordering::Relaxed)))
}

/// Shows a hundred more listening ports, so that a report takes more than nucleus lite can.
fn listens_on_many_ports(device: &Device) {
    let table = fs::read_to_string(device.path("proc/net/tcp")).unwrap();
    let row = table.lines().nth(1).unwrap();
    let (before, after) = row.split_once(": ").unwrap();
    let rest = after.split_once(' ').unwrap().1;
    let rows = (0..400).map(|port| format!("{before}: 0100007F:{:04X} {rest}\n", 20_000 + port));
    device.write("proc/net/tcp", table.clone() + &rows.collect::<String>());
}

#[test]
fn bytes_are_conserved_over_outages() {
    let nucleus = by_number(|link, number| match number % 5 {
        1 => Ok(()), // a token that is refused for a moment
        2 => {
            link.accept_subscriptions()?;
            let (request, _) = link.report()?;
            link.fail(&request, "ServiceError", "Failed to publish the message.")?;
            link.silence()
        }
        _ => {
            link.accept_all()?;
            link.silence()
        }
    });
    let device = Device::new();
    let mut watch = often(&device).in_nucleus(&nucleus).start();
    let mut counters = BEFORE;
    for _ in 0..6 {
        watch.until("accepted");
        counters[0] += 100;
        device.count(counters);
    }
    watch.until("accepted");
    watch.until("accepted");
    watch.stop();
    assert_eq!(device.baseline(), Some(counters));
    let reports = nucleus.reports();
    let ids: Vec<u64> = reports.iter().map(Received::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    // Reports that were refused are counted again in the next one; what was accepted adds up to all that the device shows.
    let accepted = reports.iter().enumerate().filter(|(number, _)| (number + 1) % 4 != 2).map(|(_, report)| report);
    let bytes: u64 = accepted.filter_map(|report| traffic(&report.json())).map(|traffic| traffic[0]).sum();
    assert_eq!(bytes, counters[0] - BEFORE[0]);
}

#[test]
fn a_report_that_is_too_large_for_nucleus_lite_is_cut_once_and_for_all() {
    let device = Device::new();
    listens_on_many_ports(&device);
    let nucleus = by_number(|link, _| {
        link.accept_all()?;
        link.silence()
    });
    let mut watch = often(&device).in_nucleus(&nucleus).start();
    let line = watch.logs("accepted");
    assert!(line.contains("reports are now cut to 7200 bytes"), "{line}");
    watch.until("accepted");
    watch.until("accepted");
    let ended = watch.stop();
    let told = ended.log.iter().filter(|line| line.contains("reports are now cut")).count();
    assert_eq!(told, 1, "{:#?}", ended.log);
    for report in nucleus.reports() {
        assert!(report.payload.len() <= 7200);
        assert_eq!(report.json()["metrics"]["listening_tcp_ports"]["total"], 401);
    }
    // The limit given is kept to.
    let line = device.publish().in_nucleus(&nucleus).set("--max-bytes", 20_000);
    line.ends(75, &["nucleus lite does so for more than 7290 bytes: give --max-bytes 7200"]);
}

#[test]
fn a_process_whose_token_is_dead_ends_after_twenty_minutes() {
    let (device, nucleus) = (Device::new(), Nucleus::accepting());
    let line = often(&device).in_nucleus(&nucleus).set("--interval", "300").env("WATCHDOG_USEC", "100000");
    let mut watch = clocked(&device, line).start();
    watch.until("accepted");
    nucleus.restart();
    for seconds in [300, 600, 900] {
        step(&device, 0, seconds);
        watch.until("does not accept this component's token");
    }
    step(&device, 0, 1300);
    let ended = watch.ends();
    assert_eq!(ended.status.code(), Some(69), "{:#?}", ended.log);
    ended.logged(&[
        "accepted",
        "does not accept this component's token (SVCUID)",
        "ending, so that it is started again",
    ]);
}

#[test]
fn an_outage_of_the_network_is_logged_once_and_never_ends_it() {
    let nucleus = by_number(|link, _| {
        link.accept_connect()?;
        let request = link.request()?;
        link.fail(&request, "ServiceError", "Failed to bind the subscription.")?;
        link.silence()
    });
    let device = Device::new();
    let line = often(&device).in_nucleus(&nucleus).set("--interval", "300").env("WATCHDOG_USEC", "100000");
    let mut watch = clocked(&device, line).start();
    for hours in 0..4 {
        step(&device, 0, hours * 3600);
        watch.until("Failed to bind the subscription.");
    }
    watch.stop().logged(&["Failed to bind the subscription."]);
}

#[test]
fn an_interval_that_is_too_short_is_raised() {
    let (device, nucleus) = (Device::new(), Nucleus::accepting());
    let line = device.watch().in_nucleus(&nucleus).set("--splay", "0s").env("DEVICE_DEFENDER_INTERVAL", "60");
    let mut watch = line.set("--state-dir", "state").start();
    watch.logs("interval 60 (environment variable DEVICE_DEFENDER_INTERVAL): raised to 300 seconds");
    watch.until("accepted");
    watch.stop();
}
