//! Answers that came too early to be about the report: they decide nothing.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish};

use crate::support::{
    BEFORE, Device, Link, Outcome, Peer, Tls, accepted, rejected,
    wire::{Version, puback, publish},
};

const TOPIC: &str = "$aws/things/gw/defender/metrics/json";

/// A device that has reported, and the id of its next report, which a peer can guess as well.
fn device() -> (Device, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let device = Device::new();
    device.remember(now + 1_000_000, BEFORE.map(|counter| counter - 1));
    (device, now + 1_000_001)
}

/// Every answer that a peer may send too early.
fn answers(id: u64) -> Vec<Vec<u8>> {
    let answer = |kind: &str, document: String| {
        publish(Version::V5, Publish::new(format!("{TOPIC}/{kind}"), QoS::AtMostOnce, document))
    };
    vec![
        answer("accepted", accepted(id).to_string()),
        answer("accepted", r#"{"status":"ACCEPTED"}"#.to_owned()),
        answer("rejected", rejected(Some(id), "InvalidPayload", "no").to_string()),
        answer("rejected", rejected(None, "InvalidPayload", "no").to_string()),
    ]
}

fn outcome(device: &Device, script: impl FnOnce(&mut Link) -> io::Result<()> + Send + 'static) -> Outcome {
    let peer = Peer::tls(Tls::default(), script);
    let outcome = device.publish_to_peer(&peer).flag("-v").set("--timeout", "3s").outcome();
    assert_eq!(peer.seen().reports().len(), 1, "{outcome:?}");
    outcome
}

fn is_undecided(device: &Device, outcome: &Outcome) {
    outcome.is(75, &["ignored: ", "no answer", "(PUBACK)"]);
    assert_eq!(device.baseline(), Some(BEFORE.map(|counter| counter - 1)), "{outcome:?}");
}

/// Grants the subscription, and sends more in the same write: it is there before the PUBLISH is written.
fn grant_and_send(link: &mut Link, more: &[u8]) -> io::Result<Publish> {
    link.accept_connect()?;
    let subscribe = link.subscribe()?;
    link.send(&[&link.suback(subscribe.pkid, &[1, 1]), more].concat())?;
    link.report()
}

#[test]
fn an_answer_before_the_publish_decides_nothing() {
    let (_, id) = device();
    for answer in answers(id) {
        let (device, _) = device();
        let outcome = outcome(&device, move |link| {
            let report = grant_and_send(link, &answer)?;
            link.send(&puback(report.pkid))?;
            link.silence()
        });
        is_undecided(&device, &outcome);
        outcome.says(&["ignored: a message before PUBLISH"]);
    }
}

#[test]
fn an_answer_that_began_before_the_publish_decides_nothing() {
    let (_, id) = device();
    for answer in answers(id) {
        let (device, _) = device();
        let outcome = outcome(&device, move |link| {
            let (begin, end) = answer.split_at(answer.len() / 2);
            let report = grant_and_send(link, begin)?;
            link.send(&[end, &puback(report.pkid)].concat())?;
            link.silence()
        });
        is_undecided(&device, &outcome);
    }
}

#[test]
fn the_answer_after_the_publish_decides() {
    let (device, id) = device();
    let outcome = outcome(&device, move |link| {
        let report = grant_and_send(link, &answers(id)[2])?;
        link.send(&[puback(report.pkid), answers(id)[0].clone()].concat())?;
        link.silence()
    });
    outcome.is(0, &["ignored: a message before PUBLISH", "accepted"]);
    assert_eq!(device.baseline(), Some(BEFORE));
}

#[test]
fn an_answer_without_an_id_counts_only_after_the_puback() {
    for (kind, code) in [(0, 0), (2, 76)] {
        let (device, id) = device();
        let early = outcome(&device, move |link| {
            let report = link.up_to_report()?;
            link.send(&[answers(id)[kind + 1].clone(), puback(report.pkid)].concat())?;
            link.silence()
        });
        is_undecided(&device, &early);
        early.says(&["it came before the PUBACK, and it names no report"]);
        // With its id, an answer may overtake the PUBACK.
        let (device, id) = self::device();
        let named = outcome(&device, move |link| {
            let report = link.up_to_report()?;
            link.send(&[answers(id)[kind].clone(), puback(report.pkid)].concat())?;
            link.silence()
        });
        named.is(code, &[]);
    }
}

/// What is passed over is acknowledged all the same: a broker would send it again, or stop sending.
#[test]
fn early_messages_are_acknowledged() {
    let mut early = Publish::new(format!("{TOPIC}/accepted"), QoS::AtLeastOnce, "{}");
    early.pkid = 99;
    let early = publish(Version::V5, early);
    let peer = Peer::tls(Tls::default(), move |link| {
        link.accept_connect()?;
        let subscribe = link.subscribe()?;
        link.send(&[link.suback(subscribe.pkid, &[1, 1]), early].concat())?;
        assert!(matches!(link.receive()?, Packet::PubAck(ack) if ack.pkid == 99));
        link.accept_the_report()
    });
    Device::new().publish_to_peer(&peer).succeeds();
    assert!(peer.seen().error.is_none());
}

/// The stream breaks in the bytes that are there before the PUBLISH, so the report is not sent.
#[test]
fn a_stream_that_breaks_before_the_publish_gets_no_report() {
    let device = Device::new();
    let peer = Peer::tls(Tls::default(), |link| {
        link.accept_connect()?;
        let subscribe = link.subscribe()?;
        link.send(&[&link.suback(subscribe.pkid, &[1, 1])[..], &[0x30, 0x80, 0x80, 0x80, 0x80, 0x80]].concat())?;
        link.silence()
    });
    device.publish_to_peer(&peer).ends(69, &["PUBLISH", "not MQTT"]);
    assert_eq!((peer.seen().reports(), device.baseline()), (vec![], None));
}
