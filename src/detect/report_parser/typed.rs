//! Values of a report, read by serde from JSON or CBOR without building a tree of them.
//!
//! A [`Shape`] says what a value should be. A value of another shape is skipped as it is read, and only its first characters
//! are kept, for a message. So memory does not depend on what a report has in addition to its known fields.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::Number;

use crate::detect::SHOWN;
use crate::text::truncate;

/// The levels of lists and objects that a message shows, to bound recursion.
const LEVELS: usize = 8;

/// A value of the right shape, or the beginning of another one, in JSON; `None` for `null`.
pub(super) type Found<T> = Option<Result<T, String>>;

/// What a value should be. Each method gets a value of its kind, and by default refuses it.
pub(super) trait Shape: Sized {
    type Value;

    fn number(self, _: &Number) -> Option<Self::Value> {
        None
    }

    fn text(self, _: &str) -> Option<Self::Value> {
        None
    }

    fn list<'de, A: SeqAccess<'de>>(self, list: A) -> Result<Result<Self::Value, String>, A::Error> {
        show_list(list, LEVELS).map(Err)
    }

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Self::Value, String>, A::Error> {
        show_object(object, LEVELS).map(Err)
    }
}

/// Reads a value of this shape.
pub(super) struct Read<S>(pub(super) S);

