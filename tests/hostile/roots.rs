//! Paths that hold nothing to read, and trees that this user may not read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::common::Run;
use crate::copy::copy_program;
use crate::tree::{ALL, Tree, sees};

const GONE: &str = "No such file or directory (os error 2)";

#[test]
fn a_path_without_tables_is_told_with_what_is_wrong_and_what_to_do() {
    let tree = Tree::new();
    fs::create_dir_all(tree.dir().join("empty")).unwrap();
    fs::create_dir_all(tree.dir().join("other/things")).unwrap();
    fs::create_dir_all(tree.dir().join("bare/net")).unwrap();
    fs::write(tree.dir().join("file"), "text").unwrap();
    symlink("loop", tree.dir().join("loop")).unwrap();
    symlink("/dev/null", tree.dir().join("device")).unwrap();
    let tried = |root: &str| ["1/net", "net", "self/net"].map(|net| format!("{root}/{net}: {GONE}")).join("; ");
    let takes =
        "hint: give the mount point of a proc file system, or a saved copy that holds net/tcp, net/udp and net/dev";
    for (path, tells) in [
        ("missing", "missing: no such directory\nhint: check the path".to_owned()),
        ("file", "file: not a directory\nhint: give a directory, such as /proc".to_owned()),
        ("device", "device: not a directory\nhint: give a directory, such as /proc".to_owned()),
        (
            "empty",
            "empty: the directory is empty\n\
             hint: is the host's /proc mounted there? (docker run -v /proc:/host_proc:ro)"
                .to_owned(),
        ),
        ("other", format!("other: no network tables there; {}\n{takes}", tried("other"))),
        ("bare", format!("bare: no network tables there; {}\n{takes}", tried("bare"))),
        ("tree/net", format!("tree/net: no network tables there; {}\n{takes}", tried("tree/net"))),
        (
            "loop",
            "loop: Too many levels of symbolic links (os error 40)\n\
             hint: run as a user who may read this directory"
                .to_owned(),
        ),
    ] {
        for args in [&[][..], &["--strict"], &["-q"], &["--format", "table"]] {
            let run = Run::new(tree.dir(), &[&["collect", "--proc", path], args].concat());
            assert!(run.exits(66).tells(&tells).output().is_empty());
        }
    }
}

#[test]
fn every_table_missing_is_no_tree() {
    let tree = Tree::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "dev"] {
        tree.remove(table);
    }
    let output = tree.collect(&[]).exits(66).tells(&format!(
        "tree: no network tables there; tree/1/net: {GONE}; tree/net: {GONE}; tree/self/net: {GONE}\n\
         hint: give the mount point of a proc file system, or a saved copy that holds net/tcp, net/udp and net/dev"
    ));
    assert!(output.output().is_empty());
}

#[test]
fn the_net_directory_may_stand_where_a_proc_mount_has_it() {
    for net in ["1/net", "net", "self/net"] {
        let tree = Tree::new();
        let there = tree.dir().join("copy").join(net);
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::rename(tree.net(), there).unwrap();
        let run = Run::new(tree.dir(), &["collect", "--proc", "copy"]);
        assert_eq!(sees(&run.output()), ALL, "{net}");
    }
}

/// A run of the same program with the same arguments as somebody who owns nothing.
fn as_nobody(tree: &Tree, args: &[&str]) -> Run {
    let mut run = tree.collect(args);
    if fs::metadata(tree.dir()).is_ok_and(|dir| std::os::unix::fs::MetadataExt::uid(&dir) == 0) {
        let copy = tree.dir().join("device-defender"); // the original may stand where others may not go
        if !copy.exists() {
            copy_program(&copy);
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let program = copy.to_str().unwrap();
        let become_nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", program];
        run.command = Command::new("setpriv");
        run.command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(tree.dir());
        run.command.args(become_nobody).args(["collect", "--proc", "tree"]).args(args);
    }
    run
}

fn forbid(path: impl AsRef<Path>) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
}

