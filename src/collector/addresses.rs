//! Which interface a local address belongs to.
//!
//! The answer must come from the network namespace that the sockets come from. Where that is our own, the system knows
//! exactly ([`super::netlink::addresses`]); for any other, and for a saved copy, tables have to do
//! ([`super::proc::interfaces`]).

use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Interface names by local address; `None`: several interfaces have it, or it is unknown which one.
    by_address: BTreeMap<IpAddr, Option<String>>,
    /// The names of the interfaces that sockets are bound to, by index.
    pub(crate) devices: BTreeMap<u32, String>,
}

impl Addresses {
    /// The interface that has `address`, if exactly one is known to have it. An IPv4-mapped address is looked up as IPv4,
    /// and all of 127.0.0.0/8 belongs to `lo`, as in the kernel.
    pub fn interface(&self, address: IpAddr) -> Option<&str> {
        let address = address.to_canonical();
        match self.by_address.get(&address) {
            None if address.is_loopback() && address.is_ipv4() => Some("lo"),
            assigned => assigned?.as_deref(),
        }
    }

    pub fn assigned(&self, address: IpAddr) -> Option<&str> {
        self.by_address.get(&address)?.as_deref()
    }

    /// The interface with this index, if a socket is bound to it.
    pub(crate) fn device(&self, index: u32) -> Option<&str> {
        self.devices.get(&index).map(String::as_str)
    }

    pub fn add(&mut self, address: IpAddr, interface: String) {
        let assigned = self.by_address.entry(address).or_insert_with(|| Some(interface.clone()));
        if *assigned != Some(interface) {
            *assigned = None;
        }
    }

    /// Adds an address whose interface is not known, whatever else is added.
    pub(crate) fn add_unknown(&mut self, address: IpAddr) {
        self.by_address.insert(address, None);
    }
}
