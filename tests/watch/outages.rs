//! Networks and brokers that fail and come back: the loop goes on, tells what has changed, and nothing twice.

use std::fs;
use std::process::{Child, Stdio};

use crate::broker::mosquitto::{Broker, Ways};
use crate::broker::pki::pki_str;
use crate::broker::service::Service;
use crate::broker::{spawn, tool};
use crate::device::Device;
use crate::namespace::{NET, Part, in_namespaces, ip, until};
use crate::proxy::{Proxy, Way};
use crate::running::Watch;

/// A broker on the usual ports, as it is restarted.
struct Restarted(Child);

impl Restarted {
    fn start(part: &Part) -> Self {
        let (ca, certificate, key) = (pki_str("ca.pem"), pki_str("server.pem"), pki_str("server.key"));
        let config = format!(
            "user root\nallow_anonymous true\npersistence false\nlog_type none\nlistener 1883 127.0.0.1\n\
             listener 8883 127.0.0.1\ncafile {ca}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n"
        );
        let file = part.dir.join("mosquitto.conf");
        fs::write(&file, config).unwrap();
        let mut command = tool("mosquitto");
        command.arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let broker = Self(spawn(&mut command));
        until("the broker listens", || [1883, 8883].iter().all(|port| is_open(*port)));
        broker
    }
}

impl Drop for Restarted {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn is_open(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_broker_that_is_killed_and_restarted() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up");
        let device = Device::new();
        let mut watch = device.watch_port(8883).set("--timeout", "2s").start();
        watch.until("refused"); // the device was faster than its broker
        watch.stays(3, "refused");
        for _ in 0..3 {
            let broker = Restarted::start(part);
            let service = Service::accepting(1883);
            watch.until("accepted");
            watch.stays(3, "accepted");
            drop(broker);
            drop(service);
            watch.until("refused");
            watch.stays(3, "refused");
        }
        // The interface itself is gone.
        ip("link set dev lo down");
        watch.until("no answer within");
        watch.stays(1, "no answer within");
        ip("link set dev lo up");
        watch.until("refused");
        let _broker = Restarted::start(part);
        let _service = Service::accepting(1883);
        watch.until("accepted");
        watch.cycle();
        let ended = watch.stop();
        ended.never_repeats();
        let accepted = ended.log.iter().filter(|line| line.contains("accepted")).count();
        assert_eq!(accepted, 4, "{:#?}", ended.log);
        assert!(ended.log[0].contains("refused") && ended.log[1].contains("accepted"), "{:#?}", ended.log);
    });
}

/// What the network does from the first byte of a session to its last, and the names it is told by.
#[test]
fn a_network_that_stalls_in_the_middle_of_a_packet() {
    type Stall = fn(u16, usize) -> Way;
    let cases: [(Stall, usize, &str); 5] = [
        (Way::StallAfter, 0, "TLS"),
        (Way::StallAfter, 5, "TLS"),   // the header of a record, and nothing of it
        (Way::StallAfter, 600, "TLS"), // the half of a certificate
        (Way::StallAfterSent, 100, "TLS"),
        (Way::CutAfter, 600, "TLS"),
    ];
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    let proxy = Proxy::to(broker.tls);
    let mut watch = device.watch_port(proxy.port).set("--timeout", "800ms").start();
    watch.until("accepted");
    let mut expected = vec!["accepted"];
    for (stall, bytes, told) in cases {
        proxy.does(stall(broker.tls, bytes));
        watch.until(told);
        watch.stays(1, told);
        proxy.does(Way::To(broker.tls));
        watch.until("accepted");
        watch.stays(1, "accepted");
        expected.extend([told, "accepted"]);
    }
    watch.stop().logged(&expected);
}

/// The same without TLS, where it is known how long each packet is: a stall inside each of them.
#[test]
fn a_session_that_stalls_in_each_of_its_packets() {
    // CONNACK is 4 bytes, SUBACK 6, PUBACK 4.
    let cases: [(usize, &str); 6] =
        [(0, "CONNECT"), (3, "CONNECT"), (4, "SUBSCRIBE"), (9, "SUBSCRIBE"), (13, "no PUBACK"), (14, "(PUBACK)")];
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    let proxy = Proxy::to(broker.plain);
    let mut watch = device.watch_plain(proxy.port).set("--timeout", "500ms").start();
    watch.until("accepted");
    let mut expected = vec!["accepted"];
    for (bytes, told) in cases {
        proxy.does(Way::StallAfter(broker.plain, bytes));
        watch.until(told);
        watch.stays(1, told);
        proxy.does(Way::To(broker.plain));
        watch.until("accepted");
        expected.extend([told, "accepted"]);
    }
    proxy.does(Way::StallAfterSent(broker.plain, 200)); // in the middle of the PUBLISH
    watch.until("no PUBACK");
    proxy.does(Way::To(broker.plain));
    watch.until("accepted");
    expected.extend(["no PUBACK", "accepted"]);
    watch.stop().logged(&expected);
}

