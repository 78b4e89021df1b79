//! The tree of a report: which field stands where, in which order, under which name. JSON and CBOR are both written from
//! this one description.
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

use std::fmt::Write;
use std::net::{SocketAddr, SocketAddrV4};

use arrayvec::ArrayString;
use serde::ser::{Error, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::names::Names;
use super::{Connection, Connections, Interface, Port, Ports, Report, VERSION};
use crate::collector::counters::Counters;

/// Something of a report together with the names its fields are written with.
pub(super) struct Named<'n, T>(pub(super) T, pub(super) &'n Names);

impl Serialize for Named<'_, &Report<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report, names) = self;
        let custom = report.custom_metrics.as_ref();
        let mut map = serializer.serialize_map(Some(if custom.is_some() { 3 } else { 2 }))?;
        map.serialize_entry(names.header, &Named(Header(report.report_id), names))?;
        map.serialize_entry(names.metrics, &Named(Metrics(report), names))?;
        if let Some(custom) = custom {
            map.serialize_entry(names.custom_metrics, custom)?;
        }
        map.end()
    }
}

struct Header(u64);

impl Serialize for Named<'_, Header> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.1.report_id, &self.0.0)?;
        map.serialize_entry(self.1.version, VERSION)?;
        map.end()
    }
}

struct Metrics<'r>(&'r Report<'r>);

impl Serialize for Named<'_, Metrics<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Metrics(report), names) = self;
        let tcp = report.listening_tcp_ports.as_ref();
        let udp = report.listening_udp_ports.as_ref();
        let traffic = report.network_stats.as_ref();
        let established = report.established_connections.as_ref();
        let blocks = [tcp.is_some(), udp.is_some(), traffic.is_some(), established.is_some()];
        let mut map = serializer.serialize_map(Some(blocks.into_iter().filter(|&block| block).count()))?;
        if let Some(ports) = tcp {
            map.serialize_entry(names.listening_tcp_ports, &Named(ports, names))?;
        }
        if let Some(ports) = udp {
            map.serialize_entry(names.listening_udp_ports, &Named(ports, names))?;
        }
        if let Some(traffic) = traffic {
            map.serialize_entry(names.network_stats, &Named(traffic.sum, names))?;
        }
        if let Some(connections) = established {
            map.serialize_entry(names.tcp_connections, &Named(Tcp(connections), names))?;
        }
        map.end()
    }
}

impl Serialize for Named<'_, &Ports<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(ports, names) = self;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(names.ports, &List(&ports.ports, names))?;
        map.serialize_entry(names.total, &ports.total)?;
        map.end()
    }
}

struct List<'n, 'p>(&'p [Port<'p>], &'n Names);

impl Serialize for List<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|port| Named(port, self.1)))
    }
}

impl Serialize for Named<'_, &Port<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(port, names) = self;
        let mut map = serializer.serialize_map(Some(and_interface(1, port.interface)))?;
        serialize_interface::<S>(&mut map, names.interface, port.interface)?;
        map.serialize_entry(names.port, &port.port)?;
        map.end()
    }
}

impl Serialize for Named<'_, Counters> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(counters, names) = self;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry(names.bytes_in, &counters.bytes_in)?;
        map.serialize_entry(names.bytes_out, &counters.bytes_out)?;
        map.serialize_entry(names.packets_in, &counters.packets_in)?;
        map.serialize_entry(names.packets_out, &counters.packets_out)?;
        map.end()
    }
}

struct Tcp<'r>(&'r Connections<'r>);

impl Serialize for Named<'_, Tcp<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.1.established_connections, &Named(self.0.0, self.1))?;
        map.end()
    }
}

impl Serialize for Named<'_, &Connections<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(connections, names) = self;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(names.connections, &ConnectionList(connections, names))?;
        map.serialize_entry(names.total, &connections.total)?;
        map.end()
    }
}

struct ConnectionList<'n, 'c>(&'c Connections<'c>, &'n Names);

impl Serialize for ConnectionList<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.written()))?;
        self.0.iter().try_for_each(|connection| seq.serialize_element(&Named(connection, self.1)))?;
        seq.end()
    }
}

impl Serialize for Named<'_, Connection<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(connection, names) = self;
        let mut map = serializer.serialize_map(Some(and_interface(2, connection.local_interface)))?;
        serialize_interface::<S>(&mut map, names.local_interface, connection.local_interface)?;
        map.serialize_entry(names.local_port, &connection.local_port)?;
        map.serialize_entry(names.remote_addr, &Text(connection.remote))?;
        map.end()
    }
}

/// So many fields, and one more unless the interface is left out.
fn and_interface(fields: usize, interface: Interface<'_>) -> usize {
    match interface {
        Interface::Any | Interface::Unknown => fields,
        Interface::Null | Interface::Name(_) => fields.saturating_add(1),
    }
}

fn serialize_interface<S: Serializer>(
    map: &mut S::SerializeMap,
    name: &'static str,
    interface: Interface<'_>,
) -> Result<(), S::Error> {
    match interface {
        Interface::Any | Interface::Unknown => Ok(()),
        Interface::Null => map.serialize_entry(name, &()),
        Interface::Name(interface) => map.serialize_entry(name, interface),
    }
}

/// An address and port as text, `192.0.2.1:443` or `[2001:db8::1]:443`, made on the stack.
struct Text(SocketAddr);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = ArrayString::<64>::new(); // the longest takes 47 bytes
        match self.0 {
            SocketAddr::V4(v4) => push_v4(&mut text, v4),
            SocketAddr::V6(v6) => write!(text, "{v6}").ok(),
        }
        .ok_or_else(|| S::Error::custom("an address takes more than 64 bytes"))?;
        serializer.serialize_str(&text)
    }
}

/// The same as `Display`, in a third of the time: a busy host has these by the hundred thousand.
fn push_v4(text: &mut ArrayString<64>, address: SocketAddrV4) -> Option<()> {
    for (octet, after) in address.ip().octets().into_iter().zip([".", ".", ".", ":"]) {
        text.try_push_str(itoa::Buffer::new().format(octet)).ok()?;
        text.try_push_str(after).ok()?;
    }
    text.try_push_str(itoa::Buffer::new().format(address.port())).ok()
}
