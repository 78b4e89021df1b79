//! What needs a network of its own: port 443, and a host of which one address leads nowhere.

use std::fs;
use std::net::SocketAddr;

use crate::support::{
    CommandLine, Device, Link, NET, Peer, Tls, black_holes, hosts_file, in_namespaces, ip, small_disk,
};

/// A peer that takes a report, at an address.
fn peer(address: &str, alpn: &'static [&'static [u8]]) -> Peer {
    Peer::at(address.parse::<SocketAddr>().unwrap(), move |link: &mut Link| {
        let config = Tls { alpn, ..Tls::default() }.config();
        link.start_tls(config)?;
        link.accept_all()
    })
}

#[test]
fn port_443_needs_the_application_protocol() {
    in_namespaces(NET, |_| {
        ip("link set dev lo up");
        let device = Device::new();
        let peer = |alpn| peer("127.0.0.1:443", alpn);
        let known = peer(&[b"h2", b"x-amzn-mqtt-ca"]);
        device.publish_to_peer(&known).succeeds();
        let seen = known.seen();
        assert_eq!(seen.alpn.as_deref(), Some(&b"x-amzn-mqtt-ca"[..]));
        assert_eq!((seen.sni.as_deref(), seen.reports().len()), (Some("localhost"), 1));

        let unknown = peer(&[b"h2", b"http/1.1"]); // a web server, say
        device.publish_to_peer(&unknown).ends(69, &["TLS", "hint: "]);
        assert_eq!(unknown.seen().packets, []);

        let careless = peer(&[]);
        device.publish_to_peer(&careless).succeeds();
        assert_eq!(careless.seen().reports().len(), 1);
    });
}

#[test]
fn an_address_that_leads_nowhere_does_not_keep_the_other_from_being_used() {
    in_namespaces(NET, |part| {
        black_holes();
        let hosts = hosts_file(part, "hosts", "");
        let device = Device::new();
        let publish = |peer: &Peer, addresses: [&str; 2]| -> CommandLine {
            let lines = addresses.map(|address| format!("{address} broker.test\n")).concat();
            fs::write(&hosts, lines).unwrap();
            device.publish_to_peer(peer).set("--endpoint", "broker.test").set("--timeout", "10s")
        };
        for (address, hole) in [("127.0.0.1:0", "2001:db8::2"), ("[::1]:0", "192.0.2.2"), ("127.0.0.1:0", "192.0.2.2")]
        {
            let peer = peer(address, &[]);
            let here = peer.address.ip().to_string();
            publish(&peer, [hole, &here]).succeeds();
            assert_eq!(peer.seen().sni.as_deref(), Some("broker.test"), "{address}");
        }
        // Nothing but holes: both are told.
        let peer = peer("127.0.0.1:0", &[]);
        let holes = publish(&peer, ["2001:db8::2", "192.0.2.2"]).set("--timeout", "2s");
        holes.clone().ends(69, &["TCP", "broker.test", "2001:db8::2", "192.0.2.2", "--timeout 2s is over"]);
        // Many that refuse, of which some are tried, and all summed up.
        let many: Vec<String> = (1..=40).map(|n| format!("127.0.1.{n} broker.test\n")).collect();
        fs::write(&hosts, many.concat()).unwrap();
        let outcome =
            holes.clone().set("--port", 1).set("--timeout", "10s").ends(69, &["TCP: broker.test:1: 127.0.1."]);
        outcome.says(&[" and 13 more: Connection refused (os error 111); 24 more addresses were not tried"]);
        // A resolver that does not answer.
        hosts_file(part, "resolv.conf", "nameserver 192.0.2.2\n");
        holes.set("--endpoint", "unknown.test").ends(69, &["DNS", "unknown.test", "hint: "]);
        assert!(!peer.seen().connected);
    });
}

#[test]
fn plain_mqtt_is_not_spoken_to_a_name_that_is_no_loopback_address() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up
            addr add 192.0.2.1/32 dev lo");
        hosts_file(part, "hosts", "192.0.2.1 broker.test\n");
        let peer = Peer::at("192.0.2.1:0".parse().unwrap(), |_| Ok(()));
        let device = Device::new();
        let outcome = device.publish_plain(peer.port()).set("--endpoint", "broker.test").outcome();
        assert!(matches!(outcome.code, Some(2 | 69 | 78)), "{outcome:?}");
        outcome.says(&["loopback", "broker.test"]);
        assert!(!peer.seen().connected);
    });
}

#[test]
fn a_full_disk_is_reported_before_anything_is_sent() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up");
        let device = Device::new();
        let state = small_disk(part, "8k");
        let filler = state.join("filler");
        assert!(fs::write(&filler, vec![0; 64 * 1024]).is_err(), "it is full");
        let peer = peer("127.0.0.1:0", &[]);
        let publish = device.publish_to_peer(&peer);
        let explicit = publish.clone().set("--state-dir", state.display());
        explicit.ends(73, &[state.to_str().unwrap(), "No space left on device"]);
        // Where nobody asked for this directory, the report is worth more.
        publish
            .without("--state-dir")
            .env("STATE_DIRECTORY", &state)
            .ends(0, &["warning: ", "No space left on device"]);
        assert_eq!(peer.seen().reports().len(), 1);
    });
}

/// The report was accepted then, whatever becomes of the baseline.
#[test]
fn a_disk_that_fills_up_meanwhile_does_not_unmake_an_accepted_report() {
    in_namespaces(NET, |part| {
        ip("link set dev lo up");
        let device = Device::new();
        let state = small_disk(part, "64k");
        let filler = state.join("filler");
        let peer = Peer::tls(Tls::default(), move |link| {
            let report = link.up_to_puback()?;
            assert!(fs::write(&filler, vec![0; 1 << 20]).is_err(), "it is full now");
            link.accepted(&report)?;
            link.silence()
        });
        let publish = device.publish_to_peer(&peer).set("--state-dir", state.display());
        let outcome = publish.ends(0, &["warning: ", "No space left on device"]);
        outcome.says_nothing_of(&["nothing was sent"]);
        assert_eq!(peer.seen().reports().len(), 1);
        let text = fs::read(state.join("gw.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert!(kept["last_report_id"].is_u64() && kept["baseline"].is_null(), "{kept}");
    });
}
