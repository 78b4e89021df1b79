//! What a terminal shows while the program waits, and that nothing of it remains. `script` of util-linux gives the program a
//! pseudo-terminal of its own.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::support::{Device, fixtures, program};

/// Back to the first column, and everything from there on erased.
const ERASE: &str = "\r\u{1b}[K";

/// A shell with a terminal of 80 columns, which runs a line in which `$P` is the program. Signals that are ignored here, as
/// SIGINT is where a shell runs the tests in the background, are not ignored there.
fn script(dir: &Path, env: &[(&str, &str)], line: &str) -> Command {
    let line = format!("stty rows 24 cols 80 -onlcr; {line}");
    let mut script = Command::new("env");
    script
        .env_clear()
        .current_dir(dir)
        .args(["--default-signal", "timeout", "120", "script", "-qec", &line, "/dev/null"]);
    script.stdin(Stdio::null()).env("P", program());
    script.env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh").env("TERM", "xterm").envs(env.iter().copied());
    script
}

/// What it prints to the terminal.
fn sent(dir: &Path, env: &[(&str, &str)], line: &str) -> String {
    String::from_utf8(script(dir, env, line).output().unwrap().stdout).unwrap()
}

/// What remains on the terminal.
fn remaining(sent: &str) -> String {
    let visible = |line: &str| line.rsplit(ERASE).next().unwrap().to_owned();
    sent.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// The lines that were there for some time.
fn shown(sent: &str) -> Vec<&str> {
    let passing = sent.split('\n').flat_map(|line| line.split(ERASE).skip(1));
    let passing = passing.map(|text| text.split("device-defender: ").next().unwrap());
    passing.filter(|text| !text.is_empty() && !text.starts_with('{')).collect()
}

#[test]
fn a_measurement_shows_how_long_it_takes_and_leaves_nothing() {
    let sent = sent(&fixtures(), &[], "$P collect --proc idle/proc --max-bytes 9000 --since 3s");
    let remaining = remaining(&sent);
    assert!(remaining.starts_with("{\"header\":") && remaining.ends_with("}\n"), "{sent:?}");
    let shown = shown(&sent);
    let is_right = |text: &&str| text.starts_with("measuring traffic for 3s: ") && text.ends_with("s left");
    assert!(!shown.is_empty() && shown.iter().all(is_right), "{sent:?}");
}

#[test]
fn a_signal_that_ends_the_program_leaves_nothing_either() {
    for (signal, code, ignored) in [("INT", 130, ""), ("TERM", 143, ""), ("TERM", 143, "trap '' INT; ")] {
        let line = format!("{ignored}sh -c 'echo $$; exec $P collect --proc idle/proc --since 1h'; echo ended with $?");
        let mut script = script(&fixtures(), &[], &line).stdout(Stdio::piped()).spawn().unwrap();
        let mut terminal = script.stdout.take().unwrap();
        let mut sent = Vec::new();
        let mut read_to = |text: &str| {
            while !String::from_utf8_lossy(&sent).contains(text) {
                let mut byte = [0];
                terminal.read_exact(&mut byte).unwrap();
                sent.extend(byte);
            }
            String::from_utf8_lossy(&sent).into_owned()
        };
        let id = read_to("\n").trim().to_owned();
        read_to("s left");
        let kill = |signal| assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        if !ignored.is_empty() {
            kill("INT");
            read_to(&format!("{ERASE}{ERASE}measuring"));
        }
        kill(signal);
        let sent = read_to(&format!("ended with {code}\n"));
        let by_shell = "Terminated\n";
        assert_eq!(remaining(&sent).replace(by_shell, ""), format!("{id}\nended with {code}\n"), "{sent:?}");
        script.wait().unwrap();
    }
}

#[test]
fn steps_and_a_wait_are_on_lines_of_their_own() {
    let line = "$P collect --proc idle/proc --max-bytes 9000 --since 3s -v";
    let sent = sent(&fixtures(), &[], line);
    assert!(!shown(&sent).is_empty(), "{sent:?}");
    let remaining = remaining(&sent);
    let (report, steps): (Vec<&str>, Vec<&str>) = remaining.lines().partition(|line| line.starts_with('{'));
    assert!(steps.iter().all(|line| line.starts_with("device-defender: ")), "{sent:?}");
    assert!(steps.contains(&"device-defender: waiting 3s") && report.len() == 1, "{sent:?}");
}

#[test]
fn nothing_is_shown_where_nobody_looks_or_no_line_can_be_erased() {
    let collect = "$P collect --proc idle/proc --max-bytes 9000 --since 3s";
    let check = |env: &[(&str, &str)], line: &str| {
        let sent = sent(&fixtures(), env, line);
        assert!(sent.starts_with("{\"header\":") && sent.ends_with("}\n"), "{line}: {sent:?}");
        assert!(!sent.contains(ERASE), "{line}: {sent:?}");
    };
    thread::scope(|all| {
        all.spawn(|| check(&[], &format!("{collect} -q")));
        all.spawn(|| check(&[("TERM", "dumb")], collect));
        all.spawn(|| check(&[("TERM", "")], collect));
        all.spawn(|| check(&[], &format!("{collect} 2>/dev/null")));
        all.spawn(|| check(&[], &format!("{collect} 2>&1 | cat")));
    });
}

#[test]
fn a_loop_shows_when_the_next_report_is_due() {
    let line = "$P watch --proc idle/proc --print --splay 3s --interval 4 --count 2";
    let sent = sent(&fixtures(), &[], line);
    let shown = shown(&sent);
    assert!(shown.iter().any(|text| text.starts_with("first report in ")), "{sent:?}");
    assert!(shown.iter().any(|text| text.starts_with("next report in ")), "{sent:?}");
    let remaining = remaining(&sent);
    let lines: Vec<&str> = remaining.lines().collect();
    assert_eq!(lines[0], "device-defender: first report in 3s, then every 4s");
    assert!(lines.len() == 3 && lines[1..].iter().all(|line| line.starts_with('{') && line.ends_with('}')), "{sent:?}");
}

#[cfg(feature = "detect")]
#[test]
fn a_stream_shows_how_many_reports_were_read() {
    let slow = "{ head -2 reports.ndjson; sleep 3; tail -2 reports.ndjson; }";
    let sent = sent(&fixtures(), &[], &format!("{slow} | $P detect --profile profile.json --report - -q"));
    assert!(!sent.contains(ERASE), "{sent:?}");
    let sent = self::sent(&fixtures(), &[], &format!("{slow} | $P detect --profile profile.json --report -"));
    let shown = shown(&sent);
    let is_right = |text: &&str| text.starts_with("reading standard input: ") && text.ends_with(" reports so far");
    assert!(shown.contains(&"reading standard input: 2 reports so far"), "{sent:?}");
    assert!(shown.iter().filter(|text| !text.starts_with("17000")).all(is_right), "{sent:?}");
    assert!(remaining(&sent).ends_with("0 violated, 4 conforming, 1 not judged, 0 in alarm\n"), "{sent:?}");
}

#[test]
fn a_delivery_shows_what_it_waits_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let device = Device::with_credentials();
    let publish = device.publish_to_port(silent.local_addr().unwrap().port()).set("--timeout", "3s");
    let args: Vec<String> = publish.args().map(|arg| format!("'{}'", arg.to_str().unwrap())).collect();
    let sent = sent(device.root(), &[], &format!("$P {}", args.join(" ")));
    let shown = shown(&sent);
    let is_right = |text: &&str| text.starts_with("sending to ") && text.ends_with(" of at most 3s");
    assert!(!shown.is_empty() && shown.iter().all(is_right), "{sent:?}");
    assert!(remaining(&sent).lines().all(|line| line.starts_with("device-defender: ")), "{sent:?}");
}
