//! `generate units`: files that somebody edited stay, and links are not followed. `generate completions` is tested in `docs`.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use crate::support::{Dir, Run, is_root};

const UNIT: &str = "device-defender.service";

fn generate(dir: &Dir, args: &[&str]) -> Run {
    Run::new(dir.root(), &[&["generate", "units"], args].concat())
}

#[test]
fn a_file_that_differs_is_replaced_only_when_asked() {
    let dir = Dir::new();
    generate(&dir, &["a/b"]).prints_nothing();
    let whole = fs::read_to_string(dir.path("a/b").join(UNIT)).unwrap();
    let inode = || fs::metadata(dir.path("a/b").join(UNIT)).unwrap().ino();
    let before = inode();
    generate(&dir, &["a/b"]).prints_nothing();
    generate(&dir, &["a/b", "--force"]).prints_nothing();
    assert_eq!(inode(), before, "what is the same is not written again");

    for edited in [String::new(), whole.replace('5', "6"), format!("{whole}# mine\n")] {
        fs::write(dir.path("a/b").join(UNIT), &edited).unwrap();
        fs::remove_file(dir.path("a/b/device-defender-publish.timer")).unwrap();
        let refused = "a/b/device-defender.service: exists and is different; nothing was written\n\
             hint: --force replaces what is different";
        generate(&dir, &["a/b"]).code(74).stderr(refused).prints_nothing();
        assert_eq!(fs::read_to_string(dir.path("a/b").join(UNIT)).unwrap(), edited);
        assert!(!dir.path("a/b/device-defender-publish.timer").exists());
        generate(&dir, &["a/b", "--force"]).prints_nothing();
        assert_eq!(fs::read_to_string(dir.path("a/b").join(UNIT)).unwrap(), whole);
        assert_eq!(fs::read_dir(dir.path("a/b")).unwrap().count(), 5);
    }
}

/// With -v, what was written is shown.
#[test]
fn all_files_are_written_or_none() {
    let dir = Dir::new();
    let names = [UNIT, "-renewed.path", "-renewed.service", "-publish.service", "-publish.timer"];
    let names = names.map(|name| if name == UNIT { name.to_owned() } else { format!("device-defender{name}") });
    let listed = |told: &dyn Fn(&str) -> String| names.iter().map(|name| told(name)).collect::<Vec<_>>().join("\n");
    generate(&dir, &["out", "-v"]).stderr(&listed(&|name| format!("wrote out/{name}"))).prints_nothing();
    generate(&dir, &["out", "-v"]).stderr(&listed(&|name| format!("out/{name}: unchanged"))).prints_nothing();

    let timer = dir.path("out/device-defender-publish.timer");
    for force in [&["out"][..], &["out", "--force"]] {
        fs::write(dir.path("out").join(UNIT), "mine").unwrap();
        fs::remove_file(&timer).unwrap();
        fs::create_dir(&timer).unwrap();
        let refused = "out/device-defender-publish.timer: Is a directory (os error 21); nothing was written";
        generate(&dir, force).code(74).stderr(refused).prints_nothing();
        assert_eq!(fs::read_to_string(dir.path("out").join(UNIT)).unwrap(), "mine");
        assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 5, "nothing is left of an attempt");
        fs::remove_dir(&timer).unwrap();
        fs::write(&timer, "").unwrap();
    }
    generate(&dir, &["out", "--force"]).prints_nothing();
}

#[test]
fn a_directory_that_cannot_be_written_is_reported() {
    let dir = Dir::new();
    fs::create_dir(dir.path("out")).unwrap();
    let refused = "out/device-defender.service: Permission denied (os error 13); nothing was written";
    generate(&dir, &["out"]).by_nobody().code(74).stderr(refused).prints_nothing();
}

#[test]
fn a_core_that_cannot_be_used_can_be_left_out() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path("core/config")).unwrap();
    fs::write(dir.path("core/config/effectiveConfig.yaml"), "a: [").unwrap();
    let told = "core/config/effectiveConfig.yaml: cannot be parsed: unclosed bracket '[' at line 1, column 4; correct the file, \
                or leave out --greengrass-root";
    for what in ["units", "config"] {
        let run = Run::new(dir.root(), &["generate", what, "--greengrass-root", "core"]);
        run.code(78).stderr(told).prints_nothing();
    }
    assert_eq!(fs::read_dir(dir.root()).unwrap().count(), 1);
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let dir = Dir::new();
    fs::create_dir(dir.path("out")).unwrap();
    fs::write(dir.path("secret"), "secret").unwrap();
    for target in ["../secret", "../missing", "/dev/null"] {
        symlink(target, dir.path("out").join(UNIT)).unwrap();
        let refused = "out/device-defender.service: exists and is different; nothing was written\n\
             hint: --force replaces what is different";
        generate(&dir, &["out"]).code(74).stderr(refused).prints_nothing();
        generate(&dir, &["out", "--force"]).prints_nothing();
        assert!(fs::symlink_metadata(dir.path("out").join(UNIT)).unwrap().is_file());
        fs::remove_file(dir.path("out").join(UNIT)).unwrap();
    }
    assert_eq!(fs::read_to_string(dir.path("secret")).unwrap(), "secret");
    assert!(!dir.path("missing").exists());
}

#[test]
fn root_does_not_write_where_another_user_leads() {
    assert!(is_root(), "this test makes files of another user: run it as root");
    let dir = Dir::new();
    for name in ["home", "roots"] {
        fs::create_dir(dir.path(name)).unwrap();
    }
    chown(dir.path("home"), Some(65534), Some(65534)).unwrap();
    symlink("../roots", dir.path("home/link")).unwrap();
    let refused = "home/link: unsafe path: user nobody can change ./home, but not ./home/..";
    for args in [&["home/link"][..], &["home/link", "--force"]] {
        generate(&dir, args).code(74).stderr(refused).prints_nothing();
    }
    assert_eq!(fs::read_dir(dir.path("roots")).unwrap().count(), 0);
    generate(&dir, &["home"]).prints_nothing();
}
