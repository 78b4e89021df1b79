//! A table of behaviors with verdicts worked out by hand.

use serde_json::{Value, json};

use crate::detect::{COUNTS, behavior, verdict_on, verdicts_on};

/// A report in which every metric is 10, or has 10 in its list and nothing else.
fn ten() -> Value {
    json!({
        "header": {"report_id": 1_700_000_300, "version": "1.0"},
        "metrics": {
            "listening_tcp_ports": {"ports": [{"interface": "eth0", "port": 10}], "total": 10},
            "listening_udp_ports": {"ports": [{"port": 10}], "total": 10},
            "network_stats": {"bytes_in": 10, "bytes_out": 10, "packets_in": 10, "packets_out": 10},
            "tcp_connections": {"established_connections": {
                "connections": [{"local_interface": "eth0", "local_port": 40000, "remote_addr": "10.0.0.10:443"}],
                "total": 10}},
        },
        "custom_metrics": {"number": [{"number": 10}]},
    })
}

#[test]
fn every_count_meets_every_operator_below_at_and_above_its_bound() {
    // Whether 10 conforms to a bound of 11, 10 and 9.
    let operators = [
        ("less-than", [true, false, false]),
        ("less-than-equals", [true, true, false]),
        ("greater-than", [false, false, true]),
        ("greater-than-equals", [false, true, true]),
    ];
    let mut behaviors = Vec::new();
    let mut expected = Vec::new();
    for metric in COUNTS.into_iter().chain(["number"]) {
        for (operator, conforms) in operators {
            for (bound, conforms) in [11, 10, 9].into_iter().zip(conforms) {
                for kind in if metric == "number" { &["count", "number"][..] } else { &["count"] } {
                    behaviors.push(behavior(metric, operator, &json!({ *kind: bound })));
                    expected.push(if conforms { "conforms" } else { "violated" });
                }
            }
        }
    }
    let said = verdicts_on(&behaviors, &ten());
    for ((said, behavior), expected) in said["behaviors"].as_array().unwrap().iter().zip(&behaviors).zip(expected) {
        assert_eq!(said["verdict"], expected, "{behavior}");
        let kind = if said["metric"] == "number" { "number" } else { "count" };
        assert_eq!(said["observed"], json!({ kind: 10 }));
        let offending = if expected == "violated" { json!({ kind: 10 }) } else { Value::Null };
        assert_eq!(said["offending"], offending, "{behavior}");
    }
}

#[test]
fn counts_are_compared_to_the_last_digit() {
    let report = |bytes: u64| json!({"metrics": {"network_stats": {"bytes_out": bytes}}});
    let cases = [
        (u64::MAX, "less-than-equals", u64::MAX, "conforms"),
        (u64::MAX, "less-than", u64::MAX, "violated"),
        (u64::MAX, "less-than-equals", u64::MAX - 1, "violated"),
        ((1 << 53) + 1, "less-than-equals", 1 << 53, "violated"),
        ((1 << 53) + 1, "greater-than", 1 << 53, "conforms"),
        (0, "less-than", 0, "violated"),
        (0, "greater-than-equals", 0, "conforms"),
    ];
    for (measured, operator, bound, expected) in cases {
        let said = verdict_on(behavior("aws:all-bytes-out", operator, &json!({ "count": bound })), &report(measured));
        assert_eq!(said["verdict"], expected, "{measured} {operator} {bound}");
    }
}

#[test]
fn custom_numbers_are_compared_exactly() {
    let cases = [
        (json!(-1), "less-than", json!(0), "conforms"),
        (json!(0.1), "less-than-equals", json!(0.1), "conforms"),
        (json!(75.5), "less-than", json!(75), "violated"),
        (json!(75), "less-than-equals", json!(75.0), "conforms"),
        (json!(9_007_199_254_740_993_u64), "greater-than", json!(9_007_199_254_740_992_u64), "conforms"),
        (json!(-9_007_199_254_740_993_i64), "less-than", json!(-9_007_199_254_740_992_i64), "conforms"),
        (json!(9_007_199_254_740_993_u64), "less-than-equals", json!(9_007_199_254_740_992.0), "violated"),
        (json!(9_007_199_254_740_992.0), "less-than", json!(9_007_199_254_740_993_u64), "conforms"),
        (json!(u64::MAX), "less-than", json!(18_446_744_073_709_551_616.0), "conforms"),
        (json!(i64::MIN), "greater-than-equals", json!(-9_223_372_036_854_775_808.0), "conforms"),
        (json!(5), "less-than", json!(5.5), "conforms"),
        (json!(-5), "less-than", json!(-5.5), "violated"),
        (json!(-5.5), "less-than", json!(-5), "conforms"),
        (json!(0), "less-than", json!(1e-300), "conforms"),
        (json!(5), "greater-than", json!(-1e300), "conforms"),
        (json!(1e300), "greater-than", json!(5), "conforms"),
        (json!(0), "less-than-equals", json!(-0.0), "conforms"),
    ];
    for (measured, operator, bound, expected) in cases {
        let report = json!({"custom_metrics": {"temp": [{"number": measured}]}});
        let said = verdict_on(behavior("temp", operator, &json!({ "number": bound })), &report);
        assert_eq!(said["verdict"], expected, "{measured} {operator} {bound}");
    }
}

