//! A whole `/proc` tree: the report of whatever it holds is the same in JSON and in CBOR, says how long its lists are,
//! fits any size that it can be cut to, and shows nothing harmful as a table.
//!
//! The input is two bytes for the payload limit, one for the width of the terminal, and then, separated by NUL, the files
//! in the order of `FILES`, the traffic counters of an earlier `net/dev`, and custom metrics. A file that is just `-` is
//! missing.
#![no_main]

mod alike;

use std::collections::BTreeSet;
use std::fs;

use alike::alike;
use device_defender::collector::proc_root::Netns;
use device_defender::collector::{Collector, Sample, counters};
use device_defender::escape::escape;
use device_defender::report::budget::{self, Cut, TooSmall};
use device_defender::report::custom::CustomMetrics;
use device_defender::report::json::{self, Layout};
use device_defender::report::names::{LONG, Names, SHORT};
use device_defender::report::table::{self, View};
use device_defender::report::traffic::{self, NetworkStats};
use device_defender::report::{Encoding, Report, Style, cbor};
use device_defender::terminal::{Color, Terminal, Verbosity};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const FILES: [&str; 8] = ["tcp", "tcp6", "udp", "udp6", "dev", "if_inet6", "fib_trie", "route"];

fn to_json(report: &Report<'_>, names: &Names) -> Vec<u8> {
    let mut text = Vec::new();
    json::write(report, names, Layout::Line, &mut text).unwrap();
    text
}

fn to_cbor(report: &Report<'_>, names: &Names) -> Vec<u8> {
    let mut bytes = Vec::new();
    cbor::write(report, names, &mut bytes).unwrap();
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

/// Writes a report in all forms; returns the JSON document.
fn check_forms(report: &Report<'_>, names: &Names) -> Value {
    let text = to_json(report, names);
    assert!(!text.contains(&b'\n'));
    let document: Value = serde_json::from_slice(&text).unwrap();
    for indent in [true, false] {
        let mut shown = Vec::new();
        json::write(report, names, Layout::Terminal { indent }, &mut shown).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&shown).unwrap(), document);
        let shown = String::from_utf8(shown).unwrap();
        assert!(indent || !shown.contains('\n'));
        assert!(shown.split('\n').all(|line| escape(line) == line), "{shown:?}");
    }
    let bytes = to_cbor(report, names);
    let mut rest = bytes.as_slice();
    let decoded: Value = ciborium::from_reader(&mut rest).unwrap();
    assert!(rest.is_empty());
    assert!(alike(&decoded, &document), "{decoded} {document}");
    document
}

/// Cuts a report to `max` bytes, or to the least that can be.
fn check_fit(report: &Report<'_>, encoding: Encoding, names: &Names, max: usize) {
    let mut cut_report = report.clone();
    let (max, cut) = match budget::fit(&mut cut_report, encoding, names, max) {
        Ok(cut) => (max, cut),
        Err(TooSmall { needed }) => {
            assert!(needed > max);
            (needed, budget::fit(&mut cut_report, encoding, names, needed).unwrap())
        }
    };
    let size = match encoding {
        Encoding::Json => to_json(&cut_report, names).len(),
        Encoding::Cbor => to_cbor(&cut_report, names).len(),
    };
    assert!(size <= max, "{size} bytes in {max}");
    let Cut { tcp_ports, udp_ports, connections } = cut;
    let left_out = [tcp_ports, udp_ports, connections].map(|count| u64::try_from(count).unwrap());
    for (list, left_out) in lists(&check_forms(&cut_report, names), names).into_iter().zip(left_out) {
        assert_eq!(list.map_or(0, |(length, total)| total - length), left_out);
    }
    let mut once_more = cut_report.clone();
    assert_eq!(budget::fit(&mut once_more, encoding, names, max), Ok(Cut::default()), "it fits already");
}

fn check_table(report: &Report<'_>, width: Option<usize>) {
    let mut out = Vec::new();
    table::write(report, View { width, owners: None, traffic_covers: "since boot" }, &mut out).unwrap();
    for line in String::from_utf8(out).unwrap().split('\n') {
        assert_eq!(escape(line), line);
    }
}

fn check_sample(sample: &Sample) {
    for problem in &sample.problems {
        assert!(!problem.to_string().is_empty());
    }
    let paths: BTreeSet<_> = sample.tables.iter().map(|table| &table.path).collect();
    assert_eq!(paths.len(), sample.tables.len());
}

fuzz_target!(init: { let _uncoloured = Terminal::new(Color::Never, Verbosity::Quiet); }, |input: &[u8]| {
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

    let before = counters::read(files.next().unwrap_or_default()).map(|(before, _)| before).unwrap_or_default();
    let stats = sample.counters.as_ref().map(|now| NetworkStats::new(traffic::since(&before, now), &[]));
    let custom = files.next().and_then(|text| CustomMetrics::parse(text).ok());
    for style in [Style::Plain, Style::Connector] {
        let report = Report::build(&sample, style, 1, stats.clone(), custom.clone());
        let long = lists(&check_forms(&report, &LONG), &LONG);
        let short = lists(&check_forms(&report, &SHORT), &SHORT);
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
