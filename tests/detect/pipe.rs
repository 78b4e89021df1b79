//! What comes through a pipe: `watch --print` as it is meant, and an input that never waits.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use crate::detect::only_22;
use crate::support::{Dir, program, spawn};

#[test]
fn what_watch_prints_is_judged_as_it_comes() {
    let pipe = "\"$0\" watch --print --interval 100ms --count 3 --proc tests/fixtures/idle/proc |
                \"$0\" detect --profile tests/fixtures/profile.json --report -";
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", "/usr/bin:/bin");
    shell.args(["-c", pipe, program()]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = shell.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let unjudged = "device-defender: warning: profile: .behaviors[4]: never judged: only the service has the machine \
                    learning model of this metric\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), unjudged);
    assert!(told.contains(" in-alarm udp: aws:listening-udp-ports: 68 (normal: only 123)\n"), "{told}");
    assert!(told.contains("\nAfter 3 reports\n"), "{told}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn lines_that_are_not_reports_do_not_defer_the_verdict_on_the_first_report() {
    let dir = Dir::with_profile(&only_22(1, 1));
    let mut command = Command::new(program());
    command.args(["detect", "--profile", "profile.json", "--report", "-", "--format", "json", "-q"]);
    command.current_dir(dir.root()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut detect = spawn(&mut command);
    let (mut stdin, stdout) = (detect.stdin.take().unwrap(), detect.stdout.take().unwrap());
    let judged = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let report =
                json!({"header": {"report_id": 1, "version": "1.0"}, "metrics": {"tp": {"pts": [{"pt": 23}]}}});
            writeln!(stdin, "{report}").unwrap();
            while !judged.load(Ordering::Relaxed) {
                writeln!(stdin, "garbage").unwrap();
            }
            drop(stdin);
        });
        let mut event = String::new();
        BufReader::new(stdout).read_line(&mut event).unwrap();
        assert!(event.contains("in-alarm"), "{event}");
        judged.store(true, Ordering::Relaxed);
    });
    assert_eq!(detect.wait().unwrap().code(), Some(1));
}
