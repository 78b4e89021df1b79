//! Checks that the report is right, because the cost of a wrong one does not matter.

use std::io::BufReader;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::process::{PROGRAM, Result};
use crate::scale::Scale;

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

/// A list, of which only the length is kept.
#[derive(Deserialize)]
struct List {
    #[serde(alias = "ports", alias = "connections")]
    items: Vec<IgnoredAny>,
    total: usize,
}

/// Runs `collect` once with this source and compares the lengths of its lists with the number of sockets.
pub(crate) fn report(scale: &Scale, source: &str) -> Result<()> {
    let mut child = Command::new(PROGRAM)
        .args(["collect", "--source", source])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
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
    Err(format!("the report is wrong: {opened} {what} are open, but it lists {named} with a total of {}", list.total)
        .into())
}
