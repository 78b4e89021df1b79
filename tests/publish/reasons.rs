//! Every reason code of MQTT 5 (section 2.4) in every packet and phase, and what becomes of it.

use std::io;
use std::thread;

use crate::support::wire::puback;
use crate::support::{BEFORE, Device, Link, Outcome, Peer};

/// Codes, and their words, by the packets that may have them.
const CONNACK: [(u8, i32, &str); 25] = [
    (0x80, 69, "unspecified error"),
    (0x81, 69, "malformed packet"),
    (0x82, 69, "protocol error"),
    (0x83, 69, "this broker's own"),
    (0x84, 69, "--mqtt-version"),
    (0x85, 69, "another --client-id than gw-device-defender"),
    (0x86, 77, "user name or password"),
    (0x87, 77, "iot:Connect for client/gw-device-defender"),
    (0x88, 69, "try again later"),
    (0x89, 75, "try again later"),
    (0x8a, 77, "banned"),
    (0x8c, 77, "authentication method"),
    (0x90, 69, "topic name"),
    (0x95, 69, "packet too large"),
    (0x97, 75, "quota exceeded"),
    (0x99, 69, "payload format"),
    (0x9a, 69, "retain"),
    (0x9b, 69, "QoS"),
    (0x9c, 75, "--endpoint"),
    (0x9d, 69, "--endpoint"),
    (0x9f, 75, "connection rate"),
    // What the standard does not define for it, or at all.
    (0x8f, 69, "topic filter"),
    (0x10, 69, "unknown reason"),
    (0xa3, 69, "unknown reason"),
    (0xff, 69, "unknown reason"),
];

const SUBACK: [(u8, i32, &str); 12] = [
    (0x80, 77, "look at the broker's log; a policy must allow iot:Subscribe"),
    (0x83, 77, "this broker's own"),
    (0x87, 77, "iot:Subscribe on $aws/things/gw/defender/metrics/json/accepted and .../rejected"),
    (0x8f, 77, "topic filter not valid"),
    (0x91, 77, "packet ID in use"),
    (0x97, 75, "quota exceeded"),
    (0x9e, 77, "shared subscriptions"),
    (0xa1, 77, "subscription IDs"),
    (0xa2, 77, "wildcard subscriptions"),
    (0x95, 77, "packet too large"),
    (0x03, 77, "unknown reason"),
    (0xf0, 77, "unknown reason"),
];

const PUBACK: [(u8, i32, &str); 10] = [
    (0x80, 76, "unspecified error"),
    (0x83, 76, "this broker's own"),
    (0x87, 77, "iot:Publish on $aws/things/gw/defender/metrics/json"),
    (0x90, 76, "topic name not valid"),
    (0x91, 76, "packet ID in use"),
    (0x97, 75, "quota exceeded"),
    (0x99, 76, "--dry-run"),
    (0x95, 76, "--max-bytes"),
    (0x9b, 76, "QoS 1"),
    (0xfe, 76, "unknown reason"),
];

/// The exit codes are those before the report, before the PUBACK, and after it.
const DISCONNECT: [(u8, [i32; 3], &str); 31] = [
    (0x00, [69, 75, 75], "without a reason"),
    (0x04, [69, 75, 75], "without a reason"),
    (0x80, [69, 75, 75], "unspecified error"),
    (0x81, [69, 75, 75], "malformed packet"),
    (0x82, [69, 75, 75], "protocol error"),
    (0x83, [69, 75, 75], "this broker's own"),
    (0x87, [77, 77, 77], "must allow iot:"),
    (0x89, [75, 75, 75], "server busy"),
    (0x8b, [75, 75, 75], "server shutting down"),
    (0x8d, [75, 75, 75], "keep-alive timeout"),
    (0x8e, [75, 75, 75], "another client connected as gw-device-defender"),
    (0x8f, [69, 76, 75], "topic filter"),
    (0x90, [69, 76, 75], "topic name"),
    (0x93, [75, 75, 75], "receive maximum"),
    (0x94, [69, 75, 75], "topic alias"),
    (0x95, [69, 76, 75], "--max-bytes"),
    (0x96, [75, 75, 75], "message rate"),
    (0x97, [75, 75, 75], "quota exceeded"),
    (0x98, [75, 75, 75], "administrative action"),
    (0x99, [69, 76, 75], "payload format"),
    (0x9a, [69, 75, 75], "retain"),
    (0x9b, [69, 76, 75], "QoS"),
    (0x9c, [75, 75, 75], "--endpoint"),
    (0x9d, [69, 75, 75], "--endpoint"),
    (0x9e, [69, 75, 75], "shared subscriptions"),
    (0x9f, [75, 75, 75], "connection rate"),
    (0xa0, [75, 75, 75], "maximum connect time"),
    (0xa1, [69, 75, 75], "subscription IDs"),
    (0xa2, [69, 75, 75], "wildcard subscriptions"),
    (0x86, [77, 77, 77], "user name"),
    (0xc0, [69, 75, 75], "unknown reason"),
];

