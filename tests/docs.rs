//! The documents say what the program does: man pages and completions are what the program generates, the exit codes
//! stand in every place alike, and the README's first two commands are the two that do everything.
//!
//! `UPDATE=1 cargo test --test docs` writes man pages and completions anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use device_defender::exit::Exit;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(PROJECT).join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every file in a directory, by name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// Compares a directory of the project with what the program generates, or writes it anew.
fn assert_generated(what: &str, dir: &str) {
    let generated = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_device-defender"))
        .args(["generate", what])
        .arg(generated.path())
        .status()
        .unwrap();
    assert!(status.success());
    let committed = Path::new(PROJECT).join(dir);
    if std::env::var_os("UPDATE").is_some() {
        for (name, content) in files(generated.path()) {
            fs::write(committed.join(name), content).unwrap();
        }
    }
    let (generated, committed) = (files(generated.path()), files(&committed));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&generated), "{dir}/ has other files than the program generates");
    for (name, content) in generated {
        let same = committed.get(&name) == Some(&content);
        assert!(same, "{dir}/{name} is not what the program generates; UPDATE=1 cargo test --test docs writes it anew");
    }
}

#[test]
fn the_man_pages_are_those_the_program_generates() {
    assert_generated("man", "man");
}

#[test]
fn the_completions_are_those_the_program_generates() {
    assert_generated("completions", "completions");
}

#[test]
fn man_shows_every_page_at_80_columns_without_a_warning() {
    for name in files(&Path::new(PROJECT).join("man")).into_keys() {
        let page: PathBuf = [PROJECT, "man", &name].iter().collect();
        let man = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(page)
            .env("MANWIDTH", "80")
            .env("MAN_KEEP_STDERR", "1")
            .output()
            .unwrap_or_else(|e| panic!("man, of Debian's package man-db, is needed: {e}"));
        assert!(man.status.success(), "{name}: {}", String::from_utf8_lossy(&man.stderr));
        assert_eq!(String::from_utf8_lossy(&man.stderr), "", "{name}");
        assert!(man.stdout.len() > 1000, "{name} is nearly empty");
    }
}

#[test]
fn bash_can_read_its_completions() {
    let script: PathBuf = [PROJECT, "completions", "device-defender.bash"].iter().collect();
    let bash = Command::new("bash").arg("-n").arg(script).output().unwrap();
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
}

#[test]
fn the_readme_has_the_table_of_exit_codes() {
    let rows: Vec<String> = Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
    let table = format!("| code | when |\n|---|---|\n{}\n", rows.join("\n"));
    assert!(read("README.md").contains(&table), "README.md should have this table:\n{table}");
}

#[test]
fn the_exit_codes_are_all_different_and_in_order() {
    let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
}

#[test]
fn the_readme_begins_with_the_two_commands_that_do_everything() {
    let readme = read("README.md");
    let mut blocks = readme.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    assert_eq!(blocks.next(), Some("cargo run --release -- collect\n"));
    assert_eq!(blocks.next(), Some("tests/run\n"));
    assert!(read(".ci/run").contains("\ntests/run\n"), ".ci/run calls the README's test command");
}

#[test]
fn the_readme_names_every_flag() {
    let readme = read("README.md");
    for command in ["collect", "validate-params", "publish", "watch", "detect"] {
        let help = Command::new(env!("CARGO_BIN_EXE_device-defender")).args([command, "--help"]).output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let flags = help.lines().filter_map(|line| line.trim().strip_prefix("--")?.split([' ', '=']).next());
        for flag in flags.filter(|flag| !["help", "verbose", "quiet", "version"].contains(flag)) {
            assert!(readme.contains(&format!("--{flag}")), "README.md does not mention --{flag} of {command}");
        }
    }
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let readme = read("README.md");
    let examples: Vec<&str> = readme.split("<!-- ").skip(1).collect();
    assert_eq!(examples.len(), 6);
    for example in examples {
        let (args, rest) = example.split_once(" -->\n").unwrap();
        let shown = rest.split("```").nth(1).unwrap().split_once('\n').unwrap().1;
        let mut program = Command::new(env!("CARGO_BIN_EXE_device-defender"));
        let output = program.args(args.split(' ')).current_dir(PROJECT).output().unwrap();
        assert_eq!(without_time(shown), without_time(&String::from_utf8(output.stdout).unwrap()), "{args}");
    }
}

/// The recipes of the README run as they stand, on a captured host. `jq` is of Debian's package jq.
#[test]
fn the_recipes_of_the_readme_work() {
    let readme = read("README.md");
    let recipes: Vec<&str> =
        readme.split("```bash\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let expected = ["81\t192.0.2.1\n", "[1,22,80,443,", "", "\"custom_metrics\":{\"cpu_temp\":[{\"number\":48.5}],"];
    assert_eq!(recipes.len(), expected.len());
    let program = Path::new(env!("CARGO_BIN_EXE_device-defender")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    for (recipe, expected) in recipes.into_iter().zip(expected) {
        let dir = tempfile::tempdir().unwrap();
        let host = Path::new(PROJECT).join("tests/fixtures/busy/proc");
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", recipe]).current_dir(dir.path());
        let output = bash.env("PATH", &path).env("DEVICE_DEFENDER_PROC", host).output().unwrap();
        let (printed, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && told.is_empty(), "{recipe}\n{told}");
        assert!(printed.contains(expected), "{recipe}\n{printed}");
    }
}

/// A report without its id, which is the time; anything else as it is.
fn without_time(report: &str) -> String {
    let Some((before, rest)) = report.split_once("eport_id").or_else(|| report.split_once("Report")) else {
        return report.to_owned();
    };
    let after = rest.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_start_matches(|c: char| c.is_ascii_digit());
    let after = if after.starts_with(" (") { after.split_once('\n').unwrap().1 } else { after };
    format!("{before}{after}")
}

#[test]
fn the_changelog_has_the_version_that_cargo_has() {
    assert!(read("CHANGELOG.md").contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn no_dependency_brings_the_libraries_with_known_faults() {
    for package in ["rustls-pemfile", "rustls-webpki@0.102.8"] {
        let args = ["tree", "--locked", "--offline", "-i", package];
        let tree = Command::new(env!("CARGO")).args(args).current_dir(PROJECT).output().unwrap();
        let stderr = String::from_utf8_lossy(&tree.stderr);
        assert!(stderr.contains("did not match any packages"), "{package}: {tree:?}");
    }
}
