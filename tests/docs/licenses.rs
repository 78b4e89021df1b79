//! `THIRD-PARTY.md` lists the crates that are linked into the program, with their licenses.

use std::fs;
use std::path::Path;
use std::process::Command;

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

use super::{PROJECT, read};

/// Those of `deny.toml`, which decides about licenses.
const TARGETS: [&str; 3] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"];

/// Name, version, license and source of each crate that is linked on any target. Crates that only run while the program
/// is built are not.
fn linked_crates() -> Vec<[String; 4]> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--offline", "--edges=normal,no-proc-macro", "--prefix=none", "--no-dedupe"]);
    tree.args(["--format={p} |{l}|{r}"]).args(TARGETS.map(|target| format!("--target={target}"))).current_dir(PROJECT);
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{tree:?}\n{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> =
        text.lines().filter(|line| line.contains('|') && !line.starts_with("device-defender ")).collect();
    lines.sort_unstable();
    lines.dedup();
    let parse = |line: &str| {
        let [package, license, source] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        let mut package = package.split(' ');
        let [name, version] = [package.next().unwrap(), package.next().unwrap().trim_start_matches('v')];
        [name, version, license, source].map(str::to_owned)
    };
    lines.into_iter().map(parse).collect()
}

#[test]
fn third_party_licenses_are_those_of_the_linked_crates() {
    let crates = linked_crates();
    assert!(crates.len() > 50 && crates.iter().flatten().all(|cell| !cell.is_empty()), "{crates:?}");
    let rows: Vec<String> = crates.iter().map(|cells| format!("| {} |\n", cells.join(" | "))).collect();
    let page = format!(
        "# Third-party licenses\n\n\
         These crates are linked into the program, in addition to Rust's standard library (MIT OR Apache-2.0). A test \
         compares this list with `cargo tree`, and writes it: \
         `SNAPSHOTS=overwrite tests/run --test suite licenses`.\n\n\
         | crate | version | license | source |\n|---|---|---|---|\n{}",
        rows.concat()
    );
    let committed = Data::read_from(&Path::new(PROJECT).join("THIRD-PARTY.md"), Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").eq(page, committed);
}

#[test]
fn the_targets_are_those_whose_licenses_are_checked() {
    let deny = fs::read_to_string(Path::new(PROJECT).join("deny.toml")).unwrap();
    let targets = TARGETS.map(|target| format!("\"{target}\"")).join(", ");
    assert!(deny.contains(&format!("targets = [{targets}]")), "{targets}");
    assert!(read("README.md").contains("[THIRD-PARTY.md](THIRD-PARTY.md)"));
}
