//! Networks and brokers that fail and come back: the loop goes on, tells what has changed, and nothing twice.

use std::fs;
use std::process::{Child, Stdio};

use crate::support::{
    Broker, CommandLine, Device, NET, Part, Service, Ways, accepting, hosts_file, in_namespaces, ip, pki_str, spawn,
    tool, until,
};
use crate::watch::proxy::{Proxy, Way};
use crate::watch::running::Watch;

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
        let device = Device::with_credentials();
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

/// Reports through a proxy to a good port, and then to each of these ways, of which this must be told; each time, reports
/// are accepted again afterwards. Each failure is logged once, and so is its end.
fn fails_and_recovers(flags: &CommandLine, proxy: &Proxy, good: u16, cases: &[(Way, &str)]) {
    let mut watch = flags.start();
    watch.until("accepted");
    let mut expected = vec!["accepted"];
    for (way, told) in cases {
        proxy.does(*way);
        watch.until(told);
        watch.stays(1, told);
        proxy.does(Way::To(good));
        watch.until("accepted");
        watch.stays(1, "accepted");
        expected.extend([told, "accepted"]);
    }
    watch.stop().logged(&expected);
}

/// What the network does from the first byte of a session to its last, and the names it is told by.
#[test]
fn a_network_that_stalls_in_the_middle_of_a_packet() {
    let (broker, _service, device) = accepting();
    let (proxy, tls) = (Proxy::to(broker.tls), broker.tls);
    let flags = device.watch_port(proxy.port).set("--timeout", "800ms");
    let cases = [
        (Way::StallAfter(tls, 0), "TLS"),
        (Way::StallAfter(tls, 5), "TLS"),   // the header of a record, and nothing of it
        (Way::StallAfter(tls, 600), "TLS"), // the half of a certificate
        (Way::StallAfterSent(tls, 100), "TLS"),
        (Way::CutAfter(tls, 600), "TLS"),
    ];
    fails_and_recovers(&flags, &proxy, tls, &cases);
}

/// The same without TLS in MQTT 3.1.1, where it is known how long each packet is: CONNACK is 4 bytes, SUBACK 6, PUBACK 4.
#[test]
fn a_session_that_stalls_in_each_of_its_packets() {
    let (broker, _service, device) = accepting();
    let (proxy, plain) = (Proxy::to(broker.plain), broker.plain);
    let flags = device.watch_plain(proxy.port).set("--timeout", "500ms").set("--mqtt-version", "3.1.1");
    let cases = [
        (Way::StallAfter(plain, 0), "CONNECT"),
        (Way::StallAfter(plain, 3), "CONNECT"),
        (Way::StallAfter(plain, 4), "SUBSCRIBE"),
        (Way::StallAfter(plain, 9), "SUBSCRIBE"),
        (Way::StallAfter(plain, 13), "no PUBACK"),
        (Way::StallAfter(plain, 14), "(PUBACK)"),
        (Way::StallAfterSent(plain, 200), "no PUBACK"), // in the middle of the PUBLISH
    ];
    fails_and_recovers(&flags, &proxy, plain, &cases);
}

#[test]
fn a_broker_that_refuses_for_a_while() {
    let (good, _service, device) = accepting();
    let prefix = Broker::with(Ways { general: "clientid_prefixes device-defender-", ..Ways::default() });
    let mute = Broker::with(Ways { rights: Some("user gw\ntopic read nothing\n"), ..Ways::default() });
    let [stranger, expired, elsewhere] = ["server-unknown", "server-expired", "server-elsewhere"]
        .map(|certificate| Broker::with(Ways { certificate: Some(certificate), ..Ways::default() }));
    let proxy = Proxy::to(good.tls);
    let flags = device.watch_port(proxy.port).set("--timeout", "1s");
    let cases = [
        (&prefix, "not authorized"),
        (&mute, "PUBACK 0x87: not authorized"),
        (&stranger, "issued it"),
        (&expired, "expired"),
        (&elsewhere, "not for `localhost`"),
    ];
    fails_and_recovers(&flags, &proxy, good.tls, &cases.map(|(broker, told)| (Way::To(broker.tls), told)));
}

#[test]
fn a_service_that_says_no_for_a_while() {
    let (broker, device) = (Broker::start(), Device::with_credentials());
    let mut arrived = 0;
    let service = Service::start(broker.plain, move |report| {
        arrived += 1;
        match arrived {
            4..=7 => vec![report.rejected("InvalidPayload", "Malformed\nmetrics \u{1b}[2J report")],
            8..=9 => vec![report.rejected("InvalidPayload", "Too many connections")],
            10..=13 => vec![report.rejected("Throttled", "Too many reports")],
            14..=16 => Vec::new(),
            _ => vec![report.accepted()],
        }
    });
    let mut watch = device.watch_broker(&broker).set("--timeout", "600ms").start();
    for (cycles, told) in [
        (3, "accepted"),
        (4, "rejected: InvalidPayload: Malformed"),
        (2, "rejected: InvalidPayload: Too many"),
        (4, "rejected: Throttled"),
        (3, "no answer"),
        (4, "accepted"),
    ] {
        watch.stays(cycles, told);
    }
    let told =
        ["accepted", "InvalidPayload: Malformed", "InvalidPayload: Too many", "Throttled", "no answer", "accepted"];
    watch.stop().logged(&told);
    let ids: Vec<u64> = service.reports().iter().map(crate::support::Received::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn a_name_that_cannot_be_looked_up_for_a_while() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up");
        let (broker, _service, device) = accepting();
        let hosts = hosts_file(part, "hosts", "127.0.0.1 broker.test\n");
        hosts_file(part, "resolv.conf", "nameserver 127.0.0.1\n");
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
    let (broker, _service, device) = accepting();
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
