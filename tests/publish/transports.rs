//! Connections that break, stall or talk nonsense in every phase.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::support::{BEFORE, CommandLine, Device, Link, Outcome, Peer, Seen, Tls, closed_port, wire::puback};

/// What a web server makes of what it does not understand.
const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400 Bad Request";

/// How far a session goes before it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Until {
    Connect,
    Subscribe,
    Report,
    Answer,
}

use Until::{Answer, Connect, Report, Subscribe};

const ALL: [Until; 4] = [Connect, Subscribe, Report, Answer];

/// Plays along until the program has sent what this phase begins with.
fn play(link: &mut Link, until: Until) -> io::Result<()> {
    match until {
        Connect => drop(link.receive()?),
        Subscribe => {
            link.accept_connect()?;
            link.subscribe()?;
        }
        Report => {
            link.up_to_report()?;
        }
        Answer => drop(link.up_to_puback()?),
    }
    Ok(())
}

/// A peer that plays along until a phase and then does this, with TLS or without.
fn peer(tls: bool, until: Until, end: impl FnOnce(&mut Link) -> io::Result<()> + Send + 'static) -> Peer {
    let script = move |link: &mut Link| {
        play(link, until)?;
        end(link)
    };
    if tls { Peer::tls(Tls::default(), script) } else { Peer::raw(script) }
}

/// The versions of MQTT, as they are asked for.
const VERSIONS: [&str; 2] = ["5", "3.1.1"];

/// A report to a peer that a baseline precedes; returns how the run ended. The baseline must not have moved.
fn report(peer: Peer, tls: bool, more: impl FnOnce(CommandLine) -> CommandLine) -> (Outcome, Seen) {
    let device = Device::new();
    device.remember(7, BEFORE);
    device.count([5000; 4]);
    let publish = if tls { device.publish_to_peer(&peer) } else { device.publish_plain(peer.port()) };
    let outcome = more(publish).outcome();
    let seen = peer.seen();
    assert_eq!(device.baseline(), Some(BEFORE));
    if !seen.reports().is_empty() {
        assert_ne!(device.last_id(), Some(7), "the id was on disk before the report was sent");
    }
    (outcome, seen)
}

#[test]
fn an_orderly_close_before_the_acknowledgement_is_how_a_policy_says_no() {
    for (version, tls) in [("5", true), ("5", false), ("3.1.1", true), ("3.1.1", false)] {
        for until in ALL {
            for end in [Link::close, Link::cut] {
                let spoken = |publish: CommandLine| publish.set("--mqtt-version", version);
                let (outcome, seen) = report(peer(tls, until, end), tls, spoken);
                assert_eq!(seen.reports().len(), usize::from(until >= Report), "{until:?}");
                let likely =
                    ["closed", "without a reason", "hint: look at the broker's log", "shutting down", "policy"];
                match until {
                    Connect => {
                        outcome.is(77, &["CONNECT", "does not admit this client", "proxy", "gw-device-defender"]);
                    }
                    Subscribe => outcome.is(77, &["SUBSCRIBE", "$aws topics", "iot:Subscribe"]),
                    Report => outcome.is(77, &["PUBLISH", "--max-bytes", "QoS 1", "iot:Publish"]),
                    Answer => outcome.is(75, &["closed", "PUBACK"]),
                }
                if until != Answer {
                    outcome.says(&likely);
                    let older = outcome.stderr.contains("with --mqtt-version 5 brokers give the reason");
                    assert_eq!(older, version == "3.1.1", "{}", outcome.stderr);
                }
            }
        }
    }
}

#[test]
fn a_reset_is_a_loss() {
    for (version, tls) in VERSIONS.into_iter().zip([true, false]) {
        for until in ALL {
            let spoken = |publish: CommandLine| publish.set("--mqtt-version", version);
            let (outcome, _) = report(peer(tls, until, Link::reset), tls, spoken);
            match until {
                Connect => outcome.is(69, &["CONNECT", "reset"]),
                Subscribe => outcome.is(69, &["SUBSCRIBE", "reset"]),
                Report => outcome.is(75, &["reset", "no PUBACK"]),
                Answer => outcome.is(75, &["reset", "PUBACK"]),
            }
        }
    }
}

