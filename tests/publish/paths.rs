//! Root and a state directory that other users can reach: a link that they put in the path, or in the directory, leads
//! nowhere. Needs root, because files of several users are needed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::support::{CommandLine, Device, Dir, Outcome, Run, closed_port, is_root};

/// A user with no rights over what is root's, and with their numbers another one.
const USER: u32 = 65534;
const OTHER: u32 = 1;

/// A device with the directory `home` of a user, and `roots`, which that user cannot change.
fn device_with_users() -> Device {
    assert!(is_root(), "this test makes files of several users: run it as root");
    let device = Device::new();
    for dir in ["home", "home/own", "roots", "roots/below"] {
        fs::create_dir(device.path(dir)).unwrap();
    }
    own("home", USER, &device);
    own("home/own", USER, &device);
    device
}

fn own(name: &str, user: u32, dir: &Dir) {
    lchown(dir.path(name), Some(user), Some(user)).unwrap();
}

fn mode(name: &str, mode: u32, dir: &Dir) {
    fs::set_permissions(dir.path(name), Permissions::from_mode(mode)).unwrap();
}

/// A link made by this user.
fn link(name: &str, target: &str, user: u32, dir: &Dir) {
    symlink(target, dir.path(name)).unwrap();
    own(name, user, dir);
}

/// Sends a report to a port where nobody listens. By then the state is kept.
fn publish(device: &Device, state: &str) -> (Outcome, CommandLine) {
    let (port, _kept) = closed_port();
    let line = device.publish_plain(port).set("--state-dir", state).set("--thing-name", "gw");
    (line.outcome(), line)
}

#[track_caller]
fn is_refused(device: &Device, state: &str, reason: &str) {
    let (outcome, line) = publish(device, state);
    let hint = "hint: give a --state-dir below directories that only root or its owner can change";
    outcome.is(73, &[&format!("{state}: unsafe path: {reason}"), hint]);
    let by_default = line.without("--state-dir").env("STATE_DIRECTORY", device.path(state)).outcome();
    by_default.is(69, &["unsafe path: ", "the state is not kept"]);
    let look = Run::new(device.root(), &["collect", "--proc", "proc", "--since", "report", "--thing-name", "gw"]);
    let look = Outcome::of(look.env("DEVICE_DEFENDER_STATE_DIR", state));
    look.says(&["no network_stats: "]);
    assert_eq!(fs::read_dir(device.path("roots/below")).unwrap().count(), 0, "{state}");
    assert_eq!(fs::read_dir(device.path("roots")).unwrap().count(), 1, "{state}");
}

#[track_caller]
fn is_used(device: &Device, state: &str, by_owner: u32) {
    publish(device, state).0.is(69, &[]);
    let file = device.path(state).join("gw.json");
    assert_eq!(fs::metadata(&file).unwrap().uid(), by_owner, "{state}");
    fs::remove_file(file).unwrap();
    fs::remove_file(device.path(state).join("gw.lock")).unwrap();
}

#[test]
fn root_is_not_led_by_a_link_of_another_user() {
    let device = device_with_users();
    let nobody = "user nobody can change";
    link("home/link", "../roots", USER, &device);
    is_refused(&device, "home/link", &format!("{nobody} ./home, but not ./home"));
    is_refused(&device, "home/link/below", nobody);
    is_refused(&device, "home/link/new", nobody);
    // Nor through their directory, wherever it leads: they can swap it.
    is_refused(&device, "home/../roots", &format!("{nobody} ./home, but not ./home/.."));
    is_refused(&device, "home/new", &format!("{nobody} ./home, but not ./home/new"));
}

#[test]
fn root_is_not_led_astray_by_its_own_link_to_a_link_of_another_user() {
    let device = device_with_users();
    let roots = device.path("roots");
    link("home/link", roots.to_str().unwrap(), USER, &device);
    link("ours", "home", 0, &device);
    is_refused(&device, "ours/link", "user nobody can change ./home, but not /");
    link("theirs", "roots", USER, &device);
    is_refused(&device, "theirs", "user nobody can change ./theirs, but not .");
    fs::create_dir(device.path("home/own/ours")).unwrap();
    is_refused(&device, "home/own/ours", "user nobody can change ./home, but not ./home/own/ours");
    own("home/own/ours", OTHER, &device);
    is_refused(&device, "home/own/ours", "user nobody can change ./home, but not ./home/own/ours");
}

