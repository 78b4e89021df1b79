//! Local addresses and their interfaces by `rtnetlink(7)`: a `RTM_GETADDR` dump of `struct ifaddrmsg` with attributes, of the
//! kernel's `include/uapi/linux/if_addr.h`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::net::if_::if_indextoname;
use nix::sys::socket::SockProtocol;

use super::messages::{attributes, field, read_datagram};
use super::{Connection, NetlinkError, read_twice};
use crate::collector::addresses::Addresses;
use crate::collector::proc::tables::MAX_KEPT;

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;

/// Length of `struct ifaddrmsg`; attributes follow.
const LENGTH: usize = 8;
/// The peer's address of a point-to-point interface; else the same as `IFA_LOCAL`, or the only one.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// The addresses in the network namespace of this process. Those of interfaces that vanish meanwhile are left out.
pub(crate) fn read() -> Result<Addresses, NetlinkError> {
    let assigned = read_twice(|| {
        let mut assigned = Vec::new();
        let mut kernel = Connection::open(SockProtocol::NetlinkRoute)?;
        kernel.dump(RTM_GETADDR, &[0; LENGTH], RTM_NEWADDR, |body| {
            add(&mut assigned, body)?;
            (assigned.len() <= MAX_KEPT).then_some(()) // the files have the same bound, and say so
        })?;
        Ok(assigned)
    })?;
    let names = names(&assigned.iter().map(|&(_, index)| index).collect());
    let mut addresses = Addresses::default();
    for (address, index) in assigned {
        if let Some(name) = names.get(&index) {
            addresses.add(address, name.clone());
        }
    }
    Ok(addresses)
}

/// The addresses in one datagram of an answer, with the indexes of their interfaces, whatever it holds.
pub fn read_answer(datagram: &[u8], sequence: u32) -> Result<Vec<(IpAddr, u32)>, NetlinkError> {
    let mut assigned = Vec::new();
    read_datagram(datagram, sequence, RTM_NEWADDR, |body| add(&mut assigned, body))?;
    Ok(assigned)
}

/// Adds the address that a message describes, and the index of its interface; nothing if it is of another protocol than IP.
fn add(assigned: &mut Vec<(IpAddr, u32)>, message: &[u8]) -> Option<()> {
    let (header, rest) = message.split_first_chunk::<LENGTH>()?;
    let index = u32::from_ne_bytes(field(header, 4)?);
    let (mut address, mut local) = (None, None);
    for (kind, content) in attributes(rest) {
        match kind {
            IFA_ADDRESS => address = ip(content),
            IFA_LOCAL => local = ip(content),
            _ => {}
        }
    }
    assigned.extend(local.or(address).map(|ip| (ip, index)));
    Some(())
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|octets| Ipv4Addr::from(octets).into());
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into()))
}

/// The names of these interfaces in the network namespace of this process. Bytes that are not UTF-8 read as U+FFFD.
pub(crate) fn names(indexes: &BTreeSet<u32>) -> BTreeMap<u32, String> {
    let name = |&index: &u32| Some((index, if_indextoname(index).ok()?.to_string_lossy().into_owned()));
    indexes.iter().filter_map(name).collect()
}
