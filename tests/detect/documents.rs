//! Reports as agents write them.

use std::io::{self, BufReader, Read};

use device_defender::internals::detect::{MAX_REPORT, Place, Reports};
use serde_json::{Value, json};

use crate::detect::{COUNTS, behavior, verdict_on, verdicts_on};
use crate::support::{Dir, Run, fixtures, to_cbor};

/// Behaviors that no report of the tests below conforms to, so that what was observed is told in full.
pub(super) fn all() -> Vec<Value> {
    let counts = COUNTS.map(|metric| behavior(metric, "greater-than", &json!({"count": u64::MAX})));
    let others = [
        behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": []})),
        behavior("aws:listening-udp-ports", "in-port-set", &json!({"ports": []})),
        behavior("aws:destination-ip-addresses", "in-cidr-set", &json!({"cidrs": []})),
        behavior("cpu_usage", "less-than", &json!({"number": 0})),
    ];
    [&counts[..], &others].concat()
}

/// What is observed in a report, in the order of [`all`].
pub(super) fn observed(verdicts: &Value) -> Vec<Value> {
    verdicts["behaviors"].as_array().unwrap().iter().map(|said| said["observed"].clone()).collect()
}

/// A report of these fields, with a header.
pub(super) fn report(mut fields: Value) -> Value {
    fields["header"] = json!({"report_id": 1_700_000_300, "version": "1.0"});
    fields
}

/// What every report of [`names_may_be_long_short_or_mixed`] says.
fn expected() -> Vec<Value> {
    let counts = [1, 2, 3, 4, 2, 1, 7].map(|number| json!({ "count": number }));
    let others = [
        json!({"ports": [22, 443]}),
        json!({"ports": [68]}),
        json!({"cidrs": ["192.0.2.1", "2001:db8::1"]}),
        json!({"number": 12.5}),
    ];
    [&counts[..], &others].concat()
}

fn long() -> Value {
    json!({
        "header": {"report_id": 1_700_000_300, "version": "1.0"},
        "metrics": {
            "listening_tcp_ports": {"ports": [{"interface": "eth0", "port": 443}, {"port": 22}], "total": 2},
            "listening_udp_ports": {"ports": [{"port": 68}], "total": 1},
            "network_stats": {"bytes_in": 1, "bytes_out": 2, "packets_in": 3, "packets_out": 4},
            "tcp_connections": {"established_connections": {"connections": [
                {"local_interface": null, "local_port": 1, "remote_addr": "192.0.2.1:443"},
                {"local_port": "1", "remote_addr": "[2001:db8::1]:443"}], "total": 7}},
        },
        "custom_metrics": {"cpu_usage": [{"number": 12.5}]},
        "unknown": {"passed": "over"},
    })
}

#[test]
fn names_may_be_long_short_or_mixed() {
    let short = json!({
        "hed": {"rid": 1_700_000_300, "v": "1.0"},
        "met": {
            "tp": {"pts": [{"if": "eth0", "pt": 443}, {"pt": 22}], "t": 2},
            "up": {"pts": [{"pt": 68}], "t": 1},
            "ns": {"bi": 1, "bo": 2, "pi": 3, "po": 4},
            "tc": {"ec": {"cs": [{"li": "eth0", "lp": 1, "rad": "192.0.2.1:443"}, {"rad": "[2001:db8::1]:443"}], "t": 7}},
        },
        "cmet": {"cpu_usage": [{"number": 12.5}]},
    });
    // As the Python agent writes it with short names.
    let mixed = json!({
        "hed": {"rid": 1_700_000_300, "v": "1.0"},
        "met": {
            "tp": {"pts": [{"interface": "eth0", "port": 443}, {"pt": 22}], "t": 2},
            "listening_udp_ports": {"pts": [{"port": 68}], "total": 1},
            "ns": {"bytes_in": 1, "bo": 2, "packets_in": 3, "po": 4},
            "tc": {"established_connections": {"cs": [{"rad": "192.0.2.1:443"}, {"remote_addr": "[2001:db8::1]:443"}], "t": 7}},
        },
        "custom_metrics": {"cpu_usage": [{"number": 12.5}]},
    });
    let dir = Dir::with_profile(&json!(all()));
    for report in [long(), short, mixed] {
        let text = report.to_string();
        let inputs = [
            text.clone().into_bytes(),
            format!("\u{feff}\r\n {text}\r\n\r\n").into_bytes(),
            serde_json::to_vec_pretty(&report).unwrap(),
            to_cbor(&report),
            [&[0xd9, 0xd9, 0xf7], &to_cbor(&report)[..]].concat(), // with the tag of CBOR
        ];
        for input in inputs {
            let verdicts = dir.judge(input, &[]).code(1).json();
            assert_eq!(observed(&verdicts), expected(), "{report}");
            assert_eq!(verdicts["report_id"], 1_700_000_300);
        }
    }
}

