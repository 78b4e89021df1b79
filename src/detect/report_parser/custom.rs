//! The custom metrics of a report.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::de::{MapAccess, SeqAccess};
use serde_json::Number;

use super::typed::{Found, Read, Shape, Skip, skip_list};
use crate::detect::measured::Measured;
use crate::detect::shorten;

/// The most values that are kept of one report, to bound memory: metrics, and the elements of their lists.
pub(super) const MAX_VALUES: usize = 10_000;

pub(super) struct CustomMetrics {
    /// Each with its value, or why it has none.
    pub(super) by_name: BTreeMap<String, Result<Measured, String>>,
    pub(super) state: Reading,
}

/// What is noted while custom metrics are read.
pub(super) struct Reading {
    /// How many more values can be kept.
    left: usize,
    /// Whether there were more than [`MAX_VALUES`].
    pub(super) is_cut: bool,
    /// Whether a metric was not in a list, which the service rejects.
    pub(super) has_bare: bool,
}

impl Reading {
    /// Whether there is room for another value.
    fn take(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => self.is_cut = true,
        }
        !self.is_cut
    }
}

pub(super) struct CustomShape;

impl Shape for CustomShape {
    type Value = CustomMetrics;

    fn object<'de, A: MapAccess<'de>>(self, mut object: A) -> Result<Result<CustomMetrics, String>, A::Error> {
        let mut state = Reading { left: MAX_VALUES, is_cut: false, has_bare: false };
        let mut by_name = BTreeMap::new();
        while let Some(name) = object.next_key_seed(Read(Text))? {
            match name {
                Some(Ok(name)) if state.take() => {
                    let value = object.next_value_seed(Read(MetricShape(&mut state)))?;
                    let none = || Err("unrecognized value null".to_owned());
                    let value = value.map_or_else(none, |value| {
                        value.unwrap_or_else(|other| Err(format!("unrecognized value {other}")))
                    });
                    by_name.insert(name, value);
                }
                _ => object.next_value_seed(Skip)?,
            }
        }
        Ok(Ok(CustomMetrics { by_name, state }))
    }
}

/// A custom metric: an object with one field, its type and value, as the only element of a list, or alone.
struct MetricShape<'s>(&'s mut Reading);

impl Shape for MetricShape<'_> {
    type Value = Result<Measured, String>;

    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<Result<Self::Value, String>, A::Error> {
        let Some(first) = list.next_element_seed(Read(OneFieldShape(self.0)))? else { return Ok(Err("[]".to_owned())) };
        Ok(match (first, skip_list(list)?) {
            (Some(first), 0) => first,
            (None, 0) => Err("[null]".to_owned()),
            (_, more) => Err(format!("with {} elements", more + 1)),
        })
    }

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Self::Value, String>, A::Error> {
        self.0.has_bare = true;
        OneFieldShape(self.0).object(object)
    }
}

struct OneFieldShape<'s>(&'s mut Reading);

impl Shape for OneFieldShape<'_> {
    type Value = Result<Measured, String>;

    fn object<'de, A: MapAccess<'de>>(self, mut object: A) -> Result<Result<Self::Value, String>, A::Error> {
        let mut only: Option<(String, Found<Measured>)> = None;
        let mut fields = 0_usize;
        while let Some(kind) = object.next_key_seed(Read(Text))? {
            let Some(Ok(kind)) = kind else {
                object.next_value_seed(Skip)?;
                continue;
            };
            fields += usize::from(only.as_ref().is_none_or(|(known, _)| *known != kind));
            let value = object.next_value_seed(Read(ValueShape { kind: &kind, state: self.0 }))?;
            only = Some((kind, value));
        }
        Ok(Ok(match only {
            Some((_, Some(Ok(measured)))) if fields == 1 => Ok(measured),
            Some((kind, value)) if fields == 1 => {
                let found = value.and_then(Result::err).unwrap_or_else(|| "null".to_owned());
                Err(format!("unrecognized {} {found}", shorten(kind)))
            }
            _ => Err(format!("expected an object with one field, its type; found {fields} fields")),
        }))
    }
}

/// The value of a type.
struct ValueShape<'s> {
    kind: &'s str,
    state: &'s mut Reading,
}

impl Shape for ValueShape<'_> {
    type Value = Measured;

    fn number(self, number: &Number) -> Option<Measured> {
        (self.kind == "number").then(|| Measured::Number(number.clone()))
    }

    fn list<'de, A: SeqAccess<'de>>(self, list: A) -> Result<Result<Measured, String>, A::Error> {
        Ok(match self.kind {
            "number_list" => elements(list, AnyNumber, self.state)?.map(Measured::Numbers),
            "string_list" => elements(list, Text, self.state)?.map(Measured::Strings),
            "ip_list" => elements(list, Address, self.state)?.map(Measured::Addresses),
            _ => {
                skip_list(list)?;
                Err("of a list".to_owned())
            }
        })
    }
}

/// Reads the elements of a list. If one has another shape, or there is no room for it, the list has no value.
fn elements<'de, A: SeqAccess<'de>, S: Shape + Copy, C: Default + Extend<S::Value>>(
    mut list: A,
    shape: S,
    state: &mut Reading,
) -> Result<Result<C, String>, A::Error> {
    let mut elements = C::default();
    while let Some(element) = list.next_element_seed(Read(shape))? {
        let error = match element {
            Some(Ok(element)) if state.take() => {
                elements.extend([element]);
                continue;
            }
            Some(Ok(_)) => "of too many elements".to_owned(),
            Some(Err(other)) => format!("element {other}"),
            None => "element null".to_owned(),
        };
        skip_list(list)?;
        return Ok(Err(error));
    }
    Ok(Ok(elements))
}

#[derive(Clone, Copy)]
struct Text;

impl Shape for Text {
    type Value = String;

    fn text(self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

#[derive(Clone, Copy)]
struct AnyNumber;

impl Shape for AnyNumber {
    type Value = Number;

    fn number(self, number: &Number) -> Option<Number> {
        Some(number.clone())
    }
}

#[derive(Clone, Copy)]
struct Address;

impl Shape for Address {
    type Value = IpAddr;

    fn text(self, text: &str) -> Option<IpAddr> {
        Some(text.parse::<IpAddr>().ok()?.to_canonical())
    }
}
