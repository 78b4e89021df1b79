//! `--learn-prefix`: how wide the networks around the addresses are.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// The lengths of the networks that addresses are widened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefixes {
    v4: u8,
    v6: u8,
}

impl Default for Prefixes {
    /// Single addresses.
    fn default() -> Self {
        Self { v4: 32, v6: 128 }
    }
}

impl FromStr for Prefixes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = |text: &str, longest| text.parse().ok().filter(|length| (1..=longest).contains(length));
        let lengths =
            text.split_once(',').and_then(|(v4, v6)| Some(Self { v4: length(v4, 32)?, v6: length(v6, 128)? }));
        lengths.ok_or("expected the prefix lengths for IPv4 (1 to 32) and IPv6 (1 to 128), such as 24,64")
    }
}

impl Prefixes {
    /// The network around an address.
    pub(super) fn widen(self, address: IpAddr) -> Option<IpNet> {
        let length = if address.is_ipv4() { self.v4 } else { self.v6 };
        IpNet::new(address, length).ok().map(|network| network.trunc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_two_lengths() {
        assert_eq!("24,64".parse(), Ok(Prefixes { v4: 24, v6: 64 }));
        assert_eq!("32,128".parse(), Ok(Prefixes::default()));
        for text in ["", "24", "24,", ",64", "0,64", "33,64", "24,129", "24,0", "24,64,1", "/24,/64", " 24,64", "-1,64"]
        {
            assert!(text.parse::<Prefixes>().is_err(), "{text}");
        }
    }
}
