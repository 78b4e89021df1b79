//! The program under test, and what it prints.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Part, copy_program, output, program};

/// `device-defender collect` with these arguments and no environment.
pub(crate) fn collect_command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.env_clear().arg("collect").args(args);
    command
}

/// A copy of the program where everybody may execute it.
pub(crate) fn copy_of_program(part: &Part) -> PathBuf {
    let copy = part.dir.join("device-defender");
    copy_program(&copy);
    copy
}

/// Runs `collect`, which must succeed without a word on standard error, and returns its standard output.
pub(crate) fn collect_text(args: &[&str]) -> String {
    finish(&mut collect_command(args), "")
}

/// The report of [`collect_text`].
pub(crate) fn collect(args: &[&str]) -> Value {
    serde_json::from_str(&collect_text(args)).unwrap()
}

/// Runs a command that must succeed with exactly these words on standard error, and returns its standard output.
pub(crate) fn finish(command: &mut Command, stderr: &str) -> String {
    let output = output(command);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words == stderr, "{command:?}: {}\n{words}\nexpected:\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The report in the output of a `collect` that was started with `-v`, and so has said this and that.
pub(crate) fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The report without the two fields that no test can foretell.
pub(crate) fn sockets(report: &Value) -> Value {
    let mut report = report.clone();
    report["header"]["report_id"].take().as_u64().unwrap();
    report["metrics"]["network_stats"].take();
    report
}

/// A whole report with these lists, as [`sockets`] leaves it.
pub(crate) fn expected(tcp: &Value, udp: &Value, established: &Value) -> Value {
    let (tcp_total, udp_total, established_total) = (length(tcp), length(udp), length(established));
    json!({
        "header": { "report_id": null, "version": "1.0" },
        "metrics": {
            "listening_tcp_ports": { "ports": tcp, "total": tcp_total },
            "listening_udp_ports": { "ports": udp, "total": udp_total },
            "network_stats": null,
            "tcp_connections": { "established_connections": { "connections": established, "total": established_total } },
        },
    })
}

fn length(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

/// The ports that a report says are listened on, with their interfaces.
pub(crate) fn listening(report: &Value) -> &Value {
    &report["metrics"]["listening_tcp_ports"]["ports"]
}

/// The established connections of a report.
pub(crate) fn connections(report: &Value) -> &Vec<Value> {
    let established = &report["metrics"]["tcp_connections"]["established_connections"];
    let list = established["connections"].as_array().unwrap();
    assert_eq!(established["total"], list.len());
    list
}

/// One of the four counters of a report; every one of them must be there, and none can be negative.
pub(crate) fn counter(report: &Value, name: &str) -> u64 {
    report["metrics"]["network_stats"][name].as_u64().unwrap()
}
