//! Which version of MQTT is spoken, and what becomes of a broker that does not speak MQTT 5.

use std::io;

use rumqttc::mqttbytes::Protocol;
use rumqttc::mqttbytes::v4::Packet;

use crate::support::wire::{Version, connack};
use crate::support::{BEFORE, Device, Link, Peer, Seen, Tls, accepting};

/// The versions of all CONNECTs.
fn asked(seen: &Seen) -> Vec<Protocol> {
    let versions = seen.packets.iter().filter_map(|packet| match packet {
        Packet::Connect(connect) => Some(connect.protocol),
        _ => None,
    });
    versions.collect()
}

/// How a broker answers that does not speak MQTT 5.
type Answer = fn(&mut Link) -> io::Result<()>;

/// In the way of MQTT 3.1.1; the same, but without looking at the version; in that of MQTT 5; with neither.
const ANSWERS: [(&str, Answer); 7] = [
    ("CONNACK 1", |link| link.send(&connack(1)).and_then(|()| link.close())),
    ("CONNACK 0 of 3.1.1", |link| link.send(&connack(0)).and_then(|()| link.close())),
    ("CONNACK 5 of 3.1.1", |link| link.send(&connack(5)).and_then(|()| link.close())),
    ("CONNACK 0x01", |link| link.send(&[0x20, 3, 0, 1, 0]).and_then(|()| link.close())),
    ("CONNACK 0x84", |link| link.send(&[0x20, 3, 0, 0x84, 0]).and_then(|()| link.close())),
    ("close", Link::close),
    ("reset", Link::reset),
];

/// A broker that speaks only MQTT 3.1.1, for so many connections.
fn older(connections: usize, answer: Answer) -> Peer {
    let config = Tls::default().config();
    Peer::each(connections, move |_, link| {
        link.start_tls(config.clone())?;
        assert!(matches!(link.receive()?, Packet::Connect(_)));
        if link.version == Version::V5 {
            return answer(link);
        }
        link.send(&connack(0))?;
        link.accept_subscribe()?;
        link.accept_the_report()
    })
}

#[test]
fn a_broker_that_does_not_speak_5_is_spoken_to_in_3_1_1() {
    for (name, answer) in ANSWERS {
        let (peer, device) = (older(2, answer), Device::new());
        device.publish_to_peer(&peer).succeeds();
        let seen = peer.seen();
        assert_eq!((asked(&seen), seen.reports().len()), (vec![Protocol::V5, Protocol::V4], 1), "{name}");
        assert_eq!(device.baseline(), Some(BEFORE), "{name}");
        // The way there is shown.
        let (peer, device) = (older(2, answer), Device::new());
        let outcome = device.publish_to_peer(&peer).flag("-v").outcome();
        outcome.is(0, &["; trying MQTT 3.1.1", "CONNECT: MQTT 3.1.1, client ID gw-device-defender accepted"]);
        drop(peer.seen());
    }
}

#[test]
fn a_version_that_is_asked_for_is_the_only_one() {
    let told: [(i32, &[&str]); 7] = [
        (69, &["refused with CONNACK 1: unsupported version of MQTT", "--mqtt-version auto"]),
        (69, &["the broker answered in MQTT 3.1.1 (CONNACK 0", "--mqtt-version 3.1.1 or auto"]),
        (69, &["the broker answered in MQTT 3.1.1 (CONNACK 5: not authorized)", "--mqtt-version 3.1.1 or auto"]),
        (69, &["refused with CONNACK 0x01: unsupported version of MQTT", "--mqtt-version auto"]),
        (69, &["refused with CONNACK 0x84: unsupported version of MQTT", "--mqtt-version auto"]),
        (
            77,
            &[
                "closed the connection instead of answering, without a reason",
                "likely causes: the broker speaks only MQTT 3.1.1 (then give --mqtt-version 3.1.1 or auto); the broker does not",
            ],
        ),
        (
            69,
            &[
                "reset",
                "hint: if the broker speaks only MQTT 3.1.1, give --mqtt-version 3.1.1 or auto; else try again later",
            ],
        ),
    ];
    for ((name, answer), (exit, told)) in ANSWERS.into_iter().zip(told) {
        let (peer, device) = (older(1, answer), Device::new());
        device.publish_to_peer(&peer).env("DEVICE_DEFENDER_MQTT_VERSION", "5").ends(exit, told);
        let seen = peer.seen();
        assert_eq!((asked(&seen), seen.reports().len()), (vec![Protocol::V5], 0), "{name}");
    }
    let (peer, device) = (older(1, Link::close), Device::new());
    device.publish_to_peer(&peer).set("--mqtt-version", "3.1.1").succeeds();
    assert_eq!(asked(&peer.seen()), [Protocol::V4]);
}