#[test]
fn a_broker_that_refuses_for_a_while() {
    let (good, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(good.plain);
    let prefix = Broker::with(Ways { general: "clientid_prefixes device-defender-", ..Ways::default() });
    let mute = Broker::with(Ways { rights: Some("user gw\ntopic read nothing\n"), ..Ways::default() });
    let stranger = Broker::with(Ways { certificate: Some("server-unknown"), ..Ways::default() });
    let expired = Broker::with(Ways { certificate: Some("server-expired"), ..Ways::default() });
    let elsewhere = Broker::with(Ways { certificate: Some("server-elsewhere"), ..Ways::default() });
    let proxy = Proxy::to(good.tls);
    let mut watch = device.watch_port(proxy.port).set("--timeout", "1s").start();
    watch.until("accepted");
    let mut expected = vec!["accepted"];
    for (broker, told) in [
        (&prefix, "not authorized"),
        (&mute, "no answer"),
        (&stranger, "issued by none"),
        (&expired, "expired"),
        (&elsewhere, "not for `localhost`"),
    ] {
        proxy.does(Way::To(broker.tls));
        watch.until(told);
        watch.stays(2, told);
        proxy.does(Way::To(good.tls));
        watch.until("accepted");
        expected.extend([told, "accepted"]);
    }
    watch.stop().logged(&expected);
}

#[test]
fn a_service_that_says_no_for_a_while() {
    let (broker, device) = (Broker::start(), Device::new());
    let mut arrived = 0;
    let service = Service::start(broker.plain, move |report| {
        arrived += 1;
        match arrived {
            4..=7 => vec![report.rejected("InvalidPayload", "Malformed\nmetrics \u{1b}[2J report")],
            8..=11 => vec![report.rejected("Throttled", "Too many reports")],
            12..=14 => Vec::new(),
            _ => vec![report.accepted()],
        }
    });
    let mut watch = device.watch_broker(&broker).set("--timeout", "600ms").start();
    for (cycles, told) in [
        (3, "accepted"),
        (4, "rejected: InvalidPayload"),
        (4, "rejected: Throttled"),
        (3, "no answer"),
        (4, "accepted"),
    ] {
        watch.stays(cycles, told);
    }
    watch.stop().logged(&["accepted", "rejected: InvalidPayload", "rejected: Throttled", "no answer", "accepted"]);
    let ids: Vec<u64> = service.reports().iter().map(crate::broker::service::Received::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn a_name_that_cannot_be_looked_up_for_a_while() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up");
        let (broker, device) = (Broker::start(), Device::new());
        let _service = Service::accepting(broker.plain);
        let hosts = part.dir.join("hosts");
        fs::write(&hosts, "127.0.0.1 broker.test\n").unwrap();
        for (name, text) in [("hosts", "127.0.0.1 broker.test\n"), ("resolv.conf", "nameserver 127.0.0.1\n")] {
            let file = part.dir.join(name);
            fs::write(&file, text).unwrap();
            crate::namespace::system(tool("mount").arg("--bind").arg(&file).arg(format!("/etc/{name}")));
        }
        let mut watch = device.watch_broker(&broker).set("--endpoint", "broker.test").start();
        watch.until("accepted");
        fs::write(&hosts, "").unwrap();
        watch.until("DNS");
        watch.stays(3, "DNS");
        fs::write(&hosts, "127.0.0.1 broker.test\n").unwrap();
        watch.until("accepted");
        watch.stop().logged(&["accepted", "DNS", "accepted"]);
    });
}

/// Of failures in every phase there may be thousands.
#[test]
fn failures_leak_no_descriptors() {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    let proxy = Proxy::to(broker.tls);
    let mut watch = device.watch_port(proxy.port).start();
    watch.until("accepted");
    let descriptors = |watch: &mut Watch| {
        let count = |watch: &mut Watch| {
            watch.cycle(); // between two cycles, most likely, where it has least of them
            fs::read_dir(format!("/proc/{}/fd", watch.pid())).unwrap().count()
        };
        [(); 4].map(|()| count(watch)).into_iter().min().unwrap()
    };
    let before = descriptors(&mut watch);
    for way in [Way::CutAfter(broker.tls, 600), Way::To(1), Way::CutAfter(broker.tls, 2000)] {
        proxy.does(way);
        (0..8).for_each(|_| drop(watch.cycle()));
    }
    proxy.does(Way::To(broker.tls));
    watch.until("accepted");
    let after = descriptors(&mut watch);
    assert!(after < before + 8, "{after} after 24 failures, {before} before");
    watch.stop().never_repeats();
}
