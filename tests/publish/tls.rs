//! Whom the program trusts, and whom brokers trust.

use std::fs;
use std::io;

use crate::support::{Broker, Device, EACH_VERSION, Link, Peer, Service, Tls, Ways, accepting, pki, pki_str};

/// Reports to a peer with this certificate, which the program must refuse.
fn refused(certificate: &'static str, told: &[&str]) {
    let (peer, device) = (Peer::accepting(Tls { certificate, ..Tls::default() }), Device::new());
    let outcome = device.publish_to_peer(&peer).outcome();
    outcome.is(69, &["TLS", "hint: "]);
    outcome.says(told);
    assert_eq!(peer.seen().packets, [], "not a byte of MQTT");
    assert_eq!(device.baseline(), None);
}

#[test]
fn a_server_that_cannot_be_trusted_is_reported_with_the_reason() {
    refused("server-elsewhere", &["localhost", "elsewhere.example"]);
    refused("server-expired", &["expired"]);
    refused("server-early", &["not valid", "clock"]);
    refused("server-unknown", &["CA"]);
    // The broker of mosquitto, which is no rustls.
    let broker = Broker::with(Ways { certificate: Some("server-elsewhere"), ..Ways::default() });
    Device::new().publish_to(&broker).ends(69, &["TLS", "elsewhere.example"]);
}

/// Each is refused in words, with the certificate that was sent. The broker is no rustls, which would not even send some.
#[test]
fn certificates_that_no_client_accepts_are_explained() {
    for (certificate, ca, told) in [
        (
            "server-chain",
            "ca",
            &["intermediate certificates than a CA in its chain allows", "CN=server-chain", "CN=deep-ca"][..],
        ),
        ("server-stale", "ca", &["an intermediate certificate expired at 2020-01-31", "subject `CN=stale-ca"]),
        ("server-names", "ca", &["may not issue certificates for its names", "CN=names-ca"]),
        ("server-v1", "ca", &["version 1", "subject `CN=server-v1"]),
        ("server-purpose", "ca", &["not for servers, but for client authentication, 1.2.3.4"]),
        ("server-critical", "ca", &["critical extension"]),
        ("server-odd", "odd-ca", &["unsupported kind, Ed448", "issuer `CN=Ed448 authority`"]),
        ("server-self", "server-self", &["it is a CA certificate", "subject `CN=localhost`"]),
        (
            "server",
            "twin-ca",
            &["a signature in its chain is wrong", "issuer `CN=Test authority ca,O=Device Defender tests`"],
        ),
        (
            "server-unknown",
            "ca",
            &["issued it", "issuer `CN=Test authority other-ca,", "a firewall may be inspecting TLS"],
        ),
    ] {
        let broker = Broker::with(Ways { certificate: Some(certificate), ..Ways::default() });
        let device = Device::new();
        let publish = device.publish_to(&broker).set("--ca-file", pki_str(&format!("{ca}.pem")));
        let outcome =
            publish.ends(69, &["TLS: localhost:", "the server's certificate is not accepted: ", "; subject `"]);
        outcome.says(&["valid from 20", "hint: "]);
        outcome.says(told);
        outcome.says_nothing_of(&["::", "{", "Other(", "Error(", "Context"]);
        println!("{}", outcome.stderr);
    }
}

#[test]
fn the_authority_may_be_one_of_several_and_may_be_the_systems() {
    let (broker, service, device) = accepting();
    device.publish_to(&broker).set("--ca-file", pki_str("both-ca.pem")).succeeds();
    let system = |roots| device.publish_to(&broker).without("--ca-file").env("SSL_CERT_FILE", pki(roots));
    system("ca.pem").succeeds();
    assert_eq!(service.reports().len(), 2);
    system("other-ca.pem").ends(69, &["TLS", "hint: ", "--ca-file"]);
    device.publish_to(&broker).set("--ca-file", pki_str("other-ca.pem")).ends(69, &["TLS", "CA", "hint: "]);
    assert_eq!(service.reports(), []);
}

