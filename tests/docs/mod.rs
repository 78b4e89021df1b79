//! The documents match the program: man pages, completions, unit files, licenses, README and changelog.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod completions;
mod licenses;
mod man;
mod pages;
mod readme;
mod units;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_device-defender");

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(PROJECT).join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Content of each file in a directory, by name.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())).collect()
}

/// Asserts that a directory of the project has exactly these files. With `SNAPSHOTS=overwrite`, writes them.
fn assert_files(dir: &str, expected: BTreeMap<String, String>) {
    let dir = Path::new(PROJECT).join(dir);
    for name in files(&dir).keys() {
        assert!(expected.contains_key(name), "{}/{name} is not generated any more; remove it", dir.display());
    }
    for (name, content) in expected {
        let committed = Data::read_from(&dir.join(name), Some(DataFormat::Text)).raw();
        Assert::new().action_env("SNAPSHOTS").eq(content, committed);
    }
}
