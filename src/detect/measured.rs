//! Measured values, and exact comparison of numbers.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Number, Value, json};

use super::shorten;

#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// A count, or a custom `number`.
    Number(Number),
    /// Distinct ports.
    Ports(BTreeSet<u16>),
    /// Distinct addresses. IPv4-mapped addresses are IPv4.
    Addresses(BTreeSet<IpAddr>),
    /// A custom `string_list`.
    Strings(Vec<String>),
    /// A custom `number_list`.
    Numbers(Vec<Number>),
}

/// Elements as text for people, long ones shortened. Written one by one, because a list may be long.
pub(crate) type Elements<'a> = Box<dyn ExactSizeIterator<Item = String> + 'a>;

impl Measured {
    pub(crate) fn count(number: u64) -> Self {
        Self::Number(Number::from(number))
    }

    /// A number is one element.
    pub fn elements(&self) -> Elements<'_> {
        match self {
            Self::Number(number) => Box::new(std::iter::once(number.to_string())),
            Self::Ports(ports) => Box::new(ports.iter().map(u16::to_string)),
            Self::Addresses(addresses) => Box::new(addresses.iter().map(IpAddr::to_string)),
            Self::Strings(strings) => Box::new(strings.iter().map(|text| shorten(format_args!("{text:?}")))),
            Self::Numbers(numbers) => Box::new(numbers.iter().map(Number::to_string)),
        }
    }

    /// 1 for a number.
    pub fn len(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Ports(ports) => ports.len(),
            Self::Addresses(addresses) => addresses.len(),
            Self::Strings(strings) => strings.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// AWS's `MetricValue`. `counted` makes a number a `count`, otherwise it is a `number`.
    pub(crate) fn metric_value(&self, counted: bool) -> Value {
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

/// Compares two numbers without rounding. `None` if either is too large for any number type.
pub(super) fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => compare_to_float(a, b.as_f64()?),
        (None, Some(b)) => compare_to_float(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Compares a 64-bit integer to a floating-point number. Converting either to the other's type would lose digits.
fn compare_to_float(integer: i128, float: f64) -> Option<Ordering> {
    if let Ok(small) = i32::try_from(integer) {
        return f64::from(small).partial_cmp(&float); // exact, and faster
    }
    // Written in decimal, the whole part loses nothing.
    match format!("{:.0}", float.trunc()).parse() {
        Ok(whole) => Some(integer.cmp(&whole).then(0.0.partial_cmp(&float.fract())?)),
        Err(_) => 0.0.partial_cmp(&float), // beyond any integer
    }
}
