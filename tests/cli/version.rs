//! What `build.rs` makes of the commit: `--version` shows it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Dir, Run, fixtures, system, tool};

/// The build script, compiled into a directory.
struct BuildScript<'d>(&'d Dir);

impl<'d> BuildScript<'d> {
    fn compile(dir: &'d Dir) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let mut rustc = tool("rustc");
        system(rustc.args(["--edition=2024", "-o"]).arg(dir.path("script")).arg(source));
        Self(dir)
    }

    /// Runs it in a directory below, and returns what it tells Cargo.
    fn run(&self, dir: &str, commit: Option<&str>) -> BTreeSet<String> {
        let mut script = Command::new(self.0.path("script"));
        script.env("CARGO_PKG_VERSION", "1.2.3").env("TARGET", "t").env_remove("DEVICE_DEFENDER_COMMIT");
        script.envs(["DETECT", "GENERATE", "GREENGRASS", "YAML"].map(|name| (format!("CARGO_FEATURE_{name}"), "1")));
        script.envs(commit.map(|commit| ("DEVICE_DEFENDER_COMMIT", commit))).current_dir(self.0.path(dir));
        system(&mut script).lines().map(|line| line.trim_start_matches("cargo::").to_owned()).collect()
    }
}

fn git(dir: &Dir, args: &[&str]) -> String {
    let identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"];
    system(tool("git").args(identity).args(args).current_dir(dir.path("tree"))).trim().to_owned()
}

#[test]
fn the_commit_is_that_of_the_variable_or_of_head_or_left_out() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path("tree/unpacked")).unwrap();
    let script = BuildScript::compile(&dir);
    let long = |what: &str| format!("rustc-env=LONG_VERSION=1.2.3 ({what}target t)");
    let outside = script.run("tree", None);
    assert!(outside.contains(&long("")), "{outside:?}");
    assert!(script.run("tree", Some("")).contains(&long("")));
    assert!(script.run("tree", Some("1a2b3c")).contains(&long("commit 1a2b3c, ")));

    git(&dir, &["init", "-q"]);
    assert!(script.run("tree", None).contains(&long("")), "no commit yet");
    for message in ["one", "two"] {
        git(&dir, &["commit", "-q", "--allow-empty", "-m", message]);
        let printed = script.run("tree", None);
        let head = git(&dir, &["rev-parse", "--short=12", "HEAD"]);
        assert!(printed.contains(&long(&format!("commit {head}, "))), "{printed:?}");
        assert!(printed.contains("rerun-if-changed=.git/logs/HEAD"), "{printed:?}");
        assert!(script.run("tree", Some("1a2b3c")).contains(&long("commit 1a2b3c, ")));
    }
    assert!(script.run("tree/unpacked", None).contains(&long("")), "the commit is that of another project");
}

#[test]
fn version_shows_the_target() {
    let version = Run::new(&fixtures(), &["--version"]).text();
    let target = version.trim_end().rsplit_once("target ").unwrap().1;
    assert!(target.contains("-linux-") && target.ends_with(')'), "{version}");
}