#[test]
fn a_directory_that_a_group_or_everyone_can_change_is_another_users() {
    let device = device_with_users();
    own("home", 0, &device);
    own("home/own", 0, &device);
    for (bits, who) in [(0o777, "group root"), (0o775, "group root"), (0o757, "every user")] {
        mode("home", bits, &device);
        is_refused(&device, "home/own", &format!("{who} can change ./home, but not ./home/own"));
        is_refused(&device, "home/new", &format!("{who} can change ./home, but not ./home/new"));
        mode("home/own", bits, &device);
        is_used(&device, "home/own", 0);
        mode("home/own", 0o755, &device);
    }
}

#[test]
fn in_a_sticky_directory_entries_belong_to_those_who_made_them() {
    let device = device_with_users();
    own("home", 0, &device);
    mode("home", 0o1777, &device);
    link("home/theirs", "../roots", USER, &device);
    is_refused(&device, "home/theirs", "user nobody can change ./home/theirs, but not ./home");
    is_used(&device, "home/own", USER);
    is_used(&device, "home/new", 0);
    link("home/ours", "../roots/below", 0, &device);
    is_used(&device, "home/ours", 0);
}

#[test]
fn links_that_root_made_are_followed() {
    let device = device_with_users();
    link("var", "roots", 0, &device); // a read-only root with its data elsewhere
    let below = device.path("roots/below");
    link("roots/lib", below.to_str().unwrap(), 0, &device);
    is_used(&device, "var/lib", 0);
    is_used(&device, "var/lib/made/on/the/way", 0);
    link("dangling", "roots/made", 0, &device);
    is_used(&device, "dangling", 0);
    // As systemd lays it out for a service with a dynamic user.
    fs::create_dir_all(device.path("roots/private/device-defender")).unwrap();
    mode("roots/private", 0o700, &device);
    own("roots/private/device-defender", USER, &device);
    link("roots/device-defender", "private/device-defender", 0, &device);
    is_used(&device, "roots/device-defender", USER);
    link("round", "round", 0, &device);
    publish(&device, "round").0.is(73, &["round: Too many levels of symbolic links"]);
}

#[test]
fn no_entry_of_the_state_directory_is_followed() {
    let device = device_with_users();
    let secret = device.path("roots/secret");
    fs::write(&secret, "{}").unwrap();
    for name in ["gw.json", "gw.json.new"] {
        for target in ["../../roots/secret", "../../roots/missing"] {
            link(&format!("home/own/{name}"), target, USER, &device);
            publish(&device, "home/own").0.is(69, &[]);
            assert_eq!(fs::symlink_metadata(device.path("home/own/gw.json")).unwrap().uid(), USER);
            fs::remove_file(device.path("home/own/gw.json")).unwrap();
        }
    }
    fs::remove_file(device.path("home/own/gw.lock")).unwrap();
    for target in ["../../roots/secret", "../../roots/missing"] {
        link("home/own/gw.lock", target, USER, &device);
        publish(&device, "home/own").0.is(73, &["home/own/gw.lock: a symbolic link, which is not followed"]);
        fs::remove_file(device.path("home/own/gw.lock")).unwrap();
    }
    fs::hard_link(&secret, device.path("home/own/gw.lock")).unwrap();
    publish(&device, "home/own").0.is(73, &["home/own/gw.lock: has another name, too"]);
    let about = fs::metadata(&secret).unwrap();
    assert_eq!((about.uid(), about.gid(), fs::read_to_string(&secret).unwrap().as_str()), (0, 0, "{}"));
    assert!(!device.path("roots/missing").exists());
}

/// The user swaps directory and link all the time, so that some of the swaps are between any two steps of the program.
#[test]
fn a_link_that_is_swapped_meanwhile_leads_nowhere() {
    let device = device_with_users();
    link("home/link", "../roots", USER, &device);
    fs::create_dir(device.path("home/own/state")).unwrap();
    own("home/own/state", USER, &device);
    fs::create_dir(device.path("roots/state")).unwrap();
    chown(device.path("roots/state"), Some(OTHER), Some(OTHER)).unwrap();
    let (own, link) = (device.path("home/own"), device.path("home/link"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &own, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        for _ in 0..40 {
            let (outcome, _) = publish(&device, "home/own/state");
            assert!(matches!(outcome.code, Some(69 | 73)), "{outcome:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    for dir in ["roots", "roots/below", "roots/state"] {
        let names: Vec<_> = fs::read_dir(device.path(dir)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "below" || name == "state"), "{dir}: {names:?}");
    }
    assert_eq!(fs::metadata(device.path("roots/state")).unwrap().uid(), OTHER);
}
