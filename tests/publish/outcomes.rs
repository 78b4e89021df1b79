//! What the service may answer, and what becomes of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{
    Answer, BEFORE, Broker, Device, Outcome, Received, Service, Ways, accepted, accepting, rejected, to_cbor, traffic,
};

const AFTER: [u64; 4] = [1500, 15, 2700, 27];
const DELTA: [u64; 4] = [500, 5, 700, 7];

/// Reports to a service that answers like this; returns how the run ended. The device has reported [`BEFORE`] already and
/// shows [`AFTER`] now.
fn answered(device: &Device, timeout: &str, answer: impl FnMut(&Received) -> Vec<Answer> + Send + 'static) -> Outcome {
    device.remember(7, BEFORE);
    device.count(AFTER);
    let broker = Broker::start();
    let service = Service::start(broker.plain, answer);
    let outcome = device.publish_to(&broker).flag("-v").set("--timeout", timeout).outcome();
    let report = service.report();
    assert_eq!(traffic(&report.json()), Some(DELTA));
    assert_eq!(device.last_id(), Some(report.id()), "the state has the id");
    assert_eq!(service.reports(), [], "one report");
    outcome
}

/// The report was taken.
fn is_delivered(device: &Device, outcome: &Outcome) {
    outcome.is(0, &["accepted"]);
    assert_eq!(device.baseline(), Some(AFTER), "the baseline has moved");
}

/// The report was not taken, and that was said. Its bytes are left for the next one.
fn is_not_delivered(device: &Device, outcome: &Outcome, code: i32, told: &[&str]) {
    outcome.is(code, told);
    assert_eq!(device.baseline(), Some(BEFORE), "the baseline has not moved");
}

#[test]
fn an_accepted_report_ends_quietly_with_0_and_moves_the_baseline() {
    let (broker, service, device) = accepting();
    device.publish_to(&broker).succeeds();
    let first = service.report();
    assert_eq!(first.topic, "$aws/things/gw/defender/metrics/json");
    assert_eq!(traffic(&first.json()), None, "nothing to count from");
    assert_eq!((device.last_id(), device.baseline()), (Some(first.id()), Some(BEFORE)));

    device.count(AFTER);
    device.publish_to(&broker).succeeds();
    let second = service.report();
    assert!(second.id() > first.id());
    assert_eq!(traffic(&second.json()), Some(DELTA));
    assert_eq!((device.last_id(), device.baseline()), (Some(second.id()), Some(AFTER)));

    device.publish_to(&broker).succeeds();
    assert_eq!(traffic(&service.report().json()), Some([0; 4]));
    assert_eq!(service.reports(), []);
    broker.has_logged("Received DISCONNECT from gw-device-defender");
}

#[test]
fn a_report_that_is_not_accepted_leaves_the_baseline() {
    type Case = (fn(&Received) -> Value, i32, &'static [&'static str]);
    let cases: [Case; 7] = [
        (
            |report| rejected(Some(report.id()), "InvalidPayload", "Malformed metrics report"),
            76,
            &["rejected", "InvalidPayload", "Malformed metrics report"],
        ),
        (
            |report| rejected(Some(report.id()), "NeverHeardOf\u{1b}[2J", "\u{202e}über\n\u{9b}2J"),
            76,
            &["NeverHeardOf\\u{1b}[2J", "über"],
        ),
        (|report| rejected(Some(report.id()), "Throttled", "Too many"), 75, &["throttled", "hint: ", "5 minutes"]),
        // A rejection may lack the id and everything else.
        (|_| rejected(None, "InvalidPayload", "Malformed"), 76, &["InvalidPayload", "Malformed"]),
        (|_| json!({}), 76, &["rejected"]),
        (|_| json!({"statusDetails": null}), 76, &["rejected"]),
        (|_| json!({"statusDetails": {"ErrorCode": 5}}), 76, &["rejected"]),
    ];
    for (answer, code, texts) in cases {
        let device = Device::new();
        let outcome = answered(&device, "30s", move |report| vec![report.answer("rejected", &answer(report))]);
        is_not_delivered(&device, &outcome, code, texts);
        outcome.says_nothing_of(&["\u{202e}"]);
    }
}