/// Checks that a metric conforms exactly when nothing offends, and that just what offends is told. A case is what is in the
/// set, what the report lists, what of that offends `in`, and what offends `not-in`.
fn check_sets(metric: &str, operators: [&str; 2], value: &str, report: impl Fn(&Value) -> Value, cases: &Value) {
    for case in cases.as_array().unwrap() {
        let (set, listed) = (&case[0], &case[1]);
        for (operator, offending) in operators.into_iter().zip([&case[2], &case[3]]) {
            let said = verdict_on(behavior(metric, operator, &json!({ value: set })), &report(listed));
            let conforms = offending == &json!([]);
            let expected = if conforms { "conforms" } else { "violated" };
            assert_eq!(said["verdict"], expected, "{metric}: {listed} {operator} {set}: {said}");
            assert_eq!(said["offending"], if conforms { Value::Null } else { json!({ value: offending }) }, "{said}");
        }
    }
}

#[test]
fn every_port_counts() {
    let cases = json!([
        [[22, 443], [22, 443], [], [22, 443]],
        [[22, 443], [443], [], [443]],
        [[22, 443], [80], [80], []],
        [[22, 443], [443, 80, 1], [1, 80], [443]],
        [[22, 443], [], [], []],
        [[], [22], [22], []],
        [[], [], [], []],
        [[0, 65535], [65535, 1], [1], [65535]],
        [[22], [22, 22, 80, 80], [80], [22]],
    ]);
    for protocol in ["tcp", "udp"] {
        let report = |listed: &Value| {
            let ports: Vec<Value> = listed.as_array().unwrap().iter().map(|port| json!({ "port": port })).collect();
            json!({"metrics": {format!("listening_{protocol}_ports"): {"ports": ports}}})
        };
        let metric = format!("aws:listening-{protocol}-ports");
        check_sets(&metric, ["in-port-set", "not-in-port-set"], "ports", report, &cases);
    }
}

/// Networks and addresses, for the destinations and for custom lists of addresses.
fn address_cases() -> Value {
    json!([
        [["10.0.0.0/8"], ["10.0.0.0", "10.255.255.255"], [], ["10.0.0.0", "10.255.255.255"]],
        [["10.0.0.0/8"], ["9.255.255.255", "11.0.0.0"], ["9.255.255.255", "11.0.0.0"], []],
        [["10.0.0.0/8", "192.0.2.1"], ["192.0.2.1"], [], ["192.0.2.1"]],
        [["192.0.2.1"], ["192.0.2.2"], ["192.0.2.2"], []],
        [["192.0.2.1/32"], ["192.0.2.1", "192.0.2.2"], ["192.0.2.2"], ["192.0.2.1"]],
        [["0.0.0.0/0"], ["255.255.255.255", "2001:db8::1"], ["2001:db8::1"], ["255.255.255.255"]],
        [["::/0"], ["192.0.2.1", "2001:db8::1"], ["192.0.2.1"], ["2001:db8::1"]],
        [["2001:db8::/32"], ["2001:db8:ffff::1", "2001:db9::1"], ["2001:db9::1"], ["2001:db8:ffff::1"]],
        [["2001:db8::1"], ["2001:db8::1", "2001:db8::2"], ["2001:db8::2"], ["2001:db8::1"]],
        [["10.0.0.0/8"], ["::ffff:10.1.2.3"], [], ["10.1.2.3"]],
        [["::ffff:10.0.0.0/104"], ["10.1.2.3", "11.1.2.3"], ["11.1.2.3"], ["10.1.2.3"]],
        [["10.0.0.0/8"], [], [], []],
        [[], ["192.0.2.1"], ["192.0.2.1"], []],
    ])
}

