//! The limits of custom metrics, each at its bound and beyond.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use device_defender::internals::report::{CustomError, CustomMetrics, MetricFault};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::properties::captured::damaged;
use crate::properties::kernel::Ip;
use crate::properties::scene::custom_metrics;
use crate::support::cases;

/// Parses what is expected to be JSON.
fn parse(text: &str) -> Result<CustomMetrics, Vec<MetricFault>> {
    CustomMetrics::parse(text.as_bytes()).map_err(|error| match error {
        CustomError::Faults(faults) => faults,
        CustomError::Json(error) => panic!("{text}: {error}"),
    })
}

/// Parses one metric of this type and value.
fn parse_one(kind: &str, value: &str) -> Result<CustomMetrics, Vec<MetricFault>> {
    parse(&format!("{{\"m\": {{\"{kind}\": {value}}}}}"))
}

/// What is sent, as JSON.
fn sent(metrics: &CustomMetrics) -> Value {
    serde_json::to_value(metrics).unwrap()
}

/// What the service takes as a name.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b":_-".contains(&b);
    (1..=128).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with("aws:")
}

/// A number with so many significant digits, as text: the point anywhere, zeros on either side, an exponent or none.
fn number_text(digits: impl Strategy<Value = usize>) -> impl Strategy<Value = String> {
    let digits = digits.prop_flat_map(|digits| {
        let middle = vec(0..=9_u8, digits.saturating_sub(2));
        (1..=9_u8, middle, 1..=9_u8).prop_map(move |(first, middle, last)| {
            let all = [vec![first], middle, vec![last]].concat();
            all[..digits].iter().map(|digit| char::from(b'0' + digit)).collect::<String>()
        })
    });
    (digits, any::<bool>(), any::<prop::sample::Index>(), 0..3_usize).prop_map(|(digits, negative, point, form)| {
        let sign = if negative { "-" } else { "" };
        match (form, digits.split_at(point.index(digits.len()))) {
            (0, _) => format!("{sign}{digits}"),
            (1, ("", all)) => format!("{sign}0.00{all}"),
            (1, (whole, part)) => format!("{sign}{whole}.{part}00"),
            _ => format!("{sign}{digits}e-{}", point.index(30)),
        }
    })
}

