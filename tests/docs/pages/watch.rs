//! The page of `watch`.

use device_defender::Exit;

use super::{
    BAD_REPORT_INPUT, BAD_SETTING, BUG, CONFIG_FILE, CREDENTIALS, GREENGRASS_FILES, LOCK_FILE, NO_REPORT_INPUT,
    NOT_AUTHORIZED, NUCLEUS, OUTPUT, Page, REJECTED, STATE, STATE_FILE, SYSTEMD, TLS, TRY_LATER, USAGE,
};

pub(super) const PAGE: Page = Page {
    command: "watch",
    prose: &[
        (
            "SCHEDULE",
            &[
                "A report is due one interval after the last one was sent, even if another run or an earlier process sent that, because the service measures the interval from arrival to arrival. Missed reports are not made up for.",
                "If a report could not be sent, a new one is collected and sent after 1 to 128 seconds. If a report was sent and then rejected, throttled or not answered, the next one waits for the next interval. Nothing is queued: after an outage, the next report's network_stats cover the gap.",
                "It keeps running through any failure: no network, an expired or replaced certificate, a broker that restarts, a clock that jumps, a full disk. Only invalid settings end it, when it starts. As a component of Greengrass it also ends, with 69, when the nucleus no longer accepts it, so that the nucleus starts it again.",
            ],
        ),
        (
            "LOG",
            &[
                "The log has a line when an outcome changes. A report with the same outcome as the one before has a line of priority info. A failure that continues is counted, and logged again once a day. systemctl status shows the last outcome and when the next report is due.",
                "If a file system does not respond (a state directory or certificate on a mount whose server is gone), the log and the status say so after --timeout. Reports go on when it responds again; under systemd, the watchdog restarts the service before.",
                "SIGTERM ends the program with 0 within 2 seconds, in any state.",
            ],
        ),
        (
            "UNITS",
            &[
                "device-defender generate units writes these units. They run /usr/bin/device-defender as a user of its own, without capabilities, with a read-only system and at most 64 MB of memory; it cannot bind a port. The files that LoadCredential= names are read by systemd as root and passed to the service only.",
                "    device-defender.service        runs watch\n    device-defender-renewed.path   restarts it when its certificate is renewed\n    device-defender-publish.timer  runs publish every 10 minutes instead; do not enable both",
            ],
        ),
    ],
    json_output: &[],
    exits: &[
        (
            Exit::Success,
            "Stopped by SIGTERM or SIGINT, or the reader of standard output went away. With --count, the last report \
             was accepted.",
        ),
        USAGE,
        BAD_REPORT_INPUT,
        NO_REPORT_INPUT,
        (
            Exit::Unavailable,
            "With --count, the last report was not sent. As a component of Greengrass, also when the nucleus restarted and \
             no longer accepts this process, which it then starts again.",
        ),
        BUG,
        OUTPUT,
        TRY_LATER,
        REJECTED,
        NOT_AUTHORIZED,
        BAD_SETTING,
    ],
    environment: &[STATE, CREDENTIALS, TLS, NUCLEUS, SYSTEMD],
    files: &[
        CONFIG_FILE,
        (STATE_FILE, "The last report ID and when it was sent, and the counters at the last accepted report."),
        LOCK_FILE,
        GREENGRASS_FILES,
    ],
    examples: &[
        (
            "Run as a service, with the settings in /etc/device-defender/config.toml:",
            "sudo device-defender generate units /etc/systemd/system\nsudo systemctl enable --now device-defender",
        ),
        (
            "Use the parameters of a connector that can no longer be deployed:",
            "device-defender watch --params connector.json",
        ),
        (
            "Print the traffic of each minute:",
            "device-defender watch --print --interval 60 | jq -c .metrics.network_stats",
        ),
    ],
    see_also: "device-defender(1), device-defender-publish(1), systemd.service(5)",
};
