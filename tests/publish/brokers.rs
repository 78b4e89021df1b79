//! What a real broker says in MQTT 5 where it used to close the connection: what it does not allow, and when it goes away.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use serde_json::json;

use crate::support::{Broker, Device, Dir, Link, Peer, Service, Ways};

const METRICS: &str = "$aws/things/gw/defender/metrics";

/// A broker whose rights, unlike those in a file, are about subscriptions, too: `gw` may do this and nothing else.
fn broker_with(rights: &[(&str, String)]) -> (Broker, Dir) {
    let dir = Dir::new();
    let acls: Vec<_> = rights
        .iter()
        .map(|(kind, topic)| json!({"acltype": kind, "topic": topic, "allow": true, "priority": 0}))
        .collect();
    let all = ["publishClientSend", "publishClientReceive", "subscribePattern", "unsubscribePattern"]
        .map(|kind| json!({"acltype": kind, "topic": "$aws/#", "allow": true, "priority": 0}));
    dir.write(
        "rights.json",
        json!({
            "defaultACLAccess": {"publishClientSend": false, "publishClientReceive": false, "subscribe": false},
            "clients": [{"username": "gw", "roles": [{"rolename": "device"}]}],
            "groups": [{"groupname": "nobody", "roles": [{"rolename": "service"}], "clients": []}],
            "roles": [{"rolename": "device", "acls": acls}, {"rolename": "service", "acls": all}],
            "anonymousGroup": "nobody",
        })
        .to_string(),
    );
    // Debian has a directory of plugins for each architecture.
    let plugin = std::fs::read_dir("/usr/lib")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("mosquitto_dynamic_security.so"))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("mosquitto_dynamic_security.so, which is part of the package mosquitto"));
    let (plugin, file) = (plugin.display(), dir.path("rights.json"));
    let general = format!("plugin {plugin}\nplugin_opt_config_file {}", file.display());
    (Broker::with(Ways { general: &general, ..Ways::default() }), dir)
}

#[test]
fn each_right_that_is_missing_is_named() {
    let publish = ("publishClientSend", format!("{METRICS}/json"));
    let subscribe = |answer| ("subscribePattern", format!("{METRICS}/json/{answer}"));
    let receive = ("publishClientReceive", format!("{METRICS}/json/+"));
    let device = Device::new();

    // All that is needed.
    let all = [publish.clone(), subscribe("accepted"), subscribe("rejected"), receive.clone()];
    let (broker, _dir) = broker_with(&all);
    let service = Service::accepting(broker.plain);
    device.publish_to(&broker).succeeds();
    device.publish_to(&broker).flag("--check").succeeds();
    assert_eq!(service.reports().len(), 1);

    // No subscription: the report is sent, and its answer unknown.
    let (broker, _dir) = broker_with(&[publish.clone(), receive.clone()]);
    let service = Service::accepting(broker.plain);
    let told = ["SUBACK 0x87: not authorized", "hint: ", "iot:Subscribe"];
    device.publish_to(&broker).ends(77, &["PUBLISH: ", "not confirmed", told[0], told[1], told[2]]);
    device.publish_to(&broker).flag("--check").ends(77, &["SUBSCRIBE: ", told[0], told[1], told[2]]);
    device.publish_to(&broker).flag("--no-wait").succeeds();
    assert_eq!(service.reports().len(), 2);

    // No PUBLISH.
    let (broker, _dir) = broker_with(&[subscribe("accepted"), subscribe("rejected"), receive]);
    let service = Service::accepting(broker.plain);
    for publish in [device.publish_to(&broker), device.publish_to(&broker).flag("--no-wait")] {
        publish.ends(
            77,
            &["PUBLISH: ", "PUBACK 0x87: not authorized", "iot:Publish on $aws/things/gw/defender/metrics/json"],
        );
    }
    device.publish_to(&broker).flag("--check").succeeds();
    assert_eq!(service.reports(), []);

    // No answer is delivered, which no broker says.
    let (broker, _dir) = broker_with(&[publish, subscribe("accepted"), subscribe("rejected")]);
    let service = Service::accepting(broker.plain);
    device.publish_to(&broker).set("--timeout", "2s").ends(75, &["no answer", "PUBACK", "iot:Receive"]);
    assert_eq!(service.reports().len(), 1);
}

/// A path to the broker on which it goes down: instead of passing on the packet with this number, or after all of them.
fn path_to(broker: Broker, last: usize) -> Peer {
    let broker = Arc::new(broker);
    Peer::raw(move |link| {
        let mut there = TcpStream::connect((Ipv4Addr::LOCALHOST, broker.plain))?;
        there.set_nodelay(true)?;
        for number in 0.. {
            let packet = link.read_some()?; // each is sent in one segment, and answered before the next
            if number == last {
                break;
            }
            there.write_all(&packet)?;
            pass_back(&mut there, link)?;
            if number == 2 {
                break;
            }
        }
        broker.terminate();
        while pass_back(&mut there, link).is_ok() {}
        link.cut()
    })
}

fn pass_back(there: &mut TcpStream, link: &mut Link) -> io::Result<()> {
    let mut bytes = [0; 4096];
    match there.read(&mut bytes)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => link.send(&bytes[..length]),
    }
}

/// This one closes connections without a reason when it shuts down, whatever the version; others send DISCONNECT 0x8b.
#[test]
fn a_broker_that_shuts_down_is_among_the_likely_causes_in_every_phase() {
    for version in ["5", "3.1.1"] {
        for (last, exit, phase, told) in [
            (0, 77, "CONNECT: ", "the broker does not admit this client, or is shutting down"),
            (
                1,
                77,
                "SUBSCRIBE: ",
                "likely causes: the broker does not allow subscriptions to $aws topics, or is shutting down",
            ),
            (2, 77, "PUBLISH: ", "or the broker is shutting down"),
            (3, 75, "PUBLISH: ", "(PUBACK)"),
        ] {
            let (peer, device) = (path_to(Broker::start(), last), Device::new());
            let outcome = device.publish_plain(peer.port()).set("--mqtt-version", version).outcome();
            outcome.is(exit, &[phase, "closed the connection", told]);
            drop(peer.seen());
        }
    }
}

/// The older session is the one that ends; not every version of this broker gives the reason.
#[test]
fn another_client_with_the_same_id_is_reported() {
    let (broker, device) = (Broker::start(), Device::new());
    let other = device.publish_to(&broker).without("--once").without("--state-dir").flag("--check");
    let service = Service::start(broker.plain, move |_| {
        other.succeeds();
        Vec::new()
    });
    let told = ["PUBLISH: ", "(PUBACK)", "hint: ", "another client connected as gw-device-defender"];
    device.publish_to(&broker).ends(75, &told);
    service.report();
}