/// What a broker says about its reason. It must not reach the terminal as it is.
const TEXT: &str = "\u{1b}[2Jno\u{9b}31m \u{202e}way";

/// What becomes of it.
const SHOWN: &str = "(`\\u{1b}[2Jno\\u{9b}31m \\u{202e}way`)";

/// A reason string as a list of properties, with its length.
fn text() -> Vec<u8> {
    let length = u8::try_from(TEXT.len()).unwrap();
    [&[length + 3, 0x1f, 0, length], TEXT.as_bytes()].concat()
}

/// A packet with this first byte and content.
fn packet(first: u8, content: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(content.len()).unwrap()], content].concat()
}

/// Runs a report to each of these peers, some at a time.
fn each<T: Copy + Send + Sync>(cases: &[T], run: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(4)) {
            let run = &run;
            scope.spawn(move || part.iter().for_each(|case| run(*case)));
        }
    });
}

/// A report in MQTT 5 to a peer without TLS.
fn report(script: impl FnOnce(&mut Link) -> io::Result<()> + Send + 'static) -> (Outcome, usize) {
    let (peer, device) = (Peer::raw(script), Device::new());
    device.remember(7, BEFORE);
    let publish = device.publish_plain(peer.port()).set("--mqtt-version", 5).set("--timeout", "10s");
    let outcome = publish.outcome();
    assert_eq!(device.baseline(), Some(BEFORE));
    (outcome, peer.seen().reports().len())
}

#[test]
fn every_reason_in_connack() {
    each(&CONNACK, |(code, exit, told)| {
        let content = [&[0, code][..], &text()].concat();
        let (outcome, reports) = report(move |link| {
            link.receive()?;
            link.send(&packet(0x20, &content))?;
            link.close()
        });
        outcome.is(exit, &["CONNECT: ", &format!("refused with CONNACK 0x{code:02x}: "), "hint: ", told, SHOWN]);
        assert_eq!(reports, 0);
    });
}

#[test]
fn every_reason_in_suback() {
    each(&SUBACK, |(code, exit, told)| {
        let (outcome, reports) = report(move |link| {
            link.accept_connect()?;
            let subscribe = link.subscribe()?;
            let content = [&subscribe.pkid.to_be_bytes()[..], &text(), &[code, code]].concat();
            link.send(&packet(0x90, &content))?;
            link.accept_report()?;
            link.silence()
        });
        let refused = format!("refused with SUBACK 0x{code:02x}: ");
        outcome.is(exit, &["PUBLISH: ", "its answers", &refused, "PUBACK", "hint: ", told, SHOWN]);
        assert_eq!(reports, 1);
    });
}

#[test]
fn every_reason_in_puback() {
    each(&PUBACK, |(code, exit, told)| {
        let (outcome, reports) = report(move |link| {
            let report = link.up_to_report()?;
            let content = [&report.pkid.to_be_bytes()[..], &[code], &text()].concat();
            link.send(&packet(0x40, &content))?;
            link.silence()
        });
        let refused = format!("the report was refused with PUBACK 0x{code:02x}: ");
        outcome.is(exit, &["PUBLISH: ", &refused, "hint: ", told, SHOWN]);
        assert_eq!(reports, 1);
    });
}

