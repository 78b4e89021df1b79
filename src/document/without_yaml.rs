//! Stands in for `yaml` in a build without that feature.

use serde::de::{Deserialize, Deserializer};
use serde_json::Value;

const JSON_ONLY: &str = "this build reads JSON only (it is without the feature yaml)";

pub(super) fn parse(_: &[u8]) -> Result<Value, String> {
    Err(format!("not JSON; {JSON_ONLY}"))
}

pub(crate) fn parse_parts(_: &[u8], _: &[&[&str]]) -> Result<Value, String> {
    Err(JSON_ONLY.to_owned())
}

pub(super) fn tagged<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(T, Option<String>), D::Error> {
    T::deserialize(deserializer).map(|value| (value, None))
}
