//! The kernel's answers to dumps of sockets and addresses: as it writes them, cut, mixed with those of others, and damaged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use device_defender::internals::collector::netlink::{read_addresses, read_sockets};
use device_defender::internals::collector::{NetlinkError, Socket, Sockets, read};
use nix::errno::Errno;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::kernel::{Ip, Layout, socket};
use crate::support::cases;

const OURS: u32 = 1;
const SOCKET: u16 = 20;
const NEW_ADDRESS: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
const MULTI: u16 = 2;
const INTERRUPTED: u16 = 0x10;

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let numbers =
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &sequence.to_ne_bytes(), &[0; 4]];
    padded([&numbers.concat()[..], body].concat())
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + content.len()).unwrap();
    padded([&length.to_ne_bytes()[..], &kind.to_ne_bytes(), content].concat())
}

/// The message about a socket that is bound to the interface `device`, with an attribute as kernels add them.
fn socket_message<A: Ip + Into<IpAddr>>(socket: &Socket<A>, device: u32) -> Vec<u8> {
    let family = if socket.local.into().is_ipv4() { 2 } else { 10 };
    let [local, remote] = [socket.local, socket.remote].map(|ip| {
        let mut octets = octets(ip.into());
        octets.resize(16, 0);
        octets
    });
    let fields = [
        &[family, socket.state.0, 0, 0][..],
        &socket.local_port.to_be_bytes(),
        &socket.remote_port.to_be_bytes(),
        &local,
        &remote,
        &device.to_ne_bytes(),
        &[0xee; 24], // cookie, expiry, queues, user
        &socket.inode.to_ne_bytes(),
        &attribute(8, &[0]),
    ];
    message(SOCKET, MULTI, OURS, &fields.concat())
}

