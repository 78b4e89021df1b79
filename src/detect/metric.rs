//! The metrics that a behavior can be about.
//!
//! Source: AWS IoT Device Defender developer guide, "Device-side metrics", "Cloud-side metrics" and "Custom metrics".

use std::fmt;

use serde_json::Number;

use crate::text::nearest;

/// The most characters of a custom metric's name.
pub(crate) const NAME_LENGTH: usize = 128;

/// A metric that is measured on the device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    BytesIn,
    BytesOut,
    PacketsIn,
    PacketsOut,
    TcpPortCount,
    UdpPortCount,
    ConnectionCount,
    TcpPorts,
    UdpPorts,
    /// The remote addresses of the established connections.
    Destinations,
    /// The bytes of the report itself. The service measures every message of the device; here only the report is known.
    MessageSize,
    Custom(String),
}

/// The kind of value of a metric, which decides the operators and values that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// An integer, 0 or more.
    Count,
    Ports,
    Addresses,
    /// Any of the four types of a custom metric. A profile does not name the type; its operator implies it.
    Custom,
}

impl MetricKind {
    pub(super) fn is_set(self) -> bool {
        matches!(self, Self::Ports | Self::Addresses)
    }
}

/// What the name of a metric in a profile stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MetricName {
    DeviceSide(Metric),
    /// A metric of this kind that only the service measures.
    CloudSide(MetricKind),
    /// Neither a metric of the service nor a valid name of a custom metric.
    Unknown,
}

/// The service's metrics that a report carries.
pub(super) static DEVICE_SIDE: [Metric; 11] = [
    Metric::BytesIn,
    Metric::BytesOut,
    Metric::PacketsIn,
    Metric::PacketsOut,
    Metric::TcpPortCount,
    Metric::UdpPortCount,
    Metric::ConnectionCount,
    Metric::TcpPorts,
    Metric::UdpPorts,
    Metric::Destinations,
    Metric::MessageSize,
];

/// The metrics that count what happened since the report before, so that a longer time takes a sum.
pub(crate) const TRAFFIC: [Metric; 4] = [Metric::BytesIn, Metric::BytesOut, Metric::PacketsIn, Metric::PacketsOut];

/// The service's metrics that it measures itself.
const CLOUD_SIDE: [(&str, MetricKind); 7] = [
    ("aws:num-messages-sent", MetricKind::Count),
    ("aws:num-messages-received", MetricKind::Count),
    ("aws:num-authorization-failures", MetricKind::Count),
    ("aws:num-connection-attempts", MetricKind::Count),
    ("aws:num-disconnects", MetricKind::Count),
    ("aws:disconnect-duration", MetricKind::Count),
    ("aws:source-ip-address", MetricKind::Addresses),
];

impl MetricName {
    pub(super) fn parse(name: &str) -> Self {
        if let Some(metric) = DEVICE_SIDE.iter().find(|metric| metric.name() == name) {
            Self::DeviceSide(metric.clone())
        } else if let Some((_, kind)) = CLOUD_SIDE.iter().find(|(known, _)| *known == name) {
            Self::CloudSide(*kind)
        } else if is_name(name) && !name.starts_with("aws:") {
            Self::DeviceSide(Metric::Custom(name.to_owned()))
        } else {
            Self::Unknown
        }
    }
}

/// The metric of the service whose name this one most likely misspells.
pub(super) fn nearest_metric(name: &str) -> Option<&'static str> {
    nearest(name, DEVICE_SIDE.iter().map(Metric::name).chain(CLOUD_SIDE.iter().map(|(known, _)| *known)))
}

/// Whether a text is a valid name of a profile, behavior or custom metric: 1 to 128 of `[a-zA-Z0-9:_-]`.
pub(super) fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-'))
}

impl Metric {
    /// The name, and the unit of one; empty without a unit.
    fn name_and_unit(&self) -> (&str, &'static str) {
        match self {
            Self::BytesIn => ("aws:all-bytes-in", "byte"),
            Self::BytesOut => ("aws:all-bytes-out", "byte"),
            Self::PacketsIn => ("aws:all-packets-in", "packet"),
            Self::PacketsOut => ("aws:all-packets-out", "packet"),
            Self::TcpPortCount => ("aws:num-listening-tcp-ports", "port"),
            Self::UdpPortCount => ("aws:num-listening-udp-ports", "port"),
            Self::ConnectionCount => ("aws:num-established-tcp-connections", "connection"),
            Self::TcpPorts => ("aws:listening-tcp-ports", ""),
            Self::UdpPorts => ("aws:listening-udp-ports", ""),
            Self::Destinations => ("aws:destination-ip-addresses", ""),
            Self::MessageSize => ("aws:message-byte-size", "byte"),
            Self::Custom(name) => (name, ""),
        }
    }

    fn name(&self) -> &str {
        self.name_and_unit().0
    }

    pub(super) fn kind(&self) -> MetricKind {
        match self {
            Self::TcpPorts | Self::UdpPorts => MetricKind::Ports,
            Self::Destinations => MetricKind::Addresses,
            Self::Custom(_) => MetricKind::Custom,
            _ => MetricKind::Count,
        }
    }

    pub(crate) fn is_delta(&self) -> bool {
        TRAFFIC.contains(self)
    }

    /// The unit after this number: ` byte` or ` bytes`; empty for a number without a unit.
    pub(crate) fn unit_of(&self, number: &Number) -> String {
        match self.name_and_unit() {
            (_, "") => String::new(),
            (_, unit) if number.as_u64() == Some(1) => format!(" {unit}"),
            (_, unit) => format!(" {unit}s"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
