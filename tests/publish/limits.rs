//! What a broker says that it takes (MQTT 5, section 3.2.2.3), and what becomes of a report that is more.

use std::io;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Packet;

use crate::support::{Broker, Device, Link, Peer, Received, Service, Ways};

const TOPIC: &str = "$aws/things/gw/defender/metrics/json";

/// A CONNACK with these properties.
fn connack(properties: &[u8]) -> Vec<u8> {
    let length = u8::try_from(properties.len()).unwrap();
    [&[0x20, length + 3, 0, 0, length], properties].concat()
}

/// The property of a maximum packet size.
fn packet_size(bytes: u32) -> Vec<u8> {
    [&[0x27][..], &bytes.to_be_bytes()].concat()
}

/// Lets the program in with these properties, and grants all it asks for.
fn let_in(link: &mut Link, properties: &[u8]) -> io::Result<()> {
    link.receive()?;
    link.send(&connack(properties))?;
    link.accept_subscribe()
}

/// A device with many listening ports, whose report can be cut.
fn busy() -> Device {
    let device = Device::new();
    let header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    let row = |n: u16| {
        format!(
            "{n:4}: 00000000:{:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {} 1\n",
            n + 1000,
            5000 + u32::from(n)
        )
    };
    device.write("proc/net/tcp", format!("{header}{}", (0..700).map(row).collect::<String>()));
    device
}

/// The size of the device's report, and of one without lists.
fn sizes(device: &Device) -> (usize, usize) {
    let publish = device.publish_plain(1);
    let whole = publish.dry_run().stdout.len() - 1;
    let outcome = publish.set("--max-bytes", 1).flag("--dry-run").outcome();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let needed = outcome.stderr.split("the report takes ").nth(1).unwrap().split(' ').next().unwrap();
    (whole, needed.parse().unwrap())
}

/// How the stand-in sees a report: complete or cut, its totals being true in any case.
fn listening(report: &Received) -> (usize, u64) {
    let ports = &report.json()["metrics"]["listening_tcp_ports"];
    (ports["ports"].as_array().unwrap().len(), ports["total"].as_u64().unwrap())
}

#[test]
fn a_report_is_cut_to_the_largest_packet_that_a_broker_takes() {
    let (broker, device) = (Broker::with(Ways { general: "max_packet_size 4000", ..Ways::default() }), busy());
    let service = Service::accepting(broker.plain);
    let (whole, _) = sizes(&device);
    assert!(whole > 8000, "{whole}");

    let publish = device.publish_to(&broker);
    let outcome = publish.clone().flag("-v").outcome();
    let told = ["limits: maximum packet size 4000 bytes", "warning: the broker takes reports of at most 3954 bytes"];
    outcome.is(0, &told);
    outcome.says(&["cut to 3954 bytes", "the totals are true"]);
    let report = service.report();
    let (listed, total) = listening(&report);
    assert!(report.payload.len() <= 3954 && report.payload.len() > 3800 && listed > 50, "{}", report.payload.len());
    assert_eq!(total, 701);

    // What was asked for is no reason to send too much, and less is sent when less is asked for.
    publish.clone().set("--max-bytes", 100_000).ends(0, &["warning: the broker takes reports of at most 3954 bytes"]);
    assert!(service.report().payload.len() <= 3954);
    let outcome = publish.clone().set("--max-bytes", 2000).outcome();
    outcome.is(0, &["cut to 2000 bytes"]);
    outcome.says_nothing_of(&["the broker takes"]);
    assert!(service.report().payload.len() <= 2000);
    publish.set("--format", "cbor").ends(0, &["cut to 3954 bytes"]);
    assert!(service.report().payload.len() <= 3954);
}

/// MQTT 3.1.1 has no word for a limit: this broker closes the connection.
#[test]
fn without_a_word_of_the_limit_it_is_among_the_likely_causes() {
    let (broker, device) = (Broker::with(Ways { general: "max_packet_size 4000", ..Ways::default() }), busy());
    let service = Service::accepting(broker.plain);
    let outcome = device.publish_to(&broker).set("--mqtt-version", "3.1.1").outcome();
    outcome.is(
        77,
        &["PUBLISH: ", "without a reason", "look at the broker's log", "larger than the broker takes (--max-bytes)"],
    );
    outcome.says(&["with --mqtt-version 5 brokers give the reason"]);
    device.publish_to(&broker).set("--mqtt-version", "3.1.1").set("--max-bytes", 3900).ends(0, &["cut to 3900 bytes"]);
    assert_eq!(service.reports().len(), 1);
}

