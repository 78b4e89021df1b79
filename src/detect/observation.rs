//! What one report tells, as measured values by metric. A metric that is not there is unknown, which is not the same as
//! an empty list.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Number;

use super::judge::Doubt;
use super::measured::Measured;
use super::metric::Metric;
use crate::collector::counters::Counters;
use crate::report::custom::{CustomMetrics, CustomNumber, CustomValue};
use crate::report::{Ports, Report};

/// The ids that are a time in seconds since 1970: of the years 2001 to 5138. Some agents take milliseconds.
const TIMES: std::ops::Range<u64> = 1_000_000_000..100_000_000_000;

/// What one report tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// Its id; `None` when it has none that is a positive integer.
    pub report_id: Option<u64>,
    /// What could not be understood. May quote foreign text.
    pub problems: Vec<String>,
    measured: BTreeMap<Metric, Measured>,
    /// Why a measurement is not all there is, by metric.
    partial: BTreeMap<Metric, String>,
}

impl Observation {
    /// What `report` tells. Its lists must not be cut, and addresses not in another agent's style.
    #[must_use]
    pub fn of_report(report: &Report<'_>) -> Self {
        let mut seen = Self { report_id: Some(report.report_id), ..Self::default() };
        seen.add_listening(Metric::TcpPortCount, Metric::TcpPorts, report.listening_tcp_ports.as_ref());
        seen.add_listening(Metric::UdpPortCount, Metric::UdpPorts, report.listening_udp_ports.as_ref());
        if let Some(connections) = &report.established_connections {
            let remotes: BTreeSet<IpAddr> = connections.iter().map(|connection| connection.remote.ip()).collect();
            seen.add(Metric::ConnectionCount, Measured::count(connections.total));
            seen.add(Metric::Destinations, Measured::Addresses(remotes));
        }
        if let Some(stats) = &report.network_stats {
            let Counters { bytes_in, packets_in, bytes_out, packets_out } = stats.sum;
            seen.add(Metric::BytesIn, Measured::count(bytes_in));
            seen.add(Metric::BytesOut, Measured::count(bytes_out));
            seen.add(Metric::PacketsIn, Measured::count(packets_in));
            seen.add(Metric::PacketsOut, Measured::count(packets_out));
        }
        for (name, value) in report.custom_metrics.iter().flat_map(CustomMetrics::iter) {
            if let Some(measured) = custom(value) {
                seen.add(Metric::Custom(name.to_owned()), measured);
            }
        }
        seen
    }

    fn add_listening(&mut self, count: Metric, set: Metric, ports: Option<&Ports<'_>>) {
        if let Some(ports) = ports {
            self.add(count, Measured::count(ports.total));
            self.add(set, Measured::Ports(ports.ports.iter().map(|port| port.port).collect()));
        }
    }

    /// Adds a measurement.
    pub fn add(&mut self, metric: Metric, measured: Measured) {
        self.measured.insert(metric, measured);
    }

    /// Notes that the list of a metric, or what it counts, is not all there is.
    pub fn add_partial(&mut self, metric: Metric, reason: String) {
        self.partial.insert(metric, reason);
    }

    /// What was measured; `None` when that is unknown.
    #[must_use]
    pub fn get(&self, metric: &Metric) -> Option<&Measured> {
        self.measured.get(metric)
    }

    /// The same for a metric that is counted, as a number.
    #[must_use]
    pub fn count(&self, metric: &Metric) -> Option<u64> {
        match self.get(metric) {
            Some(Measured::Number(number)) => number.as_u64(),
            _ => None,
        }
    }

    /// The time that its id is; `None` when it cannot be one in seconds, such as an id in milliseconds.
    #[must_use]
    pub fn time(&self) -> Option<u64> {
        self.report_id.filter(|id| TIMES.contains(id))
    }

    /// What keeps the measurement of a metric from being all there is.
    #[must_use]
    pub fn doubt(&self, metric: &Metric) -> Doubt {
        Doubt { lacks: self.partial.get(metric).cloned(), exceeds: None }
    }
}

/// A custom metric of ours; `None` for a number that is none, which our own checks keep out.
fn custom(value: &CustomValue) -> Option<Measured> {
    let number = |number: &CustomNumber| match *number {
        CustomNumber::Integer(integer) => Some(Number::from(integer)),
        CustomNumber::Float(float) => Number::from_f64(float),
    };
    Some(match value {
        CustomValue::Number(value) => Measured::Number(number(value)?),
        CustomValue::NumberList(list) => Measured::Numbers(list.iter().map(number).collect::<Option<_>>()?),
        CustomValue::StringList(list) => Measured::Strings(list.clone()),
        CustomValue::IpList(list) => Measured::Addresses(list.iter().map(IpAddr::to_canonical).collect()),
    })
}
