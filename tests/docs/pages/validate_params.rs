//! The page of `validate-params`.

use device_defender::Exit;

use super::{BUG, COLOR, OUTPUT, Page, USAGE};

pub(super) const PAGE: Page = Page {
    command: "validate-params",
    prose: &[],
    json_output: &[
        (
            "version",
            "1. It rises when a field changes its meaning or is removed. JSON Schema: man/schema/validate-params.json.",
        ),
        ("valid", "True if there are no problems and, with --probe, every path is usable."),
        (
            "connectors",
            "A list of id, arn and checked, which is true for a Device Defender connector. id and arn may be null.",
        ),
        (
            "problems, warnings",
            "Lists of connector (its index in connectors; null for the file as a whole), name (of the parameter or \
             field), value (as in the file; null if missing), message, rule and pattern (null if no rule of a \
             parameter is broken), and remedy. Ordered by connector and parameter.",
        ),
        (
            "probe",
            "null without --probe. Otherwise a list of path, usable, exists, procfs (true for a proc file system), net \
             (the directory that collect --proc reads), own_namespace (true if net shows the namespace of this \
             process), hidepid (true if process 1 is hidden from this user), problem and remedy. Fields that do not \
             apply are null.",
        ),
    ],
    exits: &[
        (Exit::Success, "The parameters are valid. Also if the reader of standard output goes away."),
        (Exit::CheckFailed, "A parameter is invalid, or --probe found a path unusable."),
        USAGE,
        (Exit::Input, "The file is neither JSON nor YAML, or not a connector definition."),
        (Exit::NoInput, "The file cannot be opened."),
        BUG,
        OUTPUT,
    ],
    environment: &[COLOR],
    files: &[],
    examples: &[
        (
            "Check the deployed definition:",
            "aws greengrass get-connector-definition-version --connector-definition-id ID \\\n  \
             --connector-definition-version-id VERSION | device-defender validate-params -",
        ),
        ("Check an interval:", "device-defender validate-params --sample-interval-seconds 299"),
        (
            "Check whether a path is usable on this device:",
            "device-defender validate-params --proc-destination-path /host_proc --probe",
        ),
        (
            "Print one line for each problem, as in a CI pipeline:",
            "device-defender validate-params connector.json --format json |\n  \
             jq -r '.problems[] | \"\\(.name): \\(.message): \\(.remedy)\"'",
        ),
    ],
    see_also: "device-defender(1), device-defender-collect(1), jq(1)",
};
