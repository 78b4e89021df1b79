//! Reports in shapes that the service or an agent of it does not write.

use device_defender::internals::detect::{Metric, Observation};
use serde_json::{Value, json};

use crate::detect::documents::{all, observed, report};
use crate::support::Dir;

#[test]
fn a_report_that_the_service_would_reject_is_judged_with_a_warning() {
    let header = json!({"report_id": 1_700_000_300, "version": "1.0"});
    let bare = json!({"header": header, "custom_metrics": {"cpu_usage": {"number": 12.5}}});
    for (report, what) in [
        (bare.clone(), "a custom metric that is not in a list, [{\"TYPE\": VALUE}]"),
        (json!({"metrics": {}}), "no `header`"),
        (json!({"header": {"version": "1.0"}, "metrics": {}}), "no `report_id` in its header"),
        (json!({"header": {"report_id": 1}, "metrics": {}}), "no `version`, a string, in its header"),
        (json!({"header": {"report_id": 1, "version": 1}, "metrics": {}}), "no `version`, a string, in its header"),
    ] {
        let tells = format!("warning: report: standard input: line 1: has {what}; the service rejects such reports");
        let dir = Dir::with_profile(&json!(all()));
        let verdicts = dir.judge(report.to_string(), &[]).code(i32::from(report == bare)).stderr(&tells).json();
        let expected = if report == bare { json!({"number": 12.5}) } else { Value::Null };
        assert_eq!(observed(&verdicts)[10], expected);
        // Once in a stream.
        let stream = format!("{report}\n{report}\n{report}\n");
        let output = dir.judge(stream, &[]).finish();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told.matches("the service rejects").count(), 1, "{told}");
    }
}

#[test]
fn whole_floats_are_integers() {
    let text = r#"{"header": {"report_id": 1.7e9, "version": "1.0"}, "metrics": {"network_stats": {"bytes_in": 100.0,
        "bytes_out": 1e2, "packets_in": -0.0, "packets_out": 18446744073709549568.0},
        "tp": {"t": 1.0, "pts": [{"pt": 22.0}]}}}"#;
    let verdicts = Dir::with_profile(&json!(all())).judge(text, &[]).code(1).json();
    let counts = [100, 100, 0, 18_446_744_073_709_549_568_u64, 1].map(|count| json!({ "count": count }));
    assert_eq!(observed(&verdicts)[..5], counts);
    assert_eq!((&observed(&verdicts)[7], &verdicts["report_id"]), (&json!({"ports": [22]}), &json!(1_700_000_000)));
    let text = text.replace("18446744073709549568.0", "18446744073709551616.0");
    let tells = "warning: report: standard input: line 1: aws:all-packets-out: expected an integer of 0 or more, found \
                 1.8446744073709552e+19";
    Dir::with_profile(&json!(all())).judge(text, &[]).code(1).stderr(tells).json();
}

#[test]
fn what_has_other_metrics_is_not_a_report() {
    let none = "standard input: contains no report\n\
                hint: expected the output of `device-defender collect` or `device-defender watch --print`";
    for (document, found) in [
        (
            json!({"version": "2", "metrics": [{"name": "aws:num-messages-sent"}]}),
            "[{\"name\":\"aws:num-messages-sent\"}]",
        ),
        (json!({"metrics": "x", "custom_metrics": {"m": [{"number": 1}]}}), "\"x\""),
    ] {
        let why = format!("not a report: `metrics` must be an object, found {found}");
        let tells = format!("warning: report: standard input: line 1: {why}; skipped\n{none}");
        Dir::with_profile(&json!(all())).judge(document.to_string(), &[]).code(65).stderr(&tells).text();
    }
}

#[test]
fn the_last_of_the_same_field_counts_and_the_long_name_before_the_short_one() {
    let count = |text: &str| {
        let text = format!("{{\"metrics\": {{\"ns\": {{{text}}}}}}}");
        let observation = Observation::from_json(text.as_bytes()).unwrap();
        assert_eq!(observation.problems, [""; 0], "{text}");
        observation.get(&Metric::BytesIn).map(|measured| measured.elements().collect::<String>())
    };
    for (text, expected) in [
        (r#""bi": 1, "bi": 2"#, Some("2")),
        (r#""bytes_in": 1, "bytes_in": 2, "bi": 3"#, Some("2")),
        (r#""bi": 3, "bytes_in": 1"#, Some("1")),
        (r#""bi": 3, "bytes_in": 1, "bytes_in": null"#, Some("3")),
        (r#""bi": "wrong", "bi": 3"#, Some("3")),
        (r#""bi": 3, "bi": null"#, None),
        (r#""b\u0069": 3, "BI": 4"#, Some("3")),
    ] {
        assert_eq!(count(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_report_with_many_faults_prints_a_few() {
    let custom = |number: usize| (format!("m{number:05}"), json!(number));
    let report = report(json!({"custom_metrics": (0..20_000).map(custom).collect::<Value>()}));
    let named = |number: usize| {
        format!("warning: report: standard input: line 1: custom metric m{number:05}: unrecognized value {number}\n")
    };
    let tells = (0..4).map(named).collect::<String>()
        + "warning: report: standard input: line 1: 9997 more values are not recognized; from here on, only every 100th \
           warning of this kind is printed";
    Dir::with_profile(&json!(all())).judge(report.to_string(), &[]).stderr(&tells).json();

    let numbers: Vec<usize> = (0..10_000).collect();
    let of = |numbers: &[usize]| {
        json!({"custom_metrics": {"m": [{"number_list": numbers}], "n": [{"number": 1}]}}).to_string()
    };
    let observation = Observation::from_json(of(&numbers[2..]).as_bytes()).unwrap();
    assert_eq!(observation.problems, [""; 0]);
    let observation = Observation::from_json(of(&numbers).as_bytes()).unwrap();
    let of_many = "custom metric m: unrecognized number_list of too many elements";
    assert_eq!(observation.problems, [of_many, "custom_metrics: more than 10000 values; the others are ignored"]);
}
