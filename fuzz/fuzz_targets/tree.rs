//! Arbitrary files as a whole `/proc` tree. JSON and CBOR of its report are equivalent, totals are the lengths of the lists,
//! a report cut to a size fits it, and terminal output has no control characters.
//!
//! The input is two bytes for the payload limit and one for the width of the terminal. Texts separated by NUL follow: the
//! files in the order of `FILES`, an earlier `net/dev`, and custom metrics. A file that contains only `-` is missing.
#![no_main]

mod alike;

use std::collections::BTreeSet;
use std::fs;

use alike::alike;
use device_defender::internals::collector::{Collector, Netns, Sample, counters};
use device_defender::internals::report::{
    CustomMetrics, Cut, Encoding, FitError, LONG, Names, Options, Report, SHORT, Style, View, fit, pretty_json, write,
};
use device_defender::internals::{escape, escape_json};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const FILES: [&str; 8] = ["tcp", "tcp6", "udp", "udp6", "dev", "if_inet6", "fib_trie", "route"];

fn encode(report: &Report<'_>, encoding: Encoding, names: &Names) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding.write(report, names, &mut bytes).unwrap();
    bytes
}

/// The length and the total of every list, in the order of the document.
fn lists(document: &Value, names: &Names) -> [Option<(u64, u64)>; 3] {
    let metrics = &document[names.metrics];
    let list = |block: Option<&Value>, entries| {
        let block = block?;
        let entries = block[entries].as_array().unwrap().len();
        Some((u64::try_from(entries).unwrap(), block[names.total].as_u64().unwrap()))
    };
    [
        list(metrics.get(names.listening_tcp_ports), names.ports),
        list(metrics.get(names.listening_udp_ports), names.ports),
        list(metrics[names.tcp_connections].get(names.established_connections), names.connections),
    ]
}

/// Writes a report in all formats. Returns the JSON document.
fn check_formats(report: &Report<'_>, names: &Names) -> Value {
    let text = String::from_utf8(encode(report, Encoding::Json, names)).unwrap();
    assert!(!text.contains('\n'));
    let document: Value = serde_json::from_str(&text).unwrap();
    for text in [text, pretty_json(report, names).unwrap()] {
        let shown = escape_json(&text);
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), document);
        assert!(shown.split('\n').all(|line| escape(line) == line), "{shown:?}");
    }
    let bytes = encode(report, Encoding::Cbor, names);
    let mut rest = bytes.as_slice();
    let decoded: Value = ciborium::from_reader(&mut rest).unwrap();
    assert!(rest.is_empty());
    assert!(alike(&decoded, &document), "{decoded} {document}");
    document
}

/// Cuts a report to `max` bytes, or to the smallest possible size.
fn check_fit(report: &Report<'_>, encoding: Encoding, names: &Names, max: usize) {
    let mut cut_report = report.clone();
    let (max, cut) = match fit(&mut cut_report, encoding, names, max) {
        Ok(cut) => (max, cut),
        Err(FitError::TooSmall { needed }) => {
            assert!(needed > max);
            (needed, fit(&mut cut_report, encoding, names, needed).unwrap())
        }
        Err(error) => panic!("{error}"),
    };
    let size = encode(&cut_report, encoding, names).len();
    assert!(size <= max, "{size} bytes in {max}");
    let Cut { tcp_ports, udp_ports, connections } = cut;
    let left_out = [tcp_ports, udp_ports, connections].map(|count| u64::try_from(count).unwrap());
    for (list, left_out) in lists(&check_formats(&cut_report, names), names).into_iter().zip(left_out) {
        assert_eq!(list.map_or(0, |(length, total)| total - length), left_out);
    }
    let again = fit(&mut cut_report.clone(), encoding, names, max).unwrap();
    assert_eq!(again, Cut::default(), "a report that fits is not cut");
}

fn check_table(report: &Report<'_>, width: Option<usize>) {
    let mut out = Vec::new();
    write(report, View { width, owners: None, traffic_covers: "since boot" }, &mut out).unwrap();
    for line in String::from_utf8(out).unwrap().split('\n') {
        assert_eq!(escape(line), line);
    }
}

fn check_sample(sample: &Sample) {
    for problem in &sample.problems {
        assert!(!problem.to_string().is_empty());
    }
    let sources: BTreeSet<_> = sample.tables.iter().map(|read| &read.from).collect();
    assert_eq!(sources.len(), sample.tables.len());
}

fuzz_target!(init: colored::control::set_override(false), |input: &[u8]| {
    let Some((&[low, high, width], files)) = input.split_first_chunk() else { return };
    let mut files = files.split(|&b| b == 0);
    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    fs::create_dir(&net).unwrap();
    for (name, text) in FILES.into_iter().zip(&mut files).filter(|(_, text)| *text != b"-") {
        fs::write(net.join(name), text).unwrap();
    }
    let Ok(collector) = Collector::new(dir.path(), Netns::Auto) else { return };
    assert!(!collector.root.is_procfs && !collector.root.own_namespace);
    let sample = collector.sample();
    check_sample(&sample);

    let baseline = counters::read(files.next().unwrap_or_default()).map(|(baseline, _)| baseline).unwrap_or_default();
    let custom = files.next().and_then(|text| CustomMetrics::parse(text).ok());
    for style in [Style::Plain, Style::Connector] {
        let options = Options { style, names: &LONG, max_bytes: None, exclude_interfaces: Vec::new() };
        let report = Report::build(&sample, Some(&baseline), 1, custom.clone(), &options);
        let long = lists(&check_formats(&report, &LONG), &LONG);
        let short = lists(&check_formats(&report, &SHORT), &SHORT);
        assert_eq!(long, short);
        assert!(long.iter().flatten().all(|(length, total)| length == total), "{long:?}");
        if style == Style::Plain {
            assert_eq!(long[0].is_some(), sample.tcp.is_some());
            assert_eq!(long[1].is_some(), sample.udp.is_some());
            assert_eq!(long[2].is_some(), sample.tcp.is_some());
        }
        let max = usize::from(u16::from_le_bytes([low, high]));
        let names = if low % 2 == 0 { &LONG } else { &SHORT };
        for encoding in [Encoding::Json, Encoding::Cbor] {
            check_fit(&report, encoding, names, max);
        }
        check_table(&report, (width > 0).then_some(usize::from(width)));
    }
});
