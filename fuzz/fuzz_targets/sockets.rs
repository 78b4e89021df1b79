//! Arbitrary bytes as a socket table, for both address families and byte orders. The sockets are sorted and distinct, every
//! line is counted, and the result does not depend on the size of reads. Both byte orders find the same rows.
#![no_main]

mod pieces;

use std::net::{Ipv4Addr, Ipv6Addr};

use device_defender::internals::collector::{
    Endian, HexAddress, RowError, Socket, SocketState, SocketTable, TableError, in_state, read,
};
use libfuzzer_sys::fuzz_target;
use pieces::{Pieces, count_lines, steps};

/// Swaps the bytes of every 32-bit word.
trait Swap: HexAddress {
    fn swap(self) -> Self;
}

impl Swap for Ipv4Addr {
    fn swap(self) -> Self {
        Self::from_bits(self.to_bits().swap_bytes())
    }
}

impl Swap for Ipv6Addr {
    fn swap(self) -> Self {
        let mut octets = self.octets();
        octets.chunks_mut(4).for_each(<[u8]>::reverse);
        Self::from(octets)
    }
}

fn outcome<A: HexAddress>(text: &[u8], step: usize, endian: Endian) -> Result<SocketTable<A>, String> {
    read(Pieces(text, step), endian).map_err(|error| {
        assert!(matches!(error, TableError::Empty | TableError::Header { line: 1, .. }), "{error}");
        assert_eq!(text.is_empty(), matches!(error, TableError::Empty));
        error.to_string()
    })
}

fn check_family<A: Swap>(text: &[u8]) {
    let little = outcome::<A>(text, usize::MAX, Endian::Little);
    for step in steps(text) {
        assert_eq!(outcome::<A>(text, step, Endian::Little), little, "with reads of {step} bytes");
    }
    let big = outcome::<A>(text, usize::MAX, Endian::Big);
    let table = match (little, big) {
        (Err(little), Err(big)) => return assert_eq!(little, big),
        (little, big) => {
            let (little, big) = (little.unwrap(), big.unwrap());
            let swap = |&Socket { remote, local, .. }: &Socket<A>| (remote.swap(), local.swap());
            let mut swapped: Vec<Socket<A>> = little.sockets.clone();
            for socket in &mut swapped {
                (socket.remote, socket.local) = swap(socket);
            }
            swapped.sort_unstable();
            assert_eq!(swapped, big.sockets);
            assert_eq!((little.repeated, &little.malformed), (big.repeated, &big.malformed));
            little
        }
    };
    let SocketTable { sockets, repeated, malformed } = table;
    let rows = count_lines(text) - 1;
    assert_eq!(sockets.len() + repeated + usize::try_from(malformed.count).unwrap(), rows);
    assert!(sockets.windows(2).all(|pair| pair[0] < pair[1]), "neither sorted nor distinct: {sockets:?}");
    let by_state: usize = (0..=255).map(|state| in_state(&sockets, SocketState(state)).len()).sum();
    assert_eq!(by_state, sockets.len());

    assert_eq!(u64::try_from(malformed.first.len()).unwrap(), malformed.count.min(5));
    assert!(malformed.first.windows(2).all(|pair| pair[0].0 < pair[1].0));
    for (number, error) in malformed.first {
        let line = text.split(|&b| b == b'\n').nth(usize::try_from(number).unwrap() - 1).unwrap();
        assert_eq!(error == RowError::TooLong, line.len() > 4096, "line {number}: {error}");
        assert!(error.to_string().len() < 400, "{error}");
    }
}

fuzz_target!(|text: &[u8]| {
    check_family::<Ipv4Addr>(text);
    check_family::<Ipv6Addr>(text);
});