#[test]
fn the_size_is_that_of_the_document_alone() {
    let report = long();
    let dir = Dir::with_profile(&json!([behavior("aws:message-byte-size", "less-than", &json!({"count": 0}))]));
    let size = |input: Vec<u8>| observed(&dir.judge(input, &[]).code(1).json())[0]["count"].as_u64().unwrap();
    let text = report.to_string();
    let length = u64::try_from(text.len()).unwrap();
    assert_eq!(size(format!("{text}\n").into_bytes()), length);
    assert_eq!(size(format!("\n\n{text}\r\n\n").into_bytes()), length);
    assert_eq!(size(format!("$aws/things/a/defender/metrics/json {text}\n").into_bytes()), length);
    assert_eq!(size(to_cbor(&report)), u64::try_from(to_cbor(&report).len()).unwrap());
}

#[test]
fn reports_in_cbor_come_one_after_the_other() {
    let profile = json!([behavior("aws:num-listening-tcp-ports", "less-than", &json!({"count": 2}))]);
    let mut input = Vec::new();
    for (id, total) in [(300, 1), (600, 2), (900, 1)] {
        let report = json!({"header": {"report_id": id, "version": "1.0"}, "metrics": {"listening_tcp_ports": {"total": total}}});
        input.extend(to_cbor(&report));
    }
    let dir = Dir::with_profile(&profile);
    let kinds =
        |run: Run| -> Vec<Value> { run.lines().iter().map(|event| event["violationEventType"].clone()).collect() };
    assert_eq!(kinds(dir.judge(input.clone(), &[])), ["in-alarm", "alarm-cleared"]);
    let output = dir.judge(&input[..input.len() - 1], &[]).finish();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("device-defender: warning: report: standard input: report 3: "), "{told}");
}

#[test]
fn counts_come_from_the_total_and_without_it_from_the_list() {
    let tcp = |block: Value| json!({"metrics": {"listening_tcp_ports": block}});
    let count = behavior("aws:num-listening-tcp-ports", "less-than", &json!({"count": 0}));
    let set = behavior("aws:listening-tcp-ports", "not-in-port-set", &json!({"ports": [23]}));
    let three = json!([{"port": 1}, {"port": 2}, {"port": 2}]);
    for (block, number, verdict, reason) in [
        (json!({"ports": three, "total": 3}), json!(3), "conforms", Value::Null),
        (json!({"ports": three}), json!(3), "conforms", Value::Null),
        (json!({"ports": three, "total": 2}), json!(2), "conforms", Value::Null),
        (json!({"ports": three, "total": 80}), json!(80), "not-judged", json!("the report lists 3 of 80")),
        (json!({"ports": [], "total": 0}), json!(0), "conforms", Value::Null),
        (json!({"total": 0}), json!(0), "conforms", Value::Null),
        (json!({"total": 5}), json!(5), "not-judged", json!("the report does not have this metric")),
        (json!({}), Value::Null, "not-judged", json!("the report does not have this metric")),
    ] {
        let said = verdicts_on(&[count.clone(), set.clone()], &tcp(block.clone()));
        assert_eq!(said["behaviors"][0]["observed"]["count"], number, "{block}");
        assert_eq!(
            (&said["behaviors"][1]["verdict"], &said["behaviors"][1]["reason"]),
            (&json!(verdict), &reason),
            "{block}"
        );
    }
    let sample = tcp(json!({"ports": [{"port": 23}], "total": 80}));
    assert_eq!(verdict_on(set, &sample)["verdict"], "violated", "a sample is enough to violate");
}

