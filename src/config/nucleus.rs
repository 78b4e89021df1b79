//! Which transport is used, and the settings of delivery through a Greengrass nucleus.

use std::ffi::OsString;

use super::delivery::{CoreFile, DeliveryConfig, Layers};
use super::{SettingError, variable};
use crate::cli::Via;
use crate::delivery::greengrass::settings::{SOCKET, Settings as GreengrassSettings, TOKEN, Token};
use crate::delivery::{Settings, TransportSettings};
use crate::exit::Exit;
use crate::sourced::{Origin, Sourced};

impl Layers<'_> {
    /// The transport: the one given, else the nucleus's if it started this program and no endpoint is given. `None` with an
    /// error.
    pub(super) fn choose(&mut self) -> Option<Via> {
        if let Some(given) = self.given.via.clone() {
            return self.check("via", given);
        }
        if [SOCKET, TOKEN].map(variable).iter().any(Option::is_none) {
            self.notes.push("via mqtt: not started by a Greengrass nucleus".to_owned());
            return Some(Via::Mqtt);
        }
        // A nucleus starts one component; a config file is about the whole device.
        let (via, line) = if self.given.endpoint.as_ref().is_some_and(Sourced::is_explicit) {
            (Via::Mqtt, "via: mqtt (an endpoint is given)")
        } else {
            (Via::Greengrass, "via: greengrass (started by a Greengrass nucleus, and no endpoint is given)")
        };
        self.summary.push(line.to_owned());
        Some(via)
    }

    pub(super) fn finish_greengrass(mut self) -> DeliveryConfig {
        self.refuse_mqtt();
        self.core = CoreFile::Unused;
        let thing_name = self.required("thing name", "--thing-name", self.given.thing_name.clone());
        let timeout = self.timeout();
        let socket = self.passed(SOCKET);
        if let Some(socket) = &socket {
            self.summary.push(format!("socket: {} (environment variable {SOCKET})", socket.display()));
        }
        let token = self.passed(TOKEN).map(OsString::into_string);
        if let Some(Err(_)) = token {
            self.errors.push(SettingError::new(
                Exit::Settings,
                TOKEN,
                format!("environment variable {TOKEN}: not UTF-8"),
            ));
        }
        let complete = || {
            let greengrass = GreengrassSettings { socket: socket?.into(), token: Token(token?.ok()?) };
            let transport = TransportSettings::Greengrass(greengrass);
            Some(Settings { thing_name: thing_name?, timeout: timeout?, transport })
        };
        let settings = if self.errors.is_empty() { complete() } else { None };
        DeliveryConfig { settings, files: None, summary: self.summary, notes: self.notes, warnings: Vec::new() }
    }

    /// A variable that a nucleus passes to its components.
    fn passed(&mut self, name: &'static str) -> Option<OsString> {
        let value = variable(name);
        if value.is_none() {
            let message = format!("via greengrass: the environment variable {name} is not set");
            let hint = "a nucleus sets it for the components it runs; elsewhere use --via mqtt";
            self.errors.push(SettingError::new(Exit::Settings, name, message).with_hint(hint));
        }
        value
    }

    /// Refuses what only MQTT uses, unless it is in the config file, which is about the whole device.
    fn refuse_mqtt(&mut self) {
        const INSTEAD: &str = "a Greengrass nucleus started this program, so reports go through it; to send them over MQTT, \
                               give --via mqtt or an endpoint";
        let given = &self.given;
        let is_chosen = given.via.is_some();
        let origins = [
            given.endpoint.as_ref().map(origin),
            given.port.as_ref().map(origin),
            given.client_id.as_ref().map(origin),
            given.mqtt_version.as_ref().map(origin),
            given.ca_file.as_ref().map(origin),
            given.cert_file.as_ref().map(origin),
            given.key_file.as_ref().map(origin),
            given.greengrass_root.as_ref().map(origin),
            Some(&given.insecure_plaintext).filter(|given| given.is_set()).map(origin),
        ];
        let is_explicit = |origin: &Origin| !matches!(origin, Origin::Config { .. });
        for origin in origins.into_iter().flatten().filter(is_explicit) {
            let message = format!("{origin}: only for MQTT, not with --via greengrass");
            let error = SettingError::of_origin(&origin, origin.to_string(), message);
            self.errors.push(if is_chosen { error } else { error.with_hint(INSTEAD) });
        }
    }
}

fn origin<T>(given: &Sourced<T>) -> Origin {
    given.origin.clone()
}
