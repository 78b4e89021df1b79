//! Criteria: what is normal for a metric.
//!
//! | operators | conforms when |
//! |---|---|
//! | `less-than`, `less-than-equals`, `greater-than`, `greater-than-equals` | the comparison holds |
//! | `in-port-set`, `in-cidr-set`, `in-set` | every element is in the set |
//! | `not-in-port-set`, `not-in-cidr-set`, `not-in-set` | no element is in the set |
//!
//! An empty list conforms to every set.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Number;

use super::measured::{Elements, Measured, compare};
use super::shorten;

#[derive(Debug, Clone, PartialEq)]
pub enum Criterion {
    Bound(Comparison, Number),
    Elements(Membership, Set),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// Whether all elements must be in the set, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    In,
    NotIn,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Set {
    Ports(BTreeSet<u16>),
    /// An address is in the set if it is in any of the networks.
    Networks(Networks),
    /// Strings, compared byte by byte.
    Strings(BTreeSet<String>),
    /// Numbers, compared without rounding.
    Numbers(Numbers),
}

/// Networks of a profile. IPv4-mapped ones are IPv4.
#[derive(Debug, Clone, PartialEq)]
pub struct Networks {
    /// In the order of the profile.
    given: Vec<IpNet>,
    /// Without those that are part of another. What is left does not overlap, and is sorted.
    widest: Vec<IpNet>,
}

/// Sorted numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers(Vec<Number>);

/// Whether a measurement meets a criterion.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Conforms,
    /// Because of these elements; for a bound, the number itself.
    Violated(Measured),
    /// The measurement is of another kind than the criterion.
    OtherKind,
}

impl Criterion {
    pub fn answer(&self, measured: &Measured) -> Answer {
        let violated = match (self, measured) {
            (Self::Bound(comparison, bound), Measured::Number(number)) if comparison.holds(number, bound) => {
                return Answer::Conforms;
            }
            (Self::Bound(..), Measured::Number(_)) => measured.clone(),
            (Self::Elements(membership, Set::Ports(set)), Measured::Ports(ports)) => {
                Measured::Ports(membership.offending(ports, |port| set.contains(port)))
            }
            (Self::Elements(membership, Set::Networks(set)), Measured::Addresses(addresses)) => {
                Measured::Addresses(membership.offending(addresses, |address| set.contains(*address)))
            }
            (Self::Elements(membership, Set::Strings(set)), Measured::Strings(strings)) => {
                Measured::Strings(membership.offending(strings, |text| set.contains(text)))
            }
            (Self::Elements(membership, Set::Numbers(set)), Measured::Numbers(numbers)) => {
                Measured::Numbers(membership.offending(numbers, |number| set.contains(number)))
            }
            // An empty list of a custom metric may be of any type.
            (Self::Elements(..), list) if list.is_empty() => return Answer::Conforms,
            _ => return Answer::OtherKind,
        };
        if violated.is_empty() { Answer::Conforms } else { Answer::Violated(violated) }
    }
}

impl Comparison {
    fn holds(self, number: &Number, bound: &Number) -> bool {
        compare(number, bound).is_some_and(|order| match self {
            Self::LessThan => order.is_lt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanEquals => order.is_ge(),
        })
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::LessThan => "less than",
            Self::LessThanEquals => "at most",
            Self::GreaterThan => "more than",
            Self::GreaterThanEquals => "at least",
        }
    }
}

impl Membership {
    fn offending<'e, T: Clone + 'e, L: FromIterator<T>>(
        self,
        elements: impl IntoIterator<Item = &'e T>,
        is_in_set: impl Fn(&T) -> bool,
    ) -> L {
        elements.into_iter().filter(|element| is_in_set(element) == (self == Self::NotIn)).cloned().collect()
    }
}

/// The most elements of a set in [`Criterion`]'s text.
const SHOWN: usize = 8;

/// In words, such as `at most 4096` or `only 22, 443`. May quote foreign text.
impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(comparison, bound) => write!(f, "{} {bound}", comparison.in_words()),
            Self::Elements(membership, set) => match (membership, list(set.elements(), SHOWN).as_str()) {
                (Membership::In, "") => f.write_str("nothing at all"),
                (Membership::NotIn, "") => f.write_str("anything"),
                (Membership::In, elements) => write!(f, "only {elements}"),
                (Membership::NotIn, elements) => write!(f, "none of {elements}"),
            },
        }
    }
}

impl Set {
    fn elements(&self) -> Elements<'_> {
        match self {
            Self::Ports(set) => Box::new(set.iter().map(u16::to_string)),
            Self::Networks(set) => Box::new(set.given().iter().map(in_words)),
            Self::Strings(set) => Box::new(set.iter().map(|text| shorten(format_args!("{text:?}")))),
            Self::Numbers(set) => Box::new(set.sorted().iter().map(Number::to_string)),
        }
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        let given: Vec<IpNet> = networks.into_iter().collect();
        let mut widest = given.clone();
        widest.sort_unstable(); // a network directly before those that are part of it
        widest.dedup_by(|network, wider| wider.contains(&*network));
        Self { given, widest }
    }
}

impl Networks {
    pub fn given(&self) -> &[IpNet] {
        &self.given
    }

    fn contains(&self, address: IpAddr) -> bool {
        let begun = self.widest.partition_point(|network| network.network() <= address);
        begun.checked_sub(1).and_then(|last| self.widest.get(last)).is_some_and(|network| network.contains(&address))
    }
}

impl FromIterator<Number> for Numbers {
    fn from_iter<I: IntoIterator<Item = Number>>(numbers: I) -> Self {
        let mut numbers: Vec<Number> = numbers.into_iter().collect();
        numbers.sort_by(order);
        Self(numbers)
    }
}

impl Numbers {
    pub fn sorted(&self) -> &[Number] {
        &self.0
    }

    fn contains(&self, number: &Number) -> bool {
        self.0.binary_search_by(|known| order(known, number)).is_ok()
    }
}

/// A network as text for people; that of a single host is its address.
fn in_words(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// Numbers of JSON are never too large to compare.
fn order(a: &Number, b: &Number) -> Ordering {
    compare(a, b).unwrap_or(Ordering::Equal)
}

/// The first `max` elements with commas, and the number of the others.
pub(crate) fn list(elements: Elements<'_>, max: usize) -> String {
    let more = elements.len().saturating_sub(max);
    let shown = elements.take(max).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
