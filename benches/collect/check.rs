//! Whether the report is right: the cost of a wrong one is of no interest.

use std::io::BufReader;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Result;
use crate::scale::Scale;

/// The program under measurement, as cargo built it for this benchmark.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_device-defender");

#[derive(Deserialize)]
struct Report {
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    listening_tcp_ports: List,
    listening_udp_ports: List,
    tcp_connections: TcpConnections,
}

#[derive(Deserialize)]
struct TcpConnections {
    established_connections: List,
}

/// How long a list is; what is in it does not matter, and takes no memory.
#[derive(Deserialize)]
struct List {
    #[serde(alias = "ports", alias = "connections")]
    items: Vec<IgnoredAny>,
    total: usize,
}

/// Runs `collect` once and compares what it names with what was opened.
///
/// # Errors
/// What differs.
pub(crate) fn report(scale: &Scale) -> Result<()> {
    let mut child = Command::new(PROGRAM).arg("collect").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().ok_or("no pipe")?;
    let report = serde_json::from_reader(BufReader::new(stdout));
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("device-defender collect: {status}").into());
    }
    let Report { metrics } = report?;
    let TcpConnections { established_connections } = metrics.tcp_connections;
    compare("established connections", &established_connections, 2 * scale.connections)?;
    compare("listening TCP ports", &metrics.listening_tcp_ports, scale.listeners)?;
    compare("listening UDP ports", &metrics.listening_udp_ports, scale.udp)
}

fn compare(what: &str, list: &List, opened: u32) -> Result<()> {
    let named = list.items.len();
    if usize::try_from(opened) == Ok(named) && named == list.total {
        return Ok(());
    }
    Err(format!("the report is wrong: {opened} {what} were opened; it names {named}, and its total is {}", list.total)
        .into())
}
