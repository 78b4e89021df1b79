//! The page of the program itself.

use super::{COLOR, Page};

pub(super) const PAGE: Page = Page {
    command: "",
    prose: &[(
        "STANDARD OUTPUT",
        &[
            "Standard output has only the result, standard error everything else. To discard the result, use >/dev/null. If \
           another program opens /dev/null for standard output alone, for reading and writing, as Python's \
           stdout=subprocess.DEVNULL does, that looks like a closed standard output, and the exit status is 74.",
        ],
    )],
    json_output: &[],
    exits: &[],
    environment: &[COLOR],
    files: &[],
    examples: &[("Print a report of this device:", "device-defender collect")],
    see_also: "device-defender-collect(1), device-defender-detect(1), device-defender-publish(1), \
               device-defender-watch(1), device-defender-validate-params(1), device-defender-generate(1), ss(8), proc(5)",
};
