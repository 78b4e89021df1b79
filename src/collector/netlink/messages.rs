//! Netlink messages, as `netlink(7)` and the kernel's `include/uapi/linux/netlink.h` lay them out: numbers in the byte order
//! of the machine, everything aligned to 4 bytes.
//!
//! The kernel writes them, but nothing here relies on that: no bytes make these functions panic.
#![warn(clippy::arithmetic_side_effects)]

use nix::errno::Errno;

use super::NetlinkError;

/// `NLM_F_REQUEST | NLM_F_DUMP`: asks for all objects of a kind.
const DUMP: u16 = 0x301;

/// `NLM_F_DUMP_INTR`: the objects changed during the dump, so that some may be missing.
const DUMP_INTERRUPTED: u16 = 0x10;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;

/// `struct nlmsghdr`: length, type, flags, sequence number, port.
const HEADER: usize = 16;

/// A request to dump the objects of a kind; the answer has the same `sequence`.
pub(super) fn dump_request(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len().saturating_add(HEADER)).unwrap_or(u32::MAX);
    let mut request = Vec::with_capacity(body.len().saturating_add(HEADER));
    request.extend(length.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend(sequence.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(body);
    request
}

/// Reads a datagram of the answer to a dump with this `sequence`; calls `each` with the bodies of the messages of this
/// `kind`, which returns `None` if it does not understand one. Messages of other dumps are skipped. Returns whether the dump
/// is complete.
pub(super) fn read_datagram<'a>(
    mut datagram: &'a [u8],
    sequence: u32,
    kind: u16,
    mut each: impl FnMut(&'a [u8]) -> Option<()>,
) -> Result<bool, NetlinkError> {
    while !datagram.is_empty() {
        let (message, rest) = Message::split(datagram).ok_or(NetlinkError::Malformed)?;
        datagram = rest;
        if message.sequence != sequence {
            continue;
        }
        if message.flags & DUMP_INTERRUPTED != 0 {
            return Err(NetlinkError::Inconsistent);
        }
        match message.kind {
            OVERRUN => return Err(NetlinkError::Overrun),
            ERROR | DONE => {
                // A negative number is an error; `DONE` of old kernels has none, or 0.
                let code = field(message.body, 0).map_or(0, i32::from_ne_bytes);
                if let Some(errno) = code.checked_neg().filter(|&errno| errno > 0) {
                    return Err(Errno::from_raw(errno).into());
                }
                if message.kind == DONE {
                    return Ok(true);
                }
            }
            _ if message.kind == kind => each(message.body).ok_or(NetlinkError::Malformed)?,
            _ => {}
        }
    }
    Ok(false)
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Splits off the first message; `None` if it is not whole.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header: &[u8; HEADER] = bytes.first_chunk()?;
        let length = usize::try_from(u32::from_ne_bytes(field(header, 0)?)).ok()?;
        let kind = u16::from_ne_bytes(field(header, 4)?);
        let flags = u16::from_ne_bytes(field(header, 6)?);
        let sequence = u32::from_ne_bytes(field(header, 8)?);
        let body = bytes.get(HEADER..length)?;
        let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((Self { kind, flags, sequence, body }, rest))
    }
}

/// The attributes (`struct rtattr`) in `bytes`, their type and content, up to the first that is not whole.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(field(bytes, 0)?));
        let kind = u16::from_ne_bytes(field(bytes, 2)?);
        let content = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, content))
    })
}

/// The `N` bytes at `offset`.
pub(super) fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