/// One that speaks only MQTT 5 is a broker as well.
#[test]
fn a_broker_that_refuses_3_1_1_is_reported() {
    let peer = Peer::tls(Tls::default(), |link| {
        link.receive()?;
        link.send(&connack(1))?;
        link.close()
    });
    let device = Device::new();
    let publish = device.publish_to_peer(&peer).set("--mqtt-version", "3.1.1");
    publish.ends(69, &["CONNACK 1: unsupported version of MQTT", "hint: ", "--mqtt-version auto"]);
    assert_eq!(asked(&peer.seen()), [Protocol::V4]);
}

/// Every other reason is a reason, and no second try would help.
#[test]
fn only_a_doubt_about_the_version_makes_it_try_again() {
    for code in [0x81, 0x82, 0x87, 0x88, 0x89, 0x8b] {
        let peer = Peer::each(2, move |_, link| {
            link.receive()?;
            link.send(&[0x20, 3, 0, code, 0])?;
            link.close()
        });
        let outcome = Device::new().publish_plain(peer.port()).outcome();
        assert!(!outcome.stderr.is_empty());
        assert_eq!(asked(&peer.seen()), [Protocol::V5], "{code:#x}");
    }
    // Once it was let in, it is known to be understood.
    let scripts: [Answer; 2] =
        [|link| link.accept_connect().and_then(|()| link.subscribe().map(drop)), |link| link.up_to_report().map(drop)];
    for script in scripts {
        let peer = Peer::each(2, move |_, link| {
            script(link)?;
            link.close()
        });
        Device::new().publish_plain(peer.port()).ends(77, &["without a reason"]);
        assert_eq!(asked(&peer.seen()), [Protocol::V5]);
    }
}

/// What closes connections in both versions is not about the version.
#[test]
fn a_close_in_both_versions_has_its_likely_causes_named() {
    let peer = Peer::each(2, |_, link| link.receive().and_then(|_| link.close()));
    let outcome = Device::new().publish_plain(peer.port()).flag("-v").outcome();
    let closed = "CONNECT: 127.0.0.1:";
    outcome.is(77, &["; trying MQTT 3.1.1", closed, "without a reason", "likely causes: ", "shutting down", "proxy"]);
    outcome.says_nothing_of(&["--mqtt-version"]);
    assert_eq!(asked(&peer.seen()), [Protocol::V5, Protocol::V4]);
}

/// In a process that goes on, a broker is asked once.
#[test]
fn watch_remembers_the_version() {
    for (name, answer) in ANSWERS {
        let (peer, device) = (older(4, answer), Device::with_credentials());
        device.watch_port(peer.port()).set("--count", 3).run().finish();
        let seen = peer.seen();
        assert_eq!(asked(&seen), [Protocol::V5, Protocol::V4, Protocol::V4, Protocol::V4], "{name}");
        assert_eq!(seen.reports().len(), 3, "{name}");
    }
}

/// A broker that is down for a moment, or a proxy in front of one, closes as well. That is not what MQTT 5 is given up for.
#[test]
fn watch_does_not_give_up_5_for_a_broker_that_closes_in_both_versions() {
    let peer = Peer::each(3, |number, link| {
        if number < 2 {
            link.receive()?;
            return link.close();
        }
        link.accept_all()
    });
    let device = Device::new();
    let output = device.watch_plain(peer.port()).set("--count", 2).run().finish();
    let seen = peer.seen();
    assert_eq!(asked(&seen), [Protocol::V5, Protocol::V4, Protocol::V5], "{output:?}");
    assert_eq!(seen.reports().len(), 1);
}

/// Both versions, to the same broker.
#[test]
fn a_real_broker_is_spoken_to_in_either_version() {
    let (broker, service, device) = accepting();
    for (version, logged) in [("auto", "(p5, c1, k1200"), ("5", "(p5, c1, k1200"), ("3.1.1", "(p2, c1, k1200")] {
        let before = broker.log().len();
        device.publish_to(&broker).set("--mqtt-version", version).succeeds();
        service.report();
        assert!(broker.log()[before..].contains(logged), "{version}\n{}", broker.log());
    }
}

#[test]
fn other_versions_are_refused() {
    let device = Device::new();
    for version in ["4", "3.1", "5.0", "v5", "AUTO", " 5", ""] {
        let publish = device.publish_to_port(1);
        if version.is_empty() {
            let empty = publish.env("DEVICE_DEFENDER_MQTT_VERSION", version).dry_run();
            empty.says(&["MQTT version: auto (default)"]);
            continue;
        }
        let known = ["MQTT version", "must be one of auto, 5, 3.1.1"];
        publish.clone().set("--mqtt-version", version).ends(2, &known);
        publish.env("DEVICE_DEFENDER_MQTT_VERSION", version).ends(78, &known);
    }
    let given = device.publish_to_port(1).env("DEVICE_DEFENDER_MQTT_VERSION", "3.1.1");
    given.dry_run().says(&["MQTT version: 3.1.1 (environment variable DEVICE_DEFENDER_MQTT_VERSION)"]);
    given.set("--mqtt-version", "5").dry_run().says(&["MQTT version: 5 (--mqtt-version)"]);
}
