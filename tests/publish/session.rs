//! What the program says to a broker, packet by packet, and what it makes of odd but lawful replies.

use std::io;
use std::thread;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish};
use serde_json::Value;

use crate::support::{BEFORE, Device, EACH_VERSION, Link, Peer, Tls, accepted, wire::puback};

const TOPIC: &str = "$aws/things/gw/defender/metrics/json";

#[test]
fn the_session_is_one_straight_line() {
    for versions in EACH_VERSION {
        let peer = Peer::accepting(Tls { versions, ..Tls::default() });
        let device = Device::new();
        device.publish_to_peer(&peer).succeeds();
        let seen = peer.seen();
        assert_eq!(seen.sni.as_deref(), Some("localhost"));
        assert_eq!(seen.certificates, 1);
        let [Packet::Connect(connect), Packet::Subscribe(subscribe), Packet::Publish(publish), Packet::Disconnect] =
            &seen.packets[..]
        else {
            panic!("{:?}", seen.packets);
        };
        assert_eq!(connect.client_id, "gw-device-defender");
        assert!(connect.clean_session && connect.last_will.is_none() && connect.login.is_none(), "{connect:?}");
        let filters: Vec<_> = subscribe.filters.iter().map(|filter| filter.path.as_str()).collect();
        assert_eq!(filters, [format!("{TOPIC}/accepted"), format!("{TOPIC}/rejected")]);
        assert_eq!((publish.topic.as_str(), publish.qos), (TOPIC, QoS::AtLeastOnce));
        assert!(!publish.retain && !publish.dup && publish.pkid != 0 && subscribe.pkid != 0, "{publish:?}");
        assert_ne!(publish.pkid, subscribe.pkid);
        let report: Value = serde_json::from_slice(&publish.payload).unwrap();
        assert_eq!(report["header"]["report_id"].as_u64(), device.last_id());
    }
}

#[test]
fn with_no_wait_nothing_is_subscribed_and_nothing_waited_for() {
    let peer = Peer::tls(Tls::default(), |link| {
        link.accept_connect()?;
        link.accept_report()?;
        link.silence()
    });
    Device::new().publish_to_peer(&peer).flag("--no-wait").succeeds();
    let packets = peer.seen().packets;
    assert!(matches!(packets[..], [Packet::Connect(_), Packet::Publish(_), Packet::Disconnect]), "{packets:?}");
}

#[test]
fn an_ip_address_is_connected_to_without_a_server_name() {
    for (host, address) in [("127.0.0.1", "127.0.0.1:0"), ("::1", "[::1]:0"), ("[::1]", "[::1]:0")] {
        let script = |link: &mut Link| {
            let config = Tls::default().config();
            link.start_tls(config)?;
            link.accept_all()
        };
        let peer = Peer::at(address.parse().unwrap(), script);
        Device::new().publish_to_peer(&peer).set("--endpoint", host).succeeds();
        let seen = peer.seen();
        assert_eq!((seen.sni.as_deref(), seen.reports().len()), (None, 1), "{host}");
    }
}

#[test]
fn a_refused_connect_is_reported_by_its_code_and_nothing_is_sent_after_it() {
    for (code, exit, told) in [
        (1, 69, "version of MQTT"),
        (2, 69, "client ID"),
        (3, 69, "available"),
        (4, 77, "user name"),
        (5, 77, "not authorized"),
        (6, 69, "6"),
        (7, 77, "not authorized"),
        (128, 69, "128"),
        (255, 69, "255"),
    ] {
        let peer = Peer::tls(Tls::default(), move |link| {
            link.receive()?;
            link.send(&link.connack(code))?;
            link.close()
        });
        let device = Device::new();
        let outcome = device.publish_to_peer(&peer).set("--mqtt-version", "3.1.1").outcome();
        outcome.is(exit, &["CONNECT", told, &code.to_string()]);
        if exit == 77 {
            outcome.says(&["hint: ", "gw-device-defender"]);
        }
        let packets = peer.seen().packets;
        assert!(matches!(packets[..], [Packet::Connect(_)] | [Packet::Connect(_), Packet::Disconnect]), "{packets:?}");
        assert_eq!(device.baseline(), None);
    }
}

#[test]
fn refused_subscriptions_do_not_stop_the_report_but_leave_it_unconfirmed() {
    thread::scope(|scope| {
        for codes in [&[0x80, 0x80][..], &[0x80, 1], &[1, 0x80], &[1]] {
            scope.spawn(move || {
                let peer = Peer::tls(Tls::default(), |link| {
                    link.accept_connect()?;
                    let subscribe = link.subscribe()?;
                    link.send(&link.suback(subscribe.pkid, codes))?;
                    link.accept_report()?;
                    link.silence()
                });
                let device = Device::new();
                let outcome = device.publish_to_peer(&peer).set("--timeout", "3s").outcome();
                outcome.is(77, &["subscription", "refused", "PUBACK", "hint: ", "iot:Subscribe"]);
                let seen = peer.seen();
                assert_eq!((seen.reports().len(), seen.packets.last()), (1, Some(&Packet::Disconnect)), "{codes:?}");
                assert_eq!(device.baseline(), None, "unconfirmed");
                assert!(device.last_id().is_some());
            });
        }
    });
}

