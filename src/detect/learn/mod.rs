//! A security profile that the observed reports conform to, as a start to be edited.
//!
//! | metric | behavior |
//! |---|---|
//! | listening ports | `in-port-set` with every port |
//! | destination addresses | `in-cidr-set` with every address, or the network around it |
//! | numbers of ports and connections | `less-than-equals` the most, with [`traffic::headroom`] |
//! | traffic | `less-than-equals` the most within a time that the reports cover, with the same headroom |
//!
//! No listening port is `less-than-equals 0`, and no connection is `not-in-cidr-set` with all addresses, because nothing
//! says that the service accepts an empty set. A metric that is unknown in every report has no behavior. Custom metrics have
//! none, because the service knows only those that were created in the account.
//!
//! **Traffic** is learned with the sums that [`judge`](super::judge) and [`alarms`](super::alarms) make for it: the limit is
//! above every sum by which the same reports could violate it.
//!
//! Source: AWS IoT API, `CreateSecurityProfile`, `Behavior`, `MetricValue`; AWS IoT Device Defender developer guide,
//! "Device-side metrics", whose examples these behaviors follow; AWS IoT Device Defender endpoints and quotas: at most 100
//! behaviors and 1000 values (counts, addresses, ports) in a profile.

mod output;
mod prefixes;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::judge::{Judgment, Verdict};
use super::measured::Measured;
use super::metric::{Metric, TRAFFIC};
use super::observation::Observation;
use super::profile::DURATIONS;
pub(crate) use output::LearnedProfile;
use output::{LearnedBehavior, Values};
pub(crate) use prefixes::Prefixes;
pub(crate) use traffic::questions;
use traffic::{Traffic, headroom};

/// The most values of all behaviors of a profile.
const MAX_VALUES: usize = 1000;

/// What the reports have of each metric.
#[derive(Debug)]
pub(crate) struct Learner {
    prefixes: Prefixes,
    reports: u64,
    sets: Vec<Learned<Set>>,
    /// The most of each.
    counts: Vec<Learned<u64>>,
    traffic: Vec<Learned<Traffic>>,
}

#[derive(Debug)]
struct Learned<T> {
    metric: Metric,
    seen: T,
    /// The number of reports that have all of the metric.
    complete: u64,
    /// The number of reports that have a part of it.
    incomplete: u64,
    /// Why it was last incomplete or unknown.
    reason: String,
}

#[derive(Debug)]
enum Set {
    Ports(BTreeSet<u16>),
    Networks(BTreeSet<IpNet>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LearnError {
    #[error("more than {MAX_VALUES} destination networks, but a security profile holds at most {MAX_VALUES} values")]
    Networks,
    #[error(
        "{} values (listening ports: {}, destination networks: {}, limits: {}), but a security profile holds at most \
         {MAX_VALUES}", .0.total(), .0.ports, .0.networks, .0.limits
    )]
    Values(Values),
    #[error("nothing to learn: no report has a metric of the service that is complete")]
    Nothing,
}

/// Metrics that are not learned, or not from every report, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lack {
    /// May quote foreign text.
    pub(crate) text: String,
    pub(crate) is_about_traffic: bool,
}

impl LearnError {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Values(values) if values.ports > values.networks => Some(
                "learn from fewer devices, or from reports with fewer ports; a behavior cannot have ranges of ports",
            ),
            Self::Networks | Self::Values(_) => Some(
                "--learn-prefix 24,64 learns networks instead of single addresses; shorter prefixes make fewer of them",
            ),
            Self::Nothing => None,
        }
    }
}

impl Learner {
    pub(crate) fn new(prefixes: Prefixes) -> Self {
        let counts = [Metric::TcpPortCount, Metric::UdpPortCount, Metric::ConnectionCount];
        Self {
            prefixes,
            reports: 0,
            sets: vec![
                Learned::new(Metric::TcpPorts, Set::Ports(BTreeSet::new())),
                Learned::new(Metric::UdpPorts, Set::Ports(BTreeSet::new())),
                Learned::new(Metric::Destinations, Set::Networks(BTreeSet::new())),
            ],
            counts: counts.into_iter().map(|metric| Learned::new(metric, 0)).collect(),
            traffic: TRAFFIC.into_iter().map(|metric| Learned::new(metric, Traffic::default())).collect(),
        }
    }

