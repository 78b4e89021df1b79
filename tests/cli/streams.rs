//! Standard output and standard error as pipes, files, full disks, and not there at all.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::process::{Command, Output, Stdio};

use crate::support::{Outcome, Run, assert_snapshot, fixtures, program};

/// Every form a report is printed in.
const FORMS: [&[&str]; 4] = [&[], &["--format", "cbor"], &["--format", "table"], &["--max-bytes", "128000"]];

/// `collect` over the saved tree `busy`.
fn busy(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.env_clear().current_dir(fixtures()).args(["collect", "--proc", "busy/proc"]).args(args);
    command
}

/// Runs a line of shell in which `"$0"` is the program, and `$1` what is given.
fn shell(line: &str, given: &str) -> Output {
    let mut command = Command::new("sh");
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(fixtures()).args(["-c", line, program(), given]);
    command.output().unwrap()
}

/// Every form of a report, help and version.
fn runs() -> impl Iterator<Item = Run> {
    let reports = FORMS.into_iter().map(|args| super::captured("busy", args));
    let help = [&["--help"][..], &["--version"], &["collect", "--help"], &["collect", "-h"]];
    reports.chain(help.into_iter().map(|args| Run::new(&fixtures(), args)))
}

#[test]
fn a_reader_that_is_gone_is_a_quiet_success() {
    runs().for_each(Run::without_a_reader);
}

#[test]
fn a_reader_that_goes_away_in_the_middle_is_a_quiet_success() {
    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    fs::create_dir(&net).unwrap();
    for table in ["udp", "dev"] {
        fs::copy(fixtures().join("idle/proc/net").join(table), net.join(table)).unwrap();
    }
    let idle = fs::read_to_string(fixtures().join("idle/proc/net/tcp")).unwrap();
    let mut tcp = idle.lines().next().unwrap().to_owned() + "\n";
    for n in 0..50_000 {
        let end = format!("{n:08X}:0016 {n:08X}:0016");
        writeln!(tcp, "   0: {end} 01 00000000:00000000 00:00000000 00000000     0        0 {n} 1").unwrap();
    }
    fs::write(net.join("tcp"), tcp).unwrap(); // some megabytes of report, more than any pipe holds
    for args in FORMS.into_iter().filter(|args| !args.contains(&"128000")) {
        let mut command = Command::new(program());
        command.env_clear().args(["collect", "-q", "--proc"]).arg(dir.path()).args(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{args:?}");
    }
    let output = shell(r#""$0" collect -q --proc "$1" | head -c1; echo "$?""#, dir.path().to_str().unwrap());
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"{0\n"[..], &b""[..]));
}

#[test]
fn a_full_disk_is_reported() {
    runs().for_each(Run::fails_on_a_full_disk);
    super::captured("busy", &["--strict", "-q"]).fails_on_a_full_disk(); // which is worse than what --strict finds
}

