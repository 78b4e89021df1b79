//! Which interface a local address belongs to.
//!
//! The answer must come from the network namespace that the sockets come from. Where that is our own, the system knows
//! exactly; for any other, and for a saved copy, tables have to do ([`super::proc::interfaces`]).

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

/// Interface names by local address; `None`: several interfaces have it, or it is unknown which one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(BTreeMap<IpAddr, Option<String>>);

impl Addresses {
    /// The interface that has `address`, if exactly one is known to have it. An IPv4-mapped address is looked up as IPv4,
    /// and all of 127.0.0.0/8 belongs to `lo`, as in the kernel.
    pub fn interface(&self, address: IpAddr) -> Option<&str> {
        let address = address.to_canonical();
        match self.0.get(&address) {
            None if address.is_loopback() && address.is_ipv4() => Some("lo"),
            assigned => assigned?.as_deref(),
        }
    }

    pub fn assigned(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address)?.as_deref()
    }

    pub fn add(&mut self, address: IpAddr, interface: String) {
        let assigned = self.0.entry(address).or_insert_with(|| Some(interface.clone()));
        if *assigned != Some(interface) {
            *assigned = None;
        }
    }

    /// Adds an address whose interface is not known, whatever else is added.
    pub(crate) fn add_unknown(&mut self, address: IpAddr) {
        self.0.insert(address, None);
    }

    pub(crate) fn of_this_namespace() -> io::Result<Self> {
        let mut addresses = Self::default();
        for entry in getifaddrs()? {
            let Some(address) = entry.address else { continue };
            let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
                (Some(v4), _) => IpAddr::V4(v4.ip()),
                (_, Some(v6)) => IpAddr::V6(v6.ip()),
                _ => continue,
            };
            // An IPv4 address may carry a label, `eth0:1`; an interface name has no colon.
            let name = entry.interface_name.split(':').next().unwrap_or_default();
            addresses.add(ip, name.to_owned());
        }
        Ok(addresses)
    }
}
