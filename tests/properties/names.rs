//! An interface name is given where it is certain, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use device_defender::internals::collector::{
    Addresses, Endian, FibAddresses, Malformed, endian_of_route, read_fib_trie, read_if_inet6, read_route,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::properties::kernel::{Ip, ROUTE_HEADER, endian, interface_name, route_row};
use crate::support::cases;

/// A row of the main routing table.
#[derive(Debug, Clone)]
struct Route {
    iface: String,
    network: Ipv4Addr,
    bits: u32,
    gateway: Option<Ipv4Addr>,
    up: bool,
    /// Whether the kernel made it for an assigned address: the network's broadcast address is in the trie then.
    connected: bool,
}

impl Route {
    fn any() -> impl Strategy<Value = Self> {
        let iface = prop_oneof![select(vec!["eth0", "eth1", "tun0"]).prop_map(str::to_owned), interface_name()];
        let iface = iface.prop_filter("`*` is no name here", |name| name != "*");
        let gateway = prop_oneof![3 => Just(None), 1 => Just(Some(Ipv4Addr::new(192, 0, 2, 1)))];
        let bits = prop_oneof![select(vec![0, 8, 16, 24, 32]), 0..=32_u32];
        (iface, local(), bits, gateway, any::<u8>()).prop_map(|(iface, address, bits, gateway, up)| Self {
            iface,
            network: Ipv4Addr::from(address.to_bits() & mask(bits)),
            bits,
            gateway,
            up: up % 8 > 0,
            connected: up % 3 > 0,
        })
    }

    fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.network.to_bits() | !mask(self.bits))
    }

    /// Whether the network is directly connected and the address is in it. `broadcast` is that of all connected networks.
    fn has(&self, address: Ipv4Addr, broadcast: &[Ipv4Addr]) -> bool {
        self.up
            && (self.bits >= 31 || broadcast.contains(&self.broadcast()))
            && self.gateway.is_none()
            && self.bits > 0
            && address.to_bits() & mask(self.bits) == self.network.to_bits()
    }
}

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits).unwrap_or(0)
}

/// Local addresses that share networks.
fn local() -> impl Strategy<Value = Ipv4Addr> {
    select(["192.0.2.10", "192.0.2.11", "192.0.3.1", "10.1.2.3", "10.1.200.3", "10.200.0.1", "172.16.0.1"].to_vec())
        .prop_map(|text| text.parse().unwrap())
}

/// `net/route` as the kernel writes it.
fn route_table(routes: &[Route], endian: Endian) -> String {
    routes.iter().fold(format!("{ROUTE_HEADER:<127}\n"), |text, route| {
        let flags = u32::from(route.up) | if route.gateway.is_some() { 2 } else { 0 };
        let gateway = route.gateway.unwrap_or(Ipv4Addr::UNSPECIFIED);
        text + &route_row(&route.iface, route.network, gateway, flags, route.bits, endian)
    })
}