/// What is odd but lawful: the report is accepted, and the program says good-bye.
#[test]
fn odd_sessions_that_end_well() {
    type Script = fn(&mut Link) -> io::Result<()>;
    let scripts: [(&str, Script); 5] = [
        ("the other subscription is refused", |link| {
            link.accept_connect()?;
            let subscribe = link.subscribe()?;
            link.send(&link.suback(subscribe.pkid, &[1, 0x80]))?;
            link.accept_the_report()
        }),
        ("the answer comes before the PUBACK", |link| {
            let report = link.up_to_report()?;
            let id = serde_json::from_slice::<Value>(&report.payload).unwrap()["header"]["report_id"].as_u64().unwrap();
            link.send(&link.message(&format!("{TOPIC}/accepted"), accepted(id).to_string()))?;
            link.send(&puback(report.pkid))?;
            link.silence()
        }),
        ("a session is said to be there already", |link| {
            link.receive()?;
            let mut connack = link.connack(0);
            connack[2] = 1;
            link.send(&connack)?;
            link.accept_subscribe()?;
            link.accept_the_report()
        }),
        ("a slow line", |link| {
            link.receive()?;
            link.trickle(&link.connack(0))?;
            let subscribe = link.subscribe()?;
            link.trickle(&link.suback(subscribe.pkid, &[0, 1]))?;
            let report = link.report()?;
            link.trickle(&puback(report.pkid))?;
            link.trickle(&link.message(&format!("{TOPIC}/accepted"), "{}"))?;
            link.silence()
        }),
        // No broker could know the packet id of the report, but one may send what it has in one write.
        ("all in one go", |link| {
            link.accept_connect()?;
            let subscribe = link.subscribe()?;
            link.send(&[link.suback(subscribe.pkid, &[1, 1]), link.message("some/topic", "hello")].concat())?;
            let report = link.report()?;
            let answer = link.message(&format!("{TOPIC}/accepted"), "{}");
            link.send(&[puback(report.pkid), answer.clone(), answer].concat())?;
            link.silence()
        }),
    ];
    for (what, script) in scripts {
        let (peer, device) = (Peer::tls(Tls::default(), script), Device::new());
        device.publish_to_peer(&peer).ends(0, &[]);
        assert_eq!(device.baseline(), Some(BEFORE), "{what}");
        let seen = peer.seen();
        assert_eq!((seen.reports().len(), seen.packets.last()), (1, Some(&Packet::Disconnect)), "{what}");
    }
}

/// A broker may have kept an answer that names no report: nobody knows to which it was.
#[test]
fn a_retained_answer_without_an_id_is_no_answer() {
    let peer = Peer::tls(Tls::default(), |link| {
        link.up_to_puback()?;
        let mut kept = Publish::new(format!("{TOPIC}/accepted"), QoS::AtMostOnce, r#"{"status":"ACCEPTED"}"#);
        kept.retain = true;
        link.send(&link.publish(kept))?;
        link.silence()
    });
    let device = Device::new();
    device.publish_to_peer(&peer).flag("-v").set("--timeout", "2s").ends(75, &["ignored", "retained", "no answer"]);
    assert_eq!((peer.seen().reports().len(), device.baseline()), (1, None));
}

#[test]
fn an_answer_with_qos_1_is_acknowledged() {
    let peer = Peer::tls(Tls::default(), |link| {
        let report = link.up_to_puback()?;
        let mut answer = Publish::new(format!("{TOPIC}/accepted"), QoS::AtLeastOnce, "{}");
        answer.pkid = 99;
        link.send(&link.publish(answer))?;
        assert_eq!(report.topic, TOPIC);
        link.silence()
    });
    Device::new().publish_to_peer(&peer).succeeds();
    let packets = peer.seen().packets;
    let [.., Packet::PubAck(ack), Packet::Disconnect] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!(ack.pkid, 99);
}

/// Acknowledgements of packets that were never sent, messages nobody asked for, a ping's answer.
#[test]
fn packets_that_belong_to_nothing_are_passed_over() {
    let peer = Peer::tls(Tls::default(), |link| {
        link.accept_connect()?;
        let subscribe = link.subscribe()?;
        link.send(&link.message("some/topic", "hello"))?;
        link.send(&link.suback(subscribe.pkid, &[1, 1]))?;
        let report = link.report()?;
        link.send(&puback(report.pkid.wrapping_add(7)))?;
        link.send(&[0xd0, 0])?;
        link.send(&link.message("$aws/things/other/defender/metrics/json/accepted", "{}"))?;
        link.send(&link.message(&format!("{TOPIC}/accepted/more"), "{}"))?;
        link.send(&link.message(TOPIC, "{}"))?;
        link.silence()
    });
    let outcome = Device::new().publish_to_peer(&peer).set("--timeout", "3s").outcome();
    outcome.is(75, &["no answer", "PUBACK"]);
    assert_eq!(peer.seen().reports().len(), 1);
}

/// The report was acknowledged or it was not: what is said differs.
#[test]
fn whether_the_puback_was_seen_is_said() {
    let with = Peer::tls(Tls::default(), |link| {
        link.up_to_puback()?;
        link.silence()
    });
    let without = Peer::tls(Tls::default(), |link| {
        link.up_to_report()?;
        link.silence()
    });
    let told = |peer: Peer| {
        let device = Device::new();
        let outcome = device.publish_to_peer(&peer).set("--timeout", "2s").ends(75, &["PUBACK", "hint: "]);
        let seen = peer.seen();
        assert_eq!((seen.reports().len(), device.baseline()), (1, None));
        assert_eq!(seen.packets.last(), Some(&Packet::Disconnect), "a good-bye all the same");
        let told = outcome.stderr.lines().next().unwrap_or_default().to_owned();
        told.replace(|c: char| c.is_ascii_digit(), "N")
    };
    assert_ne!(told(with), told(without));
}