#[test]
fn half_a_packet_and_then_nothing_is_a_loss() {
    for tls in [true, false] {
        for until in ALL {
            let end = move |link: &mut Link| {
                match until {
                    Connect => link.send(&link.connack(0)[..3])?,
                    Subscribe => link.send(&[0x90, 4, 0])?,
                    Report => link.send(&puback(1)[..1])?,
                    Answer => link.send(&link.message("$aws/things/gw/defender/metrics/json/accepted", "{}")[..30])?,
                }
                link.close()
            };
            let spoken = |publish: CommandLine| publish.set("--mqtt-version", if tls { "5" } else { "3.1.1" });
            let (outcome, _) = report(peer(tls, until, end), tls, spoken);
            outcome.is(if until >= Report { 75 } else { 69 }, &[]);
        }
    }
}

#[test]
fn silence_ends_at_the_deadline_in_every_phase() {
    thread::scope(|scope| {
        for until in ALL {
            for half in [false, true] {
                scope.spawn(move || {
                    let end = move |link: &mut Link| {
                        if half {
                            link.send(if until == Answer { &[0x30, 0x7f, 0] } else { &[0x20] })?;
                        }
                        link.silence()
                    };
                    let deadline = |publish: CommandLine| publish.set("--timeout", "3s");
                    let (outcome, seen) = report(peer(true, until, end), true, deadline);
                    assert_eq!(seen.reports().len(), usize::from(until >= Report));
                    match until {
                        Connect => outcome.is(69, &["CONNECT", "localhost", "hint: "]),
                        Subscribe => outcome.is(69, &["SUBSCRIBE", "localhost", "hint: "]),
                        Report => outcome.is(75, &["PUBACK", "hint: "]),
                        Answer => outcome.is(75, &["no answer", "PUBACK", "hint: "]),
                    }
                });
            }
        }
        // Before MQTT: nobody accepts, nobody shakes hands, somebody shakes half a hand.
        scope.spawn(|| {
            let (port, _full) = full_port();
            let device = Device::new();
            device.publish_to_port(port).set("--timeout", "2s").ends(69, &["TCP", "localhost", "hint: "]);
        });
        for hello in [&b""[..], &[22, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3]] {
            scope.spawn(move || {
                let silent = Peer::raw(move |link| {
                    link.send(hello)?;
                    while link.receive().is_ok() {}
                    link.silence()
                });
                let deadline = |publish: CommandLine| publish.set("--timeout", "2s");
                report(silent, true, deadline).0.is(69, &["TLS", "localhost", "hint: "]);
            });
        }
    });
}

/// A port whose listener takes nobody any more, and what keeps it so.
fn full_port() -> (u16, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut kept = vec![listener];
    for _ in 0..4 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        drop(socket.connect(&address)); // under way, some of them for ever
        kept.push(socket);
    }
    (address.as_socket().unwrap().port(), kept)
}

#[test]
fn nobody_there_is_reported() {
    let (port, _kept) = closed_port();
    let device = Device::new();
    let told = ["TCP", "localhost", "refused", &port.to_string()];
    device.publish_to_port(port).ends(69, &told);
    device.publish_plain(port).ends(69, &["TCP", "127.0.0.1", "refused"]);
    let nowhere = device.publish_to_port(port).set("--endpoint", "nowhere.invalid").set("--timeout", "5s");
    nowhere.ends(69, &["DNS", "nowhere.invalid", "hint: "]);
    assert_eq!(device.baseline(), None);
}