#[test]
fn every_reason_in_disconnect_in_every_phase() {
    type Script = fn(&mut Link) -> io::Result<()>;
    let phases: [(&str, usize, Script); 5] = [
        ("CONNECT: ", 0, |link| link.receive().map(drop)),
        ("SUBSCRIBE: ", 0, |link| link.accept_connect().and_then(|()| link.subscribe().map(drop))),
        ("PUBLISH: ", 0, |link| {
            link.accept_connect()?;
            let subscribe = link.subscribe()?;
            let granted = link.suback(subscribe.pkid, &[1, 1]);
            // In the same write: it is there before the report is sent.
            link.send_later(granted);
            Ok(())
        }),
        ("PUBLISH: ", 1, |link| link.up_to_report().map(drop)),
        ("PUBLISH: ", 2, |link| link.up_to_puback().map(drop)),
    ];
    each(&DISCONNECT, |(code, exits, told)| {
        for (phase, at, script) in phases {
            let (outcome, reports) = report(move |link| {
                script(link)?;
                link.send(&packet(0xe0, &[&[code][..], &text()].concat()))?;
                link.close()
            });
            let ended = format!("the broker ended the session with DISCONNECT 0x{code:02x}: ");
            let sent = ["nothing was sent", "no PUBACK came", "acknowledged the report (PUBACK)"][at];
            outcome.is(exits[at], &[phase, &ended, "hint: ", told, SHOWN, sent]);
            assert_eq!(reports, usize::from(at > 0));
        }
    });
}

/// Without properties a broker may leave out their length, and with nothing to say the code (sections 3.4.2.1, 3.14.2.1).
#[test]
fn a_reason_may_come_without_anything_else() {
    let short = |bytes: &'static [u8]| {
        report(move |link| {
            link.up_to_report()?;
            link.send(bytes)?;
            link.close()
        })
    };
    let (outcome, _) = short(&[0xe0, 1, 0x8b]);
    outcome.is(75, &["DISCONNECT 0x8b: server shutting down; no PUBACK came"]);
    let (outcome, _) = short(&[0xe0, 0]);
    outcome.is(75, &["DISCONNECT 0x00: without a reason"]);
    let (outcome, _) = short(&[0x40, 3, 0, 2, 0x97]);
    outcome.is(75, &["PUBACK 0x97: quota exceeded"]);
}

#[test]
fn another_server_is_named() {
    let server = b"other.example:8883";
    let properties = [&[21, 0x1c, 0, 18][..], server].concat();
    let connack = packet(0x20, &[&[0, 0x9c][..], &properties].concat());
    let (outcome, _) = report(move |link| {
        link.receive()?;
        link.send(&connack)?;
        link.close()
    });
    outcome.is(75, &["use another server; it names the server `other.example:8883`", "--endpoint"]);
    let disconnect = packet(0xe0, &[&[0x9d][..], &properties].concat());
    let (outcome, _) = report(move |link| {
        link.up_to_report()?;
        link.send(&disconnect)?;
        link.close()
    });
    outcome.is(75, &["server moved; it names the server `other.example:8883`", "--endpoint"]);
}

/// What a broker has to say although all is well is shown with `-v`, escaped and shortened.
#[test]
fn reason_strings_of_success_are_shown_with_verbose() {
    let long = "x".repeat(60_000);
    let length = u16::try_from(long.len()).unwrap().to_be_bytes();
    // 60,003 bytes of properties, and 60,008 bytes of packet.
    let list = [&[0xe3, 0xd4, 0x03, 0x1f][..], &length, long.as_bytes()].concat();
    let connack = [&[0x20, 0xe8, 0xd4, 0x03, 0, 0][..], &list].concat();
    let peer = Peer::raw(move |link| {
        link.receive()?;
        link.send(&connack)?;
        let subscribe = link.subscribe()?;
        let content = [&subscribe.pkid.to_be_bytes()[..], &text(), &[1, 1]].concat();
        link.send(&packet(0x90, &content))?;
        let report = link.report()?;
        link.send(&packet(0x40, &[&report.pkid.to_be_bytes()[..], &[0x10], &text()].concat()))?;
        link.accepted(&report)?;
        link.silence()
    });
    let device = Device::new();
    let outcome = device.publish_plain(peer.port()).flag("-v").outcome();
    outcome.is(
        0,
        &[
            "clean session, in ",
            "; it says `xxx",
            "granted with QoS 1; it says `\\u{1b}[2Jno",
            "no matching subscribers",
        ],
    );
    assert!(outcome.stderr.lines().all(|line| line.len() < 500), "{}", outcome.stderr);
    assert_eq!(peer.seen().reports().len(), 1);
}

/// An answer that does not come is no wonder when nobody is there.
#[test]
fn a_report_that_nobody_has_subscribed_to_is_reported_as_such() {
    let peer = Peer::raw(|link| {
        let report = link.up_to_report()?;
        link.send(&packet(0x40, &[&report.pkid.to_be_bytes()[..], &[0x10]].concat()))?;
        link.silence()
    });
    let device = Device::new();
    let publish = device.publish_plain(peer.port()).set("--timeout", "2s");
    publish.ends(75, &["no answer", "(PUBACK), to which nobody has subscribed", "--no-wait"]);
    assert_eq!(peer.seen().reports().len(), 1);
}