/// The message names `/dev/null` because that is what a closed stream looks like, and some programs open it so.
#[cfg(full)]
#[test]
fn a_closed_standard_output_is_reported() {
    let reported = b"device-defender: standard output: closed, or /dev/null opened for reading and writing\n";
    for line in [
        r#"exec "$0" collect --proc "$1" >&-"#,
        r#"exec "$0" collect --proc "$1" --format cbor >&-"#,
        r#"exec "$0" collect --proc "$1" --format table <&- >&-"#,
        r#"exec "$0" watch --print --count 1 --proc "$1" >&-"#,
        r#"exec "$0" validate-params -q --sample-interval-seconds 300 >&-"#,
        r#"exec "$0" detect -q --profile profile.json --report reports.ndjson >&-"#,
        // Without an event, nothing would be written.
        r#"echo '[{"name": "tcp", "metric": "aws:num-listening-tcp-ports", "criteria": {"comparisonOperator": "less-than",
           "value": {"count": 9}}}]' | "$0" detect --profile - --report reports.ndjson --format json >&-"#,
        r#"exec "$0" --help >&-"#,
        r#"exec "$0" collect -h >&-"#,
        r#"exec "$0" --version >&-"#,
        r#"exec "$0" collect --proc "$1" 1<>/dev/null"#, // as `subprocess.DEVNULL` of Python is
    ] {
        let output = shell(line, "busy/proc");
        assert_eq!(output.status.code(), Some(74), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(reported), "{line}");
    }
    assert_eq!(shell(r#"exec "$0" collect --proc "$1" >&- 2>/dev/null"#, "busy/proc").status.code(), Some(74));
}

#[test]
fn output_that_is_discarded_is_no_fault() {
    for line in [
        r#"exec "$0" collect --proc "$1" >/dev/null"#,
        r#"exec "$0" collect --proc "$1" </dev/null >/dev/null 2>/dev/null"#,
        r#"exec "$0" collect --proc "$1" 2>&- >/dev/null"#,
        r#"exec "$0" collect --proc "$1" <>/dev/null >&0 2>&0"#, // as daemon(3) does
        r#"exec "$0" --help >/dev/null"#,
    ] {
        let output = shell(line, "busy/proc");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{line}");
    }
}

#[test]
fn other_streams_that_are_closed_do_no_harm() {
    for line in [
        r#"exec "$0" collect --proc "$1" <&-"#,
        r#"exec "$0" collect --proc "$1" -v 2>&-"#,
        r#"exec "$0" collect --proc "$1" -v 2>/dev/full"#,
        r#"exec "$0" collect --proc "$1" -v <&- >&- 2>&-"#,
    ] {
        let output = shell(line, "busy/proc");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{line}");
        let report = !line.contains(" >&-");
        assert_eq!(output.stdout.ends_with(b"}\n"), report, "{line}");
    }
    // The exit code does not need anybody to listen.
    assert_eq!(shell(r#"exec "$0" collect --proc "$1" 2>&-"#, "nowhere").status.code(), Some(66));
    assert_eq!(shell(r#"exec "$0" collect --frob "$1" 2>/dev/full"#, "").status.code(), Some(2));
}

#[test]
fn json_is_one_line_when_it_is_piped() {
    for args in [&[][..], &["--names", "short"], &["--compat", "connector"], &["--color", "always"]] {
        let text = String::from_utf8(busy(args).output().unwrap().stdout).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{args:?}");
        assert!(text.starts_with('{') && text.ends_with("}\n") && !text.contains(": ") && !text.contains('\u{1b}'));
    }
}

#[test]
fn output_goes_to_a_file_as_it_is() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for args in FORMS {
        let output = busy(args).stdout(file.reopen().unwrap()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        let (piped, written) = (busy(args).output().unwrap().stdout, fs::read(file.path()).unwrap());
        assert_eq!(piped.len(), written.len(), "{args:?}");
        file.as_file().set_len(0).unwrap();
    }
}

#[test]
fn verbose_prints_every_step_and_quiet_prints_errors_only() {
    let verbose = |tree: &str, args: &[&str]| {
        let outcome = Outcome::of(super::captured(tree, &[&["-v"], args].concat()));
        assert_eq!(outcome.code, Some(0));
        outcome.stderr
    };
    assert_snapshot(
        verbose("idle", &[]),
        snapbox::str![[r#"
device-defender: reading idle/proc/net
device-defender: idle/proc/1/net: No such file or directory (os error 2); reading idle/proc/net instead
device-defender: network_stats: everything the counters show, since each interface appeared
device-defender: idle/proc/net/tcp: 2 rows
device-defender: idle/proc/net/tcp6: 1 rows
device-defender: idle/proc/net/udp: 1 rows
device-defender: idle/proc/net/udp6: 0 rows
device-defender: idle/proc/net/dev: 2 rows

"#]],
    );
    assert_snapshot(
        verbose("ipv6-off", &["--netns", "self", "--since", "1ms"]),
        snapbox::str![[r#"
device-defender: reading ipv6-off/proc/net
device-defender: waiting 1ms
device-defender: ipv6-off/proc/net/tcp: 8 rows
device-defender: ipv6-off/proc/net/tcp6: does not exist, so empty
device-defender: ipv6-off/proc/net/udp: 3 rows
device-defender: ipv6-off/proc/net/udp6: does not exist, so empty
device-defender: ipv6-off/proc/net/dev: 3 rows

"#]],
    );
    assert_snapshot(
        verbose("big-endian", &["--netns", "self"]),
        snapbox::str![[r#"
device-defender: reading big-endian/proc/net
device-defender: its routes were written by a big-endian machine
device-defender: network_stats: everything the counters show, since each interface appeared
device-defender: big-endian/proc/net/tcp: 7 rows
device-defender: big-endian/proc/net/tcp6: 8 rows
device-defender: big-endian/proc/net/udp: 3 rows
device-defender: big-endian/proc/net/udp6: 3 rows
device-defender: big-endian/proc/net/dev: 3 rows

"#]],
    );
    let args = ["collect", "--proc", "busy/proc", "--max-bytes", "1000"];
    let warned = Run::new(&fixtures(), &args).finish();
    assert!(String::from_utf8(warned.stderr).unwrap().starts_with("device-defender: warning: cut to 1000 bytes: "));
    Run::new(&fixtures(), &[&args[..], &["-q"]].concat()).output();
    Run::new(&fixtures(), &["collect", "--quiet", "--proc", "none"])
        .code(66)
        .stderr("none: no such directory\nhint: check the path")
        .output();
}