/// What fits is sent as it is, and what is too much by one byte is cut.
#[test]
fn what_fits_is_not_cut() {
    let (whole, least) = sizes(&busy());
    let overhead = TOPIC.len() + 10;
    for (payload, cut) in [(whole, false), (whole - 1, true), (least, true)] {
        let limit = u32::try_from(payload + overhead).unwrap();
        let peer = Peer::raw(move |link| {
            let_in(link, &packet_size(limit))?;
            link.accept_the_report()
        });
        let outcome = busy().publish_plain(peer.port()).outcome();
        outcome.is(0, &[]);
        assert_eq!(outcome.stderr.contains("cut to "), cut, "{}", outcome.stderr);
        let seen = peer.seen();
        let [report] = seen.reports()[..] else { panic!("{seen:?}") };
        assert!(report.payload.len() <= payload && (cut || report.payload.len() == payload));
    }
    // Without its lists the report is still too large.
    let limit = u32::try_from(least - 1 + overhead).unwrap();
    let peer = Peer::raw(move |link| {
        let_in(link, &packet_size(limit))?;
        link.silence()
    });
    let outcome = busy().publish_plain(peer.port()).outcome();
    outcome.is(69, &["PUBLISH: ", "and the broker takes at most", "hint: let the broker take larger packets"]);
    let seen = peer.seen();
    assert_eq!((seen.reports().len(), seen.packets.last()), (0, Some(&Packet::Disconnect)));
}

#[test]
fn a_broker_that_does_not_even_take_a_subscription_is_reported() {
    let peer = Peer::raw(|link| {
        link.receive()?;
        link.send(&connack(&packet_size(64)))?;
        link.silence()
    });
    let publish = Device::new().publish_plain(peer.port()).outcome();
    publish.is(69, &["SUBSCRIBE: ", "the broker takes at most 64", "hint: let the broker take larger packets"]);
}

#[test]
fn qos_0_is_used_where_a_broker_takes_no_more_and_the_answer_confirms() {
    let (broker, device) = (Broker::with(Ways { tls: "max_qos 0", ..Ways::default() }), Device::new());
    let service = Service::accepting(broker.plain);
    device.publish_to(&broker).flag("-v").ends(0, &["maximum QoS 0", "bytes, QoS 0, to ", "accepted after"]);
    assert_eq!(service.reports().len(), 1);
    // It is the service that says no, as ever.
    drop(service);
    let service = Service::start(broker.plain, |report| vec![report.rejected("InvalidPayload", "Malformed")]);
    device.publish_to(&broker).ends(76, &["InvalidPayload"]);
    assert_eq!(service.reports().len(), 1);
    // There is nothing else that could confirm it.
    let no_wait = device.publish_to(&broker).flag("--no-wait");
    no_wait.ends(69, &["the broker takes only QoS 0", "hint: leave out --no-wait"]);
    no_wait.without("--once").flag("--check").ends(69, &["the broker takes only QoS 0", "hint: leave out --no-wait"]);
    assert_eq!(service.reports(), []);
    // MQTT 3.1.1 cannot say so.
    let older = device.publish_to(&broker).set("--mqtt-version", "3.1.1");
    older.ends(77, &["without a reason", "its QoS 1 is not allowed"]);
}

#[test]
fn without_an_acknowledgment_nothing_is_said_about_one() {
    let script = |end: fn(&mut Link) -> io::Result<()>| {
        Peer::raw(move |link| {
            let_in(link, &[0x24, 0])?;
            let report = link.report()?;
            assert_eq!((report.qos, report.pkid), (QoS::AtMostOnce, 0));
            end(link)
        })
    };
    let device = Device::new();
    for (end, told) in [(Link::silence as fn(&mut Link) -> io::Result<()>, "no answer"), (Link::close, "closed")] {
        let peer = script(end);
        let outcome = device.publish_plain(peer.port()).set("--timeout", "2s").outcome();
        outcome.is(75, &["PUBLISH: ", told, "the broker takes only QoS 0, which has no acknowledgment"]);
        outcome.says_nothing_of(&["no PUBACK came"]);
        assert_eq!(peer.seen().reports().len(), 1);
    }
    assert_eq!(device.baseline(), None);
}

/// A broker may want to hear more often than was offered. One that does not would end the session while it waits.
#[test]
fn a_shorter_keep_alive_is_kept() {
    let peer = Peer::raw(|link| {
        let_in(link, &[0x13, 0, 1])?;
        let report = link.accept_report()?;
        for _ in 0..2 {
            assert!(matches!(link.receive()?, Packet::PingReq));
            link.send(&[0xd0, 0])?;
        }
        link.accepted(&report)?;
        link.silence()
    });
    let outcome = Device::new().publish_plain(peer.port()).flag("-v").outcome();
    outcome.is(0, &["receive maximum 65535, keep-alive 1 s", "accepted after"]);
    assert!(peer.seen().error.is_none());
}