/// Packets that are none, in each phase: not passed over, and not waited for the rest of.
#[test]
fn malformed_packets_end_the_session_at_once() {
    const CONNACKS: [&[u8]; 8] = [
        &[0x20, 1, 0],
        &[0x20, 3, 0, 0, 5],             // properties that are not there
        &[0x20, 4, 0, 0, 0, 0],          // more after the properties
        &[0x20, 3, 2, 0, 0],             // reserved flags
        &[0x20, 6, 0, 0, 3, 0x21, 0, 0], // a receive maximum of 0
        &[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0],
        &[0x20, 7, 0, 0, 4, 0x24, 1, 0x24, 1], // the same property twice
        &[0x20, 5, 0, 0, 2, 0x7f, 0],          // a property that the standard does not define
    ];
    const LATER: [&[u8]; 12] = [
        &[0x90, 2, 0, 1],
        &[0x90, 3, 0, 1, 0],
        &[0x90, 4, 0, 1, 9, 1],
        &[0x40, 1, 0],
        &[0x40, 5, 0, 2, 0, 7, 0x1f],
        &[0xe0, 2, 0x8b, 9],
        &[0xe0, 3, 0x8b, 1, 0x1f],
        &[0xe1, 1, 0x8b],
        &[0x30, 3, 0, 9, b'x'],
        &[0x30, 6, 0, 1, b'x', 1, 0x0b, 0x80], // a property that goes on behind the list
        &[0xd0, 1, 0],
        &[0xf0, 0],
    ];
    for bytes in CONNACKS {
        let (outcome, _) = report(move |link| {
            link.receive()?;
            link.send(bytes)?;
            link.silence()
        });
        outcome.is(69, &["CONNECT: ", "the answer is not MQTT 5: "]);
    }
    for bytes in LATER {
        let (outcome, _) = report(move |link| {
            link.accept_connect()?;
            link.subscribe()?;
            link.send(bytes)?;
            link.silence()
        });
        outcome.is(69, &["SUBSCRIBE: ", "the answer is not MQTT 5: "]);
        let (outcome, _) = report(move |link| {
            link.up_to_report()?;
            link.send(bytes)?;
            link.silence()
        });
        outcome.is(75, &["PUBLISH: ", "the answer is not MQTT 5: ", "no PUBACK"]);
    }
}

/// What else a broker may send, of MQTT 5 alone.
#[test]
fn properties_of_every_kind_are_passed_over() {
    let connack: &[u8] = &[
        0x20, 58, 0, 0, 55, //
        17, 0, 0, 0, 0, 33, 0, 20, 36, 1, 37, 0, 39, 0, 2, 0, 0, 18, 0, 1, b'c', 34, 0, 5, 40, 0, 41, 0, 42, 0, 19, 4,
        176, //
        26, 0, 1, b'r', 38, 0, 1, b'a', 0, 1, b'b', 38, 0, 1, b'a', 0, 1, b'b', 22, 0, 1, 9,
    ];
    assert_eq!(usize::from(connack[1]) + 2, connack.len());
    assert_eq!(usize::from(connack[4]) + 5, connack.len());
    let peer = Peer::raw(move |link| {
        link.receive()?;
        link.send(connack)?;
        link.accept_subscribe()?;
        let report = link.report()?;
        link.send(&puback(report.pkid))?;
        let topic = format!("{}/accepted", report.topic);
        let properties = [1, 1, 2, 0, 0, 0, 9, 3, 0, 1, b't', 8, 0, 1, b'r', 9, 0, 1, 0, 11, 0x80, 1, 11, 2];
        let content = [
            &u16::try_from(topic.len()).unwrap().to_be_bytes()[..],
            topic.as_bytes(),
            &[u8::try_from(properties.len()).unwrap()],
            &properties,
            br#"{"status":"ACCEPTED"}"#,
        ];
        link.send(&packet(0x30, &content.concat()))?;
        link.silence()
    });
    let outcome = Device::new().publish_plain(peer.port()).flag("-v").outcome();
    outcome.is(0, &["limits: maximum packet size 131072 bytes, maximum QoS 1, receive maximum 20, keep-alive 1200 s"]);
    assert_eq!(peer.seen().reports().len(), 1);
}