#[test]
fn a_long_text_of_the_service_is_shortened() {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::start(broker.plain, |report| {
        let foreign = report.answer("rejected", &rejected(Some(1), "E", &"x".repeat(50_000)));
        vec![foreign, report.rejected(&"C".repeat(20_000), &"ü".repeat(20_000))]
    });
    let outcome = device.publish_to(&broker).flag("-v").ends(76, &["rejected", "CCCC", "üüüü"]);
    assert!(outcome.stderr.lines().all(|line| line.len() < 1000), "{}", outcome.stderr);
}

#[test]
fn an_acceptance_needs_no_id() {
    let device = Device::new();
    for answer in [json!({"status": "ACCEPTED"}), json!({"thingName": "gw", "1542697506": 1}), json!({})] {
        let outcome = answered(&device, "30s", move |report| vec![report.answer("accepted", &answer)]);
        is_delivered(&device, &outcome);
    }
}

#[test]
fn no_answer_ends_with_75_and_says_that_the_broker_took_the_report() {
    let device = Device::new();
    let outcome = answered(&device, "2s", |_| Vec::new());
    is_not_delivered(&device, &outcome, 75, &["no answer", "PUBACK", "hint: "]);
    // The next one covers what this one had.
    let outcome = answered(&device, "30s", |report| vec![report.accepted()]);
    is_delivered(&device, &outcome);
}

