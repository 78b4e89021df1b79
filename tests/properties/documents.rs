//! JSON, CBOR, long and short names all say what the sockets say.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ciborium::Value;
use device_defender::collector::counters::Interfaces;
use device_defender::collector::sockets::{Socket, State};
use device_defender::escape::escape_json;
use device_defender::report::names::{LONG, Names, SHORT};
use device_defender::report::{Report, Style, cbor, json};
use proptest::prelude::*;

use crate::cases;
use crate::expected;
use crate::scene::{Scene, Tables, style};
use crate::shape::{self, NAMES, check_definite, shortened, to_json};

/// A report as JSON.
pub(crate) fn json_of(report: &Report<'_>, names: &Names, indent: bool) -> String {
    let mut out = Vec::new();
    let layout = if indent { json::Layout::Terminal { indent } } else { json::Layout::Line };
    json::write(report, names, layout, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A report as CBOR.
pub(crate) fn cbor_of(report: &Report<'_>, names: &Names) -> Vec<u8> {
    let mut out = Vec::new();
    cbor::write(report, names, &mut out).unwrap();
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
    #![proptest_config(cases(200))]

    #[test]
    fn a_report_says_exactly_what_the_sockets_say(scene in Scene::any(14), id in 1..=i64::MAX as u64) {
        let sample = scene.sample();
        let report = scene.report(&sample, Style::Plain, id);
        prop_assert_eq!(tree_of(&report, &LONG), expected::document(&scene, Style::Plain, id));
    }

    #[test]
    fn a_report_of_the_connectors_kind_says_what_the_connector_said(scene in Scene::any(14), id in 1..=i64::MAX as u64) {
        let sample = scene.sample();
        let report = scene.report(&sample, Style::Connector, id);
        prop_assert_eq!(tree_of(&report, &LONG), expected::document(&scene, Style::Connector, id));
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

    #[test]
    fn a_block_is_left_out_exactly_when_it_is_unknown(scene in Scene::any(3)) {
        let sample = scene.sample();
        let tree = tree_of(&scene.report(&sample, Style::Plain, 7), &LONG);
        let metrics = shape::field(&tree, "metrics").unwrap();
        let there = |name| shape::field(metrics, name).is_some();
        prop_assert_eq!(there("listening_tcp_ports"), scene.tcp.is_some());
        prop_assert_eq!(there("listening_udp_ports"), scene.udp.is_some());
        prop_assert_eq!(there("network_stats"), scene.counters.is_some());
        prop_assert_eq!(there("tcp_connections"), scene.tcp.is_some());
        prop_assert_eq!(shape::field(&tree, "custom_metrics").is_some(), scene.custom.is_some());
    }
}

#[test]
fn both_tables_of_names_are_those_of_the_specification() {
    let all = |names: Names| {
        let Names {
            header,
            report_id,
            version,
            metrics,
            listening_tcp_ports,
            listening_udp_ports,
            ports,
            interface,
            port,
            network_stats,
            bytes_in,
            bytes_out,
            packets_in,
            packets_out,
            tcp_connections,
            established_connections,
            connections,
            local_interface,
            local_port,
            remote_addr,
            total,
            custom_metrics,
        } = names;
        [
            header,
            report_id,
            version,
            metrics,
            listening_tcp_ports,
            listening_udp_ports,
            ports,
            interface,
            port,
            network_stats,
            bytes_in,
            bytes_out,
            packets_in,
            packets_out,
            tcp_connections,
            established_connections,
            connections,
            local_interface,
            local_port,
            remote_addr,
            total,
            custom_metrics,
        ]
    };
    assert_eq!(all(LONG), NAMES.map(|(long, _)| long));
    assert_eq!(all(SHORT), NAMES.map(|(_, short)| short));
    let distinct: BTreeSet<_> = NAMES.iter().flat_map(|(long, short)| [long, short]).collect();
    assert_eq!(distinct.len(), 2 * NAMES.len());
}

#[test]
fn every_name_is_used() {
    let socket = |state| Socket {
        state: State(state),
        remote: Ipv4Addr::LOCALHOST,
        remote_port: 1,
        local: Ipv4Addr::LOCALHOST,
        local_port: 2,
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
