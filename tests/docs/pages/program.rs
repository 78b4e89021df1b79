//! The page of the program itself.

use super::{COLOR, Page};

pub(super) const PAGE: Page = Page {
    command: "",
    prose: &[],
    json_output: &[],
    exits: &[],
    environment: &[COLOR],
    files: &[],
    examples: &[("Print a report of this device:", "device-defender collect")],
    see_also: "device-defender-collect(1), device-defender-detect(1), device-defender-publish(1), \
               device-defender-watch(1), device-defender-validate-params(1), device-defender-generate(1), ss(8), proc(5)",
};
