//! Paths that hold nothing to read, and trees that this user may not read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::hostile::tree::{ALL, Tree, sees};
use crate::support::Run;

const GONE: &str = "No such file or directory (os error 2)";

#[test]
fn a_path_without_tables_is_reported_with_what_is_wrong_and_what_to_do() {
    let tree = Tree::new();
    fs::create_dir_all(tree.path("empty")).unwrap();
    fs::create_dir_all(tree.path("other/things")).unwrap();
    fs::create_dir_all(tree.path("bare/net")).unwrap();
    fs::write(tree.path("file"), "text").unwrap();
    symlink("loop", tree.path("loop")).unwrap();
    symlink("/dev/null", tree.path("device")).unwrap();
    for table in ["tcp", "tcp6", "udp", "udp6", "dev"] {
        tree.remove(table);
    }
    let tried = |root: &str| ["1/net", "net", "self/net"].map(|net| format!("{root}/{net}: {GONE}")).join("; ");
    let takes =
        "hint: give the mount point of a proc file system, or a saved copy that holds net/tcp, net/udp and net/dev";
    for (path, tells) in [
        ("missing", "missing: no such directory\nhint: check the path".to_owned()),
        (
            "no\u{1b}[31m\u{9b}1m\u{202e}where",
            "no\\u{1b}[31m\\u{9b}1m\\u{202e}where: no such directory\nhint: check the path".to_owned(),
        ),
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
        ("tree", format!("tree: no network tables there; {}\n{takes}", tried("tree"))),
        ("tree/net", format!("tree/net: no network tables there; {}\n{takes}", tried("tree/net"))),
        (
            "loop",
            "loop: Too many levels of symbolic links (os error 40)\n\
             hint: check the path"
                .to_owned(),
        ),
    ] {
        for args in [&[][..], &["--strict"], &["-q"], &["--format", "table"]] {
            let run = Run::new(tree.root(), &[&["collect", "--proc", path], args].concat());
            run.code(66).stderr(&tells).prints_nothing();
        }
    }
}

#[test]
fn the_net_directory_may_stand_where_a_proc_mount_has_it() {
    for net in ["1/net", "net", "self/net"] {
        let tree = Tree::new();
        let there = tree.path("copy").join(net);
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::rename(tree.net(), there).unwrap();
        let run = Run::new(tree.root(), &["collect", "--proc", "copy"]);
        assert_eq!(sees(&run.output()), ALL, "{net}");
    }
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
        assert_eq!(sees(&tree.collect(&[]).by_nobody().stderr(&tells).output()), expected, "{table}");
        assert_eq!(
            sees(&tree.collect(&["--strict"]).by_nobody().code(66).stderr(&tells).output()),
            expected,
            "{table}"
        );
    }
    let tree = Tree::new();
    forbid(tree.net().join("fib_trie"));
    let tells = format!("warning: interface names may be missing: tree/net/fib_trie: {denied}");
    assert_eq!(sees(&tree.collect(&[]).by_nobody().stderr(&tells).output()), ALL.replace("80@eth0", "80"));
}

#[test]
fn a_tree_that_may_not_be_read_is_reported_as_such() {
    let denied = "Permission denied (os error 13)";
    let tree = Tree::new();
    forbid(tree.net());
    tree.collect(&[])
        .by_nobody()
        .code(66)
        .stderr(&format!(
            "tree: the network tables cannot be read; tree/1/net: {GONE}; tree/net: {denied}; tree/self/net: {GONE}\n\
             hint: run as root, or as a user who may read them"
        ))
        .output();
    fs::set_permissions(tree.net(), fs::Permissions::from_mode(0o755)).unwrap(); // so that it can be removed

    let tree = Tree::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "dev"] {
        forbid(tree.net().join(table));
    }
    let tells = format!(
        "tree: the network tables cannot be read; tree/1/net: {GONE}; tree/net: {denied}; tree/self/net: {GONE}\n\
         hint: run as root, or as a user who may read them"
    );
    tree.collect(&[]).by_nobody().code(66).stderr(&tells).output();

    let tree = Tree::new();
    let top = tree.path("tree");
    forbid(&top);
    let output = tree.collect(&[]).by_nobody().finish();
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
    let top = tree.path("tree");
    for put in [
        "mkfifo uptime",
        "rm uptime; ln -s /dev/zero uptime",
        "mkdir -p sys/kernel/random; mkfifo sys/kernel/random/boot_id",
    ] {
        assert!(Command::new("sh").args(["-c", put]).current_dir(&top).status().unwrap().success());
        let table = tree.collect(&["--format", "table"]).output();
        assert!(String::from_utf8(table).unwrap().contains("Traffic since boot\n"), "{put}");
    }
    fs::create_dir(tree.path("state")).unwrap();
    let state = tree.path("state/gw.json");
    let baseline = r#"{"boot_id":"a","proc":"tree","net":"tree/net","namespace":"n","taken_at":"t","interfaces":{}}"#;
    fs::write(state, format!(r#"{{"version":1,"thing_name":"gw","last_report_id":1,"baseline":{baseline}}}"#)).unwrap();
    let tells = "warning: no network_stats: the boot ID cannot be read";
    assert!(!tree.collect(&["--since", "report", "--state-dir", "state"]).stderr(tells).output().is_empty());
}

#[test]
fn a_saved_copy_has_no_processes() {
    let tells = "--processes: tree is not a proc file system, and a copy has no processes\n\
                 hint: see device-defender collect --help";
    let tree = Tree::new();
    let run = tree.collect(&["--format", "table", "--processes"]);
    assert!(run.code(2).stderr(tells).output().is_empty());
}
