//! The tree of a report: the place, order and name of every field. JSON and CBOR are both written from it.
//!
//! ```text
//! header          { report_id, version }
//! metrics         { listening_tcp_ports { ports [ { interface, port } ], total },
//!                   listening_udp_ports { … },
//!                   network_stats { bytes_in, bytes_out, packets_in, packets_out },
//!                   tcp_connections { established_connections {
//!                       connections [ { local_interface, local_port, remote_addr } ], total } } }
//! custom_metrics  { NAME [ { TYPE: value } ] }
//! ```

use std::net::SocketAddr;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::custom::CustomMetrics;
use super::names::Names;
use super::{Connection, Connections, Interface, Port, Ports, Report, VERSION};
use crate::collector::counters::Counters;

pub(super) enum Part<'r> {
    Object(Vec<(&'static str, Self)>),
    Ports(&'r [Port<'r>]),
    Port(&'r Port<'r>),
    Connections(&'r Connections<'r>),
    Connection(Connection<'r>),
    Custom(&'r CustomMetrics),
    Number(u64),
    Text(&'static str),
}

impl<'r> Part<'r> {
    pub(super) fn report(report: &'r Report<'r>, names: &Names) -> Self {
        let ports = |name, ports: Option<&'r Ports<'r>>| {
            let Ports { ports, total } = ports?;
            Some((name, Self::Object(vec![(names.ports, Self::Ports(ports)), (names.total, Self::Number(*total))])))
        };
        let traffic = report.network_stats.as_ref().map(|traffic| {
            let Counters { bytes_in, packets_in, bytes_out, packets_out } = traffic.sum;
            Self::Object(vec![
                (names.bytes_in, Self::Number(bytes_in)),
                (names.bytes_out, Self::Number(bytes_out)),
                (names.packets_in, Self::Number(packets_in)),
                (names.packets_out, Self::Number(packets_out)),
            ])
        });
        let tcp_connections = report.established_connections.as_ref().map(|list| {
            let connections = (names.connections, Self::Connections(list));
            let established = Self::Object(vec![connections, (names.total, Self::Number(list.total))]);
            Self::Object(vec![(names.established_connections, established)])
        });
        let blocks = [
            ports(names.listening_tcp_ports, report.listening_tcp_ports.as_ref()),
            ports(names.listening_udp_ports, report.listening_udp_ports.as_ref()),
            traffic.map(|traffic| (names.network_stats, traffic)),
            tcp_connections.map(|connections| (names.tcp_connections, connections)),
        ];
        let report_id = (names.report_id, Self::Number(report.report_id));
        let header = (names.header, Self::Object(vec![report_id, (names.version, Self::Text(VERSION))]));
        let metrics = (names.metrics, Self::Object(blocks.into_iter().flatten().collect()));
        let custom = report.custom_metrics.as_ref().map(|custom| (names.custom_metrics, Self::Custom(custom)));
        Self::Object([header, metrics].into_iter().chain(custom).collect())
    }
}

pub(super) struct WithNames<'a>(pub(super) &'a Part<'a>, pub(super) &'a Names);

impl Serialize for WithNames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.1;
        match *self.0 {
            Part::Object(ref fields) => {
                serializer.collect_map(fields.iter().map(|(name, part)| (name, WithNames(part, names))))
            }
            Part::Ports(ports) => {
                let mut seq = serializer.serialize_seq(Some(ports.len()))?;
                ports.iter().try_for_each(|port| seq.serialize_element(&WithNames(&Part::Port(port), names)))?;
                seq.end()
            }
            Part::Port(port) => {
                let mut map = map_with_interface(serializer, names.interface, port.interface, 1)?;
                map.serialize_entry(names.port, &port.port)?;
                map.end()
            }
            Part::Connections(list) => {
                let mut seq = serializer.serialize_seq(Some(list.written()))?;
                list.iter().try_for_each(|row| seq.serialize_element(&WithNames(&Part::Connection(row), names)))?;
                seq.end()
            }
            Part::Connection(Connection { remote, local_port, local_interface, .. }) => {
                let mut map = map_with_interface(serializer, names.local_interface, local_interface, 2)?;
                map.serialize_entry(names.local_port, &local_port)?;
                map.serialize_entry(names.remote_addr, &Text(remote))?;
                map.end()
            }
            Part::Custom(custom) => custom.serialize(serializer),
            Part::Number(number) => number.serialize(serializer),
            Part::Text(text) => text.serialize(serializer),
        }
    }
}

/// Begins a map that has the interface, unless it is left out, and so many other fields.
fn map_with_interface<S: Serializer>(
    serializer: S,
    name: &'static str,
    interface: Interface<'_>,
    others: usize,
) -> Result<S::SerializeMap, S::Error> {
    let is_written = interface.is_written();
    let mut map = serializer.serialize_map(Some(others + usize::from(is_written)))?;
    if is_written {
        map.serialize_entry(name, &interface.name())?;
    }
    Ok(map)
}

/// An address and port as text, `192.0.2.1:443` or `[2001:db8::1]:443`.
struct Text(SocketAddr);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
