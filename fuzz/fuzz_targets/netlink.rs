//! The kernel's answer to a dump of sockets or addresses. The sequence number of the first message is taken for ours.
#![no_main]

use std::collections::BTreeSet;

use device_defender::internals::collector::netlink::{read_addresses, read_sockets};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|answer: &[u8]| {
    let sequence = answer.get(8..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_ne_bytes);
    if let Ok(addresses) = read_addresses(answer, sequence) {
        assert!(addresses.len() * 28 <= answer.len(), "a header, a message and an address each");
    }
    let Ok(dump) = read_sockets(answer, sequence) else { return };
    let (v4, v6) = (&dump.sockets.v4, &dump.sockets.v6);
    assert!(v4.is_sorted_by(|a, b| a < b) && v6.is_sorted_by(|a, b| a < b));
    assert!((v4.len() + v6.len() + dump.repeated[0] + dump.repeated[1]) * 88 <= answer.len());
    let devices = v4.iter().map(|socket| socket.device).chain(v6.iter().map(|socket| socket.device));
    assert_eq!(devices.filter(|&device| device > 0).collect::<BTreeSet<_>>(), dump.devices);
});