fn address_message(sequence: u32, index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let body = [&[2, 24, 0, 0][..], &index.to_ne_bytes(), &attributes.concat()].concat();
    message(NEW_ADDRESS, MULTI, sequence, &body)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The same sockets, read from a file as the kernel writes it, and how many were repeated.
fn of_files<A: Ip>(sockets: &[Socket<A>], device: u32) -> (Vec<Socket<A>>, usize) {
    let layout = Layout::native::<A>(false);
    let table = read(layout.table(sockets).as_bytes(), layout.endian).unwrap();
    (table.sockets.into_iter().map(|socket| Socket { device, ..socket }).collect(), table.repeated)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn the_same_sockets_are_read_from_the_kernel_and_from_files(
        v4 in vec(socket::<Ipv4Addr>(), 0..20),
        v6 in vec(socket::<Ipv6Addr>(), 0..20),
        device in 0..3_u32,
    ) {
        let answer: Vec<u8> = v4.iter().map(|socket| socket_message(socket, device))
            .chain(v6.iter().map(|socket| socket_message(socket, device)))
            .flatten().collect();
        let dump = read_sockets(&answer, OURS).unwrap();
        let is_bound = device > 0 && !answer.is_empty();
        prop_assert_eq!(&dump.devices, &is_bound.then_some(device).into_iter().collect());

        let ((v4, repeated), (v6, repeated6)) = (of_files(&v4, device), of_files(&v6, device));
        prop_assert_eq!(dump.sockets, Sockets { v4, v6 });
        prop_assert_eq!(dump.repeated, [repeated, repeated6]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300), sequence in any::<u32>()) {
        drop((read_sockets(&bytes, sequence), read_addresses(&bytes, sequence)));
    }

    /// Damage that leaves most of an answer as it is gets further than any bytes do.
    #[test]
    fn no_damage_makes_it_panic(
        sockets in vec(socket::<Ipv6Addr>(), 1..4),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut answer: Vec<u8> = sockets.iter().flat_map(|socket| socket_message(socket, 1)).collect();
        answer.extend(address_message(OURS, 1, &[attribute(1, &[1; 16]), attribute(2, &[1; 4])]));
        for (at, byte) in damage {
            let at = at.index(answer.len());
            answer[at] = byte;
        }
        drop((read_sockets(&answer, OURS), read_addresses(&answer, OURS)));
    }

    #[test]
    fn an_answer_that_is_cut_is_never_taken_for_a_whole_one(
        sockets in vec(socket::<Ipv4Addr>(), 1..4),
        at in any::<Index>(),
    ) {
        let messages: Vec<_> = sockets.iter().map(|socket| socket_message(socket, 0)).collect();
        let answer = messages.concat();
        let cut = at.index(answer.len());
        let dump = read_sockets(&answer[..cut], OURS);
        if cut.is_multiple_of(messages[0].len()) {
            let whole = cut / messages[0].len();
            prop_assert_eq!(dump, read_sockets(&messages[..whole].concat(), OURS));
        } else {
            prop_assert_eq!(dump, Err(NetlinkError::Malformed));
        }
    }

    #[test]
    fn messages_of_others_change_nothing(
        ours in vec(socket::<Ipv4Addr>(), 0..4),
        (kind, flags, body) in (any::<u16>(), any::<u16>(), vec(any::<u8>(), 0..100)),
        sequence in any::<u32>().prop_filter("foreign", |&sequence| sequence != OURS),
        at in any::<Index>(),
    ) {
        let mut messages: Vec<_> = ours.iter().map(|socket| socket_message(socket, 0)).collect();
        let expected = read_sockets(&messages.concat(), OURS);
        messages.insert(at.index(messages.len() + 1), message(kind, flags, sequence, &body));
        prop_assert_eq!(read_sockets(&messages.concat(), OURS), expected);
    }
}

#[test]
fn the_kernel_can_refuse_and_lose_and_interrupt() {
    let refused = |errno: Errno| (-(errno as i32)).to_ne_bytes();
    for (kind, flags, body, expected) in [
        (ERROR, 0, refused(Errno::ENOENT), Err(NetlinkError::Refused(Errno::ENOENT))),
        (DONE, MULTI, refused(Errno::EINVAL), Err(NetlinkError::Refused(Errno::EINVAL))),
        (ERROR, 0, refused(Errno::ENOBUFS), Err(NetlinkError::Overrun)),
        (OVERRUN, 0, [0; 4], Err(NetlinkError::Overrun)),
        (DONE, MULTI | INTERRUPTED, [0; 4], Err(NetlinkError::Inconsistent)),
        (ERROR, 0, [0; 4], Ok(())), // an acknowledgment
        (DONE, MULTI, [0; 4], Ok(())),
        (ERROR, 0, i32::MIN.to_ne_bytes(), Ok(())), // has no positive counterpart, and is no error number
    ] {
        let answer = message(kind, flags, OURS, &body);
        assert_eq!(read_sockets(&answer, OURS).map(drop), expected, "{kind} {flags} {body:?}");
        assert_eq!(read_addresses(&answer, OURS).map(drop), expected, "{kind} {flags} {body:?}");
    }
}

#[test]
fn the_local_end_of_a_point_to_point_interface_is_its_address() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let (own, peer) = (octets(ip("10.0.0.1")), octets(ip("10.0.0.2")));
    let answer = [
        address_message(OURS, 3, &[attribute(1, &peer), attribute(2, &own), attribute(3, b"ppp0\0")]),
        address_message(OURS, 4, &[attribute(1, &octets(ip("fe80::1")))]),
        address_message(2, 5, &[attribute(1, &own)]),
        message(DONE, MULTI, OURS, &[0; 4]),
        address_message(OURS, 6, &[attribute(1, &own)]),
    ];
    assert_eq!(read_addresses(&answer.concat(), OURS).unwrap(), [(ip("10.0.0.1"), 3), (ip("fe80::1"), 4)]);
    let of_another_protocol = address_message(OURS, 3, &[attribute(2, &[8])]);
    assert_eq!(read_addresses(&of_another_protocol, OURS), Ok(Vec::new()));
}
