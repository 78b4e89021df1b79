//! What a report must hold, said in the plainest way: every rule once, no thought of speed.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use ciborium::Value;
use device_defender::internals::collector::SocketState;
use device_defender::internals::report::Style;

use crate::properties::scene::{Scene, Tables};
use crate::properties::shape::{from_json, map, text};

/// The document of a host, with long names.
pub(crate) fn document(scene: &Scene, style: Style, report_id: u64) -> Value {
    let mut metrics = Vec::new();
    let mut block = |name, block: Option<Value>| metrics.extend(block.map(|block| (name, block)));
    let listening = scene.tcp.as_ref().map(|tcp| ports(scene, tcp, style, |state| state == SocketState::LISTEN));
    block("listening_tcp_ports", listening.and_then(|list| list_block("ports", list, style)));
    let every = style == Style::Connector;
    let bound = scene.udp.as_ref().map(|udp| ports(scene, udp, style, |state| every || state == SocketState::CLOSE));
    block("listening_udp_ports", bound.and_then(|list| list_block("ports", list, style)));
    let stats = scene.network_stats().map(|stats| {
        let sum = stats.sum;
        map([
            ("bytes_in", sum.bytes_in.into()),
            ("bytes_out", sum.bytes_out.into()),
            ("packets_in", sum.packets_in.into()),
            ("packets_out", sum.packets_out.into()),
        ])
    });
    block("network_stats", stats);
    let established =
        scene.tcp.as_ref().and_then(|tcp| list_block("connections", connections(scene, tcp, style), style));
    block("tcp_connections", established.map(|list| map([("established_connections", list)])));

    let header = map([("report_id", report_id.into()), ("version", text("1.0"))]);
    let mut document = vec![("header", header), ("metrics", map(metrics))];
    document.extend(scene.custom.as_ref().map(|custom| ("custom_metrics", from_json(custom))));
    map(document)
}

/// `{ports: [...], total: n}`; the connector left empty lists out.
fn list_block(name: &'static str, list: Vec<Value>, style: Style) -> Option<Value> {
    let total = list.len() as u64;
    (style == Style::Plain || total > 0).then(|| map([(name, Value::Array(list)), ("total", total.into())]))
}

/// The ports of the sockets in the states that are asked for.
fn ports(scene: &Scene, tables: &Tables, style: Style, wanted: impl Fn(SocketState) -> bool) -> Vec<Value> {
    let sockets: BTreeSet<_> = tables.all().collect(); // the kernel repeats rows
    let open = sockets.iter().filter(|(state, (_, port), ..)| wanted(*state) && *port > 0);
    let mut entries: Vec<_> = open.map(|(_, (local, port), ..)| (*port, interface(scene, *local, style))).collect();
    entries.sort();
    if style == Style::Plain {
        entries.dedup();
    }
    let entry = |(port, interface)| with_interface("interface", interface, style, vec![("port", Value::from(port))]);
    entries.into_iter().map(entry).collect()
}

/// The established connections.
fn connections(scene: &Scene, tables: &Tables, style: Style) -> Vec<Value> {
    let end = |(address, port): (IpAddr, u16)| match style {
        Style::Plain => SocketAddr::new(address.to_canonical(), port),
        Style::Connector => SocketAddr::new(address, port),
    };
    let established = tables.all().filter(|(state, ..)| *state == SocketState::ESTABLISHED);
    let pairs: BTreeSet<_> = established.map(|(_, local, remote, _)| (end(remote), end(local))).collect();
    let mut written = BTreeSet::new();
    let mut entries = Vec::new();
    for (remote, local) in pairs {
        let interface = interface(scene, local.ip(), style);
        let is_new = written.insert((remote, interface.clone(), local.port()));
        if is_new || style == Style::Plain {
            let rest = vec![("local_port", local.port().into()), ("remote_addr", text(&remote.to_string()))];
            entries.push(with_interface("local_interface", interface, style, rest));
        }
    }
    entries
}

/// The interface as it is written, if it is known.
fn interface(scene: &Scene, local: IpAddr, style: Style) -> Option<String> {
    let canonical = local.to_canonical();
    match (style, local) {
        (Style::Connector, _) if ["0.0.0.0", "::"].contains(&local.to_string().as_str()) => {
            return Some(local.to_string());
        }
        (Style::Connector, IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() || v6.is_unicast_link_local() => {
            return None;
        }
        _ if canonical.is_unspecified() => return None,
        _ => {}
    }
    let names: BTreeSet<_> = scene.addresses.iter().filter(|(ip, _)| *ip == canonical).map(|(_, name)| name).collect();
    match (names.first(), names.len()) {
        (Some(name), 1) => Some((*name).clone()),
        (None, _) if canonical.is_ipv4() && canonical.is_loopback() && style == Style::Plain => Some("lo".to_owned()),
        _ => None,
    }
}

/// An entry that begins with its interface. The connector wrote `null` for one of a connection that it did not know.
fn with_interface(
    name: &'static str,
    interface: Option<String>,
    style: Style,
    rest: Vec<(&'static str, Value)>,
) -> Value {
    let interface = match (interface, style) {
        (Some(interface), _) => Some((name, Value::Text(interface))),
        (None, Style::Plain) => None,
        (None, Style::Connector) if name == "interface" => None,
        (None, Style::Connector) => Some((name, Value::Null)),
    };
    map(interface.into_iter().chain(rest))
}