impl<'de, S: Shape> DeserializeSeed<'de> for Read<S> {
    type Value = Found<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<S: Shape> Read<S> {
    #[expect(clippy::unnecessary_wraps, reason = "the type of every visit")]
    fn number<E>(self, number: &Number) -> Result<Found<S::Value>, E> {
        Ok(Some(self.0.number(number).ok_or_else(|| number.to_string())))
    }
}

impl<'de, S: Shape> Visitor<'de> for Read<S> {
    type Value = Found<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Some(Err(truth.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.number(&number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.number(&number.into())
    }

    /// Beyond 64 bits, which only CBOR has.
    fn visit_i128<E: Error>(self, number: i128) -> Result<Self::Value, E> {
        match Number::from_i128(number) {
            Some(number) => self.number(&number),
            None => Ok(Some(Err(number.to_string()))),
        }
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Self::Value, E> {
        match Number::from_u128(number) {
            Some(number) => self.number(&number),
            None => Ok(Some(Err(number.to_string()))),
        }
    }

    /// JSON has no infinity and nothing that is not a number, so in CBOR they count as `null`.
    fn visit_f64<E: Error>(self, float: f64) -> Result<Self::Value, E> {
        Number::from_f64(float).map_or(Ok(None), |number| self.number(&number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(self.0.text(text).ok_or_else(|| quoted(text))))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Some(Err(format!("{} bytes", bytes.len()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        self.0.list(list).map(Some)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        self.0.object(object).map(Some)
    }

    /// What a tag of CBOR stands before.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Self::Value, A::Error> {
        let (IgnoredAny, value) = tagged.variant()?;
        value.newtype_variant_seed(self)
    }
}

/// Text as JSON has it, shortened.
fn quoted(text: &str) -> String {
    truncate(&serde_json::Value::from(truncate(text, SHOWN)).to_string(), SHOWN)
}

/// Any value, shown with so many levels of lists and objects.
struct Show(usize);

impl Shape for Show {
    type Value = ();

    fn list<'de, A: SeqAccess<'de>>(self, list: A) -> Result<Result<(), String>, A::Error> {
        show_list(list, self.0).map(Err)
    }

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<(), String>, A::Error> {
        show_object(object, self.0).map(Err)
    }
}

impl Show {
    fn shown(found: Found<()>) -> String {
        match found {
            Some(Err(text)) => text,
            Some(Ok(())) | None => "null".to_owned(),
        }
    }
}

fn show_list<'de, A: SeqAccess<'de>>(mut list: A, levels: usize) -> Result<String, A::Error> {
    let mut text = "[".to_owned();
    while let Some(inner) = levels.checked_sub(1).filter(|_| text.len() <= SHOWN) {
        let Some(value) = list.next_element_seed(Read(Show(inner)))? else { return Ok(closed(text, ']')) };
        let separator = separator(&text);
        text.extend([separator, &Show::shown(value)]);
    }
    skip_list(list)?;
    Ok(closed(text + "…", ']'))
}

fn show_object<'de, A: MapAccess<'de>>(mut object: A, levels: usize) -> Result<String, A::Error> {
    let mut text = "{".to_owned();
    while let Some(inner) = levels.checked_sub(1).filter(|_| text.len() <= SHOWN) {
        let Some(name) = object.next_key_seed(Read(Name))? else { return Ok(closed(text, '}')) };
        let value = object.next_value_seed(Read(Show(inner)))?;
        let Some(Ok(name)) = name else { continue };
        let separator = separator(&text);
        text.extend([separator, &quoted(&name), ":", &Show::shown(value)]);
    }
    skip_object(object)?;
    Ok(closed(text + "…", '}'))
}

/// What stands before an element or a field.
fn separator(text: &str) -> &'static str {
    if text.len() > 1 { "," } else { "" }
}

fn closed(mut text: String, bracket: char) -> String {
    text.push(bracket);
    truncate(&text, SHOWN)
}

/// A name, at most so long that it can be shown.
struct Name;

impl Shape for Name {
    type Value = String;

    fn text(self, text: &str) -> Option<String> {
        Some(truncate(text, SHOWN))
    }
}

/// Skips a value of any shape. (serde's `IgnoredAny` refuses the large integers of CBOR.)
pub(super) struct Skip;

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // Unlike `deserialize_any`, skips JSON without recursion, however deep it is.
        deserializer.deserialize_ignored_any(Read(self)).map(drop)
    }
}

impl Shape for Skip {
    type Value = ();

    fn number(self, _: &Number) -> Option<()> {
        Some(())
    }

    fn text(self, _: &str) -> Option<()> {
        Some(())
    }

    fn list<'de, A: SeqAccess<'de>>(self, list: A) -> Result<Result<(), String>, A::Error> {
        skip_list(list).map(|_| Ok(()))
    }

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<(), String>, A::Error> {
        skip_object(object).map(Ok)
    }
}

/// Skips the rest of a list, and returns its length.
pub(super) fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<u64, A::Error> {
    let mut length = 0;
    while list.next_element_seed(Skip)?.is_some() {
        length += 1;
    }
    Ok(length)
}

fn skip_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<(), A::Error> {
    while object.next_key_seed(Skip)?.is_some() {
        object.next_value_seed(Skip)?;
    }
    Ok(())
}

/// The long and the short name of a field.
pub(super) type Names = (&'static str, &'static str);

/// A field that may come under either name, or under both. The last one of the same name counts, and the long name before
/// the short one.
pub(super) struct Field<T> {
    long: Option<T>,
    short: Option<T>,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self { long: None, short: None }
    }
}

impl<T> Field<T> {
    pub(super) fn put(&mut self, name: NameLength, value: Option<T>) {
        match name {
            NameLength::Long => self.long = value,
            NameLength::Short => self.short = value,
        }
    }

    pub(super) fn get(self) -> Option<T> {
        self.long.or(self.short)
    }
}

#[derive(Clone, Copy)]
pub(super) enum NameLength {
    Long,
    Short,
}

/// The name of a field: its place among these, and which of its names it is. `None` for any other name.
pub(super) struct FieldName<'n>(pub(super) &'n [Names]);

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = Option<(usize, NameLength)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Ok(deserializer.deserialize_any(Read(self))?.and_then(Result::ok).flatten())
    }
}

impl Shape for FieldName<'_> {
    type Value = Option<(usize, NameLength)>;

    fn text(self, text: &str) -> Option<Self::Value> {
        Some(self.0.iter().enumerate().find_map(|(place, &(long, short))| match text {
            text if text == long => Some((place, NameLength::Long)),
            text if text == short => Some((place, NameLength::Short)),
            _ => None,
        }))
    }
}
