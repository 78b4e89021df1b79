//! What holds for any profile and any report.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use device_defender::internals::detect::{
    AlarmRules, Answer, Coverage, Criterion, DeviceState, Meaning, Measured, Membership, Observation, Profile, Reports,
    Set, Verdict, judge,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use serde_json::{Number, Value, json};

use crate::support::{cases, to_cbor};

/// Addresses and networks that are near each other, so that they meet.
fn address() -> impl Strategy<Value = IpAddr> {
    let v4 = any::<[bool; 4]>().prop_map(|[a, b, c, d]| {
        IpAddr::V4(Ipv4Addr::new(if a { 10 } else { 192 }, u8::from(b), u8::from(c) * 128, u8::from(d)))
    });
    let v6 = any::<[bool; 3]>().prop_map(|[a, b, c]| {
        IpAddr::V6(Ipv6Addr::new(0x2001, if a { 0xdb8 } else { 0 }, 0, 0, u16::from(b) << 15, 0, 0, u16::from(c)))
    });
    prop_oneof![v4, v6]
}

fn network() -> impl Strategy<Value = IpNet> {
    (address(), 0_u8..=128).prop_map(|(address, length)| match address {
        IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new(v4, length.min(32)).unwrap().trunc()),
        IpAddr::V6(v6) => IpNet::V6(Ipv6Net::new(v6, length).unwrap().trunc()),
    })
}

fn set() -> impl Strategy<Value = Set> {
    prop_oneof![
        prop::collection::btree_set(0_u16..8, 0..6).prop_map(Set::Ports),
        prop::collection::vec(network(), 0..4).prop_map(networks),
        prop::collection::btree_set("[ab]{0,2}", 0..4).prop_map(Set::Strings),
        prop::collection::vec((0_u32..4).prop_map(Number::from), 0..4).prop_map(numbers),
    ]
}

/// A set, and elements of its kind.
fn set_and_measured(most: usize) -> impl Strategy<Value = (Set, Measured)> {
    set().prop_flat_map(move |set| {
        let elements = match set {
            Set::Ports(_) => prop::collection::btree_set(0_u16..8, 0..=most).prop_map(Measured::Ports).boxed(),
            Set::Networks(_) => prop::collection::btree_set(address(), 0..=most).prop_map(Measured::Addresses).boxed(),
            Set::Strings(_) => prop::collection::vec("[ab]{0,2}", 0..=most).prop_map(Measured::Strings).boxed(),
            Set::Numbers(_) => {
                prop::collection::vec((0_u32..4).prop_map(Number::from), 0..=most).prop_map(Measured::Numbers).boxed()
            }
        };
        (Just(set), elements)
    })
}

fn networks(networks: Vec<IpNet>) -> Set {
    Set::Networks(networks.into_iter().collect())
}

fn numbers(numbers: Vec<Number>) -> Set {
    Set::Numbers(numbers.into_iter().collect())
}

/// The union of two sets of the same kind; the first, if they are not.
fn union(a: &Set, b: &Set) -> Set {
    match (a, b) {
        (Set::Ports(a), Set::Ports(b)) => Set::Ports(a | b),
        (Set::Networks(a), Set::Networks(b)) => networks([a.given(), b.given()].concat()),
        (Set::Strings(a), Set::Strings(b)) => Set::Strings(a | b),
        (Set::Numbers(a), Set::Numbers(b)) => numbers([a.sorted(), b.sorted()].concat()),
        _ => a.clone(),
    }
}

fn offending(membership: Membership, set: &Set, measured: &Measured) -> Vec<String> {
    match Criterion::Elements(membership, set.clone()).answer(measured) {
        Answer::Conforms => Vec::new(),
        Answer::Violated(offending) => offending.elements().collect(),
        Answer::OtherKind => panic!("{set:?} {measured:?}"),
    }
}