    /// Takes in a report, with the judgments of [`questions`] on it.
    pub(crate) fn add(&mut self, observation: &Observation, judgments: &[&Judgment<'_>]) -> Result<(), LearnError> {
        self.reports += 1;
        for learned in &mut self.sets {
            if let Some(measured) = learned.measured(observation) {
                learned.seen.add(measured, self.prefixes)?;
            }
        }
        for learned in &mut self.counts {
            if let Some(Measured::Number(number)) = learned.measured(observation) {
                learned.seen = learned.seen.max(number.as_u64().unwrap_or(0));
            }
        }
        for (learned, judgments) in self.traffic.iter_mut().zip(judgments.chunks(DURATIONS.len())) {
            learned.seen.add(judgments);
            if let Some(Verdict::NotJudged(reason)) = judgments.first().map(|judgment| &judgment.verdict) {
                learned.reason.clear();
                learned.reason.push_str(reason);
            }
        }
        Ok(())
    }

    /// The profile, and what it lacks. `name` is its name, if the service accepts that.
    pub(crate) fn finish(self, name: Option<&str>) -> Result<(LearnedProfile, Vec<Lack>), LearnError> {
        let mut behaviors = Vec::new();
        let mut lacks = Lacks::default();
        // Without a port, its number is the behavior.
        let mut forbidden = Vec::new();
        for learned in self.sets.iter().filter(|learned| lacks.check(learned)) {
            match &learned.seen {
                Set::Ports(ports) if ports.is_empty() => forbidden.push(match learned.metric {
                    Metric::UdpPorts => Metric::UdpPortCount,
                    _ => Metric::TcpPortCount,
                }),
                Set::Ports(ports) => behaviors.push(LearnedBehavior::ports(&learned.metric, ports)),
                Set::Networks(networks) => behaviors.push(LearnedBehavior::networks(&learned.metric, networks)),
            }
        }
        for learned in self.counts.iter().filter(|learned| lacks.check(learned)) {
            let limit = if forbidden.contains(&learned.metric) { 0 } else { headroom(learned.seen) };
            behaviors.push(LearnedBehavior::limit(&learned.metric, limit, time_of(&learned.metric)));
        }
        for learned in &self.traffic {
            if let Some((most, duration)) = learned.seen.most() {
                behaviors.push(LearnedBehavior::limit(&learned.metric, headroom(most), Some(duration)));
            } else {
                let reason = learned.seen.wrong_time().unwrap_or_else(|| learned.reason.clone());
                lacks.add(NOT_LEARNED, &reason, &learned.metric);
            }
        }
        if behaviors.is_empty() {
            return Err(LearnError::Nothing);
        }
        let values: Values = behaviors.iter().collect();
        if values.total() > MAX_VALUES {
            return Err(LearnError::Values(values));
        }
        Ok((LearnedProfile::new(name, self.reports, behaviors), lacks.finish()))
    }
}

/// The time of a count that is not summed, as in the examples of the guide.
fn time_of(count: &Metric) -> Option<u64> {
    let [shortest, ..] = DURATIONS;
    (*count != Metric::ConnectionCount).then_some(shortest)
}

impl<T> Learned<T> {
    fn new(metric: Metric, seen: T) -> Self {
        Self { metric, seen, complete: 0, incomplete: 0, reason: String::new() }
    }

    /// What a report has of the metric.
    fn measured<'o>(&mut self, observation: &'o Observation) -> Option<&'o Measured> {
        let (measured, partial) = (observation.get(&self.metric), observation.partial(&self.metric));
        match (measured, partial) {
            (Some(_), None) => self.complete += 1,
            (Some(_), Some(reason)) => {
                self.incomplete += 1;
                reason.clone_into(&mut self.reason);
            }
            (None, reason) => reason.unwrap_or("the report does not have this metric").clone_into(&mut self.reason),
        }
        measured
    }
}

impl Set {
    fn add(&mut self, measured: &Measured, prefixes: Prefixes) -> Result<(), LearnError> {
        match (self, measured) {
            (Self::Ports(set), Measured::Ports(ports)) => set.extend(ports),
            (Self::Networks(set), Measured::Addresses(addresses)) => {
                for network in addresses.iter().filter_map(|address| prefixes.widen(*address)) {
                    set.insert(network);
                    if set.len() > MAX_VALUES {
                        return Err(LearnError::Networks); // any more would only take memory
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

const NOT_LEARNED: &str = "not learned";

/// Metrics, by what is wrong with them and why.
#[derive(Debug, Default)]
struct Lacks<'m>(BTreeMap<(&'static str, String), Vec<&'m Metric>>);

impl<'m> Lacks<'m> {
    fn add(&mut self, what: &'static str, reason: &str, metric: &'m Metric) {
        self.0.entry((what, reason.to_owned())).or_default().push(metric);
    }

    /// Whether a metric is known.
    fn check<T>(&mut self, learned: &'m Learned<T>) -> bool {
        if learned.complete == 0 {
            self.add(NOT_LEARNED, &learned.reason, &learned.metric);
        } else if learned.incomplete > 0 {
            self.add("some reports are incomplete", &learned.reason, &learned.metric);
        }
        learned.complete > 0
    }

    fn finish(self) -> Vec<Lack> {
        let lack = |((what, reason), metrics): ((&str, String), Vec<&Metric>)| {
            let names: Vec<String> = metrics.iter().map(ToString::to_string).collect();
            let is_about_traffic = metrics.iter().all(|metric| metric.is_delta());
            Lack { text: format!("{}: {what}: {reason}", names.join(", ")), is_about_traffic }
        };
        self.0.into_iter().map(lack).collect()
    }
}
