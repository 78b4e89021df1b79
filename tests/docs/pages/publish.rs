//! The page of `publish`.

use device_defender::Exit;

use super::{
    BAD_REPORT_INPUT, BAD_SETTING, BUG, CONFIG_FILE, CREDENTIALS, GREENGRASS_FILES, LOCK_FILE, NO_REPORT_INPUT,
    NOT_AUTHORIZED, NOT_SENT, NUCLEUS, OUTPUT, Page, REJECTED, STATE, STATE_FILE, TLS, TRY_LATER, USAGE,
};

pub(super) const PAGE: Page = Page {
    command: "publish",
    prose: &[
        (
            "TRAFFIC",
            &[
                "network_stats counts since the last accepted report. The first report has no network_stats, because totals since boot would look like a burst. If a report is rejected, throttled or not answered, the next report counts its traffic again. If a report arrived and only its answer was lost, that traffic is counted twice, which is better than losing it.",
                "Root refuses a state directory if another user can redirect its path: if the path leads through a directory which that user can change into one which they cannot. A link that root made in a directory of root is followed.",
            ],
        ),
        (
            "POLICY",
            &[
                "The default client ID is not the thing name. AWS IoT disconnects the older of two clients with the same ID, and the Greengrass core or another program on this device may be connected under the thing name. The policy must allow:",
                "    iot:Connect    client/CLIENT_ID\n    iot:Publish    topic/$aws/things/THING/defender/metrics/json\n    iot:Subscribe  topicfilter/$aws/things/THING/defender/metrics/json/accepted\n                   topicfilter/$aws/things/THING/defender/metrics/json/rejected\n    iot:Receive    topic/$aws/things/THING/defender/metrics/json/accepted\n                   topic/$aws/things/THING/defender/metrics/json/rejected",
                "With --format cbor, the topics have cbor instead of json.",
            ],
        ),
        (
            "TLS",
            &[
                "Revocation of the broker's certificate (CRL, OCSP) is not checked. Each certificate in --ca-file is trusted as a CA without restrictions. Device keys are RSA, or EC on P-256 or P-384; AWS IoT also accepts P-521, which the TLS library cannot sign with.",
            ],
        ),
    ],
    json_output: &[],
    exits: &[
        (
            Exit::Success,
            "The service accepted the report. With --no-wait, the broker acknowledged it. With --dry-run, it was printed. With \
             --check, everything works that can be tried without sending a report.",
        ),
        USAGE,
        BAD_REPORT_INPUT,
        NO_REPORT_INPUT,
        NOT_SENT,
        BUG,
        (Exit::State, ""),
        OUTPUT,
        TRY_LATER,
        REJECTED,
        NOT_AUTHORIZED,
        BAD_SETTING,
    ],
    environment: &[STATE, CREDENTIALS, TLS, NUCLEUS],
    files: &[
        CONFIG_FILE,
        (STATE_FILE, "The last report ID, and the counters at the last accepted report."),
        LOCK_FILE,
        GREENGRASS_FILES,
    ],
    examples: &[
        (
            "On a Greengrass core: send a report with the settings of the core, and show each step:",
            "sudo device-defender publish -v",
        ),
        ("Show the report and its destination without sending it:", "sudo device-defender publish --dry-run"),
        ("Find out why no report arrives, without sending one:", "sudo device-defender publish --check -v"),
        (
            "On any other device:",
            "device-defender publish --endpoint PREFIX-ats.iot.REGION.amazonaws.com \\\n  \
             --thing-name gateway-7 --cert-file device.pem --key-file device.key",
        ),
        (
            "To your own broker, where Device Defender does not answer:",
            "device-defender publish --no-wait --endpoint broker.example.net --ca-file ca.pem \\\n  \
             --thing-name gateway-7 --cert-file device.pem --key-file device.key",
        ),
    ],
    see_also: "device-defender(1), device-defender-collect(1), device-defender-watch(1), mosquitto_sub(1)",
};