#[test]
fn every_destination_counts_whatever_its_port() {
    let report = |listed: &Value| {
        let connection = |address: &Value| {
            let address = address.as_str().unwrap();
            let remote = if address.contains(':') { format!("[{address}]:443") } else { format!("{address}:8883") };
            json!({ "remote_addr": remote })
        };
        let connections: Vec<Value> = listed.as_array().unwrap().iter().map(connection).collect();
        json!({"metrics": {"tcp_connections": {"established_connections": {"connections": connections}}}})
    };
    let operators = ["in-cidr-set", "not-in-cidr-set"];
    check_sets("aws:destination-ip-addresses", operators, "cidrs", report, &address_cases());
}

#[test]
fn every_element_of_a_custom_list_counts() {
    let custom = |kind: &'static str| move |listed: &Value| json!({"custom_metrics": {"m": [{ kind: listed }]}});
    check_sets("m", ["in-cidr-set", "not-in-cidr-set"], "cidrs", custom("ip_list"), &address_cases());
    let strings = json!([
        [["a", "b"], ["a"], [], ["a"]],
        [["a", "b"], ["A", "b"], ["A"], ["b"]],
        [["a", "b"], [], [], []],
        [[], [""], [""], []],
        [[""], [""], [], [""]],
    ]);
    check_sets("m", ["in-set", "not-in-set"], "strings", custom("string_list"), &strings);
    let numbers = json!([
        [[1, 2.5], [2.5], [], [2.5]],
        [[1, 2.5], [1.0], [], [1.0]],
        [[1, 2.5], [2, 1], [2], [1]],
        [[9_007_199_254_740_993_u64], [9_007_199_254_740_992_u64], [9_007_199_254_740_992_u64], []],
        [[-1], [], [], []],
    ]);
    check_sets("m", ["in-set", "not-in-set"], "numbers", custom("number_list"), &numbers);
}

#[test]
fn the_size_of_the_message_is_that_of_the_document_as_it_came() {
    let text = ten().to_string();
    for (operator, offset, expected) in [
        ("less-than", 0, "violated"),
        ("less-than", 1, "conforms"),
        ("less-than-equals", 0, "conforms"),
        ("greater-than", 0, "violated"),
        ("greater-than-equals", 0, "conforms"),
    ] {
        let bound = text.len() + offset;
        let said = verdict_on(behavior("aws:message-byte-size", operator, &json!({ "count": bound })), &ten());
        assert_eq!(said["verdict"], expected, "{operator} {offset}");
    }
}

#[test]
fn a_metric_that_is_missing_is_no_datapoint() {
    let empty = json!({"header": {"report_id": 1, "version": "1.0"}, "metrics": {}});
    for metric in COUNTS.into_iter().chain(["number"]) {
        for operator in ["less-than", "greater-than-equals"] {
            let said = verdict_on(behavior(metric, operator, &json!({"count": 0})), &empty);
            assert_eq!(said["verdict"], "not-judged", "{metric}");
            assert_eq!(said["reason"], "the report does not have this metric");
            assert_eq!((&said["observed"], &said["offending"]), (&Value::Null, &Value::Null));
        }
    }
    for metric in ["aws:listening-tcp-ports", "aws:listening-udp-ports"] {
        assert_eq!(verdict_on(behavior(metric, "in-port-set", &json!({"ports": []})), &empty)["verdict"], "not-judged");
    }
    for metric in ["aws:destination-ip-addresses", "number"] {
        assert_eq!(verdict_on(behavior(metric, "in-cidr-set", &json!({"cidrs": []})), &empty)["verdict"], "not-judged");
    }
}

#[test]
fn a_custom_metric_of_another_type_is_not_judged() {
    let report = json!({"custom_metrics": {"m": [{"string_list": ["10.0.0.1"]}]}});
    for (operator, value) in [
        ("less-than", json!({"number": 1})),
        ("in-cidr-set", json!({"cidrs": ["10.0.0.0/8"]})),
        ("in-set", json!({"numbers": [1]})),
    ] {
        let said = verdict_on(behavior("m", operator, &value), &report);
        assert_eq!(said["verdict"], "not-judged", "{operator}");
        assert_eq!(said["reason"], "the report has another type of value under this name");
    }
}