/// `net/fib_trie` as the kernel draws it, with both tables.
fn trie(local: &[Ipv4Addr], others: &[Ipv4Addr]) -> String {
    let mut text = String::new();
    for table in ["Main", "Local"] {
        write!(text, "{table}:\n  +-- 0.0.0.0/0 3 0 5\n").unwrap();
        for address in others {
            write!(text, "     |-- {address}\n        /24 link UNICAST\n        /32 link BROADCAST\n").unwrap();
        }
        for address in local {
            write!(text, "        |-- {address}\n           /32 host LOCAL\n").unwrap();
        }
    }
    text
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn an_ipv6_address_belongs_to_the_one_interface_that_has_it(
        rows in vec((Ipv6Addr::any(), interface_name()), 0..12),
    ) {
        let mut text = String::new();
        let mut owners = BTreeMap::<Ipv6Addr, BTreeSet<&str>>::new();
        for (number, (address, name)) in rows.iter().enumerate() {
            let digits = address.digits(Endian::Big).to_lowercase();
            writeln!(text, "{digits} {number:02x} 40 20 80 {name:>8}").unwrap();
            owners.entry(*address).or_default().insert(name);
        }
        let mut addresses = Addresses::default();
        let malformed = read_if_inet6(text.as_bytes(), &mut addresses).unwrap();
        prop_assert_eq!(malformed, Malformed::default());
        for (address, names) in owners.into_iter().filter(|(address, _)| address.to_ipv4_mapped().is_none()) {
            let only = if names.len() == 1 { names.first().copied() } else { None };
            prop_assert_eq!(addresses.interface(IpAddr::V6(address)), only);
        }
    }

    #[test]
    fn an_ipv4_address_belongs_to_the_narrowest_network_unless_two_are_as_narrow(
        routes in vec(Route::any(), 0..12),
        local in vec(local(), 0..5),
        endian in endian(),
    ) {
        let (networks, malformed) = read_route(route_table(&routes, endian).as_bytes(), endian).unwrap();
        prop_assert_eq!(malformed, Malformed::default());
        let mut addresses = Addresses::default();
        let connected = routes.iter().filter(|route| route.connected);
        let broadcast: BTreeSet<_> = connected.map(Route::broadcast).collect();
        let broadcast: Vec<_> = broadcast.into_iter().collect();
        addresses.add_by_network(&FibAddresses { local: local.clone(), broadcast: broadcast.clone(), elsewhere: Vec::new() }, &networks);
        for &address in &local {
            let around: Vec<_> = routes.iter().filter(|route| route.has(address, &broadcast)).collect();
            let narrowest = around.iter().map(|route| route.bits).max();
            let names: BTreeSet<_> =
                around.iter().filter(|route| Some(route.bits) == narrowest).map(|route| route.iface.as_str()).collect();
            let around_with = |bits: u32| Ipv4Addr::from(address.to_bits() | !mask(bits));
            let is_hidden = |bits: u32| broadcast.contains(&around_with(bits)) && around_with(bits) != address;
            let hidden = narrowest.is_some_and(|narrowest| {
                (narrowest + 1..=32).any(|bits| is_hidden(bits) && around_with(bits) != around_with(narrowest))
            });
            let only = if names.len() == 1 && !hidden { names.first().copied() } else { None };
            prop_assert_eq!(addresses.interface(IpAddr::V4(address)), only);
            prop_assert_eq!(addresses.interface(IpAddr::V6(address.to_ipv6_mapped())), only);
        }
    }

    #[test]
    fn the_routes_never_tell_the_wrong_byte_order(routes in vec(Route::any(), 0..12), endian in endian()) {
        let told = endian_of_route(route_table(&routes, endian).as_bytes());
        prop_assert!(told.is_none_or(|told| told == endian), "{:?}", told);
        let telling = |route: &Route| route.up && route.gateway.is_none() && !matches!(route.bits, 0 | 32);
        prop_assert_eq!(told.is_some(), routes.iter().any(telling));
    }

    #[test]
    fn local_and_broadcast_addresses_are_those_the_trie_calls_so(
        local in vec(Ipv4Addr::any(), 0..9),
        others in vec(Ipv4Addr::any(), 0..9),
        elsewhere in vec(Ipv4Addr::any(), 0..9),
    ) {
        let sorted = |list: &[Ipv4Addr]| list.iter().copied().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        let vrf = trie(&elsewhere, &others).replace("Main:", "Id 7:").replace("Local:", "Id 100:");
        for text in [vrf.clone() + &trie(&local, &others), trie(&local, &others) + &vrf] {
            let read = read_fib_trie(text.as_bytes()).unwrap();
            let [local, broadcast, elsewhere] = [&local, &others, &elsewhere].map(|list| sorted(list));
            prop_assert_eq!(read, FibAddresses { local, broadcast, elsewhere });
        }
    }

    #[test]
    fn a_route_without_a_device_names_no_interface(mut routes in vec(Route::any(), 0..4), local in local(), bits in 1..=32_u32) {
        let network = Ipv4Addr::from(local.to_bits() & mask(bits));
        routes.retain(|route| route.iface != "*");
        let star = Route { iface: "*".to_owned(), network, bits, gateway: None, up: true, connected: true };
        let broadcast = vec![star.broadcast()];
        routes.push(star); // blackhole, unreachable
        let (networks, _) = read_route(route_table(&routes, Endian::Little).as_bytes(), Endian::Little).unwrap();
        let mut addresses = Addresses::default();
        addresses.add_by_network(&FibAddresses { local: vec![local], broadcast, elsewhere: Vec::new() }, &networks);
        prop_assert_ne!(addresses.interface(IpAddr::V4(local)), Some("*"));
    }
}

#[test]
fn loopback_belongs_to_lo_and_the_wildcard_to_nobody() {
    let addresses = Addresses::default();
    let interface = |text: &str| addresses.interface(text.parse().unwrap()).map(str::to_owned);
    assert_eq!(interface("127.0.0.1").as_deref(), Some("lo"));
    assert_eq!(interface("127.255.255.254").as_deref(), Some("lo"));
    assert_eq!(interface("::ffff:127.0.0.53").as_deref(), Some("lo"));
    assert_eq!([interface("0.0.0.0"), interface("::"), interface("128.0.0.1"), interface("::2")], [const { None }; 4]);
}
