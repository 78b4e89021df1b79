//! Which interface a local address belongs to.
//!
//! The answer must come from the network namespace that the sockets come from. Where that is our own, the system knows
//! exactly (`getifaddrs(3)`). For any other, and for a saved copy, three files have to do:
//!
//! - `net/if_inet6` lists every IPv6 address with its interface (kernel: `if6_seq_show` in `net/ipv6/addrconf.c`);
//! - `net/fib_trie` lists every local IPv4 address, without its interface (`net/ipv4/fib_trie.c`);
//! - `net/route` lists the routes of the main table with their interface (same file).
//!
//! An IPv4 address is taken to be on the interface of the narrowest network around it that the kernel itself connected
//! when an address was assigned: it then also has the broadcast address of that network in `fib_trie`, which a route
//! made by hand has not. What stays ambiguous is left out, never guessed: an address on two interfaces (link-local ones,
//! as the socket tables carry no scope), two equally narrow networks, an address that only a default route covers.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;

use super::sockets::{Address, Endian};
use super::table::{Excerpt, Line, Malformed, RowError, TableError, for_each_line};

/// Interface names by local address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(BTreeMap<IpAddr, Owner>);

/// Whether one interface has an address, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    One(String),
    Several,
}

/// A directly connected network of the main routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    interface: String,
    destination: u32,
    mask: u32,
}

impl Addresses {
    /// The interface that has `address`, if exactly one is known to. An IPv4-mapped address is looked up as IPv4, and
    /// all of 127.0.0.0/8 belongs to `lo`, as the kernel has it.
    #[must_use]
    pub fn interface(&self, address: IpAddr) -> Option<&str> {
        let address = address.to_canonical();
        let is_loopback = matches!(address, IpAddr::V4(v4) if v4.is_loopback());
        match self.0.get(&address) {
            None if is_loopback => Some("lo"),
            _ => self.assigned(address),
        }
    }

    /// The interface that exactly this address was assigned to, if there is just one.
    #[must_use]
    pub fn assigned(&self, address: IpAddr) -> Option<&str> {
        match self.0.get(&address) {
            Some(Owner::One(name)) => Some(name),
            Some(Owner::Several) | None => None,
        }
    }

    /// Notes that `interface` has `address`.
    pub fn add(&mut self, address: IpAddr, interface: String) {
        let owner = self.0.entry(address).or_insert_with(|| Owner::One(interface.clone()));
        if *owner != Owner::One(interface) {
            *owner = Owner::Several;
        }
    }

    /// The addresses of this process's own network namespace, as the system tells them.
    ///
    /// # Errors
    /// What `getifaddrs` says.
    pub fn of_this_namespace() -> io::Result<Self> {
        let mut addresses = Self::default();
        for entry in getifaddrs()? {
            let Some(address) = entry.address else { continue };
            let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
                (Some(v4), _) => IpAddr::V4(v4.ip()),
                (_, Some(v6)) => IpAddr::V6(v6.ip()),
                _ => continue,
            };
            // An IPv4 address may carry a label, `eth0:1`, where an interface name cannot have a colon.
            let name = entry.interface_name.split(':').next().unwrap_or_default();
            addresses.add(ip, name.to_owned());
        }
        Ok(addresses)
    }

    /// Adds the local IPv4 addresses: those of 127.0.0.0/8, which no route shows, with `lo`; every other one with the
    /// interface of the narrowest network around it.
    pub fn add_by_network(&mut self, trie: &Trie, networks: &[Network]) {
        for &address in &trie.local {
            if address.is_loopback() {
                self.add(IpAddr::V4(address), "lo".to_owned());
                continue;
            }
            let around = |network: &&Network| network.holds(address) && network.is_connected(trie);
            let narrowest = networks.iter().filter(around).map(|network| network.mask).max();
            for network in networks.iter().filter(around).filter(|network| Some(network.mask) == narrowest) {
                if !network.hides_a_narrower_one(address, trie) {
                    self.add(IpAddr::V4(address), network.interface.clone());
                }
            }
        }
    }
}

/// Reads `net/if_inet6` into `addresses`: address, interface index, prefix length, scope, flags (all hexadecimal), name.
/// The file has no header. Returns the rows that were skipped.
///
/// # Errors
/// [`TableError::Read`].
pub fn read_if_inet6(table: impl Read, addresses: &mut Addresses) -> Result<Malformed, TableError> {
    for_each_row(table, 0, |row| {
        let mut columns = row.split(|&b| b == b' ').filter(|column| !column.is_empty());
        let address = columns.next().ok_or(RowError::Missing("address"))?;
        let name = columns.nth(4).ok_or(RowError::Missing("name"))?;
        // Big: these digits are in network order on every machine.
        let ip = Ipv6Addr::from_hex(address, Endian::Big).ok_or_else(|| RowError::column("address", address))?;
        addresses.add(IpAddr::V6(ip), String::from_utf8_lossy(name).into_owned());
        Ok(())
    })
}

