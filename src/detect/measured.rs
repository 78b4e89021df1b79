//! What a metric was measured to be.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Number, Value, json};

use super::quote;

/// A measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// A count, or a custom `number`.
    Number(Number),
    /// Ports, each once.
    Ports(BTreeSet<u16>),
    /// Addresses, each once; an IPv4-mapped one is IPv4.
    Addresses(BTreeSet<IpAddr>),
    /// A custom `string_list`.
    Strings(Vec<String>),
    /// A custom `number_list`.
    Numbers(Vec<Number>),
}

impl Measured {
    /// A count.
    #[must_use]
    pub fn count(number: u64) -> Self {
        Self::Number(Number::from(number))
    }

    /// Its elements as text for people, each cut if it is long; a number is one.
    #[must_use]
    pub fn elements(&self) -> Vec<String> {
        match self {
            Self::Number(number) => vec![number.to_string()],
            Self::Ports(ports) => ports.iter().map(u16::to_string).collect(),
            Self::Addresses(addresses) => addresses.iter().map(IpAddr::to_string).collect(),
            Self::Strings(strings) => strings.iter().map(|text| quote::string(text)).collect(),
            Self::Numbers(numbers) => numbers.iter().map(Number::to_string).collect(),
        }
    }

    /// How many elements there are; a number is one.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Ports(ports) => ports.len(),
            Self::Addresses(addresses) => addresses.len(),
            Self::Strings(strings) => strings.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is a list, of any length.
    #[must_use]
    pub fn is_list(&self) -> bool {
        !matches!(self, Self::Number(_))
    }

    /// The same as AWS's `MetricValue`. A number that is `counted` is a `count`, any other a `number`.
    #[must_use]
    pub fn metric_value(&self, counted: bool) -> Value {
        match self {
            Self::Number(number) if counted => json!({ "count": number }),
            Self::Number(number) => json!({ "number": number }),
            Self::Ports(ports) => json!({ "ports": ports }),
            Self::Addresses(addresses) => json!({ "cidrs": addresses }),
            Self::Strings(strings) => json!({ "strings": strings }),
            Self::Numbers(numbers) => json!({ "numbers": numbers }),
        }
    }
}

/// Compares two numbers exactly, as far as they were given exactly: `None` when either is too large for a number at all.
#[must_use]
pub fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => compare_to_float(a, b.as_f64()?),
        (None, Some(b)) => compare_to_float(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Compares an integer of 64 bits to a floating-point number, which may not be made one, nor the other way round, without
/// loss.
fn compare_to_float(integer: i128, float: f64) -> Option<Ordering> {
    // Written in decimal, the whole part loses nothing.
    match format!("{:.0}", float.trunc()).parse() {
        Ok(whole) => Some(integer.cmp(&whole).then(0.0.partial_cmp(&float.fract())?)),
        Err(_) => 0.0.partial_cmp(&float), // beyond any integer
    }
}
