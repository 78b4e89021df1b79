//! Sockets by `sock_diag(7)`. Requests and answers (`struct inet_diag_msg`) are those of the kernel's
//! `include/uapi/linux/inet_diag.h`.
//!
//! A dump of TCP sockets walks the host's whole hash of connections, used or not, which costs more than the sockets of most
//! devices. `SOCK_DIAG_BY_FAMILY` (`struct inet_diag_req_v2`) needs a walk for IPv4 and one for IPv6; `TCPDIAG_GETSOCK`
//! (`struct inet_diag_req`), which `ss` uses too, returns both from one walk (`inet_diag_dump_compat` in
//! `net/ipv4/inet_diag.c`). It has no form for UDP, whose table is small.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use nix::sys::socket::SockProtocol;

use super::messages::{field, read_datagram};
use super::{Connection, NetlinkError, read_twice};
use crate::collector::Protocol;
use crate::collector::sockets::{Socket, SocketState, Sockets, sort};

const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const IPPROTO_UDP: u8 = 17;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Length of `struct inet_diag_msg`; attributes follow.
const LENGTH: usize = 72;

/// The sockets of one protocol. TCP sockets are those in the states that a report has, ESTABLISHED and LISTEN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketDump {
    /// Sorted, each once.
    pub sockets: Sockets,
    /// How many answers repeated another, of IPv4 and of IPv6 sockets: the kernel can repeat sockets while they change.
    pub repeated: [usize; 2],
    /// The indexes of all interfaces that a socket is bound to.
    pub devices: BTreeSet<u32>,
}

/// Asks the kernel for the sockets of `protocol` in the network namespace of this process.
pub(crate) fn read(protocol: Protocol) -> Result<SocketDump, NetlinkError> {
    let mut dump = read_twice(|| {
        let mut dump = SocketDump::default();
        let mut kernel = Connection::open(SockProtocol::NetlinkSockDiag)?;
        for (kind, request) in requests(protocol) {
            kernel.dump(kind, &request, kind, |body| dump.add(body))?;
        }
        Ok(dump)
    })?;
    dump.finish();
    Ok(dump)
}

/// Reads the sockets in one datagram of an answer, whatever it holds. The kernel's answers take many.
pub fn read_answer(datagram: &[u8], sequence: u32) -> Result<SocketDump, NetlinkError> {
    let mut dump = SocketDump::default();
    read_datagram(datagram, sequence, SOCK_DIAG_BY_FAMILY, |body| dump.add(body))?;
    dump.finish();
    Ok(dump)
}

/// The requests for all sockets of a protocol: the type of the message, which its answers have too, and its body.
fn requests(protocol: Protocol) -> Vec<(u16, Vec<u8>)> {
    /// `struct inet_diag_sockid`, which a dump does not use.
    const ID: [u8; 48] = [0; 48];
    let mask = |states: [SocketState; 2]| states.iter().fold(0_u32, |mask, state| mask | 1 << state.0).to_ne_bytes();
    match protocol {
        Protocol::Tcp => {
            let states = mask([SocketState::ESTABLISHED, SocketState::LISTEN]);
            // The 4 bytes at the end are `idiag_dbs`, which the kernel ignores.
            vec![(TCPDIAG_GETSOCK, [&[0; 4], &ID[..], &states, &[0; 4]].concat())]
        }
        Protocol::Udp => {
            let states = mask([SocketState::ESTABLISHED, SocketState::CLOSE]);
            let request = |family| [&[family, IPPROTO_UDP, 0, 0], &states[..], &ID].concat();
            [AF_INET, AF_INET6].map(|family| (SOCK_DIAG_BY_FAMILY, request(family))).into()
        }
    }
}

impl SocketDump {
    /// Adds the socket that a message describes.
    fn add(&mut self, message: &[u8]) -> Option<()> {
        let message: &[u8; LENGTH] = message.first_chunk()?;
        let [family, state, ..] = *message;
        match family {
            AF_INET => self.sockets.v4.push(socket(message, state, Ipv4Addr::from)?),
            AF_INET6 => self.sockets.v6.push(socket(message, state, Ipv6Addr::from)?),
            _ => return None,
        }
        let device = u32::from_ne_bytes(field(message, 40)?);
        if device > 0 {
            self.devices.insert(device);
        }
        Some(())
    }

    fn finish(&mut self) {
        self.repeated = [sort(&mut self.sockets.v4), sort(&mut self.sockets.v6)];
    }
}

/// The fields of `struct inet_diag_msg`. Ports and addresses are in network order, an IPv4 address is in the first four of its
/// 16 bytes.
fn socket<A, const N: usize>(message: &[u8; LENGTH], state: u8, address: fn([u8; N]) -> A) -> Option<Socket<A>> {
    Some(Socket {
        state: SocketState(state),
        local_port: u16::from_be_bytes(field(message, 4)?),
        remote_port: u16::from_be_bytes(field(message, 6)?),
        local: address(field(message, 8)?),
        remote: address(field(message, 24)?),
        device: u32::from_ne_bytes(field(message, 40)?),
        inode: u32::from_ne_bytes(field(message, 68)?),
    })
}