#[test]
fn an_authority_that_cannot_be_used_is_reported_before_connecting() {
    let peer = Peer::raw(|_| Ok(()));
    let device = Device::new();
    let with = |file: String| device.publish_to_peer(&peer).set("--ca-file", file);
    with(pki_str("empty")).ends(78, &["empty", "certificate"]);
    with(pki_str("ec.key")).ends(78, &["ec.key", "certificate"]);
    with("gone.pem".to_owned()).ends(66, &["gone.pem"]);
    with("proc".to_owned()).ends(66, &["proc"]);
    fs::write(device.path("broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    with("broken.pem".to_owned()).ends(78, &["broken.pem"]);
    with(pki_str("expired-ca.pem")).outcome().says(&["expired-ca.pem", "expired"]);
    assert!(peer.seen().packets.is_empty());
}

/// The alert comes in the handshake with TLS 1.2, and after it with TLS 1.3.
#[test]
fn a_certificate_that_the_broker_does_not_trust_is_not_authorized() {
    for version in ["tlsv1.2", "tlsv1.3"] {
        let line = format!("tls_version {version}");
        let broker = Broker::with(Ways { tls: &line, ..Ways::default() });
        let (service, device) = (Service::accepting(broker.plain), Device::new());
        let foreign = device.publish_to(&broker).identity("foreign", "foreign").outcome();
        foreign.is(77, &["alert", "hint: ", "certificate"]);
        device.publish_to(&broker).identity("foreign", "foreign").flag("--no-wait").ends(77, &["certificate"]);
        assert_eq!(service.reports(), []);
        device.publish_to(&broker).succeeds();
        assert_eq!(service.reports().len(), 1, "{version}");
    }
    for versions in EACH_VERSION {
        let peer = Peer::tls(Tls { versions, ..Tls::default() }, |link| link.up_to_puback().map(drop));
        let device = Device::new();
        device.publish_to_peer(&peer).identity("foreign", "foreign").ends(77, &["alert", "hint: ", "certificate"]);
        assert_eq!(peer.seen().packets, []);
    }
}

#[test]
fn a_broker_that_asks_for_no_certificate_is_fine() {
    let peer = Peer::accepting(Tls { asks: false, ..Tls::default() });
    Device::new().publish_to_peer(&peer).succeeds();
    let seen = peer.seen();
    assert_eq!((seen.certificates, seen.reports().len()), (0, 1));
}

#[test]
fn ports_without_tls_are_not_spoken_to_in_it_and_the_other_way_round() {
    let (broker, service, device) = accepting();
    device.publish_to_port(broker.plain).ends(69, &["TLS"]);
    device.publish_plain(broker.tls).ends(69, &["CONNECT"]);
    for host in ["127.0.0.1", "localhost"] {
        device.publish_plain(broker.plain).set("--endpoint", host).succeeds();
    }
    assert_eq!(service.reports().len(), 2);
}

#[test]
fn plain_mqtt_goes_to_loopback_addresses_only() {
    let device = Device::new();
    for host in ["192.0.2.1", "2001:db8::1", "10.0.0.1", "0.0.0.0"] {
        let outcome = device.publish_plain(1883).set("--endpoint", host).set("--timeout", "5s").outcome();
        assert!(matches!(outcome.code, Some(2 | 78)), "{outcome:?}");
        outcome.says(&["loopback", host]);
    }
}

#[test]
fn application_protocols_are_for_port_443() {
    // On other ports none is offered: this peer would refuse one it does not know.
    let peer = Peer::accepting(Tls { alpn: &[b"mqtt"], ..Tls::default() });
    let device = Device::new();
    device.publish_to_peer(&peer).succeeds();
    assert_eq!(peer.seen().alpn, None);
}

/// What a handshake cannot tell apart is all named.
#[test]
fn a_handshake_that_stalls_or_is_cut_off_has_its_likely_causes_named() {
    type Script = fn(&mut Link) -> io::Result<()>;
    let cases: [(Script, &[&str]); 4] = [
        (|link| link.silence(), &["no answer within", "is this a port for TLS?", "proxy whose backend is down", "MTU"]),
        (
            |link| {
                link.read_some()?;
                link.send(&[0x16, 3, 3, 0, 100, 2])?; // the beginning of a ServerHello
                link.silence()
            },
            &["no answer within", "began and then stopped", "MTU"],
        ),
        (|link| link.read_some().and_then(|_| link.close()), &["closed during the handshake", "backend is down"]),
        (
            |link| {
                link.start_tls(Tls::default().config())?;
                link.receive()?;
                link.close()
            },
            &["instead of answering", "a proxy does so when its broker is down"],
        ),
    ];
    for (script, told) in cases {
        let (peer, device) = (Peer::raw(script), Device::new());
        let outcome = device.publish_to_peer(&peer).set("--timeout", "2s").set("--mqtt-version", 5).outcome();
        outcome.says(told);
        assert!(peer.seen().connected);
    }
}
