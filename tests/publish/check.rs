//! `publish --check`: everything but the report.

use std::fs;
use std::thread;

use rumqttc::mqttbytes::v4::Packet;

use super::holding;
use crate::support::{Broker, CommandLine, Device, EACH_VERSION, NEVER, Peer, Tls, Ways, accepting, closed_port, pki};

/// The same command line, to check and not to send.
fn check(publish: CommandLine) -> CommandLine {
    publish.without("--once").without("--state-dir").flag("--check")
}

#[test]
fn a_check_is_quiet_sends_nothing_and_keeps_no_state() {
    let (broker, service, device) = accepting();
    for version in ["auto", "5", "3.1.1"] {
        check(device.publish_to(&broker)).set("--mqtt-version", version).succeeds();
        check(device.publish_to(&broker)).set("--mqtt-version", version).flag("--no-wait").succeeds();
    }
    let log = broker.log();
    assert_eq!(log.matches("Received SUBSCRIBE from gw-device-defender").count(), 3, "{log}");
    assert!(!log.contains("Received PUBLISH from gw-device-defender"), "{log}");
    broker.has_logged("Received DISCONNECT from gw-device-defender");
    assert_eq!(service.reports(), []);
    // Not even where it is told to keep one.
    device.publish_to(&broker).without("--once").flag("--check").succeeds();
    assert_eq!(fs::read_dir(device.path("state")).unwrap().count(), 0);
    // Who changes a command line may leave the rest of it.
    device.publish_to(&broker).flag("--check").set("--max-bytes", 1).set("--custom-metrics", "nowhere").succeeds();
}

#[test]
fn with_verbose_each_phase_is_shown() {
    let (broker, _service, device) = accepting();
    let outcome = check(device.publish_to(&broker)).flag("-v").outcome();
    let phases =
        ["endpoint: localhost", "DNS: ", "TCP: ", "TLS: TLS 1.3", "CONNECT: MQTT 5", "SUBSCRIBE: ", "DISCONNECT; "];
    outcome.is(0, &phases);
    outcome.says_nothing_of(&["PUBLISH: ", "/proc/net"]);
}

#[test]
fn the_session_is_all_but_the_report() {
    for versions in EACH_VERSION {
        let peer = Peer::tls(Tls { versions, ..Tls::default() }, |link| {
            link.accept_connect()?;
            link.accept_subscribe()?;
            link.silence()
        });
        check(Device::new().publish_to_peer(&peer)).succeeds();
        let packets = peer.seen().packets;
        assert!(matches!(packets[..], [Packet::Connect(_), Packet::Subscribe(_), Packet::Disconnect]), "{packets:?}");
    }
}

#[test]
fn what_would_fail_a_report_fails_the_check_with_the_same_code() {
    let device = Device::new();
    // Settings, usage, credentials.
    check(device.publish()).ends(78, &["no endpoint", "no thing name", "no certificate", "no private key"]);
    check(device.publish_to_port(1)).set("--port", "x").ends(2, &["port"]);
    check(device.publish_to_port(1)).set("--cert-file", pki("expired.pem").display()).ends(78, &["expired"]);
    check(device.publish_to_port(1)).set("--key-file", "nowhere").ends(66, &["nowhere"]);
    // DNS, TCP, TLS.
    let lost = check(device.publish_to_port(1)).set("--endpoint", "nowhere.invalid").set("--timeout", "5s");
    lost.ends(69, &["DNS: ", "hint: "]);
    let (port, _kept) = closed_port();
    check(device.publish_to_port(port)).ends(69, &["TCP: ", "hint: "]);
    let broker = Broker::with(Ways { certificate: Some("server-self"), ..Ways::default() });
    check(device.publish_to(&broker)).ends(69, &["TLS: ", "hint: "]);
    let broker = Broker::start();
    check(device.publish_to(&broker)).identity("foreign", "foreign").ends(77, &["alert", "hint: "]);
    // CONNECT.
    let broker = Broker::with(Ways { general: "clientid_prefixes other-", ..Ways::default() });
    check(device.publish_to(&broker)).ends(77, &["CONNECT: ", "CONNACK 0x87: not authorized", "iot:Connect"]);
    assert!(fs::read_dir(device.path("state")).unwrap().next().is_none());
}

/// A report is sent all the same, in the hope for the other answer. A check has nothing to hope for.
#[test]
fn each_refused_subscription_fails_the_check() {
    let device = Device::new();
    for (version, codes, told) in [
        ("5", [1, 0x87], "the subscription to .../rejected was refused with SUBACK 0x87: not authorized"),
        ("5", [0x97, 1], "the subscription to .../accepted was refused with SUBACK 0x97: quota exceeded"),
        ("3.1.1", [1, 0x80], "the subscription to .../rejected was refused with SUBACK 128: failure"),
        ("3.1.1", [0x80, 0x80], "the subscription to .../accepted was refused with SUBACK 128: failure"),
    ] {
        let peer = Peer::tls(Tls::default(), move |link| {
            link.accept_connect()?;
            let subscribe = link.subscribe()?;
            link.send(&link.suback(subscribe.pkid, &codes))?;
            link.silence()
        });
        let outcome = check(device.publish_to_peer(&peer)).set("--mqtt-version", version).outcome();
        outcome.is(if codes[0] == 0x97 { 75 } else { 77 }, &["SUBSCRIBE: ", told, "hint: "]);
        if codes[0] != 0x97 {
            outcome.says(&[
                "a policy must allow iot:Subscribe on $aws/things/gw/defender/metrics/json/accepted and .../rejected",
            ]);
        }
        let seen = peer.seen();
        assert_eq!((seen.reports().len(), seen.packets.last()), (0, Some(&Packet::Disconnect)));
    }
}

/// Two sessions with the same client ID would end each other.
#[test]
fn a_report_on_its_way_is_waited_for() {
    let (first, is_connected, finish) = holding();
    let (broker, device) = (Broker::start(), Device::new());
    let check = device.publish_to(&broker).without("--once").flag("--check");
    thread::scope(|scope| {
        scope.spawn(|| device.publish_to_peer(&first).succeeds());
        is_connected.recv_timeout(NEVER).unwrap();
        check.clone().set("--timeout", "1s").ends(75, &["gw.lock: locked by another run", "hint: "]);
        check.clone().without("--state-dir").succeeds();
        finish.send(()).unwrap();
    });
    check.succeeds();
}

#[test]
fn a_check_does_not_go_with_a_dry_run() {
    let outcome = check(Device::new().publish_to_port(1)).flag("--dry-run").outcome();
    outcome.is(2, &["--check", "--dry-run", "cannot be used with"]);
}
