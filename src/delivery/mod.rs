//! Delivery: a report's bytes to AWS IoT Device Defender, or to any MQTT broker, and the answer back.
//!
//! ```text
//! Settings ──> Transport::connect ──> Session::send ──> Receipt | Error
//!                                          ^
//!                            reply (accepted, rejected)
//! ```
//!
//! A delivery has two steps, because the report's id must be on disk before its first byte is on the wire. Each report gets
//! a connection of its own. Topics, answers and refusals follow the AWS IoT developer guide: "Reserved topics", "MQTT",
//! "Device communication protocols", and "Sending metrics from devices".

pub(crate) mod error;
#[cfg_attr(not(feature = "greengrass"), path = "without_greengrass.rs")]
pub(crate) mod greengrass;
pub(crate) mod mqtt;
pub(crate) mod phase;
pub(crate) mod reply;
mod runtime;
pub(crate) mod transport;

use std::time::{Duration, SystemTime};

use crate::thing::ThingName;
use crate::time::parse_duration;
pub(crate) use error::Error;
use transport::{CredentialError, Loaded};

/// Where reports go, and how.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) thing_name: ThingName,
    /// The longest that a delivery may take, waiting for the lock and the answer included.
    pub(crate) timeout: Duration,
    pub(crate) transport: TransportSettings,
}

/// The longest timeout: well below the keep-alive of 20 minutes that a session asks for.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// Parses the longest that a delivery may take, 1 ms to 10 min: seconds or a duration.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        timeout if timeout < Duration::from_millis(1) => Err("a timeout is longer than 0".to_owned()),
        timeout if timeout > LONGEST_TIMEOUT => Err("a timeout is at most 10m (m is minutes, M months)".to_owned()),
        timeout => Ok(timeout),
    }
}

/// Which transport is used, with what it needs.
#[derive(Debug)]
pub(crate) enum TransportSettings {
    Mqtt(Box<mqtt::settings::Settings>),
    Greengrass(greengrass::settings::Settings),
}

impl TransportSettings {
    /// Reads and checks the credentials as they are now.
    pub(crate) fn load(&self, now: SystemTime) -> Result<Loaded, Vec<CredentialError>> {
        match self {
            Self::Mqtt(settings) => mqtt::load(settings, now),
            Self::Greengrass(settings) => Ok(greengrass::load(settings)),
        }
    }

    pub(crate) fn is_greengrass(&self) -> bool {
        matches!(self, Self::Greengrass(_))
    }

    /// The other end, for people.
    pub(crate) fn destination(&self) -> String {
        match self {
            Self::Mqtt(settings) => settings.endpoint.to_string(),
            Self::Greengrass(settings) => settings.destination(),
        }
    }
}
