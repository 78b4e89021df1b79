//! The report of the zoo against three other readers of the same sockets: `ss`, which asks the kernel by netlink, the
//! crate `procfs`, and, for the interfaces, `ip addr`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use procfs::net::{TcpState, UdpState, dev_status, udp, udp6};
use serde_json::Value;

use crate::netns::program::{collect, connections, counter};
use crate::netns::zoo::{Zoo, tcp_rows};
use crate::support::{NET, in_namespaces, system, tool};

/// What a report says about sockets, and any other reader can be made to say.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Port and interface.
    listening_tcp: BTreeSet<(u64, Option<String>)>,
    /// Port and interface.
    listening_udp: BTreeSet<(u64, Option<String>)>,
    /// Remote end, local port, local interface.
    established: BTreeSet<(String, u64, Option<String>)>,
}

/// The interfaces that have an address.
struct Interfaces(BTreeMap<IpAddr, BTreeSet<String>>);

#[test]
fn ss_and_procfs_see_the_same_sockets_as_the_report() {
    in_namespaces(NET, |_| {
        let _zoo = Zoo::open();
        let [from_kernel, from_files] =
            ["netlink", "proc"].map(|source| Seen::in_report(&collect(&["--source", source])));
        assert!(from_files.established.len() == 14 && from_files.listening_tcp.len() == 14, "{from_files:?}");
        assert_eq!(from_kernel, Seen::by_ss());
        assert_eq!(from_files, Seen::by_procfs());
    });
}

#[test]
fn the_counters_since_boot_lie_between_two_readings_of_procfs() {
    in_namespaces(NET, |_| {
        let _zoo = Zoo::open();
        let before = counters_by_procfs();
        let report = collect(&["--since", "boot"]);
        let after = counters_by_procfs();
        for (name, least, most) in before.iter().zip(&after).map(|((name, least), (_, most))| (name, *least, *most)) {
            let reported = counter(&report, name);
            assert!(least > 0 && (least..=most).contains(&reported), "{name}: {least} <= {reported} <= {most}");
        }
    });
}

/// The four sums over all interfaces.
fn counters_by_procfs() -> BTreeMap<&'static str, u64> {
    let interfaces = dev_status().unwrap();
    assert_eq!(interfaces.len(), 3, "{interfaces:?}");
    BTreeMap::from([
        ("bytes_in", interfaces.values().map(|one| one.recv_bytes).sum()),
        ("bytes_out", interfaces.values().map(|one| one.sent_bytes).sum()),
        ("packets_in", interfaces.values().map(|one| one.recv_packets).sum()),
        ("packets_out", interfaces.values().map(|one| one.sent_packets).sum()),
    ])
}

impl Seen {
    fn in_report(report: &Value) -> Self {
        let name = |entry: &Value, field: &str| entry.get(field).map(|name| name.as_str().unwrap().to_owned());
        let ports = |block: &str| {
            let ports = report["metrics"][block]["ports"].as_array().unwrap();
            ports.iter().map(|entry| (entry["port"].as_u64().unwrap(), name(entry, "interface"))).collect()
        };
        let connection = |entry: &Value| {
            let remote = entry["remote_addr"].as_str().unwrap().to_owned();
            (remote, entry["local_port"].as_u64().unwrap(), name(entry, "local_interface"))
        };
        Self {
            listening_tcp: ports("listening_tcp_ports"),
            listening_udp: ports("listening_udp_ports"),
            established: connections(report).iter().map(connection).collect(),
        }
    }

    fn by_ss() -> Self {
        let interfaces = Interfaces::by_ip();
        let mut seen = Self::default();
        for line in system(tool("ss").args(["-H", "-tuan"])).lines() {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let &[protocol, state, _, _, local, peer] = &columns[..] else { panic!("ss prints: {line}") };
            // The device that a socket is bound to is `%DEVICE` after the address.
            let device = local.split_once('%').and_then(|(_, rest)| Some(rest.split_once(':')?.0.to_owned()));
            let local = socket_address(local);
            let (port, interface) = interfaces.port(local);
            let interface = interface.or(device);
            match (protocol, state) {
                ("tcp", "LISTEN") => drop(seen.listening_tcp.insert((port, interface))),
                ("udp", "UNCONN") => drop(seen.listening_udp.insert((port, interface))),
                ("tcp", "ESTAB") => drop(seen.established.insert((socket_address(peer).to_string(), port, interface))),
                _ => {}
            }
        }
        seen
    }

    fn by_procfs() -> Self {
        let interfaces = Interfaces::by_ip();
        let mut seen = Self::default();
        for row in tcp_rows() {
            let (local, remote) = (canonical(row.local_address), canonical(row.remote_address));
            match row.state {
                TcpState::Listen => drop(seen.listening_tcp.insert(interfaces.port(local))),
                TcpState::Established => drop(seen.established.insert(interfaces.connection(remote, local))),
                _ => {}
            }
        }
        for row in [udp().unwrap(), udp6().unwrap()].concat() {
            if row.state == UdpState::Close {
                seen.listening_udp.insert(interfaces.port(canonical(row.local_address)));
            }
        }
        seen
    }
}

impl Interfaces {
    fn by_ip() -> Self {
        let list: Value = serde_json::from_str(&system(tool("ip").args(["-json", "addr", "show"]))).unwrap();
        let mut interfaces: BTreeMap<IpAddr, BTreeSet<String>> = BTreeMap::new();
        for interface in list.as_array().unwrap() {
            for address in interface["addr_info"].as_array().unwrap() {
                let ip = address["local"].as_str().unwrap().parse().unwrap();
                interfaces.entry(ip).or_default().insert(interface["ifname"].as_str().unwrap().to_owned());
            }
        }
        Self(interfaces)
    }

    /// The interface that has this address, if it is only one.
    fn of(&self, address: SocketAddr) -> Option<String> {
        let names = self.0.get(&address.ip())?;
        names.first().filter(|_| names.len() == 1).cloned()
    }

    fn port(&self, local: SocketAddr) -> (u64, Option<String>) {
        (local.port().into(), self.of(local))
    }

    fn connection(&self, remote: SocketAddr, local: SocketAddr) -> (String, u64, Option<String>) {
        (remote.to_string(), local.port().into(), self.of(local))
    }
}

/// Parses `127.0.0.1:1`, `[::1]:1`, `[fe80::1]%a0:1`, `0.0.0.0%a0:1`, and `*:1`, which stands for a socket of both families.
fn socket_address(text: &str) -> SocketAddr {
    let (host, port) = text.rsplit_once(':').unwrap();
    let host = host.split('%').next().unwrap().trim_matches(['[', ']']);
    let ip = if host == "*" { "::" } else { host };
    canonical(SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap_or(0)))
}

/// IPv4-mapped addresses as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
