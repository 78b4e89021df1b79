//! The thing name: the device that a report is about.

use std::fmt;
use std::str::FromStr;

/// A name that AWS IoT accepts for a thing, and that fits into one level of an MQTT topic: 1 to 128 bytes of UTF-8
/// without control characters, `/`, `+` and `#`. (The registry's own names are narrower, `[a-zA-Z0-9:_-]`, but
/// Device Defender also takes reports of devices that are not registered.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingName(String);

/// The text is not a thing name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a thing name has 1 to 128 bytes, and no control characters, `/`, `+` or `#`")]
pub struct ThingNameError;

impl FromStr for ThingName {
    type Err = ThingNameError;

    fn from_str(text: &str) -> Result<Self, ThingNameError> {
        let fits = (1..=128).contains(&text.len());
        let clean = !text.chars().any(|c| c.is_control() || matches!(c, '/' | '+' | '#'));
        if fits && clean { Ok(Self(text.to_owned())) } else { Err(ThingNameError) }
    }
}

impl ThingName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ThingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
