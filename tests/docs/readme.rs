//! The README and the changelog match the program.

use std::path::Path;
use std::process::Command;

use device_defender::Exit;

use super::{PROGRAM, PROJECT, read};

#[test]
fn readme_has_the_table_of_exit_codes() {
    let rows: Vec<String> = Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
    let table = format!("| code | when |\n|---|---|\n{}\n", rows.join("\n"));
    assert!(read("README.md").contains(&table), "README.md should have this table:\n{table}");
}

#[test]
fn exit_codes_are_distinct_and_in_order() {
    let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
}

#[test]
fn readme_starts_with_the_two_commands_that_run_and_test_the_program() {
    let readme = read("README.md");
    let mut blocks = readme.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    assert_eq!(blocks.next(), Some("cargo run --release -- collect\n"));
    assert_eq!(blocks.next(), Some("tests/run\n"));
    assert!(read(".ci/run").contains("\ntests/run\n"), ".ci/run should call tests/run");
}

#[test]
fn readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 220, "README.md has {lines} lines; the man pages have room for the fine print");
}

/// A comment before a code block has the arguments that print the block.
#[test]
fn readme_shows_current_output() {
    let readme = read("README.md");
    let examples: Vec<&str> = readme.split("<!-- ").skip(1).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let (args, rest) = example.split_once(" -->\n").unwrap();
        let shown = rest.split("```").nth(1).unwrap().split_once('\n').unwrap().1;
        let output = Command::new(PROGRAM).args(args.split(' ')).current_dir(PROJECT).output().unwrap();
        assert_eq!(without_time(shown), without_time(&String::from_utf8(output.stdout).unwrap()), "{args}");
    }
}

/// Removes the report ID, which is the current time, from a report.
fn without_time(report: &str) -> String {
    let Some((before, rest)) = report.split_once("eport_id").or_else(|| report.split_once("Report")) else {
        return report.to_owned();
    };
    let after = rest.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_start_matches(|c: char| c.is_ascii_digit());
    let after = if after.starts_with(" (") { after.split_once('\n').unwrap().1 } else { after };
    format!("{before}{after}")
}

/// Runs the recipes of the README on a captured host. They need jq, from the Debian package jq.
#[test]
fn readme_recipes_work() {
    let readme = read("README.md");
    let recipes: Vec<&str> =
        readme.split("```bash\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let expected = ["81\t192.0.2.1\n"];
    assert_eq!(recipes.len(), expected.len());
    let program = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    for (recipe, expected) in recipes.into_iter().zip(expected) {
        let dir = tempfile::tempdir().unwrap();
        let host = Path::new(PROJECT).join("tests/fixtures/busy/proc");
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", recipe]).current_dir(dir.path());
        let output = bash.env("PATH", &path).env("DEVICE_DEFENDER_PROC", host).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && stderr.is_empty(), "{recipe}\n{stderr}");
        assert!(stdout.contains(expected), "{recipe}\n{stdout}");
    }
}

#[test]
fn changelog_has_the_version_of_the_package() {
    assert!(read("CHANGELOG.md").contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}
