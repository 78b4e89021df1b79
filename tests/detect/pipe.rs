//! `watch --print` piped into `detect`, as it is meant.

use crate::support::PROGRAM;
use std::process::Command;

#[test]
fn what_watch_prints_is_judged_as_it_comes() {
    let pipe = "\"$0\" watch --print --interval 100ms --count 3 --proc tests/fixtures/idle/proc |
                \"$0\" detect --profile tests/fixtures/profile.json --report -";
    let mut shell = Command::new("sh");
    shell.args(["-c", pipe, PROGRAM]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = shell.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let unjudged = "device-defender: warning: profile: .behaviors[4]: never judged: only the service has the machine \
                    learning model of this metric\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), unjudged);
    assert!(told.contains(" in-alarm udp: aws:listening-udp-ports: 68 (normal: only 123)\n"), "{told}");
    assert!(told.contains("\nAfter 3 reports\n"), "{told}");
    assert_eq!(output.status.code(), Some(1));
}