#[test]
fn a_table_that_may_not_be_read_is_unknown() {
    let denied = "Permission denied (os error 13)";
    for (table, expected) in [
        ("tcp", "tcp:? udp:68 traffic:300/3/700/7 established:?"),
        ("tcp6", "tcp:? udp:68 traffic:300/3/700/7 established:?"),
        ("udp6", "tcp:22,80@eth0 udp:? traffic:300/3/700/7 established:1"),
        ("dev", "tcp:22,80@eth0 udp:68 traffic:? established:1"),
    ] {
        let tree = Tree::new();
        forbid(tree.net().join(table));
        let tells = format!("warning: tree/net/{table}: {denied}; what it holds is left out");
        assert_eq!(sees(&as_nobody(&tree, &[]).tells(&tells).output()), expected, "{table}");
        assert_eq!(sees(&as_nobody(&tree, &["--strict"]).exits(66).tells(&tells).output()), expected, "{table}");
    }
    let tree = Tree::new();
    forbid(tree.net().join("fib_trie"));
    let tells = format!("warning: interface names may be missing: tree/net/fib_trie: {denied}");
    assert_eq!(sees(&as_nobody(&tree, &[]).tells(&tells).output()), ALL.replace("80@eth0", "80"));
}

#[test]
fn a_tree_that_may_not_be_read_is_told_as_such() {
    let denied = "Permission denied (os error 13)";
    let tree = Tree::new();
    forbid(tree.net());
    as_nobody(&tree, &[])
        .exits(66)
        .tells(&format!(
            "tree: no network tables there; tree/1/net: {GONE}; tree/net: {denied}; tree/self/net: {GONE}\n\
             hint: give the mount point of a proc file system, or a saved copy that holds net/tcp, net/udp and net/dev"
        ))
        .output();
    fs::set_permissions(tree.net(), fs::Permissions::from_mode(0o755)).unwrap(); // so that it can be removed

    let tree = Tree::new();
    let top = tree.dir().join("tree");
    forbid(&top);
    let output = as_nobody(&tree, &[]).finish();
    fs::set_permissions(top, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(output.status.code(), Some(66));
    let told = String::from_utf8(output.stderr).unwrap();
    let expected = "device-defender: tree: Permission denied (os error 13)\n\
                    device-defender: hint: run as a user who may read this directory\n";
    assert_eq!(told, expected);
}

#[test]
fn a_pipe_or_a_device_in_place_of_another_file_is_passed_over() {
    let tree = Tree::new();
    let top = tree.dir().join("tree");
    for put in [
        "mkfifo uptime",
        "rm uptime; ln -s /dev/zero uptime",
        "mkdir -p sys/kernel/random; mkfifo sys/kernel/random/boot_id",
    ] {
        assert!(Command::new("sh").args(["-c", put]).current_dir(&top).status().unwrap().success());
        let table = tree.collect(&["--format", "table"]).output();
        assert!(String::from_utf8(table).unwrap().contains("Traffic since boot\n"), "{put}");
    }
    fs::create_dir(tree.dir().join("state")).unwrap();
    let state = tree.dir().join("state/gw.json");
    let baseline = r#"{"boot_id":"a","proc":"tree","net":"tree/net","namespace":"n","taken_at":"t","interfaces":{}}"#;
    fs::write(state, format!(r#"{{"version":1,"thing_name":"gw","last_report_id":1,"baseline":{baseline}}}"#)).unwrap();
    let tells = "warning: no network_stats: the boot id cannot be read";
    assert!(!tree.collect(&["--since", "report", "--state-dir", "state"]).tells(tells).output().is_empty());
}

#[test]
fn a_saved_copy_has_no_processes() {
    let tells = "--processes: tree is no proc file system, and a copy has no processes\n\
                 hint: see device-defender collect --help";
    let tree = Tree::new();
    let run = tree.collect(&["--format", "table", "--processes"]);
    assert!(run.exits(2).tells(tells).output().is_empty());
}
