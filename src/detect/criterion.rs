//! Criteria: what is normal for a metric.
//!
//! | operators | conforms when |
//! |---|---|
//! | `less-than`, `less-than-equals`, `greater-than`, `greater-than-equals` | the comparison holds |
//! | `in-port-set`, `in-cidr-set`, `in-set` | every element is in the set |
//! | `not-in-port-set`, `not-in-cidr-set`, `not-in-set` | no element is in the set |
//!
//! An empty list conforms to every set.

use std::cmp::Ordering::Equal;
use std::collections::BTreeSet;
use std::fmt;

use ipnet::IpNet;
use serde_json::Number;

use super::measured::{Measured, compare};
use super::quote;

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
    /// An address is in the set if it is in any of the networks. IPv4-mapped networks are IPv4.
    Networks(Vec<IpNet>),
    /// Strings, compared byte by byte.
    Strings(BTreeSet<String>),
    /// Numbers, compared without rounding.
    Numbers(Vec<Number>),
}

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
            (Self::Elements(membership, Set::Networks(set)), Measured::Addresses(addresses)) => Measured::Addresses(
                membership.offending(addresses, |address| set.iter().any(|network| network.contains(address))),
            ),
            (Self::Elements(membership, Set::Strings(set)), Measured::Strings(strings)) => {
                Measured::Strings(membership.offending(strings, |text| set.contains(text)))
            }
            (Self::Elements(membership, Set::Numbers(set)), Measured::Numbers(numbers)) => Measured::Numbers(
                membership.offending(numbers, |number| set.iter().any(|known| compare(known, number) == Some(Equal))),
            ),
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
            Self::Elements(membership, set) => match (membership, list(&set.elements(), SHOWN).as_str()) {
                (Membership::In, "") => f.write_str("nothing at all"),
                (Membership::NotIn, "") => f.write_str("anything"),
                (Membership::In, elements) => write!(f, "only {elements}"),
                (Membership::NotIn, elements) => write!(f, "none of {elements}"),
            },
        }
    }
}

impl Set {
    fn elements(&self) -> Vec<String> {
        match self {
            Self::Ports(set) => set.iter().map(u16::to_string).collect(),
            Self::Networks(set) => set.iter().map(IpNet::to_string).collect(),
            Self::Strings(set) => set.iter().map(|text| quote(format_args!("{text:?}"))).collect(),
            Self::Numbers(set) => set.iter().map(Number::to_string).collect(),
        }
    }
}

/// The first `max` elements with commas, and the number of the others.
pub(crate) fn list(elements: &[String], max: usize) -> String {
    match elements.split_at_checked(max) {
        Some((shown, more @ [_, ..])) => format!("{} and {} more", shown.join(", "), more.len()),
        _ => elements.join(", "),
    }
}
