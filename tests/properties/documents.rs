//! JSON, CBOR, long and short names all say what the sockets say.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ciborium::Value;
use device_defender::internals::collector::{Interfaces, Socket, SocketState};
use device_defender::internals::escape_json;
use device_defender::internals::report::{Encoding, LONG, Names, Report, SHORT, Style, pretty_json};
use proptest::prelude::*;

use crate::properties::expected;
use crate::properties::scene::{Scene, Tables, style};
use crate::properties::shape::{self, NAMES, check_definite, shortened, to_json};
use crate::support::cases;

/// A report as JSON.
pub(crate) fn json_of(report: &Report<'_>, names: &Names, indent: bool) -> String {
    if indent {
        return escape_json(&pretty_json(report, names).unwrap());
    }
    let mut out = Vec::new();
    Encoding::Json.write(report, names, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A report as CBOR.
pub(crate) fn cbor_of(report: &Report<'_>, names: &Names) -> Vec<u8> {
    let mut out = Vec::new();
    Encoding::Cbor.write(report, names, &mut out).unwrap();
    out
}

/// What a report says, in the order it says it.
pub(crate) fn tree_of(report: &Report<'_>, names: &Names) -> Value {
    ciborium::from_reader(cbor_of(report, names).as_slice()).unwrap()
}

/// Checks a report that is not cut against the specification, and that all its forms say the same in the same order.
pub(crate) fn check_all_forms(report: &Report<'_>, style: Style) {
    let long = tree_of(report, &LONG);
    shape::check(&long, style);
    for (names, tree) in [(&LONG, long.clone()), (&SHORT, shortened(&long))] {
        assert_eq!(tree_of(report, names), tree);
        check_definite(&cbor_of(report, names));
        let line = json_of(report, names, false);
        assert_eq!(line, to_json(&tree));
        assert!(!line.contains('\n'));
        assert_eq!(without_blanks(&json_of(report, names, true)), escape_json(&line)); // it is meant for a terminal
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed, serde_json::from_str::<serde_json::Value>(&json_of(report, names, true)).unwrap());
    }
}

/// JSON without the white space between its tokens.
fn without_blanks(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let significant = json.chars().filter(|&c| {
        let keep = quoted || !c.is_ascii_whitespace();
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        keep
    });
    significant.collect()
}

/// The names of every object below a value, those of custom metrics left out.
fn names_in<'v>(value: &'v Value, custom: &str, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| names_in(value, custom, found)),
        Value::Map(entries) => {
            for (key, value) in entries {
                let key = key.as_text().unwrap();
                found.insert(key);
                if key != custom {
                    names_in(value, custom, found);
                }
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_report_says_exactly_what_the_sockets_say(scene in Scene::any(14), style in style(), id in 1..=i64::MAX as u64) {
        let sample = scene.sample();
        prop_assert_eq!(tree_of(&scene.report(&sample, style, id), &LONG), expected::document(&scene, style, id));
    }

    #[test]
    fn all_forms_of_a_report_say_the_same(scene in Scene::any(14), style in style(), id in 1..=i64::MAX as u64) {
        let sample = scene.sample();
        check_all_forms(&scene.report(&sample, style, id), style);
    }

    #[test]
    fn the_same_sockets_in_another_order_give_the_same_bytes((one, other) in Scene::twice(14), style in style()) {
        let [one, other] = [one, other].map(|scene| {
            let sample = scene.sample();
            let report = scene.report(&sample, style, 7);
            (json_of(&report, &LONG, false), cbor_of(&report, &SHORT))
        });
        prop_assert_eq!(one, other);
    }

}

#[test]
fn every_name_is_used() {
    let socket = |state| Socket {
        state: SocketState(state),
        remote: Ipv4Addr::LOCALHOST,
        remote_port: 1,
        local: Ipv4Addr::LOCALHOST,
        local_port: 2,
        device: 0,
        inode: 3,
    };
    let v4 = vec![socket(1), socket(7), socket(10)];
    let scene = Scene {
        tcp: Some(Tables { v4: v4.clone(), v6: Vec::new() }),
        udp: Some(Tables { v4, v6: Vec::new() }),
        counters: Some(Interfaces::new()),
        addresses: Vec::new(),
        custom: Some(serde_json::json!({ "cpu": [{ "number": 1 }] })),
    };
    let sample = scene.sample();
    let report = scene.report(&sample, Style::Plain, 1);
    for (names, expected) in [(&LONG, NAMES.map(|(long, _)| long)), (&SHORT, NAMES.map(|(_, short)| short))] {
        let tree = tree_of(&report, names);
        let mut found = BTreeSet::new();
        names_in(&tree, names.custom_metrics, &mut found);
        assert_eq!(found, BTreeSet::from(expected));
    }
}
