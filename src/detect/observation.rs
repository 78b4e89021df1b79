//! The measured values of one report, by metric. A metric that is missing is unknown, unlike an empty list.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Number;

use super::measured::Measured;
use super::metric::{DEVICE_SIDE, Metric, TRAFFIC};
use crate::collector::counters::Counters;
use crate::report::custom::{CustomMetrics, CustomNumber, CustomValue};
use crate::report::{Ports, Report};

/// The ids that are a time in seconds since 1970, in the years 2001 to 5138. Some agents write milliseconds.
const TIMES: std::ops::Range<u64> = 1_000_000_000..100_000_000_000;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// `None` unless it is a positive integer.
    pub report_id: Option<u64>,
    /// The parts of the report that could not be parsed. May quote foreign text.
    pub problems: Vec<String>,
    /// Why the service would not accept the report.
    pub rejections: Vec<Rejection>,
    /// The metrics of the service. They are few, so that a search takes less time than a map.
    measured: Vec<(Metric, Measured)>,
    custom: BTreeMap<String, Measured>,
    partial: BTreeMap<Metric, String>,
}

/// A reason for which the service rejects a report that can be judged all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    #[error("has no `header`")]
    NoHeader,
    #[error("has no `report_id` in its header")]
    NoReportId,
    #[error("has no `version`, a string, in its header")]
    NoVersion,
    #[error("has a custom metric that is not in a list, [{{\"TYPE\": VALUE}}]")]
    BareCustomMetric,
}

impl Observation {
    /// Takes the values of `report`. Its lists must be complete, its addresses in [`Style::Plain`](crate::report::Style).
    pub(crate) fn of_report(report: &Report<'_>) -> Self {
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
            for (metric, count) in TRAFFIC.into_iter().zip([bytes_in, bytes_out, packets_in, packets_out]) {
                seen.add(metric, Measured::count(count));
            }
        }
        let custom_metrics = report.custom_metrics.iter().flat_map(CustomMetrics::iter);
        seen.custom.extend(custom_metrics.filter_map(|(name, value)| Some((name.to_owned(), custom(value)?))));
        seen
    }

    /// Nothing yet, with room for every metric of the service.
    pub(super) fn with_room() -> Self {
        Self { measured: Vec::with_capacity(DEVICE_SIDE.len()), ..Self::default() }
    }

    fn add_listening(&mut self, count: Metric, set: Metric, ports: Option<&Ports<'_>>) {
        if let Some(ports) = ports {
            self.add(count, Measured::count(ports.total));
            self.add(set, Measured::Ports(ports.ports.iter().map(|port| port.port).collect()));
        }
    }

    pub(crate) fn add(&mut self, metric: Metric, measured: Measured) {
        match metric {
            Metric::Custom(name) => drop(self.custom.insert(name, measured)),
            metric => match self.measured.iter_mut().find(|(known, _)| *known == metric) {
                Some((_, known)) => *known = measured,
                None => self.measured.push((metric, measured)),
            },
        }
    }

    /// Notes why the list or count of a metric is incomplete, or why the metric is unknown.
    pub(crate) fn add_partial(&mut self, metric: Metric, reason: String) {
        self.partial.insert(metric, reason);
    }

    pub fn get(&self, metric: &Metric) -> Option<&Measured> {
        match metric {
            Metric::Custom(name) => self.custom.get(name),
            metric => self.measured.iter().find_map(|(known, measured)| (known == metric).then_some(measured)),
        }
    }

    pub(super) fn count(&self, metric: &Metric) -> Option<u64> {
        let Measured::Number(number) = self.get(metric)? else { return None };
        number.as_u64()
    }

    /// The time of the report in seconds since 1970; `None` if its id cannot be one, as in milliseconds.
    pub(crate) fn time(&self) -> Option<u64> {
        self.report_id.filter(|id| TIMES.contains(id))
    }

    /// Whether the measurement of any metric is incomplete, or is missing for a known reason.
    pub(crate) fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Why the measurement of a metric is incomplete or missing.
    pub fn partial(&self, metric: &Metric) -> Option<&str> {
        self.partial.get(metric).map(String::as_str)
    }
}

/// `None` for a number that JSON does not have, which [`CustomMetrics`] refuses.
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
