//! The page of `detect`.

use device_defender::Exit;

use super::{BAD_VARIABLE, BUG, COLOR, CONFIG_FILE, OUTPUT, Page, STATE, STATE_FILE, SUCCESS, USAGE};

pub(super) const PAGE: Page = Page {
    command: "detect",
    prose: &[
        (
            "VERDICTS",
            &[
                "The exit status is 1 if a behavior is violated, otherwise 66 if this device could not be read to judge a behavior, otherwise 65 if a behavior is invalid, otherwise 0.",
                "A behavior that only the service can judge (percentiles, machine learning, dimensions, most cloud-side metrics) never counts as conforming. A list in a report of another agent may have fewer entries than its total. The entries of such a list can violate a behavior, but the list cannot conform, because the other entries are unknown.",
                "Values that CloudFormation sets when it deploys a template, such as !Ref, are unknown: behaviors that need them are invalid.",
            ],
        ),
        (
            "TRAFFIC",
            &[
                "Traffic is counted since the last report that Device Defender accepted, if there is one. With --since 300s, detect counts for 300 seconds. The table shows the time that a figure covers.",
                "Traffic is never scaled. A figure that covers durationSeconds, or up to a tenth more, is compared with the limit. If a figure covers less, it proves only that traffic is above a limit. If it covers more, it proves only that traffic is below a limit. If it proves nothing, the behavior is not-judged.",
                "The age of the last report is measured by the clock, and limited to the uptime. The time that --since boot covers is unknown, because a network namespace may be younger than the machine.",
            ],
        ),
        (
            "STREAMS",
            &[
                "--report - reads what watch --print writes. It sums traffic over the windows of durationSeconds, and prints each alarm as it starts and ends, according to consecutiveDatapointsToAlarm and consecutiveDatapointsToClear. The rules for traffic above also apply to a window.",
                "A report without the metric is a gap, not a zero, and changes no alarm. After more than two days without a datapoint of a behavior in alarm, the next report ends the alarm with alarm-invalidated.",
                "A report with the same report_id as the last one is skipped. So is a report whose report_id is lower by at most an hour. If the report_id is even lower, or if a second low report_id follows that is higher than the first, the clock was set back, and the windows start over. A report_id that is not a time in seconds belongs to no window.",
                "An accepted report that is missing from the stream leaves no trace, so its traffic is missing from the window.",
                "For a file with one report, detect prints a verdict on each behavior. It assumes that the traffic covers the duration, and the output says so. The same applies to a pipe that ends within 3 seconds after its only report.",
            ],
        ),
        (
            "FLEETS",
            &[
                "If a fleet reports to a broker of your own, check its reports there, with mosquitto_sub. With -F %j, it prints each message as one line of JSON, with its topic. The topic contains the thing name, so detect distinguishes the devices, and events contain thingName.",
                "-F '%x %t' prints a report in hexadecimal before its topic. CBOR (.../defender/metrics/cbor) requires this form, and it takes JSON, too. -F %J prints JSON without quoting it, but rounds large numbers and drops reports that are not JSON.",
                "With -v, a device can write lines that look like reports of other devices. In this form, and in -F '%t %x', reports of one device are read, and detect ends with 65 at the first report of a second one. --trust-devices accepts them all, and lets every device raise and clear the alarms of the others.",
                "The first line decides the form. If a single device that you do not trust writes the whole input, name it with --thing-name: reports that claim to be of another device are then errors.",
                "A report has at most 1 MiB. Reports that the service would reject, because the header, its report_id or its version is missing or a custom metric is not in a list, are judged with a warning.",
                "A process remembers the 10,000 things that it saw last, or as many as --max-things says. If there are more, a warning says so once, and the exit status is not 0. A million things with five behaviors take about 230 MB.",
                "To share a fleet among processes, each thing must stay with one of them. Shared subscriptions ($share/...) do not do that: they hand the messages of a thing to several processes, out of order. Select the things by a part of their topic instead, such as the last character of the name. This process takes the names that end in 0 to 4, and a second one with [^0-4] takes the others:",
                "    mosquitto_sub -h broker -F %j -t '$aws/things/+/defender/metrics/json' |\n      grep -a --line-buffered '\"topic\":\"[^\"]*[0-4]/defender/metrics/' |\n      device-defender detect --profile edge.json --report - --format json",
            ],
        ),
        (
            "ON A TIMER",
            &[
                "This service fails if the profile is violated or cannot be judged, and OnFailure= starts the unit that reacts. The profile must be readable by everyone, because DynamicUser= runs the command as another user. A durationSeconds above 300 requires a longer --since. A timer with OnCalendar=hourly starts it.",
                "    [Unit]\n    Description=Check this device against its security profile\n    OnFailure=device-defender-violated.service\n\n    [Service]\n    Type=oneshot\n    ExecStart=/usr/bin/device-defender detect -q --profile /etc/device-defender/profile.json --since 300s\n    DynamicUser=yes",
                "The unit that reacts, with systemd 251 or later:",
                "    [Unit]\n    Description=Report that this device violates its security profile or cannot be judged\n\n    [Service]\n    Type=oneshot\n    ExecStart=/bin/sh -c 'journalctl _SYSTEMD_INVOCATION_ID=$MONITOR_INVOCATION_ID | mail -s \"%H: exit status $MONITOR_EXIT_STATUS\" root'",
            ],
        ),
    ],
    json_output: &[
        (
            "version",
            "1. It rises when a field changes its meaning or is removed. JSON Schema: man/schema/verdicts.json.",
        ),
        ("thingName", "The thing, if the topic of the report, --thing-name or a variable names it; otherwise null."),
        ("report_id", "The ID of the report, its time in seconds since 1970; null if it has none."),
        ("violated", "True if any behavior is violated."),
        (
            "behaviors",
            "A list with one object for each behavior of each profile. With -q, only for those that are violated, invalid \
             or not judged, without those that only the service can judge; if there are none, nothing is printed.",
        ),
        (
            "behaviors[].profile",
            "The name of the profile. Without a name, if there are several profiles: its resource in a template, or its \
             file; otherwise null.",
        ),
        ("behaviors[].behavior, metric, criteria", "As in the profile, with names in camelCase."),
        (
            "behaviors[].verdict",
            "conforms; violated; not-judged: only the service can judge it, or the report lacks the data; invalid: the \
             behavior itself is invalid.",
        ),
        (
            "behaviors[].observed, offending",
            "The measured value, and the part of it that violates the behavior, as a MetricValue of AWS; null if \
             there is none.",
        ),
        (
            "behaviors[].covers_seconds",
            "The time that a traffic value covers, judged or not; null for other metrics and if unknown.",
        ),
        ("behaviors[].reason", "Why the behavior is not judged, or which assumption the verdict makes."),
        ("behaviors[].faults", "The errors of an invalid behavior: a list of path, in the syntax of jq, and message."),
        (
            "Events",
            "With more than one report, the output is one line for each alarm that starts or ends, in the format of \
             the service's violation events: version, violationEventTime (the time of the report in milliseconds since \
             1970), thingName, behavior (all its fields), violationEventType (in-alarm, alarm-cleared, or \
             alarm-invalidated if there was no datapoint for more than two days), metricValue, violationId (the same at \
             start and end) and securityProfileName. Unknown fields are left out. JSON Schema: man/schema/events.json.",
        ),
        (
            "neverJudged",
            "If there are behaviors that no report can be judged by, the first line has version and neverJudged, a list \
             of them in the form of behaviors[].",
        ),
        (
            "--learn",
            "A security profile, indented: securityProfileName (the thing, or learned), securityProfileDescription and \
             behaviors, as the service's API defines them.",
        ),
    ],
    exits: &[
        SUCCESS,
        (
            Exit::CheckFailed,
            "A behavior is violated. With more than one report, a behavior is still in alarm after the last one.",
        ),
        USAGE,
        (
            Exit::Input,
            "A profile, a behavior, a report or the custom metrics are invalid, or there were more things than \
             --max-things, or --learn found nothing, or more than a profile holds; with --strict, also when a row of a table is malformed.",
        ),
        (Exit::NoInput, ""),
        BUG,
        OUTPUT,
        BAD_VARIABLE,
    ],
    environment: &[STATE, COLOR],
    files: &[
        CONFIG_FILE,
        (STATE_FILE, "The counters of the last accepted report, the baseline of the traffic metrics."),
    ],
    examples: &[
        (
            "Check this device for violations, and show the processes that cause them:",
            "aws iot describe-security-profile --security-profile-name edge > edge.json\n\
             sudo device-defender detect --profile edge.json --since 300s --processes",
        ),
        (
            "Learn a profile from this device, edit it, and check the device against it:",
            "device-defender detect --learn --since 300s > profile.json\n\
             editor profile.json\n\
             device-defender detect --profile profile.json",
        ),
        (
            "Learn from what a fleet reports in a day:",
            "mosquitto_sub -h broker -F %j -t '$aws/things/+/defender/metrics/json' -W 86400 |\n  \
             device-defender detect --learn --report - --learn-prefix 24,64 > profile.json",
        ),
        (
            "Print alarms of this device as they start and end:",
            "device-defender watch --print | device-defender detect --profile edge.json --report -",
        ),
        (
            "Check a fleet that reports to your own broker:",
            "mosquitto_sub -h broker -F %j -t '$aws/things/+/defender/metrics/json' |\n  \
             device-defender detect --profile edge.json --report - --format json",
        ),
        (
            "Let cron check every night, and send mail only if something is violated or cannot be judged (crontab). Traffic \
             needs --since or a state file:",
            "MAILTO=ops@example.com\n\
             0 3 * * * device-defender detect -q --profile /etc/device-defender/profile.json --since 300s",
        ),
        (
            "List the errors in a profile:",
            "device-defender detect --profile edge.json --format json |\n  \
             jq -r '.behaviors[].faults[] | \"\\(.path): \\(.message)\"'",
        ),
    ],
    see_also: "device-defender(1), device-defender-collect(1), jq(1), mosquitto_sub(1), systemd.timer(5)",
};