/// Values that no metric has.
fn bad_value() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!("1"),
        json!([]),
        json!([1]),
        json!([{ "number": 1 }, { "number": 2 }]),
        json!({}),
        json!({ "number": 1, "number_list": [1] }),
        json!({ "numbers": 1 }),
        json!({ "number": "1" }),
        json!({ "number": [1] }),
        json!({ "number_list": 1 }),
        json!({ "number_list": ["1"] }),
        json!({ "number-list": [1] }),
        json!({ "string_list": "a" }),
        json!({ "string_list": [1] }),
        json!({ "string_list": ["a b"] }),
        json!({ "ip_list": ["192.0.2.1:80"] }),
        json!({ "ip_list": [1] }),
        json!(1_234_567_890_123_456_u64),
    ])
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_name_is_as_the_service_takes_it(
        name in prop_oneof!["[a-zA-Z0-9:_-]{0,5}", "[a-zA-Z0-9:_-]{126,130}", "(aws|AWS|aw)[:_]?[a-z]{0,3}", "\\PC{0,6}", any::<String>()],
    ) {
        let metrics = parse(&json!({ name.as_str(): 1 }).to_string());
        prop_assert_eq!(metrics.is_ok(), is_name(&name));
    }

    #[test]
    fn a_number_of_up_to_15_digits_is_sent_as_it_is(text in number_text(1..=15_usize)) {
        let metrics = parse_one("number", &text).unwrap();
        let number = sent(&metrics)["m"][0]["number"].as_f64().unwrap();
        prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits());
    }

    #[test]
    fn a_whole_number_of_16_to_18_digits_is_refused(text in "-?[1-9][0-9]{14,16}[1-9]") {
        prop_assert!(parse_one("number", &text).is_err());
        let list = format!("[1, {text}]");
        prop_assert!(parse_one("number_list", &list).is_err());
    }

    #[test]
    fn no_number_of_more_than_15_digits_is_sent(text in number_text(16..=20_usize)) {
        if let Ok(metrics) = parse_one("number", &text) {
            let number = sent(&metrics)["m"][0]["number"].to_string();
            let mantissa = number.split('e').next().unwrap().replace(['-', '.'], "");
            prop_assert!(mantissa.trim_matches('0').len() <= 15, "{} is sent as {}", text, number);
        }
    }

    #[test]
    fn a_string_has_only_what_the_service_keeps(text in prop_oneof!["[a-zA-Z0-9:_/.-]{0,40}", "[ -~]{0,5}", any::<String>()]) {
        let kept = text.bytes().all(|b| b.is_ascii_alphanumeric() || b":_-/.".contains(&b));
        prop_assert_eq!(parse_one("string_list", &json!([text]).to_string()).is_ok(), kept);
    }

    #[test]
    fn an_address_is_one_and_nothing_more(v4 in Ipv4Addr::any(), v6 in Ipv6Addr::any()) {
        let good = json!([v4.to_string(), v6.to_string(), v6.to_string().to_uppercase()]).to_string();
        prop_assert!(parse_one("ip_list", &good).is_ok());
        let bad = [
            format!("{v4}:80"), format!("{v4}/24"), format!(" {v4}"), format!("{v4} "), format!("0{v4}"), format!("{v4}."),
            format!("[{v6}]"), format!("[{v6}]:443"), format!("{v6}/64"), format!("{v6}%eth0"), String::new(),
        ];
        for text in bad {
            prop_assert!(parse_one("ip_list", &json!([text]).to_string()).is_err(), "{}", text);
        }
    }

    #[test]
    fn both_shapes_give_the_same_metrics_and_parse_again_to_the_same(metrics in custom_metrics()) {
        let parsed = parse(&metrics.to_string()).unwrap();
        let plain: BTreeMap<&String, &Value> =
            metrics.as_object().unwrap().iter().map(|(name, value)| (name, &value[0])).collect();
        let plainest: BTreeMap<&String, &Value> =
            plain.iter().map(|(name, value)| (*name, value.get("number").unwrap_or(value))).collect();
        prop_assert_eq!(&parse(&json!(plain).to_string()).unwrap(), &parsed);
        prop_assert_eq!(&parse(&json!(plainest).to_string()).unwrap(), &parsed);
        let written = serde_json::to_string(&parsed).unwrap();
        prop_assert_eq!(&parse(&written).unwrap(), &parsed);
        prop_assert_eq!(parsed.iter().map(|(name, _)| name).collect::<Vec<_>>(), plain.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn every_fault_is_reported_and_no_more(
        entries in vec(prop_oneof![
            ("[a-z]{1,3}", 0..9_u8).prop_map(|(name, n)| (name, json!(n), 0)),
            ("[a-z]{1,3}", bad_value()).prop_map(|(name, value)| (name, value, 1)),
            ("[a-z]{1,3}[ .é]", 0..9_u8).prop_map(|(name, n)| (name, json!(n), 1)),
            ("aws:[a-z]{1,3}", bad_value()).prop_map(|(name, value)| (name, value, 2)),
        ], 0..8),
    ) {
        let members: Vec<String> =
            entries.iter().enumerate().map(|(place, (name, value, _))| format!("{}:{value}", json!(place_name(name, place)))).collect();
        let expected: Vec<String> = entries
            .iter()
            .enumerate()
            .flat_map(|(place, (name, _, faults))| vec![place_name(name, place); *faults])
            .collect();
        let told = match parse(&format!("{{{}}}", members.join(","))) {
            Ok(metrics) => {
                prop_assert_eq!(metrics.iter().count(), entries.len());
                Vec::new()
            }
            Err(faults) => faults.into_iter().map(|fault| fault.metric).collect(),
        };
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn every_bad_element_of_a_list_is_reported(bad in vec(any::<bool>(), 0..8)) {
        let list: Vec<&str> = bad.iter().map(|bad| if *bad { "a b" } else { "ab" }).collect();
        let told = match parse_one("string_list", &json!(list).to_string()) {
            Ok(_) => String::new(),
            Err(faults) => faults[0].text.clone(),
        };
        for (place, bad) in (1..).zip(&bad) {
            prop_assert_eq!(told.contains(&format!("element {place}:")), *bad);
        }
    }

    #[test]
    fn a_name_given_twice_is_reported(a in prop_oneof![Just(json!(1)), bad_value()], b in prop_oneof![Just(json!(2)), bad_value()]) {
        let faults = parse(&format!("{{\"m\":{a},\"n\":1,\"m\":{b}}}")).unwrap_err();
        prop_assert!(faults.iter().any(|fault| fault.text.contains("more than once")), "{:?}", faults);
    }

    #[test]
    fn damaged_metrics_are_refused_or_sane(text in damaged(custom_metrics().prop_map(|metrics| metrics.to_string().into_bytes()))) {
        if let Ok(metrics) = CustomMetrics::parse(&text) {
            prop_assert!(metrics.iter().all(|(name, _)| is_name(name)));
            let written = serde_json::to_vec(&metrics).unwrap();
            prop_assert_eq!(CustomMetrics::parse(&written).unwrap(), metrics);
        }
    }
}

/// Makes names distinct by their place without adding a fault.
fn place_name(name: &str, place: usize) -> String {
    format!("{name}{place}")
}

/// The nearest number a computer has takes fewer digits here. It is not what was measured.
#[test]
fn a_number_that_would_be_rounded_is_refused() {
    for text in ["0.10000000000000001", "100000000000000000001", "-9224000000100009001", "1.0000000000000000000001"] {
        assert!(parse_one("number", text).is_err(), "{text} is sent as {}", sent(&parse_one("number", text).unwrap()));
    }
}
