//! How much memory hostile reports take, counted by the allocator. A program of its own, because the allocator counts for the
//! whole process, and one test, because tests run at the same time.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{self, BufReader, Read};

use device_defender::internals::detect::{AlarmRules, DeviceState, MAX_REPORT, Profile, Reports};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The most bytes that judging a stream of any reports may take.
const LIMIT: usize = 16 << 20;

/// A behavior for each kind of metric.
const PROFILE: &str = r#"[
    {"name": "a", "metric": "aws:listening-tcp-ports", "criteria": {"comparisonOperator": "in-port-set", "value": {"ports": [22]}}},
    {"name": "b", "metric": "aws:destination-ip-addresses", "criteria": {"comparisonOperator": "in-cidr-set", "value": {"cidrs": ["10.0.0.0/8"]}}},
    {"name": "c", "metric": "aws:all-bytes-out", "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 300}},
    {"name": "d", "metric": "aws:message-byte-size", "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}}},
    {"name": "m", "metric": "m", "criteria": {"comparisonOperator": "in-set", "value": {"strings": ["x"]}}}
]"#;

/// A report of the greatest size: `before`, as many elements as fit, with `,` between them, and `after`.
fn filled(before: &str, element: impl Fn(usize) -> String, after: &str) -> Vec<u8> {
    let mut text = before.to_owned();
    for number in 0.. {
        let next = element(number);
        if text.len() + next.len() + 1 + after.len() > MAX_REPORT {
            break;
        }
        text.extend([if number == 0 { "" } else { "," }, &next]);
    }
    (text + after).into_bytes()
}

/// Reports in JSON, each with what is in it.
fn json_reports() -> Vec<(&'static str, Vec<u8>)> {
    let same = |element: &'static str| move |_| element.to_owned();
    let long = "x".repeat(MAX_REPORT - 100);
    let escaped = "\\u0041".repeat((MAX_REPORT - 100) / 6);
    let deep = |open: &str, close: &str| {
        let levels = (MAX_REPORT - 100) / (open.len() + close.len());
        format!("{{\"metrics\":{{}},\"x\":{}{}}}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    let connections = "{\"metrics\":{\"tcp_connections\":{\"established_connections\":{\"connections\":[";
    let ports = "{\"metrics\":{\"listening_tcp_ports\":{\"ports\":[";
    vec![
        ("unknown objects", filled("{\"metrics\":{},\"x\":[", same("{\"\":0}"), "]}")),
        ("unknown lists", filled("{\"metrics\":{},\"x\":[", same("[]"), "]}")),
        ("unknown fields", filled("{\"metrics\":{},\"x\":{", |number| format!("\"{number}\":{{}}"), "}}")),
        ("deep lists", deep("[", "]")),
        ("deep objects", deep("{\"\":[", "]}")),
        (
            "a deep known field",
            String::from_utf8(deep("[", "]"))
                .unwrap()
                .replacen("{}", "0", 1)
                .replace("\"x\"", "\"metrics\"")
                .into_bytes(),
        ),
        ("a long string", format!("{{\"metrics\":{{}},\"x\":\"{long}\"}}").into_bytes()),
        ("a long name", format!("{{\"metrics\":{{\"{long}\":0}}}}").into_bytes()),
        ("a long escaped name", format!("{{\"metrics\":{{\"{escaped}\":0}}}}").into_bytes()),
        ("a long wrong value", format!("{{\"metrics\":{{\"tp\":\"{escaped}\"}}}}").into_bytes()),
        ("a long custom name", format!("{{\"custom_metrics\":{{\"{escaped}\":0}}}}").into_bytes()),
        ("a wrong list", filled("{\"metrics\":{},\"header\":[", same("{}"), "]}")),
        ("the same field", filled("{\"metrics\":{},", same("\"cmet\":{\"m\":[{\"string_list\":[\"\"]}]}"), "}")),
        ("ports", filled(ports, |number| format!("{{\"pt\":{}}}", number % 65_536), "]}}}")),
        ("wrong ports", filled(ports, same("0"), "]}}}")),
        (
            "IPv4",
            filled(
                connections,
                |number| format!("{{\"rad\":\"1.{}.{}.{}:1\"}}", number >> 16, number >> 8 & 255, number & 255),
                "]}}}}",
            ),
        ),
        ("IPv6", filled(connections, |number| format!("{{\"rad\":\"::{number:x}:1\"}}"), "]}}}}")),
        ("large floats", filled(ports, same("{\"pt\":1e308}"), "]}}}")),
        ("custom metrics", filled("{\"cmet\":{", |number| format!("\"{number}\":[{{\"number\":1}}]"), "}}")),
        ("wrong custom metrics", filled("{\"cmet\":{", |number| format!("\"{number}\":0"), "}}")),
        ("custom types", filled("{\"cmet\":{\"m\":[{", |number| format!("\"{number}\":0"), "}]}}")),
        ("a string list", filled("{\"cmet\":{\"m\":[{\"string_list\":[", same("\"\""), "]}]}}")),
        ("a number list", filled("{\"cmet\":{\"m\":[{\"number_list\":[", same("0"), "]}]}}")),
        ("an address list", filled("{\"cmet\":{\"m\":[{\"ip_list\":[", |number| format!("\"::{number:x}\""), "]}]}}")),
        ("one long string", format!("{{\"cmet\":{{\"m\":[{{\"string_list\":[\"{long}\"]}}]}}}}").into_bytes()),
        ("spaces", format!("{{\"metrics\":{{}}{}}}", " ".repeat(MAX_REPORT - 20)).into_bytes()),
        ("too long", format!("{{\"metrics\":{{}},\"x\":\"{}\"}}", "x".repeat(2 * MAX_REPORT)).into_bytes()),
    ]
}

/// Reports in CBOR, each with what is in it.
fn cbor_reports() -> Vec<(&'static str, Vec<u8>)> {
    // {"metrics": {}, "x": …
    let unknown = b"\xa2\x67metrics\xa0\x61x";
    let of = |begin: &[u8], element: &[u8], end: &[u8]| {
        let count = (MAX_REPORT - unknown.len() - begin.len() - end.len()) / element.len();
        [&unknown[..], begin, &element.repeat(count), end].concat()
    };
    // {"metrics": {"tp": {"ports": […
    let ports = b"\xa1\x67metrics\xa1\x62tp\xa1\x65ports\x9f";
    let more_ports = b"\xa1\x62pt\x00".repeat((MAX_REPORT - ports.len() - 1) / 5);
    vec![
        ("maps", of(b"\x9f", b"\xa1\x60\x00", b"\xff")),
        ("empty maps", of(b"\x9f", b"\xa0", b"\xff")),
        ("empty byte strings", of(b"\x9f", b"\x40", b"\xff")),
        ("empty byte strings of unknown length", of(b"\x9f", b"\x5f\xff", b"\xff")),
        ("large integers", of(b"\x9f", b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xff")),
        ("a map with maps as names", of(b"\xbf", b"\xa0\xa0", b"\xff")),
        ("text in pieces", of(b"\x7f", b"\x60", b"\xff")),
        ("text in pieces within pieces", of(b"\x7f", b"\x7f", b"\xff")),
        ("deep lists", of(b"", b"\x81", b"\x00")),
        ("deep tags", of(b"", b"\xc1", b"\x00")),
        ("a list that claims to be long", of(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", b"\x00", b"")),
        ("bytes that claim to be long", of(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", b"\x00", b"")),
        ("text that claims to be long", of(b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", b"\x00", b"")),
        ("ports", [&ports[..], &more_ports, b"\xff"].concat()),
    ]
}

fn hex(report: &[u8]) -> String {
    report.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Judges a stream as `detect` does, and returns the most bytes that this takes in addition to the stream. One report is read
/// while the one before is judged.
fn judge(profile: &Profile, stream: impl Read) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let rules = AlarmRules::new(profile.behaviors.iter());
    let mut device = DeviceState::default();
    let mut last = None;
    for item in Reports::new(BufReader::with_capacity(64 << 10, stream)) {
        if let Ok(received) = &item {
            assert!(received.observation.problems.len() <= 5, "{:?}", received.observation.problems);
            drop(device.process(&rules, &received.observation, 1));
        }
        drop(last.replace(item));
    }
    drop(last);
    MEMORY.peak_usage() - before
}

#[test]
fn no_report_takes_much_memory() {
    let profile = Profile::parse_all(PROFILE.as_bytes()).unwrap().remove(0);
    let mut worst = (0, String::new());
    let mut check = |what: String, stream: &mut dyn Read| {
        let peak = judge(&profile, stream);
        assert!(peak < LIMIT, "{what}: {peak} bytes");
        if peak > worst.0 {
            worst = (peak, what);
        }
    };
    for (what, report) in json_reports() {
        let text = std::str::from_utf8(&report).unwrap();
        // In the form whose lines are parsed most often; the greatest also in the others.
        let forms = if what == "IPv6" { &["bare", "-v", "%J", "%x %t", "%j"][..] } else { &["%j"] };
        for form in forms {
            let topic = "$aws/things/a/defender/metrics/json";
            let line = match *form {
                "bare" => text.to_owned(),
                "-v" => format!("{topic} {text}"),
                "%J" => format!("{{\"topic\":\"{topic}\",\"payload\":{text}}}"),
                "%j" => format!("{{\"topic\":\"{topic}\",\"payload\":{}}}", serde_json::Value::from(text)),
                _ => format!("{} {topic}", hex(&report)),
            };
            check(format!("{what} {form}"), &mut format!("{line}\n").repeat(2).as_bytes());
        }
    }
    let (_, report) = json_reports().swap_remove(0);
    let lines = String::from_utf8(report).unwrap().replacen(',', ",\n", 1000);
    check("several lines".to_owned(), &mut format!("{lines}\n").repeat(2).as_bytes());
    for (what, report) in cbor_reports() {
        check(format!("CBOR: {what}"), &mut report.repeat(2).as_slice());
    }
    for endless in [&b"x"[..], b"{", b"[", b"\"", b"\\", b"{\"metrics\":[", b"7b", b"things/", b"\xa1", b"\xff", b"{\n"]
    {
        let begin = endless.repeat(50_000);
        check(
            format!("{:?} without an end", String::from_utf8_lossy(endless)),
            &mut begin.chain(io::repeat(b'x').take(8 << 20)),
        );
    }
    eprintln!("at most {} bytes: {}", worst.0, worst.1);
}