/// Answers that are not one to this report, each followed by a true one.
#[test]
fn foreign_late_garbled_and_oversized_answers_are_ignored_and_logged() {
    type Odd = fn(&Received) -> Vec<u8>;
    let odd: [(&str, Odd); 9] = [
        ("late", |report| accepted(report.id() - 1).to_string().into()),
        ("foreign", |report| accepted(report.id() + 1_000_000).to_string().into()),
        ("garbled", |_| b"{\"status\": \"ACC".to_vec()),
        ("not UTF-8", |_| vec![0xff, 0xfe, 0, 1]),
        ("empty", |_| Vec::new()),
        ("CBOR", |report| to_cbor(&accepted(report.id()))),
        ("an id that is none", |_| br#"{"reportId": "x", "status": "ACCEPTED"}"#.to_vec()),
        ("huge", |report| format!("{}{}", " ".repeat(200_000), accepted(report.id() - 1)).into()),
        ("deep", |_| vec![b'['; 100_000]),
    ];
    for status in ["accepted", "rejected"] {
        for (name, payload) in odd {
            let device = Device::new();
            let outcome = answered(&device, "30s", move |report| {
                let other = if status == "accepted" { report.rejected("E", "no") } else { report.accepted() };
                vec![(format!("{}/{status}", report.topic), payload(report)), other]
            });
            if status == "accepted" {
                is_not_delivered(&device, &outcome, 76, &["ignor"]);
            } else {
                is_delivered(&device, &outcome);
            }
            outcome.says(&["ignor"]);
            let quiet = !outcome.stderr.contains("warning");
            assert!(quiet, "{name}: told with -v only\n{}", outcome.stderr);
        }
    }
}

#[test]
fn answers_to_others_only_are_no_answer() {
    let device = Device::new();
    let outcome = answered(&device, "2s", |report| {
        let foreign = accepted(report.id() + 5);
        vec![report.answer("accepted", &foreign), report.answer("rejected", &rejected(Some(1), "E", "no"))]
    });
    is_not_delivered(&device, &outcome, 75, &["no answer", "PUBACK", "ignor"]);
}

#[test]
fn the_first_of_two_answers_counts() {
    let device = Device::new();
    let outcome = answered(&device, "30s", |report| vec![report.accepted(), report.accepted()]);
    is_delivered(&device, &outcome);
    let outcome = answered(&device, "30s", |report| vec![report.rejected("E", "no"), report.accepted()]);
    is_not_delivered(&device, &outcome, 76, &["E", "no"]);
}

#[test]
fn an_answer_to_the_report_before_does_not_pass_for_one_to_this() {
    let (broker, device) = (Broker::start(), Device::new());
    let before: Arc<Mutex<Option<Received>>> = Arc::default();
    let service = Service::start(broker.plain, move |report| {
        match before.lock().unwrap().replace(report.clone()) {
            Some(late) => vec![late.accepted()], // after the fact, and nothing for this one
            None => Vec::new(),
        }
    });
    device.publish_to(&broker).set("--timeout", "2s").ends(75, &["no answer"]);
    device.publish_to(&broker).set("--timeout", "2s").ends(75, &["no answer"]);
    assert_eq!(service.reports().len(), 2);
    assert_eq!(device.baseline(), None);
}

#[test]
fn no_wait_is_satisfied_by_the_puback_and_subscribes_to_nothing() {
    let (broker, device) = (Broker::start(), Device::new());
    let service = Service::start(broker.plain, |report| vec![report.rejected("E", "no")]);
    device.publish_to(&broker).flag("--no-wait").succeeds();
    assert_eq!(device.last_id(), Some(service.report().id()));
    assert_eq!(device.baseline(), Some(BEFORE));
    broker.has_logged("Received DISCONNECT from gw-device-defender");
    assert!(!broker.log().contains("Received SUBSCRIBE from gw-device-defender"));
}

/// Policies as an AWS account has them, forgetting one thing each.
#[test]
fn what_a_policy_forbids_is_reported() {
    const METRICS: &str = "$aws/things/gw/defender/metrics";
    let device = Device::new();
    let rights = format!("user gw\ntopic write {METRICS}/json\ntopic read {METRICS}/json/accepted\n");

    // All that is needed, but an answer other than the one that comes.
    let broker = Broker::with(Ways { rights: Some(&rights), ..Ways::default() });
    let service = Service::accepting(broker.plain);
    device.publish_to(&broker).succeeds();
    assert_eq!(service.reports().len(), 1);

    // A PUBLISH that is not allowed: MQTT 3.1.1 has no word for it, so this broker acknowledges it all the same.
    let nothing = Broker::with(Ways { rights: Some("user gw\ntopic read nothing\n"), ..Ways::default() });
    let service = Service::accepting(nothing.plain);
    device.publish_to(&nothing).ends(77, &["PUBACK 0x87: not authorized", "hint: ", "iot:Publish"]);
    let older = device.publish_to(&nothing).set("--mqtt-version", "3.1.1").set("--timeout", "2s");
    older.ends(75, &["no answer", "PUBACK", "hint: "]);
    assert_eq!(service.reports(), []);

    // A client ID that is not allowed.
    let prefix = Broker::with(Ways { general: "clientid_prefixes device-defender-", ..Ways::default() });
    let service = Service::accepting(prefix.plain);
    let told = ["not authorized", "gw-device-defender", "hint: ", "CONNECT"];
    device.publish_to(&prefix).ends(77, &told);
    device.publish_to(&prefix).set("--client-id", "device-defender-gw").succeeds();
    assert_eq!(service.reports().len(), 1);
}

#[test]
fn a_rejection_in_cbor_is_understood() {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::start(broker.plain, |report| vec![report.rejected("InvalidPayload", "Malformed")]);
    device.publish_to(&broker).set("--format", "cbor").ends(76, &["InvalidPayload", "Malformed"]);
}

#[test]
fn answers_in_cbor_that_are_none_are_passed_over() {
    let (broker, device) = (Broker::start(), Device::new());
    let odd: [Vec<u8>; 8] = [
        Vec::new(),
        br#"{"status":"ACCEPTED"}"#.to_vec(),
        vec![0xa1],
        vec![0xbf, 0x61],
        vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // an array of 2^64 - 1
        vec![0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // 2^63 - 1 bytes
        vec![0x81; 100_000],
        vec![0xc1; 100_000],
    ];
    let _service = Service::start(broker.plain, move |report| {
        let odd = odd.clone().map(|payload| (format!("{}/accepted", report.topic), payload));
        [&odd[..], &[report.rejected("E", "no")]].concat()
    });
    let outcome = device.publish_to(&broker).set("--format", "cbor").flag("-v").ends(76, &["E: no"]);
    assert_eq!(outcome.stderr.matches("ignored: an answer on ").count(), 8, "{}", outcome.stderr);
}
