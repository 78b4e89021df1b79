//! The page of `generate`.

use device_defender::Exit;

use super::{BUG, GREENGRASS_FILES, Page, USAGE};

pub(super) const PAGE: Page = Page {
    command: "generate",
    prose: &[],
    json_output: &[],
    exits: &[
        (Exit::Success, "The result was printed, or the files are there."),
        USAGE,
        (Exit::NoInput, "The configuration of the Greengrass core could not be read."),
        BUG,
        (Exit::Output, "The output could not be written, or a file exists and is different. Then nothing was written."),
        (Exit::Settings, "There is no Greengrass core in the directory given, or its settings cannot be used."),
    ],
    environment: &[],
    files: &[GREENGRASS_FILES],
    examples: &[
        (
            "Install the completions for bash:",
            "device-defender generate completions bash |\n  \
             sudo tee /usr/share/bash-completion/completions/device-defender >/dev/null",
        ),
        (
            "Turn a Greengrass core into a reporting device:",
            "sudo device-defender generate config |\n  \
             sudo install -D -m 644 /dev/stdin /etc/device-defender/config.toml\n\
             sudo device-defender generate units /etc/systemd/system --greengrass-root /greengrass/v2\n\
             sudo systemctl enable --now device-defender.service device-defender-renewed.path",
        ),
        (
            "On any other device, with cert.pem and key.pem in /etc/device-defender:",
            "device-defender generate config | sudo install -D -m 644 /dev/stdin /etc/device-defender/config.toml\n\
             sudoedit /etc/device-defender/config.toml\n\
             sudo device-defender generate units /etc/systemd/system",
        ),
    ],
    see_also: "device-defender(1), device-defender-watch(1), systemd.unit(5)",
};
