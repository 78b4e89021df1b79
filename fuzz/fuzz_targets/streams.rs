//! Arbitrary bytes as the payload of one device among others, in each form in which a broker's messages can be printed, and as
//! a whole stream. No payload changes what the reports of other devices say, a stream for one device names no other, the size
//! of reads does not matter, and memory is bounded by the size of the input.
#![no_main]

mod memory;
#[expect(dead_code, reason = "this target counts no lines")]
mod pieces;

use std::io::BufReader;

use device_defender::internals::ThingName;
use device_defender::internals::detect::{Observation, Reports};
use libfuzzer_sys::fuzz_target;
use pieces::{Pieces, steps};

/// How the message of a thing is printed.
type Form = fn(&str, &[u8]) -> Vec<u8>;

fn topic(thing: &str) -> Vec<u8> {
    format!("$aws/things/{thing}/defender/metrics/json").into_bytes()
}

/// `mosquitto_sub -v`
fn after_topic(thing: &str, payload: &[u8]) -> Vec<u8> {
    [&topic(thing), &b" "[..], payload, b"\n"].concat()
}

/// `mosquitto_sub -F %j`, which writes bytes that are not ASCII as they are, and nothing after a zero.
fn json(thing: &str, payload: &[u8]) -> Vec<u8> {
    let mut line = [b"{\"topic\":\"", &topic(thing)[..], b"\",\"payload\":\""].concat();
    for &byte in payload.iter().take_while(|byte| **byte != 0) {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', byte]),
            0..32 => line.extend(format!("\\u{byte:04x}").bytes()),
            _ => line.push(byte),
        }
    }
    line.extend(b"\"}\n");
    line
}

/// `mosquitto_sub -F %J`, which prints an empty line for what is not JSON.
fn embedded(thing: &str, payload: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<serde_json::Value>(payload) {
        Ok(value) => {
            format!("{{\"topic\":\"$aws/things/{thing}/defender/metrics/json\",\"payload\":{value}}}\n").into_bytes()
        }
        Err(_) => b"\n".to_vec(),
    }
}

/// `mosquitto_sub -F '%x %t'`
fn hex(thing: &str, payload: &[u8]) -> Vec<u8> {
    let digits: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
    [digits.as_bytes(), b" ", &topic(thing), b"\n"].concat()
}

/// What the reports of this thing say.
fn reports_of(thing: &str, stream: &[u8]) -> Vec<Observation> {
    let limit = 12 * stream.len() + (1 << 20);
    let read = || {
        Reports::new(stream).flatten().filter(|received| received.thing.as_ref().is_some_and(|t| t.as_str() == thing))
    };
    memory::within(limit, || read().map(|received| received.observation).collect())
}

fuzz_target!(|payload: &[u8]| {
    let victim = r#"{"header":{"report_id":7,"version":"1.0"},"metrics":{"tp":{"t":1,"pts":[{"pt":22}]}}}"#.as_bytes();
    let forms: [Form; 3] = [json, embedded, hex];
    for form in forms {
        let expected = reports_of("victim", &form("victim", victim));
        assert_eq!(expected.len(), 1);
        let evil = form("evil", payload);
        let stream = [&evil, &form("victim", victim)[..], &evil].concat();
        assert_eq!(reports_of("victim", &stream), expected);
    }
    let stream = [&after_topic("evil", payload), &after_topic("victim", victim)[..]].concat();
    assert_eq!(reports_of("victim", &stream), []);

    // The same bytes as a whole stream, of a device that is known.
    let evil: ThingName = "evil".parse().unwrap();
    let all = |step| -> Vec<String> {
        let reports = Reports::new(BufReader::new(Pieces(payload, step))).of_thing(Some(evil.clone()));
        let told = reports.map(|item| match item {
            Ok(received) => {
                assert!(received.thing.as_ref().is_none_or(|thing| *thing == evil));
                assert!(received.observation.problems.len() <= 5);
                format!("{}: {:?}", received.place, received.observation.report_id)
            }
            Err(error) => error.to_string(),
        });
        told.collect()
    };
    let first = all(usize::MAX);
    for step in steps(payload) {
        assert_eq!(all(step), first, "with reads of {step} bytes");
    }
});
