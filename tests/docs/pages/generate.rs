//! The page of `generate`.

use device_defender::Exit;

use super::{BUG, Page, USAGE};

pub(super) const PAGE: Page = Page {
    command: "generate",
    json_output: &[],
    exits: &[
        (Exit::Success, "The completions were printed, or the files are there."),
        USAGE,
        BUG,
        (Exit::Output, "The output could not be written, or a file exists and is different. Then nothing was written."),
    ],
    environment: &[],
    files: &[],
    examples: &[
        (
            "Install the completions for bash:",
            "device-defender generate completions bash |\n  \
             sudo tee /usr/share/bash-completion/completions/device-defender >/dev/null",
        ),
        ("Install the unit files:", "sudo device-defender generate units /etc/systemd/system"),
    ],
    see_also: "device-defender(1), device-defender-watch(1), systemd.unit(5)",
};
