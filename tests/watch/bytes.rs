//! Bytes conserved: whatever happens to reports and answers, what the accepted ones say sums up to what the counters say.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{Broker, Device, NET, Service, Traffic, in_namespaces, traffic, until, veth_pair};
use crate::watch::proxy::{Proxy, Way};

/// What the service does with a report.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Accepted,
    Rejected,
    Throttled,
    /// It is accepted, but nobody hears of it.
    AcceptedUnheard,
    /// Nothing becomes of it.
    Lost,
}

/// The reports that arrived, and what was done with them.
type Books = Vec<(Fate, Value)>;

/// A service that deals with reports as told, over and over, and its books.
fn service(port: u16, fates: &'static [Fate]) -> (Service, Arc<Mutex<Books>>) {
    let books: Arc<Mutex<Books>> = Arc::default();
    let ours = Arc::clone(&books);
    let service = Service::start(port, move |report| {
        let mut books = ours.lock().unwrap();
        let fate = fates[books.len() % fates.len()];
        books.push((fate, report.json()));
        match fate {
            Fate::Accepted => vec![report.accepted()],
            Fate::Rejected => vec![report.rejected("InvalidPayload", "Malformed")],
            Fate::Throttled => vec![report.rejected("Throttled", "Too many")],
            Fate::AcceptedUnheard | Fate::Lost => Vec::new(),
        }
    });
    (service, books)
}

/// What the reports of some fate say together.
fn sum(books: &[(Fate, Value)], of: &[Fate]) -> Traffic {
    let counted = books.iter().filter(|(fate, _)| of.contains(fate)).filter_map(|(_, report)| traffic(report));
    counted.fold([0; 4], |sum, one| [0, 1, 2, 3].map(|n| sum[n] + one[n]))
}

const FATES: &[Fate] = {
    use Fate::{Accepted, AcceptedUnheard, Lost, Rejected, Throttled};
    &[
        Accepted, Accepted, Rejected, Accepted, Throttled, Throttled, Accepted, AcceptedUnheard, Accepted, Lost,
        Rejected, Accepted, Accepted,
    ]
};

/// The counters of all interfaces but `lo`, as the kernel shows them to this process.
fn counters() -> Traffic {
    let dev = procfs::net::dev_status().unwrap();
    let interfaces = dev.values().filter(|interface| interface.name != "lo");
    interfaces.fold([0; 4], |sum, one| {
        let one = [one.recv_bytes, one.recv_packets, one.sent_bytes, one.sent_packets];
        [0, 1, 2, 3].map(|n| sum[n] + one[n])
    })
}

#[test]
fn what_is_accepted_sums_up_to_what_the_kernel_counted() {
    in_namespaces(NET, |_| {
        veth_pair();
        let (broker, device) = (Broker::start(), Device::with_credentials());
        let (service, books) = service(broker.plain, FATES);
        let proxy = Proxy::to(broker.tls);
        let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
        let mut size = 1;
        let mut send = || {
            size = size * 7 % 1201 + 1; // no two alike
            socket.send_to(&vec![0; size], "10.9.0.2:9").unwrap();
        };
        send();
        let quiet = || {
            let mut last = counters();
            until("no traffic is on its way", || {
                let before = std::mem::replace(&mut last, counters());
                last == before && last[1] == last[3]
            });
            last
        };
        let before = quiet();
        let flags = device.watch_port(proxy.port).set("--timeout", "500ms").set("--exclude-interface", "lo");
        let mut watch = flags.without("--proc").start();
        watch.until("accepted"); // the baseline is taken while nothing moves
        for round in 0..30 {
            (0..=round % 5).for_each(|_| send());
            match round {
                7 => proxy.does(Way::StallAfter(broker.tls, 700)),
                12 => proxy.does(Way::CutAfter(broker.tls, 2500)),
                17 => proxy.does(Way::StallAfterSent(broker.tls, 900)),
                22 => proxy.does(Way::StallAfter(broker.tls, 0)),
                9 | 14 | 19 | 24 => proxy.does(Way::To(broker.tls)),
                _ => {}
            }
            watch.cycle();
        }
        let after = quiet();
        assert!(after[0] > before[0] + 1000, "{after:?}");
        // All that is still to be counted is, by the time that a report is accepted that began after the last packet.
        watch.cycle();
        watch.until("accepted");
        watch.stop();
        service.reports();
        let books = books.lock().unwrap();
        let unheard = sum(&books, &[Fate::AcceptedUnheard]);
        let accepted = sum(&books, &[Fate::Accepted, Fate::AcceptedUnheard]);
        let expected = [0, 1, 2, 3].map(|n| after[n] - before[n] + unheard[n]);
        assert_eq!(accepted, expected, "of which {unheard:?} went unheard and is counted again");
        assert!(unheard[0] > 0 && sum(&books, &[Fate::Rejected, Fate::Throttled, Fate::Lost])[0] > 0, "{books:?}");
    });
}

/// The same with counters under control, over restarts of the program, killed or not, and with `--no-wait`, where the
/// acknowledgement counts.
#[test]
fn what_is_accepted_sums_up_over_restarts() {
    for no_wait in [false, true] {
        let (broker, device) = (Broker::start(), Device::with_credentials());
        let (service, books) = service(broker.plain, FATES);
        let mut shown = [1000, 10, 2000, 20];
        let flags = device.watch_broker(&broker).set("--timeout", "400ms");
        let flags = if no_wait { flags.flag("--no-wait") } else { flags };
        let done = if no_wait { "acknowledged" } else { "accepted" };
        flags.start().until(done); // and it is killed when that is known
        let first = shown;
        for run in 0..4 {
            let mut watch = flags.start();
            for cycle in 0..4 {
                shown = [shown[0] + 1003 * (run + 1), shown[1] + 3, shown[2] + 17 * (cycle + 1), shown[3] + 1];
                device.count(shown);
                watch.cycle();
            }
            match run {
                0 | 2 => drop(watch.stop()),
                _ => drop(watch), // killed
            }
        }
        let mut watch = flags.start();
        watch.until(done);
        watch.stop();
        service.reports();
        assert_eq!(device.baseline(), Some(shown), "all is counted");
        if no_wait {
            continue; // which of them the service had and which not cannot be known
        }
        let books = books.lock().unwrap();
        let unheard = sum(&books, &[Fate::AcceptedUnheard]);
        let accepted = sum(&books, &[Fate::Accepted, Fate::AcceptedUnheard]);
        // A kill between the answer of the service and its arrival is one more answer that nobody heard.
        let expected = [0, 1, 2, 3].map(|n| shown[n] - first[n] + unheard[n]);
        let more = [0, 1, 2, 3].map(|n| accepted[n].checked_sub(expected[n]));
        assert!(more.iter().all(Option::is_some), "{accepted:?} {expected:?}: bytes are lost");
    }
}
