//! The config file: what it sets, what wins over it, what is said of mistakes in it, and variables that set nothing.

mod credentials;
mod default_file;
#[cfg(full)]
mod generated;
mod layers;
mod mistakes;
mod variables;

use serde_json::json;

use crate::support::{CommandLine, Device};

/// `publish` of a device with credentials and this config file.
fn publish(text: &str) -> (Device, CommandLine) {
    let device = Device::with_credentials();
    device.write("config.toml", text);
    let line = device.publish().set("--config", "config.toml");
    (device, line)
}

/// A profile with one behavior, which a [`Device`] conforms to.
fn profile() -> String {
    let criteria = json!({"comparisonOperator": "greater-than", "value": {"count": 0}});
    json!({"name": "ports", "metric": "aws:num-listening-tcp-ports", "criteria": criteria}).to_string()
}
