//! Which interface a local address belongs to, from three files, for where the system cannot be asked: other network
//! namespaces and saved copies.
//!
//! - `net/if_inet6` lists every IPv6 address with its interface (kernel: `if6_seq_show` in `net/ipv6/addrconf.c`);
//! - `net/fib_trie` lists every local IPv4 address, without its interface, by routing table (`net/ipv4/fib_trie.c`);
//! - `net/route` lists the routes of the main table with their interface (same file).
//!
//! An IPv4 address is assumed to be on the interface of the narrowest network around it that the kernel itself connected
//! when an address was assigned. Such a network has its broadcast address in `fib_trie`; a route made by hand does not.
//! Ambiguous addresses are left out, never guessed: those on two interfaces (link-local ones, as the socket tables carry
//! no scope), in two equally narrow networks, or covered by a default route only, and those that are local in another
//! routing table than `main` and `local`, as in a VRF, whose routes `net/route` does not list.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::numbers::{Endian, HexAddress};
use super::tables::{MAX_KEPT, Malformed, RowError, TableError, TableLine, for_each_line, interface_name, read_rows};
use crate::collector::addresses::Addresses;

/// A directly connected network of the main routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    interface: String,
    destination: u32,
    mask: u32,
}

impl Addresses {
    /// Adds the local IPv4 addresses: those in 127.0.0.0/8, which have no route, with `lo`; the others with the interface
    /// of the narrowest network around them.
    pub fn add_by_network(&mut self, fib: &FibAddresses, networks: &[Network]) {
        for &address in &fib.elsewhere {
            self.add_unknown(IpAddr::V4(address));
        }
        let mut by_prefix = BTreeMap::new();
        for network in networks.iter().filter(|network| network.is_connected(fib)) {
            let only = by_prefix.entry((network.mask, network.destination)).or_insert(Some(network));
            *only = only.filter(|only| only.interface == network.interface); // two are as narrow
        }
        for &address in &fib.local {
            if address.is_loopback() {
                self.add(IpAddr::V4(address), "lo".to_owned());
                continue;
            }
            let mut masks = (0..32).map(|bits| u32::MAX << bits);
            let narrowest = masks.find_map(|mask| by_prefix.get(&(mask, address.to_bits() & mask)));
            if let Some(Some(network)) = narrowest
                && !network.hides_a_narrower_one(address, fib)
            {
                self.add(IpAddr::V4(address), network.interface.clone());
            }
        }
    }
}

/// Reads `net/if_inet6` into `addresses` and returns the rows that were skipped. The columns are address, interface
/// index, prefix length, scope, flags (all hexadecimal) and name; there is no header.
pub fn read_if_inet6(table: impl Read, addresses: &mut Addresses) -> Result<Malformed, TableError> {
    let no_header = |_: TableLine<'_>| true;
    let mut count = 0_usize;
    let malformed = read_rows(table, 0, no_header, |line| {
        let (address, interface) = parse_if_inet6(line.whole()?)?;
        count = count.saturating_add(1);
        if count <= MAX_KEPT {
            addresses.add(address, interface);
        }
        Ok(())
    })?;
    if count > MAX_KEPT { Err(TableError::TooMany("addresses")) } else { Ok(malformed) }
}

fn parse_if_inet6(row: &[u8]) -> Result<(IpAddr, String), RowError> {
    let mut columns = row.split(|&b| b == b' ').filter(|column| !column.is_empty());
    let address = columns.next().ok_or(RowError::Missing("address"))?;
    let name = interface_name("name", columns.nth(4).unwrap_or_default())?;
    // Unlike in the socket tables, these digits are in network order on every machine.
    let ip = Ipv6Addr::from_hex(address, Endian::Big).ok_or_else(|| RowError::column("address", address))?;
    Ok((IpAddr::V6(ip), String::from_utf8_lossy(name).into_owned()))
}

/// Reads `net/route`: the directly connected networks, and the rows that were skipped. An empty file has none.
pub fn read_route(table: impl Read, endian: Endian) -> Result<(Vec<Network>, Malformed), TableError> {
    const HEADER: &[u8] = b"Iface\tDestination\tGateway \tFlags";
    let mut networks = Vec::new();
    let is_header = |line: TableLine<'_>| line.whole().is_ok_and(|row| row.starts_with(HEADER));
    let malformed = read_rows(table, 1, is_header, |line| {
        let network = parse_route(line.whole()?, endian)?;
        networks.extend(network.filter(|_| networks.len() <= MAX_KEPT));
        Ok(())
    });
    match malformed {
        Ok(_) if networks.len() > MAX_KEPT => Err(TableError::TooMany("networks")),
        Err(TableError::Empty) => Ok(Default::default()),
        malformed => Ok((networks, malformed?)),
    }
}