/// Reads the directly connected networks out of `net/route`, and the rows that were skipped.
///
/// # Errors
/// [`TableError`] when the header is not this table's, or reading fails.
pub fn read_route(table: impl Read, endian: Endian) -> Result<(Vec<Network>, Malformed), TableError> {
    const UP: u64 = 1; // RTF_UP of the kernel's include/uapi/linux/route.h
    let mut networks = Vec::new();
    let malformed = for_each_row(table, 1, |row| {
        let mut columns = row.split(|&b| b == b'\t').map(<[u8]>::trim_ascii);
        let mut column = |name| columns.next().ok_or(RowError::Missing(name)).map(|text| (name, text));
        let word = |(name, text)| {
            let parsed = Ipv4Addr::from_hex(text, endian).map(Ipv4Addr::to_bits);
            parsed.ok_or_else(|| RowError::column(name, text))
        };
        let interface = column("Iface")?.1;
        if interface.is_empty() {
            return Err(RowError::Missing("Iface"));
        }
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
        if gateway == 0 && flags & UP != 0 && has_device {
            networks.push(Network { interface, destination, mask });
        }
        Ok(())
    })?;
    Ok((networks, malformed))
}

/// The addresses of `net/fib_trie` that matter here, each list sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trie {
    /// The addresses that are this host's own.
    pub local: Vec<Ipv4Addr>,
    /// The broadcast addresses of the networks it is connected to.
    pub broadcast: Vec<Ipv4Addr>,
}

impl Network {
    fn holds(&self, address: Ipv4Addr) -> bool {
        self.mask != 0 && address.to_bits() & self.mask == self.destination
    }

    /// Whether there is a narrower network around `address` that has no route, as one that was assigned with
    /// `noprefixroute`: it shows by its own broadcast address.
    fn hides_a_narrower_one(&self, address: Ipv4Addr, trie: &Trie) -> bool {
        let broadcast = |mask: u32| Ipv4Addr::from_bits(address.to_bits() & mask | !mask);
        let narrower = (0..32).map(|bits| u32::MAX << bits).filter(|mask| *mask > self.mask);
        let others = narrower.map(broadcast).filter(|other| *other != broadcast(self.mask));
        others.into_iter().any(|other| other != address && trie.broadcast.binary_search(&other).is_ok())
    }

    /// Whether the kernel connected it for an assigned address. The smallest networks have no broadcast address.
    fn is_connected(&self, trie: &Trie) -> bool {
        let broadcast = Ipv4Addr::from_bits(self.destination | !self.mask);
        self.mask.count_ones() >= 31 || trie.broadcast.binary_search(&broadcast).is_ok()
    }
}

/// Tells from the network masks in a `net/route` which byte order wrote it: a mask has its ones in front. `None` when no
/// mask decides, as 0.0.0.0 and 255.255.255.255 do not.
pub fn endian_of_route(table: impl Read) -> Option<Endian> {
    let is_mask = |mask: u32| mask.leading_ones().saturating_add(mask.trailing_zeros()) == u32::BITS;
    let (networks, _) = read_route(table, Endian::Big).ok()?;
    networks.iter().find_map(|network| match (is_mask(network.mask), is_mask(network.mask.swap_bytes())) {
        (true, false) => Some(Endian::Big),
        (false, true) => Some(Endian::Little),
        _ => None,
    })
}

/// Reads the local and the broadcast addresses out of `net/fib_trie`: a `/32 host LOCAL` or `/32 link BROADCAST` below
/// its `|-- a.b.c.d`. The file is a drawing for people; lines of any other form are passed over.
///
/// # Errors
/// [`TableError::Read`].
pub fn read_fib_trie(table: impl Read) -> Result<Trie, TableError> {
    let mut trie = Trie::default();
    let mut leaf: Option<Ipv4Addr> = None;
    for_each_line(table, |_, line| {
        let (Line::Whole(line) | Line::Unended(line)) = line else { return Ok(()) };
        match line.trim_ascii() {
            b"/32 host LOCAL" => trie.local.extend(leaf),
            b"/32 link BROADCAST" => trie.broadcast.extend(leaf),
            line => {
                if let Some(address) = line.strip_prefix(b"|-- ") {
                    leaf = std::str::from_utf8(address).ok().and_then(|address| address.parse().ok());
                }
            }
        }
        Ok(())
    })?;
    for list in [&mut trie.local, &mut trie.broadcast] {
        list.sort_unstable();
        list.dedup(); // without policy rules the main and the local table are one, printed twice
    }
    Ok(trie)
}

/// Calls `each` for every row after `headers` header lines, and gathers its errors. The one header there is names
/// `Iface` first (`net/route`).
fn for_each_row(
    table: impl Read,
    headers: u64,
    mut each: impl FnMut(&[u8]) -> Result<(), RowError>,
) -> Result<Malformed, TableError> {
    let mut malformed = Malformed::default();
    for_each_line(table, |number, line| {
        let row = match line {
            Line::Whole(row) => Ok(row),
            Line::Unended(_) => Err(RowError::CutOff),
            Line::TooLong => Err(RowError::TooLong),
        };
        if number <= headers {
            return match row {
                Ok(row) if row.starts_with(b"Iface\tDestination\tGateway \tFlags") => Ok(()),
                row => Err(TableError::Header { line: number, found: Excerpt::new(row.unwrap_or_default()) }),
            };
        }
        if let Err(error) = row.and_then(&mut each) {
            malformed.add(number, error);
        }
        Ok(())
    })?;
    Ok(malformed)
}