#[test]
fn a_close_during_the_handshake_is_a_loss() {
    for end in [Link::cut, Link::reset] {
        for hello in [&b""[..], &[22, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3]] {
            let peer = Peer::raw(move |link| {
                link.read_some()?; // the hello of the client
                link.send(hello)?;
                end(link)
            });
            report(peer, true, |publish| publish).0.is(69, &["TLS", "localhost"]);
        }
    }
}

#[test]
fn something_else_on_the_port_is_recognized() {
    for (answer, told) in [
        (HTTP, &["TLS", "HTTP"][..]),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", &["TLS"]),
        (&[0x20, 2, 0, 0], &["TLS"]),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00", &["TLS"]),
        (&[21, 3, 3, 0, 2, 2, 40], &["TLS", "alert"]),
    ] {
        let peer = Peer::raw(move |link| {
            link.read_some()?;
            link.send(answer)?;
            link.cut()
        });
        let (outcome, _) = report(peer, true, |publish| publish);
        outcome.is(69, told);
    }
    for (answer, told) in [
        (HTTP, &["CONNECT", "HTTP"][..]),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", &["CONNECT"]),
        (&[21, 3, 3, 0, 2, 2, 70], &["CONNECT", "TLS"]), // an alert: this port wants TLS
        (b"\x00\x00\x00\x00\x00\x00\x00\x00", &["CONNECT"]),
        (&[0x20, 0xff, 0xff, 0xff, 0x7f], &["CONNECT"]), // a CONNACK of 256 MB
        (&[0x20, 0xff, 0xff, 0xff, 0xff, 0xff], &["CONNECT"]),
        (&[0x20, 2, 0], &["CONNECT"]),
        (&[0x20, 0], &["CONNECT"]),
        (&[0x90, 4, 0, 1, 1, 1], &["CONNECT"]), // something, but not a CONNACK
        (&[0x20, 2, 0, 0, 0x00, 0x00], &["SUBSCRIBE"]),
    ] {
        let (outcome, seen) = report(
            peer(false, Connect, move |link| {
                link.send(answer)?;
                link.close()
            }),
            false,
            |publish| publish.set("--mqtt-version", "3.1.1"),
        );
        outcome.is(69, told);
        assert_eq!(seen.reports().len(), 0);
    }
}

/// Many a server speaks first, and then waits.
#[test]
fn something_else_that_then_waits_is_recognized() {
    for (tls, phase) in [(true, "TLS"), (false, "CONNECT")] {
        for banner in ["SSH-2.0-OpenSSH_9.2p1\r\n", "220 mail.example ESMTP\r\n"] {
            let peer = Peer::raw(move |link| {
                link.send(banner.as_bytes())?;
                link.silence()
            });
            let (outcome, _) = report(peer, tls, |publish| publish.set("--timeout", "2s"));
            outcome.is(69, &[phase, banner.trim_end()]);
        }
    }
}

#[test]
fn nonsense_after_the_report_leaves_it_unconfirmed() {
    for until in [Report, Answer] {
        for nonsense in [&b"\x00\x00\x00\x00"[..], &[0x40, 0], &[0xf0, 0], &[0x30, 0xff, 0xff, 0xff, 0xff, 1]] {
            let end = move |link: &mut Link| {
                link.send(nonsense)?;
                link.close()
            };
            let (outcome, _) = report(peer(true, until, end), true, |publish| publish);
            outcome.is(75, &["PUBACK"]);
        }
    }
}

#[test]
fn a_peer_that_never_stops_talking_is_left_at_the_deadline() {
    thread::scope(|scope| {
        for until in ALL {
            scope.spawn(move || {
                let end = |link: &mut Link| {
                    let chatter = link.message("some/topic", vec![b'x'; 1000]);
                    while link.send(&chatter).is_ok() {}
                    Ok(())
                };
                let deadline = |publish: CommandLine| publish.set("--timeout", "2s");
                let (outcome, _) = report(peer(true, until, end), true, deadline);
                outcome.is(if until >= Report { 75 } else { 69 }, &[]);
                outcome.says_nothing_of(&["within under 1 ms"]);
            });
        }
    });
}
