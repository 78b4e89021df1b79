//! The scales: how many sockets are open while the commands run.

use std::fs;

use crate::process::Result;

/// The number of sockets of each kind, and how to measure with them.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) name: &'static str,
    /// Run by default.
    pub(crate) by_default: bool,
    /// Use the connection hash size of a small device.
    pub(crate) small_hash: bool,
    /// The default number of runs of each command.
    pub(crate) runs: usize,
    /// TCP connections, with two established sockets each.
    pub(crate) connections: u32,
    /// The share of IPv6 among the connections.
    pub(crate) ipv6_percent: u32,
    pub(crate) listeners: u32,
    pub(crate) udp: u32,
}

pub(crate) const SCALES: [Scale; 5] = [
    Scale {
        name: "idle",
        by_default: true,
        small_hash: true,
        runs: 201,
        connections: 5,
        ipv6_percent: 0,
        listeners: 5,
        udp: 5,
    },
    Scale { name: "10k", by_default: true, runs: 51, connections: 4_900, ..LARGE },
    Scale { name: "100k", runs: 15, connections: 49_900, ipv6_percent: 20, ..LARGE },
    Scale { name: "500k", runs: 7, connections: 249_900, ..LARGE },
    Scale { name: "udp", runs: 7, connections: 5, listeners: 5, udp: 15_000, ..LARGE },
];

/// What the large scales share.
const LARGE: Scale = Scale {
    name: "",
    by_default: false,
    small_hash: false,
    runs: 0,
    connections: 0,
    ipv6_percent: 0,
    listeners: 100,
    udp: 100,
};

/// Kernel memory of a socket with its descriptor, rounded up.
const SOCKET_KIB: u64 = 5;

impl Scale {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SCALES.iter().find(|scale| scale.name == name)
    }

    /// The number of all sockets.
    pub(crate) fn sockets(&self) -> u32 {
        2 * self.connections + self.listeners + self.udp
    }

    /// Fails if the machine does not have enough free memory for the sockets.
    pub(crate) fn check_memory(&self) -> Result<()> {
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next());
        let needed = u64::from(self.sockets()) * SOCKET_KIB;
        match available {
            Some(kib) if kib.parse::<u64>()? < needed => {
                Err(format!("{} sockets take {needed} KiB of memory, but only {kib} KiB are free", self.sockets())
                    .into())
            }
            _ => Ok(()),
        }
    }
}
