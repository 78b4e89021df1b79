//! Made-up hosts: what their tables hold, and the sample that comes from reading them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use device_defender::internals::collector::{Addresses, Interfaces, Sample, Socket, SocketState, Sockets, read};
use device_defender::internals::report::{CustomMetrics, LONG, NetworkStats, Options, Report, Style};
use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::properties::kernel::{Ip, Layout, interface_name, interfaces, socket};

/// The tables of one protocol.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub(crate) v4: Vec<Socket<Ipv4Addr>>,
    pub(crate) v6: Vec<Socket<Ipv6Addr>>,
}

/// A host. A table that is `None` cannot be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scene {
    pub(crate) tcp: Option<Tables>,
    pub(crate) udp: Option<Tables>,
    pub(crate) counters: Option<Interfaces>,
    /// Which interface has which address.
    pub(crate) addresses: Vec<(IpAddr, String)>,
    /// In the report's own shape.
    pub(crate) custom: Option<Value>,
}

impl Tables {
    /// Any sockets. Of an IPv6 connection both ends are IPv4-mapped, or neither, as the kernel has it.
    fn any(rows: usize) -> impl Strategy<Value = Self> {
        let v6 = socket::<Ipv6Addr>().prop_map(|mut socket| {
            let is_mapped = |address: Ipv6Addr| address.to_ipv4_mapped().is_some();
            if socket.state == SocketState::ESTABLISHED && is_mapped(socket.remote) != is_mapped(socket.local) {
                socket.local =
                    if is_mapped(socket.remote) { "::ffff:192.0.2.10" } else { "2001:db8::10" }.parse().unwrap();
            }
            socket
        });
        (vec(socket(), 0..rows), vec(v6, 0..rows)).prop_map(|(v4, v6)| Self { v4, v6 })
    }

    /// Reads the tables as this machine's kernel would write them.
    fn read(&self, udp: bool) -> Sockets {
        fn table<A: Ip>(sockets: &[Socket<A>], udp: bool) -> Vec<Socket<A>> {
            let layout = Layout::native::<A>(udp);
            read(layout.table(sockets).as_bytes(), layout.endian).unwrap().sockets
        }
        Sockets { v4: table(&self.v4, udp), v6: table(&self.v6, udp) }
    }

    /// Every socket: state, local end, remote end.
    pub(crate) fn all(&self) -> impl Iterator<Item = (SocketState, (IpAddr, u16), (IpAddr, u16), u32)> {
        fn ends<A: Ip>(s: &Socket<A>) -> (SocketState, (IpAddr, u16), (IpAddr, u16), u32) {
            (s.state, (s.local.into(), s.local_port), (s.remote.into(), s.remote_port), s.inode)
        }
        self.v4.iter().map(ends).chain(self.v6.iter().map(ends))
    }
}

impl Scene {
    /// A host with up to so many rows a table.
    pub(crate) fn any(rows: usize) -> impl Strategy<Value = Self> {
        let tables = || weighted(0.9, Tables::any(rows));
        // An IPv4-mapped address is never an interface's.
        let v6 = Ipv6Addr::any().prop_map(|address| match address.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(address),
        });
        let address = prop_oneof![Ipv4Addr::any().prop_map(IpAddr::V4), v6];
        let addresses = vec((address, interface_name()), 0..10);
        (tables(), tables(), weighted(0.9, interfaces()), addresses, weighted(0.5, custom_metrics()))
            .prop_map(|(tcp, udp, counters, addresses, custom)| Self { tcp, udp, counters, addresses, custom })
    }

    /// The same host twice, its tables in another order.
    pub(crate) fn twice(rows: usize) -> impl Strategy<Value = (Self, Self)> {
        let shuffled = |tables: Option<Tables>| {
            let tables = tables.unwrap_or_default();
            (Just(tables.v4).prop_shuffle(), Just(tables.v6).prop_shuffle()).prop_map(|(v4, v6)| Tables { v4, v6 })
        };
        Self::any(rows).prop_flat_map(move |scene| {
            let addresses = Just(scene.addresses.clone()).prop_shuffle();
            (Just(scene.clone()), shuffled(scene.tcp), shuffled(scene.udp), addresses).prop_map(
                |(scene, tcp, udp, addresses)| {
                    let [tcp, udp] =
                        [(tcp, &scene.tcp), (udp, &scene.udp)].map(|(new, old)| old.is_some().then_some(new));
                    let other = Self { tcp, udp, addresses, ..scene.clone() };
                    (scene, other)
                },
            )
        })
    }

    /// What the collector makes of it.
    pub(crate) fn sample(&self) -> Sample {
        let mut addresses = Addresses::default();
        for (address, interface) in &self.addresses {
            addresses.add(*address, interface.clone());
        }
        Sample {
            tcp: self.tcp.as_ref().map(|tables| tables.read(false)),
            udp: self.udp.as_ref().map(|tables| tables.read(true)),
            counters: self.counters.clone(),
            addresses,
            ..Sample::default()
        }
    }

    /// Its traffic since boot.
    pub(crate) fn network_stats(&self) -> Option<NetworkStats> {
        self.counters.clone().and_then(|counters| NetworkStats::new(counters, &[]))
    }

    /// Its report.
    pub(crate) fn report<'a>(&self, sample: &'a Sample, style: Style, id: u64) -> Report<'a> {
        let custom = self.custom.as_ref().map(|custom| CustomMetrics::parse(custom.to_string().as_bytes()).unwrap());
        Report::build(sample, Some(&Interfaces::new()), id, custom, &options(style))
    }
}

/// A report in this style, and nothing else out of the ordinary.
pub(crate) fn options(style: Style) -> Options {
    Options { style, names: &LONG, max_bytes: None, exclude_interfaces: Vec::new() }
}

/// Either style.
pub(crate) fn style() -> impl Strategy<Value = Style> {
    select(vec![Style::Plain, Style::Connector])
}

/// A number of at most 15 digits.
pub(crate) fn number() -> impl Strategy<Value = Value> {
    const MOST: i64 = 999_999_999_999_999;
    let decimal = (-MOST..=MOST, 1..=15)
        .prop_map(|(digits, exponent)| serde_json::from_str(&format!("{digits}e-{exponent}")).unwrap());
    prop_oneof![(-MOST..=MOST).prop_map(Value::from), decimal, Just(Value::from(0))]
}

/// Valid custom metrics in the report's own shape.
pub(crate) fn custom_metrics() -> impl Strategy<Value = Value> {
    let text = "[A-Za-z0-9:_/.-]{1,12}";
    let ip = prop_oneof![Ipv4Addr::any().prop_map(IpAddr::V4), Ipv6Addr::any().prop_map(IpAddr::V6)];
    let value = prop_oneof![
        number().prop_map(|number| json!([{ "number": number }])),
        vec(number(), 0..4).prop_map(|list| json!([{ "number_list": list }])),
        vec(text, 0..4).prop_map(|list| json!([{ "string_list": list }])),
        vec(ip, 0..4).prop_map(|list| json!([{ "ip_list": list.iter().map(IpAddr::to_string).collect::<Vec<_>>() }])),
    ];
    btree_map("[A-Za-z0-9_-]{1,9}", value, 0..4).prop_map(|metrics| json!(metrics))
}