/// Any JSON, made of the names that profiles and reports have.
fn value() -> impl Strategy<Value = Value> {
    const NAMES: &str = "behaviors name metric criteria comparisonOperator value count ports cidrs number numbers strings \
                         durationSeconds consecutiveDatapointsToAlarm statisticalThreshold statistic mlDetectionConfig \
                         confidenceLevel metricDimension header report_id metrics listening_tcp_ports port total \
                         network_stats bytes_out tcp_connections established_connections connections remote_addr \
                         custom_metrics hed rid met tp pts ec cs rad ip_list string_list";
    const TEXTS: [&str; 16] = [
        "aws:all-bytes-out", "aws:listening-tcp-ports", "aws:destination-ip-addresses", "custom", "less-than",
        "in-port-set", "not-in-cidr-set", "in-set", "10.0.0.0/8", "::/0", "10.0.0.1:443", "[::1]:443", "300", "p99",
        "HIGH", "\u{1b}[2J",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..3).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(NAMES.split(' ').collect::<Vec<_>>()), inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// Comparing each element with each other one would take hours.
#[test]
fn large_sets_and_lists_are_no_product() {
    let host = |n: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
    let odd = networks((0..300_000).map(|n| IpNet::from(host(2 * n + 1))).collect());
    let all: BTreeSet<IpAddr> = (0..300_000).map(host).collect();
    assert_eq!(offending(Membership::NotIn, &odd, &Measured::Addresses(all)).len(), 150_000);
    let odd = numbers((0..300_000_u32).map(|n| Number::from(2 * n + 1)).collect());
    let all = (0..300_000_u32).map(Number::from).collect();
    assert_eq!(offending(Membership::NotIn, &odd, &Measured::Numbers(all)).len(), 150_000);
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn in_and_not_in_are_complements_on_one_element((set, measured) in set_and_measured(1)) {
        let (inside, outside) = (offending(Membership::In, &set, &measured), offending(Membership::NotIn, &set, &measured));
        prop_assert_eq!(inside.len() + outside.len(), measured.len());
    }

    #[test]
    fn every_element_offends_one_of_the_two((set, measured) in set_and_measured(6)) {
        let mut both = offending(Membership::In, &set, &measured);
        both.extend(offending(Membership::NotIn, &set, &measured));
        let mut all: Vec<String> = measured.elements().collect();
        both.sort();
        all.sort();
        prop_assert_eq!(both, all);
    }

    #[test]
    fn an_address_is_in_a_set_if_it_is_in_any_network(
        given in prop::collection::vec(network(), 0..12),
        addresses in prop::collection::btree_set(address(), 0..24),
    ) {
        let inside = |address: &&IpAddr| given.iter().any(|network| network.contains(*address));
        let expected: Vec<String> = addresses.iter().filter(inside).map(IpAddr::to_string).collect();
        let found = offending(Membership::NotIn, &networks(given.clone()), &Measured::Addresses(addresses.clone()));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn widening_a_set_never_makes_a_violation((set, measured) in set_and_measured(6), more in set()) {
        let wider = union(&set, &more);
        let before: BTreeSet<String> = offending(Membership::In, &set, &measured).into_iter().collect();
        let after: BTreeSet<String> = offending(Membership::In, &wider, &measured).into_iter().collect();
        prop_assert!(after.is_subset(&before));
        let before: BTreeSet<String> = offending(Membership::NotIn, &wider, &measured).into_iter().collect();
        let after: BTreeSet<String> = offending(Membership::NotIn, &set, &measured).into_iter().collect();
        prop_assert!(after.is_subset(&before), "nor does narrowing one of what must not be");
    }

    #[test]
    fn an_empty_list_conforms_to_everything(set in set()) {
        let empty = match set {
            Set::Ports(_) => Measured::Ports(BTreeSet::new()),
            Set::Networks(_) => Measured::Addresses(BTreeSet::new()),
            Set::Strings(_) => Measured::Strings(Vec::new()),
            Set::Numbers(_) => Measured::Numbers(Vec::new()),
        };
        for membership in [Membership::In, Membership::NotIn] {
            prop_assert_eq!(Criterion::Elements(membership, set.clone()).answer(&empty), Answer::Conforms);
        }
    }

    #[test]
    fn no_json_makes_it_panic_or_leaves_a_behavior_without_a_verdict(profile in value(), reports in prop::collection::vec(value(), 0..4)) {
        let list = json!([profile]);
        for text in [profile.to_string(), list.to_string()] {
            let Ok(profiles) = Profile::parse_all(text.as_bytes()) else { continue };
            let behaviors: Vec<_> = profiles.iter().flat_map(|profile| &profile.behaviors).collect();
            let rules = AlarmRules::new(behaviors.iter().copied());
            let mut device = DeviceState::default();
            for report in &reports {
                let Ok(observation) = Observation::from_json(report.to_string().as_bytes()) else { continue };
                device.process(&rules, &observation, 1);
                for behavior in behaviors.iter().copied() {
                    let said = judge(behavior, &observation, &Coverage::Assumed);
                    match &behavior.meaning {
                        Meaning::Invalid(faults) => prop_assert!(said.verdict == Verdict::Invalid && !faults.is_empty()),
                        Meaning::NotJudged(_) => prop_assert!(matches!(said.verdict, Verdict::NotJudged(_))),
                        Meaning::Rule(rule) if observation.get(&rule.metric).is_none() => {
                            prop_assert!(matches!(said.verdict, Verdict::NotJudged(_)));
                        }
                        Meaning::Rule(_) => prop_assert!(said.verdict != Verdict::Invalid),
                    }
                }
            }
        }
    }

    #[test]
    fn json_and_cbor_are_read_alike(report in value()) {
        let (json, cbor) = (Observation::from_json(report.to_string().as_bytes()), Observation::from_cbor(to_cbor(&report).as_slice()));
        prop_assert_eq!(json.is_ok(), cbor.is_ok());
        if let (Ok(json), Ok(cbor)) = (json, cbor) {
            prop_assert_eq!(json.report_id, cbor.report_id);
            prop_assert_eq!(json.problems, cbor.problems);
        }
    }

    #[test]
    fn any_bytes_end_as_reports_or_as_what_is_none(bytes in prop::collection::vec(any::<u8>(), 0..300), cbor in any::<bool>()) {
        let mut bytes = bytes;
        if cbor {
            bytes.insert(0, 0xa1);
        }
        prop_assert!(Reports::new(bytes.as_slice()).count() <= bytes.len());
    }

    #[test]
    fn reports_between_garbage_are_found(garbage in prop::collection::vec("[^{\n/]{1,20}", 1..5)) {
        let report = r#"{"header":{"report_id":1},"metrics":{}}"#;
        let lines: Vec<&str> = garbage.iter().flat_map(|line| [line.as_str(), "\n", report, "\n"]).collect();
        let text = lines.concat();
        let found = Reports::new(text.as_bytes()).flatten().count();
        let cbor = matches!(text.trim_ascii_start().as_bytes()[0], 0xa0..=0xbf | 0xd9);
        prop_assert!(found == garbage.len() || cbor, "{found} {text:?}");
    }
}
