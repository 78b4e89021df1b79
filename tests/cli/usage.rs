//! Flags and variables: what is refused, with which code, and what wins over what.

use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::cli::idle;
use crate::support::{Run, fixtures};

#[cfg(full)]
#[test]
fn help_and_version_go_to_standard_output() {
    let version = concat!("device-defender ", env!("CARGO_PKG_VERSION"));
    assert_eq!(Run::new(&fixtures(), &["-V"]).text(), format!("{version}\n"));
    let long = Run::new(&fixtures(), &["--version"]).text();
    assert!(long.starts_with(&format!("{version} (")) && long.lines().count() == 1, "{long}");
    for args in [&["--help"][..], &["-h"], &["collect", "--help"], &["collect", "-h"], &["generate", "--help"]] {
        let help = String::from_utf8(Run::new(&fixtures(), args).output()).unwrap();
        assert!(help.contains("Usage: device-defender ") && !help.contains('\u{1b}'), "{args:?}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{args:?}");
    }
    let help = String::from_utf8(Run::new(&fixtures(), &["-h"]).output()).unwrap();
    assert!(help.contains("collect") && help.contains("generate"));
    let missing = Run::new(&fixtures(), &[]).code(2).finish();
    assert_eq!((missing.status.code(), missing.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("Usage: device-defender "));
}

/// Runs `collect` over the tree `idle` and returns the exit code and the first line on standard error. Nothing may be on
/// standard output.
fn refused(run: Run) -> (Option<i32>, String) {
    let output = run.finish();
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!told.contains('\u{1b}') && told.ends_with('\n') && !told.contains("panicked"), "{told}");
    (output.status.code(), told.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn a_wrong_command_line_is_refused_with_2() {
    const PROCESS: &str = "expected auto, self, or a process ID";
    const DAY: &str = "a duration is at most 1day, because it is waited for (5m is minutes, 5M months)";
    const NO_DURATION: &str = "expected boot, report, seconds (10) or a duration (5m)";
    const NAME: &str = "a thing name has 1 to 128 bytes, and no control characters, `/`, `+` or `#`";
    let invalid = |flag: &str, value: &str, reason: &str| {
        let name = flag.trim_start_matches('-').replace('-', " ");
        format!("device-defender: {name} `{value}` ({flag}): {reason}")
    };
    let since = |value, reason: &str| invalid("--since", value, reason);
    let netns = |value| invalid("--netns", value, PROCESS);
    let twice = |flag| format!("error: the argument '{flag}' cannot be used multiple times");
    let long = "x".repeat(129);
    let cases: Vec<(Vec<&str>, String)> = vec![
        (vec!["--frob"], "error: unexpected argument '--frob' found".to_owned()),
        (vec!["extra"], "error: unexpected argument 'extra' found".to_owned()),
        (vec!["-x"], "error: unexpected argument '-x' found".to_owned()),
        (vec!["--since", "0s"], since("0s", "a duration must be longer than 0")),
        (vec!["--since", "0ms"], since("0ms", "a duration must be longer than 0")),
        (vec!["--since", "5M"], since("5M", DAY)),
        (vec!["--since", "25h"], since("25h", DAY)),
        (vec!["--since", "1day 1ns"], since("1day 1ns", DAY)),
        (vec!["--since", "now"], since("now", NO_DURATION)),
        (vec!["--since", "-5s"], "error: unexpected argument '-5' found".to_owned()),
        (vec!["--since=-5s"], since("-5s", NO_DURATION)),
        (vec!["--since", "BOOT"], since("BOOT", NO_DURATION)),
        (vec!["--netns", "host"], netns("host")),
        (vec!["--netns", "0"], netns("0")),
        (vec!["--netns=-1"], netns("-1")),
        (vec!["--netns", "+1"], netns("+1")),
        (vec!["--netns", "4294967296"], netns("4294967296")),
        (vec!["--netns", "1/net"], netns("1/net")),
        (vec!["--max-bytes", "x"], invalid("--max-bytes", "x", "expected a whole number")),
        (vec!["--max-bytes", "1e5"], invalid("--max-bytes", "1e5", "expected a whole number")),
        (vec!["--max-bytes=-1"], invalid("--max-bytes", "-1", "expected a whole number")),
        (vec!["--max-bytes", "99999999999999999999"], invalid("--max-bytes", "99999999999999999999", "too large")),
        (
            vec!["--exclude-interface", "a["],
            invalid("--exclude-interface", "a[", "Pattern syntax error near position 1: invalid range pattern"),
        ),
        (
            vec!["--exclude-interface", "***"],
            invalid(
                "--exclude-interface",
                "***",
                "Pattern syntax error near position 2: wildcards are either regular `*` or recursive `**`",
            ),
        ),
        (vec!["--format", "xml"], invalid("--format", "xml", "must be one of json, cbor, table")),
        (vec!["--names", "tiny"], invalid("--names", "tiny", "must be one of long, short")),
        (vec!["--compat", "v2"], invalid("--compat", "v2", "must be connector")),
        (vec!["--color", "sometimes"], invalid("--color", "sometimes", "must be one of auto, always, never")),
        (vec!["--thing-name", "a/b"], invalid("--thing-name", "a/b", NAME)),
        (vec!["--thing-name", &long], invalid("--thing-name", &long, NAME)),
        (vec!["--thing-name", ""], invalid("--thing-name", "", NAME)),
        (vec!["--state-dir"], "error: a value is required for '--state-dir <DIR>' but none was supplied".to_owned()),
        (vec!["--strict=1"], "error: unexpected value '1' for '--strict' found; no more were expected".to_owned()),
        (vec!["-q", "-v"], "error: the argument '--quiet' cannot be used with '--verbose'".to_owned()),
        (vec!["-v", "-q"], "error: the argument '--verbose' cannot be used with '--quiet'".to_owned()),
        (vec!["--netns", "1", "--netns", "1"], twice("--netns <WHOSE>")),
        (vec!["--since", "boot", "--since", "boot"], twice("--since <WHEN>")),
        (vec!["-t", "-f", "json"], "error: the argument '-t' cannot be used with '--format <FORMAT>'".to_owned()),
        (vec!["--processes"], "device-defender: --processes requires --format table".to_owned()),
        (vec!["--processes", "--format", "cbor"], "device-defender: --processes requires --format table".to_owned()),
        (
            vec!["--max-bytes", "9999", "--format", "table"],
            "device-defender: --max-bytes is for JSON and CBOR, not tables".to_owned(),
        ),
    ];
    for (args, first) in cases {
        assert_eq!(refused(idle(&args)), (Some(2), first), "{args:?}");
    }
    let unknown = |name| (Some(2), format!("error: unrecognized subcommand '{name}'"));
    assert_eq!(refused(Run::new(&fixtures(), &["colect"])), unknown("colect"));
    assert_eq!(refused(Run::new(&fixtures(), &["help", "colect"])), unknown("colect"));
    let empty = Run::new(&fixtures(), &["collect", "--proc", ""]);
    let required = "error: a value is required for '--proc <PATH>' but none was supplied";
    assert_eq!(refused(empty), (Some(2), required.to_owned()));
}

#[test]
fn what_a_usage_error_quotes_is_escaped() {
    for (args, quoted) in [
        (&["collect", "\u{1b}[31mred"][..], r"unexpected argument '\u{1b}[31mred' found"),
        (
            &["collect", "--frob\ndevice-defender: all is well"],
            r"argument '--frob\u{a}device-defender: all is well' found",
        ),
        (&["collect", "--strict=\u{202e}0"], r"unexpected value '\u{202e}0' for '--strict' found"),
        (&["\u{9b}2Jcollect"], r"unrecognized subcommand '\u{9b}2Jcollect'"),
        (&["collect", "--proc\u{7}=/proc"], r"unexpected argument '--proc\u{7}' found"),
        (&["collect", "--netns", "\u{3164}"], r"netns `\u{3164}` (--netns): expected auto, self, or a process ID"),
    ] {
        let stderr = String::from_utf8(Run::new(&fixtures(), args).finish().stderr).unwrap();
        assert!(stderr.contains(quoted), "{stderr}");
        assert!(
            !stderr.contains(|c: char| c != '\n' && (c.is_control() || "\u{202e}\u{3164}".contains(c))),
            "{stderr:?}"
        );
    }
}

/// The tip is the only one, and comes instead of clap's.
#[cfg(full)]
#[test]
fn what_people_type_gets_a_tip_with_the_right_flag() {
    for (args, tip) in [
        ("collect --json", "use '--format json'"),
        ("validate-params f.json --json", "use '--format json'"),
        ("collect -o json", "use '--format json' to choose the format, or '> FILE' to write to a file"),
        ("collect -ojson", "use '--format json' to choose the format, or '> FILE' to write to a file"),
        ("detect --output=json", "use '--format json' to choose the format, or '> FILE' to write to a file"),
        ("detect --profile p.json --table", "use '-t' or '--format table'"),
        ("watch --cbor", "use '--format cbor'"),
        ("detect p.json", "use '--profile p.json' for a security profile, or '--report p.json' for saved reports"),
        (
            "detect \u{1b}[2J",
            "use '--profile \\u{1b}[2J' for a security profile, or '--report \\u{1b}[2J' for saved reports",
        ),
        ("-v watch --once", "use 'device-defender publish', which sends one report"),
        ("watch --dry-run", "use '--print', or 'device-defender publish --dry-run'"),
        ("publish --interval 60", "use 'device-defender watch', which sends reports periodically"),
        ("publish -i 60", "use 'device-defender watch', which sends reports periodically"),
        ("publish --print", "use '--dry-run'"),
        ("collect -i 60", "use 'device-defender watch --print --interval', which prints reports periodically"),
        ("watch --host broker", "use '--endpoint'"),
        ("publish -p 8883", "use '--port'"),
        ("version", "use '--version'"),
        ("completions bash", "use 'device-defender generate completions SHELL'"),
        ("watch --check", "use 'device-defender publish --check'"),
        ("publish --version", "use 'device-defender --version'"),
        ("collect --formt cbor", "a similar argument exists: '--format'"),
        ("publish --checkk", "a similar argument exists: '--check'"),
        ("publish --name gw", "a similar argument exists: '--thing-name'"),
        ("watch --root /greengrass/v2", "a similar argument exists: '--greengrass-root'"),
        ("generate units --root /greengrass/v2", "a similar argument exists: '--greengrass-root'"),
        ("publish --cert=c.pem", "a similar argument exists: '--cert-file'"),
        ("detect --prefix 24,64", "a similar argument exists: '--learn-prefix'"),
        ("collect --verbos", "a similar argument exists: '--verbose'"),
        ("colect", "a similar subcommand exists: 'collect'"),
    ] {
        let words: Vec<&str> = args.split(' ').collect();
        let output = Run::new(&fixtures(), &words).finish();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let tips: Vec<&str> = stderr.lines().filter_map(|line| line.strip_prefix("  tip: ")).collect();
        assert_eq!((output.status.code(), tips), (Some(2), vec![tip]), "{args}\n{stderr}");
    }
}

#[test]
fn a_flag_that_is_like_no_other_gets_no_tip() {
    for args in
        ["watch --prefix", "collect -- --proc", "collect --root /", "publish --file f", "validate-params --name"]
    {
        let words: Vec<&str> = args.split(' ').collect();
        let output = Run::new(&fixtures(), &words).finish();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected =
            format!("error: unexpected argument '{}' found\n", words[1..].iter().find(|word| word.len() > 2).unwrap());
        assert!(stderr.starts_with(&expected) && !stderr.contains("tip: "), "{args}\n{stderr}");
    }
}

#[test]
fn a_tip_names_flags_that_exist() {
    for args in
        ["collect -f json", "collect --format table", "watch --print -i 60 --count 0", "publish --dry-run --port 0"]
    {
        let words: Vec<&str> = args.split(' ').collect();
        let stderr = String::from_utf8(Run::new(&fixtures(), &words).finish().stderr).unwrap();
        assert!(!stderr.contains("unexpected argument"), "{args}\n{stderr}");
    }
}

#[cfg(full)]
#[test]
fn help_describes_a_command() {
    let text = |args: &[&str]| Run::new(&fixtures(), args).text();
    assert_eq!(text(&["help"]), text(&["--help"]));
    for command in
        [&["collect"][..], &["validate-params"], &["publish"], &["watch"], &["detect"], &["generate", "units"]]
    {
        let help = text(&[&["help"], command].concat());
        assert_eq!(help, text(&[command, &["--help"]].concat()));
        let headings: Vec<&str> = help.lines().filter(|line| line.ends_with(':') && !line.starts_with(' ')).collect();
        assert_eq!(headings.last(), Some(&"Global options:"), "the command's own options come first");
        assert!(headings.len() > 1, "{headings:?}");
    }
}

#[test]
fn short_flags_stand_for_long_ones() {
    let table = |args: &[&str]| idle(args).text().split_once('\n').unwrap().1.to_owned(); // the first line has the time
    assert_eq!(table(&["-t"]), table(&["--format", "table"]));
    assert_eq!(table(&["-f", "table"]), table(&["--format", "table"]));
    assert_eq!(idle(&["-fjson"]).json()["metrics"], idle(&[]).json()["metrics"]);
    let copy = "--processes: idle/proc is not a proc file system, and a copy has no processes";
    for args in [&["-tp"][..], &["-p", "--format", "table"]] {
        let stderr = String::from_utf8(idle(args).finish().stderr).unwrap();
        assert!(stderr.contains(copy), "{stderr}");
    }
}

#[test]
fn global_flags_may_stand_before_the_command() {
    for args in [&["-v", "collect"][..], &["--verbose", "collect"], &["-vv", "collect", "-v"]] {
        let output = Run::new(&fixtures(), &[args, &["--proc", "idle/proc"]].concat()).finish();
        assert!(output.status.success() && output.stderr.starts_with(b"device-defender: reading idle/proc/net\n"));
    }
    Run::new(&fixtures(), &["--color", "never", "-q", "collect", "--proc", "idle/proc"]).output();
}

/// The ports of a report of the saved tree `ipv6-off`, which no other tree has.
fn is_of_ipv6_off(report: &Value) -> bool {
    report["metrics"]["listening_tcp_ports"]["ports"][3]["port"] == 1883
}

#[test]
fn the_environment_gives_the_proc_path_and_the_flag_beats_it() {
    let collect = |args: &[&str]| Run::new(&fixtures(), &[&["collect"], args].concat());
    assert!(is_of_ipv6_off(&collect(&[]).env("DEVICE_DEFENDER_PROC", "ipv6-off/proc").json()));
    assert!(!is_of_ipv6_off(&idle(&[]).env("DEVICE_DEFENDER_PROC", "ipv6-off/proc").json()));
    assert!(!is_of_ipv6_off(&idle(&[]).env("DEVICE_DEFENDER_PROC", "nowhere").json()));
    collect(&[])
        .env("DEVICE_DEFENDER_PROC", "nowhere")
        .code(66)
        .stderr("nowhere: no such directory\nhint: check the path; the path is from environment variable DEVICE_DEFENDER_PROC")
        .output();
    // Empty is unset: the real /proc.
    let output = collect(&["-v"]).env("DEVICE_DEFENDER_PROC", "").finish();
    assert!(output.stderr.starts_with(b"device-defender: reading /proc/"));
}

#[test]
fn a_wrong_value_is_78_in_the_environment_and_2_on_the_command_line() {
    const NAME: &str = "DEVICE_DEFENDER_THING_NAME";
    assert_eq!(refused(idle(&[]).env(NAME, "a/b")).0, Some(78));
    assert_eq!(refused(idle(&["--thing-name", "a/b"])).0, Some(2));
    assert_eq!(refused(idle(&["--thing-name=a/b"])).0, Some(2));
    assert_eq!(refused(idle(&["--thing-name", "a/b"]).env(NAME, "c/d")).0, Some(2));
    assert_eq!(refused(idle(&["--since", "0s"]).env(NAME, "a/b")).0, Some(2), "2 beats 78");
    idle(&["--thing-name", "good"]).env(NAME, "a/b").output(); // not looked at
    idle(&[]).env(NAME, "").output(); // empty is unset
    idle(&[]).env(NAME, "good").output();
}

#[test]
fn a_refused_variable_is_named() {
    let not_utf8 = std::ffi::OsStr::from_bytes(b"gw\xff");
    let state = ["--since", "report", "--state-dir", "."];
    for (run, name) in [
        (idle(&[]).env("DEVICE_DEFENDER_THING_NAME", "a/b"), "DEVICE_DEFENDER_THING_NAME"),
        (idle(&[]).env("DEVICE_DEFENDER_THING_NAME", not_utf8), "DEVICE_DEFENDER_THING_NAME"),
        (idle(&state).env("AWS_IOT_THING_NAME", not_utf8), "AWS_IOT_THING_NAME"),
    ] {
        let output = run.finish();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(78) && stderr.contains(name), "nothing names {name}:\n{stderr}");
    }
}

#[test]
fn a_value_that_is_not_utf8_is_refused_with_its_flag() {
    let refused = |args: &[&str], last: &[u8], told: &str| {
        let mut run = Run::new(&fixtures(), args).code(2).stderr(&format!("{told}: not UTF-8"));
        run.command.arg(std::ffi::OsStr::from_bytes(last));
        run.prints_nothing();
    };
    refused(&["watch", "--print", "--count"], b"\xff1", "count `\u{fffd}1` (--count)");
    refused(&["watch", "--print"], b"--count=\xff1", "count `\u{fffd}1` (--count)");
    let sample = "sample interval seconds `30\u{fffd}` (--sample-interval-seconds)";
    refused(&["validate-params", "--sample-interval-seconds"], b"30\xff", sample);
}

#[test]
fn only_settings_have_a_variable() {
    let plain = idle(&[]).output();
    for (name, value) in [
        // Those of reports that are sent.
        ("DEVICE_DEFENDER_FORMAT", "table"),
        ("DEVICE_DEFENDER_NAMES", "short"),
        ("DEVICE_DEFENDER_MAX_BYTES", "1"),
        ("DEVICE_DEFENDER_COMPAT", "connector"),
        // Those of nothing.
        ("DEVICE_DEFENDER_SINCE", "report"),
        ("DEVICE_DEFENDER_STRICT", "1"),
        ("DEVICE_DEFENDER_VERBOSE", "1"),
    ] {
        let output = idle(&["-q"]).env(name, value).output();
        assert_eq!(output.len(), plain.len(), "{name}");
    }
}

#[test]
fn an_excluded_interface_is_not_in_the_traffic_and_all_else_stays() {
    let traffic = |args: &[&str]| {
        let busy = Run::new(&fixtures(), &[&["collect", "--proc", "busy/proc"], args].concat()).json();
        let stats = &busy["metrics"]["network_stats"];
        let traffic = ["bytes_in", "packets_in", "bytes_out", "packets_out"].map(|name| stats[name].as_u64().unwrap());
        (traffic, busy["metrics"]["listening_tcp_ports"].clone())
    };
    let (all, ports) = traffic(&[]);
    assert_eq!(all, [4_727_465_077, 106_042, 5_045_248_440, 106_900]);
    let lo = 4_727_134_542;
    for (globs, expected) in [
        (&["l[a-z]"][..], [330_535, 4851, 318_113_898, 5709]),
        (&["eth?"], [lo, 101_191, lo, 101_191]),
        (&["eth[12]", "lo"], [329_247, 4837, 318_112_390, 5695]),
        (&["[!l]*"], [lo, 101_191, lo, 101_191]),
        (&["*"], [0; 4]),
        (&["LO", "eth", "wlan0", ""], all),
    ] {
        let args: Vec<&str> = globs.iter().flat_map(|glob| ["--exclude-interface", *glob]).collect();
        assert_eq!(traffic(&args), (expected, ports.clone()), "{globs:?}");
    }
    let args = ["collect", "--proc", "busy/proc", "--format", "table", "--exclude-interface", "eth*"];
    let table = String::from_utf8(Run::new(&fixtures(), &args).output()).unwrap();
    let traffic = table.split_once("\nTraffic ").unwrap().1;
    assert!(!traffic.contains("eth") && traffic.contains("\nlo ") && traffic.contains("\ntun0 "));
}
