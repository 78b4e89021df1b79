//! Criteria: what is normal for a metric.
//!
//! | operators | conforms when |
//! |---|---|
//! | `less-than`, `less-than-equals`, `greater-than`, `greater-than-equals` | the number is that |
//! | `in-port-set`, `in-cidr-set`, `in-set` | every element is in the set |
//! | `not-in-port-set`, `not-in-cidr-set`, `not-in-set` | no element is in the set |
//!
//! So an empty list conforms to every set.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Number;

use super::measured::{Measured, compare};
use super::quote;

/// What is normal.
#[derive(Debug, Clone, PartialEq)]
pub enum Criterion {
    /// A number on one side of a bound.
    Bound(Comparison, Number),
    /// Elements that are all in a set, or all not in it.
    Elements(Membership, Set),
}

/// How a number compares to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is called as the operator it is")]
pub enum Comparison {
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// Where elements have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// All in the set.
    In,
    /// None in the set.
    NotIn,
}

/// A set of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Set {
    /// Ports.
    Ports(BTreeSet<u16>),
    /// Networks: an address is in the set when it is in any of them. None is an IPv4-mapped one.
    Networks(Vec<IpNet>),
    /// Texts, compared byte by byte.
    Strings(BTreeSet<String>),
    /// Numbers, compared as [`compare`] does.
    Numbers(Vec<Number>),
}

/// What a criterion says of a measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is normal.
    Conforms,
    /// It is not, because of these elements; the number itself for a bound.
    Violated(Measured),
    /// The measurement is of another kind than the criterion.
    OtherKind,
}

impl Criterion {
    /// Asks whether a measurement is normal.
    #[must_use]
    pub fn answer(&self, measured: &Measured) -> Answer {
        let violated = match (self, measured) {
            (Self::Bound(comparison, bound), Measured::Number(number)) => {
                return if comparison.holds(number, bound) {
                    Answer::Conforms
                } else {
                    Answer::Violated(measured.clone())
                };
            }
            (Self::Elements(membership, Set::Ports(set)), Measured::Ports(ports)) => {
                let offend = |port: &&u16| membership.offends(set.contains(port));
                Measured::Ports(ports.iter().filter(offend).copied().collect())
            }
            (Self::Elements(membership, Set::Networks(set)), Measured::Addresses(addresses)) => {
                let offend = |address: &&IpAddr| membership.offends(set.iter().any(|net| net.contains(*address)));
                Measured::Addresses(addresses.iter().filter(offend).copied().collect())
            }
            (Self::Elements(membership, Set::Strings(set)), Measured::Strings(strings)) => {
                let offend = |text: &&String| membership.offends(set.contains(*text));
                Measured::Strings(strings.iter().filter(offend).cloned().collect())
            }
            (Self::Elements(membership, Set::Numbers(set)), Measured::Numbers(numbers)) => {
                let is = |a: &Number, b: &Number| compare(a, b).is_some_and(std::cmp::Ordering::is_eq);
                let offend = |number: &&Number| membership.offends(set.iter().any(|known| is(known, number)));
                Measured::Numbers(numbers.iter().filter(offend).cloned().collect())
            }
            // The type of an empty list says nothing.
            (Self::Elements(..), list) if list.is_empty() => return Answer::Conforms,
            _ => return Answer::OtherKind,
        };
        if violated.is_empty() { Answer::Conforms } else { Answer::Violated(violated) }
    }
}

impl Comparison {
    /// Whether `number` is on the normal side of `bound`.
    fn holds(self, number: &Number, bound: &Number) -> bool {
        compare(number, bound).is_some_and(|order| match self {
            Self::LessThan => order.is_lt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanEquals => order.is_ge(),
        })
    }
}

impl Membership {
    /// Whether an element that is in the set, or is not, is out of place.
    fn offends(self, in_set: bool) -> bool {
        in_set == (self == Self::NotIn)
    }
}

/// The most elements of a set that are shown.
const SHOWN: usize = 8;

/// The criterion in words, such as `at most 4096` or `only 22, 443`. May quote foreign text.
impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(comparison, bound) => write!(f, "{comparison} {bound}"),
            Self::Elements(membership, set) => match (membership, set.elements().as_slice()) {
                (Membership::In, []) => f.write_str("nothing at all"),
                (Membership::NotIn, []) => f.write_str("anything"),
                (Membership::In, elements) => write!(f, "only {}", list(elements, SHOWN)),
                (Membership::NotIn, elements) => write!(f, "none of {}", list(elements, SHOWN)),
            },
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LessThan => "less than",
            Self::LessThanEquals => "at most",
            Self::GreaterThan => "more than",
            Self::GreaterThanEquals => "at least",
        })
    }
}

impl Set {
    fn elements(&self) -> Vec<String> {
        match self {
            Self::Ports(set) => set.iter().map(u16::to_string).collect(),
            Self::Networks(set) => set.iter().map(IpNet::to_string).collect(),
            Self::Strings(set) => set.iter().map(|text| quote::string(text)).collect(),
            Self::Numbers(set) => set.iter().map(Number::to_string).collect(),
        }
    }
}

/// The first `most` elements with commas, and how many more there are.
#[must_use]
pub fn list(elements: &[String], most: usize) -> String {
    let shown: Vec<&str> = elements.iter().take(most).map(String::as_str).collect();
    match elements.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
