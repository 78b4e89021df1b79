//! The learned profile, in the form of `create-security-profile --cli-input-json`.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::Serialize;
use serde_json::{Value, json};

use crate::detect::metric::{Metric, is_name};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LearnedProfile {
    security_profile_name: String,
    security_profile_description: String,
    behaviors: Vec<LearnedBehavior>,
}

#[derive(Debug, Serialize)]
pub(super) struct LearnedBehavior {
    name: String,
    metric: String,
    criteria: LearnedCriteria,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LearnedCriteria {
    comparison_operator: &'static str,
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_datapoints_to_alarm: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_datapoints_to_clear: Option<u8>,
}

/// The number of values of all behaviors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Values {
    pub(super) ports: usize,
    pub(super) networks: usize,
    pub(super) limits: usize,
}

impl Values {
    pub(super) fn total(self) -> usize {
        self.ports + self.networks + self.limits
    }
}

impl<'b> FromIterator<&'b LearnedBehavior> for Values {
    fn from_iter<I: IntoIterator<Item = &'b LearnedBehavior>>(behaviors: I) -> Self {
        let mut values = Self::default();
        for LearnedBehavior { criteria: LearnedCriteria { value, .. }, .. } in behaviors {
            let length = |name| value.get(name).and_then(Value::as_array).map_or(0, Vec::len);
            values.ports += length("ports");
            values.networks += length("cidrs");
            values.limits += usize::from(value.get("count").is_some());
        }
        values
    }
}

impl LearnedProfile {
    /// The name is used if the service accepts it.
    pub(super) fn new(name: Option<&str>, reports: u64, behaviors: Vec<LearnedBehavior>) -> Self {
        let s = if reports == 1 { "" } else { "s" };
        Self {
            security_profile_name: name.filter(|name| is_name(name)).unwrap_or("learned").to_owned(),
            security_profile_description: format!(
                "Learned from {reports} report{s} by device-defender detect --learn. A start: edit before use."
            ),
            behaviors,
        }
    }
}

impl LearnedBehavior {
    pub(super) fn ports(metric: &Metric, ports: &BTreeSet<u16>) -> Self {
        Self::new(metric, "in-port-set", json!({ "ports": ports }))
    }

    pub(super) fn networks(metric: &Metric, networks: &BTreeSet<IpNet>) -> Self {
        if networks.is_empty() {
            return Self::new(metric, "not-in-cidr-set", json!({ "cidrs": ["0.0.0.0/0", "::/0"] }));
        }
        let cidrs: Vec<String> = networks.iter().map(IpNet::to_string).collect();
        Self::new(metric, "in-cidr-set", json!({ "cidrs": cidrs }))
    }

    /// A limit within a time. The first report above it raises the alarm, and the first below it clears it: the defaults, as
    /// a start to be edited.
    pub(super) fn limit(metric: &Metric, limit: u64, duration: Option<u64>) -> Self {
        let mut behavior = Self::new(metric, "less-than-equals", json!({ "count": limit }));
        behavior.criteria.duration_seconds = duration;
        behavior.criteria.consecutive_datapoints_to_alarm = Some(1);
        behavior.criteria.consecutive_datapoints_to_clear = Some(1);
        behavior
    }

    fn new(metric: &Metric, operator: &'static str, value: Value) -> Self {
        let metric = metric.to_string();
        Self {
            name: metric.trim_start_matches("aws:").to_owned(),
            metric,
            criteria: LearnedCriteria {
                comparison_operator: operator,
                value,
                duration_seconds: None,
                consecutive_datapoints_to_alarm: None,
                consecutive_datapoints_to_clear: None,
            },
        }
    }
}
