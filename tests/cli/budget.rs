//! `--max-bytes`: never a byte more, the totals true, and a warning that says how much was left out. What is kept first is
//! tested in `properties::budget`.

use serde_json::Value;

use crate::support::Run;

/// How the document is encoded.
const FORMATS: [&str; 2] = ["json", "cbor"];

/// `collect` over the captured tree `busy`.
fn busy(format: &str, args: &[&str]) -> Run {
    super::captured("busy", &[&["--format", format], args].concat())
}

fn decode(format: &str, document: &[u8]) -> Value {
    match format {
        "json" => serde_json::from_slice(document).unwrap(),
        _ => ciborium::from_reader(document).unwrap(),
    }
}

/// The least size that is taken, as the refusal of a smaller one names it.
fn least(format: &str) -> usize {
    let refusal = String::from_utf8(busy(format, &["--max-bytes", "0"]).finish().stderr).unwrap();
    refusal.split_once("takes ").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

/// The number of entries in each list, and the totals.
fn lists(report: &Value) -> [(usize, u64); 3] {
    let metrics = &report["metrics"];
    let blocks = [
        (&metrics["listening_tcp_ports"], "ports"),
        (&metrics["listening_udp_ports"], "ports"),
        (&metrics["tcp_connections"]["established_connections"], "connections"),
    ];
    blocks.map(|(block, list)| (block[list].as_array().unwrap().len(), block["total"].as_u64().unwrap()))
}

#[test]
fn a_document_is_cut_to_the_limit_and_says_what_was_left_out() {
    for format in FORMATS {
        let whole = busy(format, &[]).output();
        let all = lists(&decode(format, &whole)).map(|(entries, _)| entries);
        let least = least(format);
        for max in [least, least + 11, least + 100, 1000, 5000, whole.len() - 1, whole.len(), 128_000] {
            let output = busy(format, &["--max-bytes", &max.to_string()]).finish();
            assert!(output.status.success() && output.stdout.len() <= max, "{format} {max}: {output:?}");
            assert!(max >= whole.len() || output.stdout.len() + 100 > max, "{format} {max}: {}", output.stdout.len());
            let cut = lists(&decode(format, &output.stdout));
            assert_eq!(cut.map(|(_, total)| usize::try_from(total).unwrap()), all, "{format} {max}");
            let [tcp, udp, connections] = [0, 1, 2].map(|list| all[list] - cut[list].0);
            assert_eq!(tcp + udp + connections == 0, max >= whole.len(), "{format} {max}");
            let warning = format!(
                "device-defender: warning: cut to {max} bytes: left out {tcp} listening TCP ports, {udp} listening UDP \
                 ports, {connections} connections; the totals are true\n"
            );
            let expected = if max >= whole.len() { String::new() } else { warning };
            assert_eq!(String::from_utf8(output.stderr).unwrap(), expected, "{format} {max}");
            let again = busy(format, &["-q", "--max-bytes", &max.to_string()]).output();
            assert_eq!(decode(format, &again)["metrics"], decode(format, &output.stdout)["metrics"], "{format} {max}");
        }
    }
}

#[test]
fn short_names_leave_room_for_more() {
    let size = |names: &str| busy("json", &["-q", "--names", names, "--max-bytes", "5000"]).text();
    let entries = |report: String| report.matches("},{").count();
    assert!(entries(size("short")) > entries(size("long")) * 4 / 3);
}

#[test]
fn a_limit_that_is_too_small_is_refused_and_the_least_is_named() {
    for format in FORMATS {
        let least = least(format);
        for max in [0, 1, 100, least - 1] {
            let size = max.to_string();
            let stderr = format!(
                "--max-bytes {size} is too small: the report takes {least} bytes with its lists empty\n\
                 hint: give a larger --max-bytes, or fewer custom metrics"
            );
            busy(format, &["--max-bytes", &size]).code(2).stderr(&stderr).prints_nothing();
        }
        assert_eq!(busy(format, &["-q", "--max-bytes", &least.to_string()]).output().len(), least, "{format}");
    }
}

#[test]
fn other_forms_keep_to_the_limit_too() {
    for format in FORMATS {
        for args in
            [&["--names", "short"][..], &["--compat", "connector"], &["--names", "short", "--compat", "connector"]]
        {
            for max in [400, 1000, 4001, 8000] {
                let document = busy(format, &[args, &["-q", "--max-bytes", &max.to_string()]].concat()).output();
                assert!((max - 130..=max).contains(&document.len()), "{format} {args:?}: {}", document.len());
                decode(format, &document);
            }
        }
    }
}
