//! Stands in for `greengrass` and `nucleus` in a build without that feature.

use std::path::Path;

use super::SettingError;
use super::cores::{Core, CoreError};
use super::delivery::{CoreFile, DeliveryConfig, Layers};
use crate::cli::Via;
use crate::sourced::Origin;

pub(crate) fn find(root: Option<&Path>, _: &mut Vec<String>) -> Result<Option<Core>, CoreError> {
    root.map_or(Ok(None), |root| Err(CoreError::NotBuilt(root.to_owned())))
}

impl Layers<'_> {
    pub(super) fn choose(&mut self) -> Option<Via> {
        self.core = CoreFile::Unused;
        match self.given.via.clone() {
            Some(given) => self.check("via", given),
            None => Some(Via::Mqtt),
        }
    }

    pub(super) fn finish_greengrass(self) -> DeliveryConfig {
        let origin = self.given.via.map_or(Origin::Default, |via| via.origin);
        let reason = "this build sends over MQTT only (it is without the feature greengrass)";
        self.errors.push(SettingError::value("via", &origin, "greengrass", reason));
        let Self { summary, notes, .. } = self;
        DeliveryConfig { settings: None, files: None, summary, notes, warnings: Vec::new() }
    }
}