/// Parses one route; `None` if it does not lead directly to a network.
fn parse_route(row: &[u8], endian: Endian) -> Result<Option<Network>, RowError> {
    const UP: u64 = 1; // RTF_UP of the kernel's include/uapi/linux/route.h
    let mut columns = row.split(|&b| b == b'\t').map(<[u8]>::trim_ascii);
    let mut column = |name| columns.next().ok_or(RowError::Missing(name)).map(|text| (name, text));
    let word = |(name, text)| {
        let parsed = Ipv4Addr::from_hex(text, endian).map(Ipv4Addr::to_bits);
        parsed.ok_or_else(|| RowError::column(name, text))
    };
    let interface = interface_name("Iface", column("Iface")?.1)?;
    let interface = String::from_utf8_lossy(interface).into_owned();
    let destination = word(column("Destination")?)?;
    let gateway = word(column("Gateway")?)?;
    let (_, flags) = column("Flags")?;
    for name in ["RefCnt", "Use", "Metric"] {
        column(name)?;
    }
    let mask = word(column("Mask")?)?;
    let flags_number = std::str::from_utf8(flags).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    let flags = flags_number.ok_or_else(|| RowError::column("Flags", flags))?;
    let has_device = interface != "*"; // an unreachable or blackhole route has none
    let is_direct = gateway == 0 && flags & UP != 0 && has_device;
    Ok(is_direct.then_some(Network { interface, destination, mask }))
}

/// Addresses of `net/fib_trie`, each list sorted and without repetitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FibAddresses {
    pub local: Vec<Ipv4Addr>,
    /// The broadcast addresses of the connected networks.
    pub broadcast: Vec<Ipv4Addr>,
    /// The local addresses of other routing tables.
    pub elsewhere: Vec<Ipv4Addr>,
}

impl Network {
    /// Whether a narrower network around `address` has no route, as when it was assigned with `noprefixroute`. Its
    /// broadcast address gives it away.
    fn hides_a_narrower_one(&self, address: Ipv4Addr, fib: &FibAddresses) -> bool {
        let broadcast = |mask: u32| Ipv4Addr::from_bits(address.to_bits() & mask | !mask);
        let narrower = (0..32).map(|bits| u32::MAX << bits).filter(|mask| *mask > self.mask);
        let others = narrower.map(broadcast).filter(|other| *other != broadcast(self.mask));
        others.into_iter().any(|other| other != address && fib.broadcast.binary_search(&other).is_ok())
    }

    /// Whether the kernel connected it when an address was assigned. /31 and /32 networks have no broadcast address.
    fn is_connected(&self, fib: &FibAddresses) -> bool {
        let broadcast = Ipv4Addr::from_bits(self.destination | !self.mask);
        self.mask.count_ones() >= 31 || fib.broadcast.binary_search(&broadcast).is_ok()
    }
}

/// Finds the byte order of a `net/route` from its network masks, which must begin with their ones. `None` when no mask
/// decides: 0.0.0.0 and 255.255.255.255 read the same both ways.
pub fn endian_of_route(table: impl Read) -> Option<Endian> {
    let is_mask = |mask: u32| mask.leading_ones().saturating_add(mask.trailing_zeros()) == u32::BITS;
    let (networks, _) = read_route(table, Endian::Big).ok()?;
    networks.iter().find_map(|network| match (is_mask(network.mask), is_mask(network.mask.swap_bytes())) {
        (true, false) => Some(Endian::Big),
        (false, true) => Some(Endian::Little),
        _ => None,
    })
}

/// Reads `net/fib_trie`: each `/32 host LOCAL` or `/32 link BROADCAST` applies to the `|-- a.b.c.d` above it. A line
/// without a blank in front, `Main:`, `Local:` or `Id 100:`, begins a routing table. The file is a drawing for people;
/// lines of any other form are ignored.
pub fn read_fib_trie(table: impl Read) -> Result<FibAddresses, TableError> {
    let mut fib = FibAddresses::default();
    let mut leaf: Option<Ipv4Addr> = None;
    let mut is_elsewhere = false;
    for_each_line(table, |_, line| {
        let text = line.text().unwrap_or_default();
        let list = match text.trim_ascii() {
            b"/32 host LOCAL" if is_elsewhere => &mut fib.elsewhere,
            b"/32 host LOCAL" => &mut fib.local,
            b"/32 link BROADCAST" if !is_elsewhere => &mut fib.broadcast,
            line => {
                if let Some(address) = line.strip_prefix(b"|-- ") {
                    leaf = std::str::from_utf8(address).ok().and_then(|address| address.parse().ok());
                } else if text.ends_with(b":") {
                    is_elsewhere = text.starts_with(b"Id ");
                }
                return Ok(());
            }
        };
        list.extend(leaf);
        // Without policy rules the main and the local table are one, printed twice.
        if list.len() > 2 * MAX_KEPT { Err(TableError::TooMany("addresses")) } else { Ok(()) }
    })?;
    for list in [&mut fib.local, &mut fib.broadcast, &mut fib.elsewhere] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(fib)
}
