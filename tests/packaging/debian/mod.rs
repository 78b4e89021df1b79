//! The Debian package: built from the program under test, and installed, used, upgraded, removed and purged under a real
//! systemd, in a scratch copy of this system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::str;

use super::play;
use crate::support::{assert_snapshot, program, system, tool};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// Builds the package with this version and returns its path. It is not compressed, to be quick.
fn package(dir: &Path, version: &str) -> PathBuf {
    fs::create_dir(dir).unwrap();
    system(tool("strip").arg("-o").arg(dir.join("program")).arg(program()));
    fs::write(dir.join("notices"), "Third-party notices\n").unwrap();
    let mut pack = pack(dir, &["deb", &architecture()]);
    system(pack.env("VERSION", version).env("DPKG_DEB_COMPRESSOR_TYPE", "none"));
    dir.join(format!("device-defender_{version}-1_{}.deb", architecture()))
}

/// `packaging/pack` with the program and the notices in `dir`, where the result goes too.
fn pack(dir: &Path, what: &[&str]) -> Command {
    let mut command = tool(&format!("{PROJECT}/packaging/pack"));
    command
        .args(what)
        .arg(dir.join("program"))
        .arg(dir.join("notices"))
        .arg(dir)
        .env("SOURCE_DATE_EPOCH", "1764115200");
    command
}

fn architecture() -> String {
    system(tool("dpkg").arg("--print-architecture")).trim().to_owned()
}

#[test]
fn the_package_is_installed_upgraded_used_and_purged_under_systemd() {
    let dir = tempfile::tempdir().unwrap();
    for (name, version) in [("old", "0.0.9"), ("new", env!("CARGO_PKG_VERSION"))] {
        let built = package(&dir.path().join(name), version);
        fs::rename(built, dir.path().join(name).with_extension("deb")).unwrap();
    }
    let here = Path::new(PROJECT).join("tests/packaging/debian");
    fs::copy(here.join("lifecycle"), dir.path().join("lifecycle")).unwrap();
    let mut unshare = tool("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh"]).arg(here.join("scratch-root")).arg(dir.path());
    assert_snapshot(
        play(&mut unshare),
        str![[r#"
== installed
device-defender.service: disabled, inactive
device-defender-publish.timer: disabled, inactive
device-defender-renewed.path: disabled, inactive
{"header":{
-rw-r--r-- 1 root root
config.toml
== started
device-defender.service: enabled, active
device-defender-publish.timer: disabled, inactive
device-defender-renewed.path: disabled, inactive
== upgraded
device-defender.service: enabled, active
device-defender-publish.timer: disabled, inactive
device-defender-renewed.path: disabled, inactive
# edited
restarted
gw.json
== upgraded while stopped
device-defender.service: enabled, inactive
device-defender-publish.timer: disabled, inactive
device-defender-renewed.path: disabled, inactive
== removed while running
device-defender.service: masked, inactive
device-defender-publish.timer: masked, inactive
device-defender-renewed.path: masked, inactive
/etc/device-defender:
cert.pem
config.toml
key.pem

/var/lib/private/device-defender:
gw.json
gw.lock
== installed again
device-defender.service: enabled, inactive
device-defender-publish.timer: disabled, inactive
device-defender-renewed.path: disabled, inactive
== purged
device-defender.service: , inactive
device-defender-publish.timer: , inactive
device-defender-renewed.path: , inactive
== left

"#]],
    );
}

#[test]
fn packages_of_the_same_files_have_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let build = |name: &str, umask: &str| {
        let dir = dir.path().join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("program"), "#!/bin/sh\n").unwrap();
        fs::write(dir.join("notices"), "Third-party notices\n").unwrap();
        for what in [["deb", "arm64"], ["tar", "aarch64-linux-musl"]] {
            let pack = pack(&dir, &what);
            let mut sh = tool("sh");
            sh.args(["-c", &format!(r#"umask {umask}; exec "$@""#), "sh"])
                .arg(pack.get_program())
                .args(pack.get_args());
            system(sh.env("SOURCE_DATE_EPOCH", "1764115200"));
        }
        let version = env!("CARGO_PKG_VERSION");
        [
            format!("device-defender_{version}-1_arm64.deb"),
            format!("device-defender-{version}-aarch64-linux-musl.tar.gz"),
        ]
        .map(|file| fs::read(dir.join(file)).unwrap())
    };
    assert!(build("one", "022") == build("another", "077"));
}

#[test]
fn the_changelog_has_the_version_of_the_program() {
    let changelog = fs::read_to_string(Path::new(PROJECT).join("packaging/debian/changelog")).unwrap();
    assert!(changelog.starts_with(&format!("device-defender ({}-1) ", env!("CARGO_PKG_VERSION"))), "{changelog}");
}
