//! The messages that are met most, word by word: people search for them.

use crate::support::{Broker, CommandLine, Device, Link, Peer, Service, Tls, Ways, assert_snapshot, closed_port};

/// Runs it, and compares how it ended with a snapshot.
#[track_caller]
fn says(line: &CommandLine, expected: impl snapbox::IntoData) {
    let outcome = line.outcome();
    assert_snapshot(format!("{}=> {}", outcome.stderr, outcome.code.unwrap()), expected);
}

#[test]
fn the_answer_of_the_service() {
    let (broker, device) = (Broker::start(), Device::new());
    let mut answers = [("InvalidPayload", "Malformed metrics report"), ("Throttled", "Too many reports")].into_iter();
    let _service = Service::start(broker.plain, move |report| {
        let (code, text) = answers.next().unwrap();
        vec![report.rejected(code, text)]
    });
    says(
        &device.publish_to(&broker),
        snapbox::str![[r#"
device-defender: PUBLISH: localhost:[PORT]: report [ID] rejected: InvalidPayload: Malformed metrics report
device-defender: hint: look at the report with --dry-run; one like it would be rejected again
=> 76
"#]],
    );
    says(
        &device.publish_to(&broker),
        snapbox::str![[r#"
device-defender: PUBLISH: localhost:[PORT]: report [ID] rejected: Throttled: Too many reports
device-defender: hint: the service takes one report every 5 minutes; try again then
=> 75
"#]],
    );
}

#[cfg(full)]
#[test]
fn settings_that_are_missing() {
    says(
        &Device::new().publish(),
        snapbox::str![[r#"
device-defender: no endpoint: give --endpoint, the environment variable DEVICE_DEFENDER_ENDPOINT, endpoint in the config file, or --greengrass-root
device-defender: no thing name: give --thing-name, the environment variable DEVICE_DEFENDER_THING_NAME, thing-name in the config file, or --greengrass-root
device-defender: no certificate: give --cert-file, the environment variable DEVICE_DEFENDER_CERT_FILE, cert-file in the config file, or --greengrass-root
device-defender: no private key: give --key-file, the environment variable DEVICE_DEFENDER_KEY_FILE, key-file in the config file, or --greengrass-root
device-defender: hint: device-defender generate config prints a config file to fill in
=> 78
"#]],
    );
}

#[test]
fn a_report_that_could_not_be_sent() {
    let device = Device::new();
    let (port, _kept) = closed_port();
    says(
        &device.publish_to_port(port).set("--endpoint", "127.0.0.1"),
        snapbox::str![[r#"
device-defender: TCP: 127.0.0.1:[PORT]: Connection refused (os error 111)
device-defender: hint: is the port right, and does a firewall let it through?
=> 69
"#]],
    );
    let peer = Peer::raw(Link::silence);
    let outcome = device.publish_to_peer(&peer).set("--timeout", "1s").ends(69, &["TLS: localhost:", "hint: "]);
    outcome.says(&["no answer within ", "; --timeout 1s is over"]);
    assert!(peer.seen().connected);
    let peer = Peer::tls(Tls::default(), |link| {
        link.receive()?;
        link.send(&link.connack(5))?;
        link.close()
    });
    says(
        &device.publish_to_peer(&peer).set("--mqtt-version", "3.1.1"),
        snapbox::str![[r#"
device-defender: CONNECT: localhost:[PORT]: refused with CONNACK 5: not authorized
device-defender: hint: a policy of an active certificate must allow iot:Connect for client/gw-device-defender, and no other client may use that client ID at the same time
=> 77
"#]],
    );
    assert!(peer.seen().connected);
}

#[test]
fn what_a_broker_refuses_in_mqtt_5() {
    let rights = "user gw\ntopic read $aws/things/gw/defender/metrics/json/+\n";
    let (broker, device) = (Broker::with(Ways { rights: Some(rights), ..Ways::default() }), Device::new());
    says(
        &device.publish_to(&broker),
        snapbox::str![[r#"
device-defender: PUBLISH: localhost:[PORT]: the report was refused with PUBACK 0x87: not authorized
device-defender: hint: a policy must allow iot:Publish on $aws/things/gw/defender/metrics/json
=> 77
"#]],
    );
    let refused = |packet: &'static [u8]| {
        Peer::tls(Tls::default(), move |link| {
            link.receive()?;
            link.send(packet)?;
            link.close()
        })
    };
    let peer =
        refused(&[0x20, 16, 0, 0x97, 13, 0x1f, 0, 10, b't', b'o', b'o', b' ', b'm', b'a', b'n', b'y', b' ', b'!']);
    says(
        &device.publish_to_peer(&peer),
        snapbox::str![[r#"
device-defender: CONNECT: localhost:[PORT]: refused with CONNACK 0x97: quota exceeded (`too many !`)
device-defender: hint: a limit of the broker or the account is reached; try again later
=> 75
"#]],
    );
    assert!(peer.seen().connected);
    let peer = refused(&[]);
    says(
        &device.publish_to_peer(&peer).set("--mqtt-version", 5),
        snapbox::str![[r#"
device-defender: CONNECT: localhost:[PORT]: the broker closed the connection instead of answering, without a reason
device-defender: hint: look at the broker's log; likely causes: the broker speaks only MQTT 3.1.1 (then give --mqtt-version 3.1.1 or auto); the broker does not admit this client, or is shutting down; a proxy does so when its broker is down; AWS IoT does so when it does not accept a client: a policy of an active certificate must allow iot:Connect for client/gw-device-defender, and no other client may use that client ID at the same time
=> 77
"#]],
    );
    assert!(peer.seen().connected);
}