#[test]
fn addresses_are_understood_in_every_form_that_agents_write() {
    let dir =
        Dir::with_profile(&json!([behavior("aws:destination-ip-addresses", "in-cidr-set", &json!({"cidrs": []}))]));
    let report = |remote: &Value| {
        report(
            json!({"metrics": {"tcp_connections": {"established_connections": {"connections": [{"remote_addr": remote}]}}}}),
        )
    };
    for (remote, address) in [
        ("192.0.2.1:443", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1:443", "2001:db8::1"),
        ("::ffff:192.0.2.1:443", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("[fe80::1%eth0]:443", "fe80::1"),
        ("[::ffff:10.1.2.3%eth0]:5", "10.1.2.3"),
        ("[::1]:0", "::1"),
    ] {
        let verdicts = dir.judge(report(&json!(remote)).to_string(), &[]).code(1).json();
        assert_eq!(observed(&verdicts), [json!({ "cidrs": [address] })], "{remote}");
    }
    for remote in
        [json!("192.0.2.1"), json!("host:443"), json!(":443"), json!("192.0.2.1:65536"), json!(5), json!(null)]
    {
        let tells = format!(
            "warning: report: standard input: line 1: aws:destination-ip-addresses: \
             {}",
            if remote.is_null() {
                "entry without remote_addr".to_owned()
            } else {
                format!("unrecognized remote_addr {remote}")
            }
        );
        let said = dir.judge(report(&remote).to_string(), &[]).stderr(&tells).json()["behaviors"][0].clone();
        assert_eq!(said["verdict"], "not-judged", "{remote}");
        assert_eq!(said["reason"], "1 of 1 entries are not recognized");
    }
}

#[test]
fn a_value_that_makes_no_sense_is_reported_and_unknown() {
    for (field, value) in [("bytes_in", json!(-5)), ("bytes_in", json!(1.5)), ("bytes_in", json!("7"))] {
        let report = report(json!({"metrics": {"network_stats": {field: value, "bytes_out": 1}}}));
        let tells = format!(
            "warning: report: standard input: line 1: aws:all-bytes-in: expected an integer of 0 or more, found {value}"
        );
        let verdicts = Dir::with_profile(&json!(all())).judge(report.to_string(), &[]).code(1).stderr(&tells).json();
        assert_eq!(observed(&verdicts)[..2], [Value::Null, json!({"count": 1})]);
    }
    let one_field = "expected an object with one field, its type; found";
    for (value, told) in [
        (json!(5), "unrecognized value 5"),
        (json!(null), "unrecognized value null"),
        (json!([]), "unrecognized value []"),
        (json!([[]]), "unrecognized value []"),
        (json!([{"number": "5"}]), "unrecognized number \"5\""),
        (json!([{"number": null}]), "unrecognized number null"),
        (json!([{"a": 5}]), "unrecognized a 5"),
        (json!([{"a": [5]}]), "unrecognized a of a list"),
        (json!([{"number": [5]}]), "unrecognized number of a list"),
        (json!([{"ip_list": 5}]), "unrecognized ip_list 5"),
        (json!([{"ip_list": ["::1", "x", 5]}]), "unrecognized ip_list element \"x\""),
        (json!([{"string_list": ["a", {"b": [null, true]}]}]), "unrecognized string_list element {\"b\":[null,true]}"),
        (json!([{"number_list": [1, null]}]), "unrecognized number_list element null"),
        (json!([{}]), &format!("{one_field} 0 fields")),
        (json!([{"number": 1, "a": 2}]), &format!("{one_field} 2 fields")),
        (json!([{}, {}]), "unrecognized value with 2 elements"),
    ] {
        let tells = format!("warning: report: standard input: line 1: custom metric cpu_usage: {told}");
        let report = report(json!({"custom_metrics": {"cpu_usage": value}}));
        let verdicts = Dir::with_profile(&json!(all())).judge(report.to_string(), &[]).stderr(&tells).json();
        assert_eq!(observed(&verdicts)[10], Value::Null, "{value}");
    }
    let report = json!({"header": {"report_id": -1, "version": "1.0"}, "metrics": {}});
    let tells = "warning: report: standard input: line 1: report_id: expected a positive integer, found -1";
    assert_eq!(
        Dir::with_profile(&json!(all())).judge(report.to_string(), &[]).stderr(tells).json()["report_id"],
        Value::Null
    );
}

#[test]
fn a_block_of_the_wrong_type_makes_only_its_own_metrics_unknown() {
    let metrics =
        |name: &str, block: Value| report(json!({"metrics": {"network_stats": {"bytes_out": 2}, name: block}}));
    for (report, told) in [
        (metrics("listening_tcp_ports", json!([])), "listening_tcp_ports: expected an object, found []"),
        (metrics("tcp_connections", json!("x")), "tcp_connections: expected an object, found \"x\""),
        (
            metrics("tcp_connections", json!({"established_connections": [[], 1]})),
            "established_connections: expected an object, found [[],1]",
        ),
        (metrics("tp", json!({"ports": [22]})), "aws:listening-tcp-ports: unrecognized entry 22"),
        (
            metrics("tp", json!({"ports": {"port": 22}})),
            "aws:listening-tcp-ports: expected a list, found {\"port\":22}",
        ),
        (metrics("tp", json!({"ports": 5, "total": 0})), "aws:listening-tcp-ports: expected a list, found 5"),
    ] {
        let tells = format!("warning: report: standard input: line 1: {told}");
        let verdicts = Dir::with_profile(&json!(all())).judge(report.to_string(), &[]).code(1).stderr(&tells).json();
        assert_eq!(observed(&verdicts)[1], json!({"count": 2}), "{report}");
        assert_ne!(verdicts["behaviors"][7]["verdict"], "conforms", "{report}");
    }
    // A list is not an object with its fields in order.
    let lists = report(json!({"metrics": {"network_stats": [500, 1, 2, 3], "tp": [[22], 1]}}));
    let tells = "warning: report: standard input: line 1: listening_tcp_ports: expected an object, found [[22],1]\n\
                 warning: report: standard input: line 1: network_stats: expected an object, found [500,1,2,3]";
    let verdicts = Dir::with_profile(&json!(all())).judge(lists.to_string(), &[]).stderr(tells).json();
    assert!(observed(&verdicts).iter().all(Value::is_null), "{verdicts}");
    let tells = "warning: report: standard input: line 1: custom_metrics: expected an object, found []";
    let report = report(json!({"metrics": {}, "custom_metrics": []}));
    Dir::with_profile(&json!(all())).judge(report.to_string(), &[]).stderr(tells).json();
}

#[test]
fn an_empty_list_of_any_type_conforms() {
    for kind in ["string_list", "number_list", "ip_list"] {
        let report = json!({"custom_metrics": {"m": [{ kind: [] }]}});
        for (operator, value) in [
            ("in-set", json!({"numbers": [1]})),
            ("not-in-set", json!({"strings": ["a"]})),
            ("in-cidr-set", json!({"cidrs": ["10.0.0.0/8"]})),
        ] {
            assert_eq!(
                verdict_on(behavior("m", operator, &value), &report)["verdict"],
                "conforms",
                "{kind} {operator}"
            );
        }
        let said = verdict_on(behavior("m", "less-than", &json!({"number": 1})), &report);
        assert_eq!(said["verdict"], "not-judged", "a number is no list");
    }
}

#[test]
fn odd_cbor_is_reported_and_the_next_report_is_found() {
    use ciborium::Value as Cbor;
    let text = |text: &str| Cbor::Text(text.to_owned());
    let map = |name: &str, value: Cbor| Cbor::Map(vec![(text(name), value)]);
    let ports = |entries: Vec<Cbor>| {
        map("metrics", map("tp", Cbor::Map(vec![(text("t"), Cbor::from(1)), (text("pts"), Cbor::Array(entries))])))
    };
    let plain = to_cbor(&ports(vec![map("port", Cbor::from(23))]));
    let mut indefinite = vec![0xbf, 0x7f, 0x64];
    indefinite.extend_from_slice(b"metr\x63ics\xff"); // the key in two pieces
    indefinite.extend_from_slice(&to_cbor(&map("tp", map("t", Cbor::from(1)))));
    indefinite.push(0xff);
    let twice = Cbor::Map(vec![(text("metrics"), map("tp", map("t", Cbor::from(1)))), (text("metrics"), Cbor::Null)]);
    for odd in [
        to_cbor(&ports(vec![map("port", Cbor::Bytes(vec![1, 2]))])),
        to_cbor(&ports(vec![map("port", Cbor::Tag(1, Box::new(Cbor::from(22))))])),
        to_cbor(&Cbor::Map(vec![(Cbor::from(5), Cbor::Bytes(vec![1]))])),
        to_cbor(&map("metrics", Cbor::Bytes(vec![1]))),
        to_cbor(&map("metrics", map("tp", map("total", Cbor::from(-5))))),
        to_cbor(&twice),
        indefinite,
    ] {
        for between in [&b""[..], b"\n", b"\r\n"] {
            let input = [&odd[..], between, &plain, between].concat();
            let mut reports = Reports::new(input.as_slice());
            drop(reports.next().unwrap());
            let second = reports.next().unwrap().unwrap_or_else(|e| panic!("{odd:x?}: {e}"));
            assert_eq!(second.place, Place::Report(2));
            assert!(reports.next().is_none());
        }
    }
    let tagged = to_cbor(&ports(vec![map("port", Cbor::Tag(1, Box::new(Cbor::from(22))))]));
    let verdicts = Dir::with_profile(&json!(all())).judge(tagged, &[]).code(1).may_warn().json();
    assert_eq!(observed(&verdicts)[7], json!({"ports": [22]}));
}

#[test]
fn cbor_that_cannot_be_read_as_text_is_named() {
    let report = "$aws/things/a/defender/metrics/json {\"metrics\": {}}";
    let message = r#"{"topic":"$aws/things/a/defender/metrics/cbor","payload":"x"}"#;
    let tells = "warning: report: standard input: line 1: CBOR cannot be read in this form; run mosquitto_sub with -F '%x %t'; \
                 skipped";
    for first in ["$aws/things/a/defender/metrics/cbor \u{a1}{", message] {
        let rest = if first == message {
            &message.replace("cbor", "json").replace('x', "{\\\"metrics\\\":{}}")
        } else {
            report
        };
        let output = Dir::with_profile(&json!(all())).judge(format!("{first}\n{rest}\n"), &[]).finish();
        assert!(String::from_utf8(output.stderr).unwrap().contains(tells));
        assert_eq!(output.status.code(), Some(65));
    }
}

#[test]
fn what_collect_prints_is_judged_as_the_device_itself() {
    for tree in ["idle", "busy", "odd-names", "vlan-bridge", "ipv6-off"] {
        let proc = fixtures().join(tree).join("proc");
        let proc = proc.to_str().unwrap();
        let dir = Dir::with_profile(&json!(all()));
        let own = dir.detect(&["--proc", proc, "--since", "boot", "--format", "json"]).code(1).json();
        for args in [&[][..], &["--names", "short"], &["--format", "cbor"], &["--names", "short", "--format", "cbor"]] {
            let report = Run::new(dir.root(), &[&["collect", "--proc", proc], args].concat()).output();
            let verdicts = dir.judge(report, &[]).code(1).json();
            assert_eq!(observed(&verdicts), observed(&own), "{tree} {args:?}");
        }
    }
}

#[test]
fn a_line_that_is_longer_than_any_report_is_passed_over() {
    let report = "\n{\"metrics\": {}}\n".as_bytes();
    for length in [MAX_REPORT, MAX_REPORT * 2 + 5] {
        let input = b"{\"".chain(io::repeat(b'x').take(length.try_into().unwrap())).chain(report);
        let mut reports = Reports::new(BufReader::new(input));
        let told = reports.next().unwrap().unwrap_err().to_string();
        assert_eq!(told, format!("line 1: longer than {MAX_REPORT} bytes"));
        assert_eq!(reports.next().unwrap().unwrap().place, Place::Line(2));
        assert!(reports.next().is_none());
    }
}
