//! The metrics that a behaviour can be about.
//!
//! Source: AWS IoT Device Defender developer guide, "Device-side metrics", "Cloud-side metrics" and "Custom metrics".

use std::fmt;

use serde_json::Number;

/// What begins the names of the service's own metrics, and of no custom one.
const OURS: &str = "aws:";

/// The most characters of a custom metric's name.
const NAME_LENGTH: usize = 128;

/// A metric that a report tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// `aws:all-bytes-in`: bytes received.
    BytesIn,
    /// `aws:all-bytes-out`: bytes sent.
    BytesOut,
    /// `aws:all-packets-in`: packets received.
    PacketsIn,
    /// `aws:all-packets-out`: packets sent.
    PacketsOut,
    /// `aws:num-listening-tcp-ports`.
    TcpPortCount,
    /// `aws:num-listening-udp-ports`.
    UdpPortCount,
    /// `aws:num-established-tcp-connections`.
    ConnectionCount,
    /// `aws:listening-tcp-ports`.
    TcpPorts,
    /// `aws:listening-udp-ports`.
    UdpPorts,
    /// `aws:destination-ip-addresses`: the addresses at the other end of the established connections.
    Destinations,
    /// `aws:message-byte-size`: the bytes of the report itself. The service measures every message; of those, this is
    /// the one that is known here.
    MessageSize,
    /// A metric that the user defined, by its name.
    Custom(String),
}

/// What kind of value a metric has, which decides the operators and values that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number of things: an integer, 0 or more.
    Count,
    /// Ports.
    Ports,
    /// IP addresses.
    Addresses,
    /// One of the four kinds of a custom metric. A profile does not say which; its operator does.
    Custom,
}

/// What the name of a metric in a profile stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A metric that a report tells.
    Known(Metric),
    /// A metric of this kind that only the service can measure.
    CloudSide(Kind),
    /// No metric of the service, and no name that a custom one can have.
    Unknown,
}

/// The service's metrics that a report tells, by name.
const DEVICE_SIDE: [(&str, Metric); 11] = [
    ("aws:all-bytes-in", Metric::BytesIn),
    ("aws:all-bytes-out", Metric::BytesOut),
    ("aws:all-packets-in", Metric::PacketsIn),
    ("aws:all-packets-out", Metric::PacketsOut),
    ("aws:num-listening-tcp-ports", Metric::TcpPortCount),
    ("aws:num-listening-udp-ports", Metric::UdpPortCount),
    ("aws:num-established-tcp-connections", Metric::ConnectionCount),
    ("aws:listening-tcp-ports", Metric::TcpPorts),
    ("aws:listening-udp-ports", Metric::UdpPorts),
    ("aws:destination-ip-addresses", Metric::Destinations),
    ("aws:message-byte-size", Metric::MessageSize),
];

/// The service's metrics that it measures itself.
const CLOUD_SIDE: [(&str, Kind); 7] = [
    ("aws:num-messages-sent", Kind::Count),
    ("aws:num-messages-received", Kind::Count),
    ("aws:num-authorization-failures", Kind::Count),
    ("aws:num-connection-attempts", Kind::Count),
    ("aws:num-disconnects", Kind::Count),
    ("aws:disconnect-duration", Kind::Count),
    ("aws:source-ip-address", Kind::Addresses),
];

impl Named {
    /// Looks a name up.
    #[must_use]
    pub fn find(name: &str) -> Self {
        if let Some((_, metric)) = DEVICE_SIDE.iter().find(|(known, _)| *known == name) {
            return Self::Known(metric.clone());
        }
        if let Some((_, kind)) = CLOUD_SIDE.iter().find(|(known, _)| *known == name) {
            return Self::CloudSide(*kind);
        }
        if is_name(name) && !name.starts_with(OURS) {
            return Self::Known(Metric::Custom(name.to_owned()));
        }
        Self::Unknown
    }
}

/// The name of the service's metric that is most like this one, if any is.
#[must_use]
pub fn nearest_metric(name: &str) -> Option<&'static str> {
    let device_side = DEVICE_SIDE.iter().map(|(known, _)| *known);
    nearest(name, device_side.chain(CLOUD_SIDE.iter().map(|(known, _)| *known)))
}

/// The known name that a misspelt one is most like, if it is like any.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    const MISSPELT: usize = 4;
    let most = MISSPELT.min(name.len().checked_div(3).unwrap_or_default());
    let distance = |known: &&str| strsim::damerau_levenshtein(known, name);
    known.filter(|_| name.len() <= NAME_LENGTH).min_by_key(distance).filter(|known| distance(known) <= most)
}

/// Whether a text is a name as profiles, behaviours and custom metrics have it: 1 to 128 of `[a-zA-Z0-9:_-]`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-'))
}

impl Metric {
    /// The kind of its values.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::TcpPorts | Self::UdpPorts => Kind::Ports,
            Self::Destinations => Kind::Addresses,
            Self::Custom(_) => Kind::Custom,
            _ => Kind::Count,
        }
    }

    /// Whether a report tells what happened since the one before, so that a longer time takes a sum.
    #[must_use]
    pub fn is_delta(&self) -> bool {
        matches!(self, Self::BytesIn | Self::BytesOut | Self::PacketsIn | Self::PacketsOut)
    }

    /// What is counted, as it stands after this number: ` byte` or ` bytes`; empty where the number stands alone.
    #[must_use]
    pub fn unit_of(&self, number: &Number) -> String {
        let unit = match self {
            Self::BytesIn | Self::BytesOut | Self::MessageSize => " byte",
            Self::PacketsIn | Self::PacketsOut => " packet",
            Self::TcpPortCount | Self::UdpPortCount => " port",
            Self::ConnectionCount => " connection",
            Self::TcpPorts | Self::UdpPorts | Self::Destinations | Self::Custom(_) => return String::new(),
        };
        format!("{unit}{}", if number.as_u64() == Some(1) { "" } else { "s" })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Custom(name) = self {
            return f.write_str(name);
        }
        let name = DEVICE_SIDE.iter().find(|(_, metric)| metric == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}
