//! Measures what `detect --report` costs for a fleet, compared with `jq` on the same stream.
//!
//! ```sh
//! cargo bench --bench detect                 # about two minutes
//! cargo bench --bench detect -- --runs 15    # more runs, for a noisy machine
//! ```
//!
//! It needs `jq`. Ten reports of each of 9,000 things are judged by five behaviors: 90,000 reports of about 1.1 kB, in both
//! forms of JSON that `mosquitto_sub` prints, and without topics, as reports of one device. `jq -c` prints the `report_id` of
//! each. In each run, `jq` and `detect` take turns.
//!
//! The table shows user and system time, median of the runs, and the median of the ratio to the run of `jq` just before. The
//! target is at most a quarter of jq's time.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its figures, and panics when something fails"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Value, json};

const THINGS: u64 = 9000;
const REPORTS: u64 = 10;

/// How a report of a thing is written, and where `jq` finds its ID.
struct Form {
    name: &'static str,
    filter: &'static str,
    line: fn(&str, &Value) -> String,
}

const FORMS: [Form; 3] = [
    Form { name: "no topic", filter: ".header.report_id", line: |_, report| report.to_string() },
    Form {
        name: "-F %J",
        filter: ".payload.header.report_id",
        line: |topic, report| json!({"topic": topic, "payload": report}).to_string(),
    },
    Form {
        name: "-F %j",
        filter: ".payload | fromjson | .header.report_id",
        line: |topic, report| json!({"topic": topic, "payload": report.to_string()}).to_string(),
    },
];

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        return; // `cargo test` starts benchmarks too, to check that they run
    }
    let runs = args.iter().position(|arg| arg == "--runs").map_or(7, |at| args[at + 1].parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("profile.json");
    fs::write(&profile, profile_of_five().to_string()).unwrap();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {} at the start\n", load.split(' ').next().unwrap_or_default());
    println!("| form | stream | jq | detect | to jq |\n|---|--:|--:|--:|--:|");
    for form in FORMS {
        let stream = dir.path().join("stream");
        write_stream(&stream, form.line);
        let mut detect = Command::new(env!("CARGO_BIN_EXE_device-defender"));
        detect.args(["detect", "--format", "json", "--report"]).arg(&stream).arg("--profile").arg(&profile);
        let mut jq = Command::new("jq");
        jq.args(["-c", form.filter]).arg(&stream);
        let times: Vec<[f64; 2]> = (0..runs).map(|_| [cpu(&mut jq), cpu(&mut detect)]).collect();
        let median = |of: fn(&[f64; 2]) -> f64| {
            let mut values: Vec<f64> = times.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "| {} | {} MB | {:.2} s | {:.2} s | {:.2} |",
            form.name,
            fs::metadata(&stream).unwrap().len() / 1_000_000,
            median(|[jq, _]| *jq),
            median(|[_, detect]| *detect),
            median(|[jq, detect]| detect / jq),
        );
    }
}

/// The user and system time of a command in seconds. It must succeed without a warning.
fn cpu(command: &mut Command) -> f64 {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
        Duration::from_micros(microseconds.try_into().unwrap()).as_secs_f64()
    };
    let before = used();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{command:?}: {output:?}");
    used() - before
}

fn write_stream(path: &Path, line: fn(&str, &Value) -> String) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for (number, round) in (0..REPORTS).enumerate() {
        for thing in 0..THINGS {
            let topic = format!("$aws/things/gateway-{thing:05}/defender/metrics/json");
            // Without a topic, all are reports of one device, so that IDs must rise.
            let id = 1_700_000_000 + round * 300 + if line("", &json!(0)) == "0" { thing + round * THINGS } else { 0 };
            writeln!(file, "{}", line(&topic, &report(id, thing + u64::try_from(number).unwrap()))).unwrap();
        }
    }
    file.flush().unwrap();
}

/// A report of about 1.1 kB that conforms.
fn report(id: u64, seed: u64) -> Value {
    let port = |port: u64| json!({"interface": "eth0", "port": port});
    let connection = |number: u64| {
        let [b, c] = [seed >> 8 & 255, seed & 255];
        json!({"local_interface": "eth0", "local_port": 40_000 + number,
               "remote_addr": format!("10.{b}.{c}.{number}:8883")})
    };
    let tcp: Vec<Value> = [22, 80, 443, 8080].map(port).to_vec();
    let udp: Vec<Value> = [68, 123, 5353].map(port).to_vec();
    let connections: Vec<Value> = (1..=7).map(connection).collect();
    json!({
        "header": {"report_id": id, "version": "1.0"},
        "metrics": {
            "listening_tcp_ports": {"ports": tcp, "total": tcp.len()},
            "listening_udp_ports": {"ports": udp, "total": udp.len()},
            "network_stats": {"bytes_in": 29_358_693 + seed, "bytes_out": 26_485 + seed, "packets_in": 9405 + seed,
                              "packets_out": 4018 + seed},
            "tcp_connections": {"established_connections": {"connections": connections, "total": connections.len()}},
        },
        "custom_metrics": {"cpu_usage": [{"number": 12.5}]},
    })
}

fn profile_of_five() -> Value {
    let behavior = |metric: &str, operator: &str, value: Value| {
        json!({"name": metric.rsplit(':').next(), "metric": metric,
               "criteria": {"comparisonOperator": operator, "value": value}})
    };
    let mut sent = behavior("aws:all-bytes-out", "less-than", json!({"count": 100_000_000}));
    sent["criteria"]["durationSeconds"] = json!(300);
    json!([
        sent,
        behavior("aws:num-established-tcp-connections", "less-than-equals", json!({"count": 100})),
        behavior("aws:listening-tcp-ports", "in-port-set", json!({"ports": [22, 80, 443, 8080]})),
        behavior("aws:destination-ip-addresses", "in-cidr-set", json!({"cidrs": ["10.0.0.0/8"]})),
        behavior("cpu_usage", "less-than", json!({"number": 90})),
    ])
}
