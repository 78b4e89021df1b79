//! `--probe`, in a root directory made for it: whatever is mounted at the one-level paths that the parameter can have.
//!
//! Needs `unshare`, `mount` and `setpriv` (util-linux) and `chroot` (coreutils), and to be root or to be allowed a user
//! namespace. A test that cannot run here fails and says what is missing.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::common::PROGRAM;
use crate::messages::check_shape;
use crate::{ARN, compare, connector, definition, right_parameters, validate};

/// Makes a root directory in `$ROOT`, with the programs and libraries of this system, the program under test, and
/// whatever `$SETUP` makes; runs the program in it. The shell stays process 1, in the network namespace it started with.
const SCRIPT: &str = r#"
set -eu
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
mount -t tmpfs -o mode=755 tmpfs "$ROOT"
cd "$ROOT"
for dir in /bin /sbin /usr /lib /lib32 /lib64 /libx32 /nix /gnu; do
    if [ -L "$dir" ]; then ln -s "$(readlink "$dir")" ".$dir"
    elif [ -d "$dir" ]; then mkdir ".$dir"; mount --rbind "$dir" ".$dir"
    fi
done
cp "$PROGRAM" program
mkdir proc
mount -t proc proc proc
eval "$SETUP"
$NETNS chroot . $USER /program validate-params "$@" || exit $?
"#;

/// The tools that [`SCRIPT`] needs, as the message says that has to tell that one is missing.
const NEEDED: &str = "these tests need unshare, mount and setpriv (util-linux), chroot (coreutils), and to be run as \
                      root, or where user namespaces are allowed (sysctl user.max_user_namespaces, \
                      kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)";

/// Namespaces of its own for mounts and processes.
const OWN: [&str; 4] = ["--mount", "--pid", "--fork", "--kill-child"];

/// What `unshare` needs so that this user may make the namespaces: nothing, or a user namespace.
static PRIVILEGE: LazyLock<&[&str]> = LazyLock::new(|| {
    let mut refused = Vec::new();
    for flags in [&[][..], &["--user", "--map-root-user"]] {
        let mut command = Command::new("unshare");
        let line = "mount -t proc proc /proc && unshare --net true && setpriv --version && chroot / true";
        let output = command.args(flags).args(OWN).args(["sh", "-c", line]).output();
        match output {
            Ok(output) if output.status.success() => return flags,
            Ok(output) => refused.push(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => refused.push(format!("{command:?}: {error}")),
        }
    }
    panic!("{NEEDED}:\n{}", refused.join("\n"))
});

/// Something to look at.
#[derive(Clone, Copy, Default)]
struct Scene {
    title: &'static str,
    /// Lines of shell that make it, run in the root directory.
    setup: &'static str,
    /// Whether the program has another network namespace than the processes of the proc file system.
    other_netns: bool,
    /// Whether the program is run by a user who may nothing.
    powerless: bool,
}

/// Looks at the path that `args` give, in a root directory that has this scene.
fn probe(scene: Scene, args: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("unshare");
    command.args(*PRIVILEGE).args(OWN).args(["sh", "-c", SCRIPT, "sh"]).args(args).stdin(Stdio::null());
    // In a user namespace there is no other user to become: all capabilities are taken away.
    let user = match (scene.powerless, PRIVILEGE.is_empty()) {
        (false, _) => "",
        (true, true) => "setpriv --reuid=65534 --regid=65534 --clear-groups",
        (true, false) => "setpriv --bounding-set=-all --inh-caps=-all",
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    command.env("ROOT", dir.path()).env("PROGRAM", PROGRAM).env("FIXTURES", fixtures).env("SETUP", scene.setup);
    command.env("USER", user).env("NETNS", if scene.other_netns { "unshare --net" } else { "" });
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}: {}: {told}\n{NEEDED}", scene.title, output.status);
    assert_eq!(told, "", "{}", scene.title);
    output
}

/// Looks at `/host_proc`, and returns whether the verdict was good, and what it says about the path.
fn look(scene: Scene) -> (bool, Value) {
    let output = probe(scene, &["--proc-destination-path", "/host_proc", "--probe", "--format", "json"]);
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    check_shape(&verdict);
    assert_eq!(verdict["valid"], json!(output.status.success()), "{}", scene.title);
    assert_eq!(verdict["problems"], json!([]), "{}", scene.title);
    let [ref probe] = verdict["probe"].as_array().unwrap()[..] else { panic!("{}: {verdict}", scene.title) };
    assert_eq!((&probe["path"], &probe["usable"]), (&json!("/host_proc"), &verdict["valid"]), "{}", scene.title);
    assert_eq!(probe["problem"].is_null(), output.status.success(), "{}: {probe}", scene.title);
    assert_eq!(probe["remedy"].is_null(), output.status.success(), "{}: {probe}", scene.title);
    (output.status.success(), probe.clone())
}

const MOUNTED: &str = "mkdir host_proc; mount -t proc proc host_proc";
const BOUND: &str = "mkdir host_proc; mount --bind proc host_proc";
const HIDDEN: &str = "mkdir host_proc; mount -t proc -o hidepid=2 proc host_proc";
const COPIED: &str = r#"cp -r "$FIXTURES/idle/proc" host_proc"#;

/// A scene, whether it is usable, and what is found: `exists`, `procfs`, `net`, `own_namespace`, `hidepid`.
type Expected = (Scene, bool, [Value; 5]);

/// Every scene.
fn scenes() -> Vec<Expected> {
    let scene = |title, setup| Scene { title, setup, ..Scene::default() };
    let other_netns = |scene| Scene { other_netns: true, ..scene };
    let powerless = |scene| Scene { powerless: true, ..scene };
    let (yes, no, null) = (json!(true), json!(false), json!(null));
    let found = |net: &str, own: &Value, hidepid: &Value| {
        [yes.clone(), yes.clone(), json!(format!("/host_proc/{net}")), own.clone(), hidepid.clone()]
    };
    let nothing = [yes.clone(), no.clone(), null.clone(), null.clone(), no.clone()];
    let not_there = [no.clone(), no.clone(), null.clone(), null.clone(), no.clone()];
    let copy = [yes.clone(), no.clone(), json!("/host_proc/net"), null.clone(), no.clone()];
    vec![
        (scene("/proc mounted once more", BOUND), true, found("1/net", &yes, &no)),
        (scene("a proc file system of its own", MOUNTED), true, found("1/net", &yes, &no)),
        (other_netns(scene("the /proc of a host, in a container", BOUND)), true, found("1/net", &no, &no)),
        (scene("hidepid, and root", HIDDEN), true, found("1/net", &yes, &no)),
        (powerless(scene("hidepid, and another user", HIDDEN)), false, found("net", &yes, &yes)),
        (scene("a saved copy", COPIED), false, copy),
        (scene("an empty directory", "mkdir host_proc"), false, nothing.clone()),
        (scene("another directory", "mkdir host_proc host_proc/a"), false, nothing.clone()),
        (scene("another file system", "mkdir host_proc; mount -t tmpfs tmpfs host_proc"), false, nothing.clone()),
        (
            scene("a part of a proc file system", "mkdir host_proc; mount --bind proc/sys host_proc"),
            false,
            [yes.clone(), yes.clone(), null.clone(), null, no.clone()],
        ),
        (scene("a file", "touch host_proc"), false, nothing.clone()),
        (
            powerless(scene("a directory that this user must not read", "mkdir host_proc; chmod 0 host_proc")),
            false,
            nothing,
        ),
        (scene("a link to nowhere", "ln -s nowhere host_proc"), false, not_there.clone()),
        (scene("not there", ""), false, not_there),
    ]
}

#[test]
fn a_path_is_found_to_be_what_it_is() {
    for (scene, usable, [exists, procfs, net, own_namespace, hidepid]) in scenes() {
        let (good, mut probe) = look(scene);
        for field in ["problem", "remedy"] {
            drop(probe.as_object_mut().unwrap().remove(field));
        }
        let expected = json!({
            "path": "/host_proc", "usable": usable, "exists": exists, "procfs": procfs, "net": net,
            "own_namespace": own_namespace, "hidepid": hidepid,
        });
        assert_eq!((good, probe), (usable, expected), "{}", scene.title);
    }
}

#[test]
fn messages_about_a_path_that_is_looked_at() {
    let args = ["--proc-destination-path", "/host_proc", "--probe"];
    let mut transcript = String::new();
    for (scene, ..) in scenes() {
        let output = probe(scene, &args);
        let (told, code) = (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap());
        let line = format!("$ device-defender validate-params {}", args.join(" "));
        writeln!(transcript, "# {}\n{line}\n{told}=> {code}\n", scene.title).unwrap();
    }
    compare("probe.txt", &transcript);
}

#[test]
fn the_proc_of_this_machine_is_usable_and_shows_its_own_namespace() {
    let verdict = validate(&["--proc-destination-path", "/proc", "--probe", "--format", "json"]).json();
    check_shape(&verdict);
    let probe = json!({
        "path": "/proc", "usable": true, "exists": true, "procfs": true, "net": "/proc/net", "own_namespace": true,
        "hidepid": false, "problem": null, "remedy": null,
    });
    assert_eq!(verdict["probe"], json!([probe]));
    assert_eq!(verdict["warnings"][0]["name"], json!("ProcDestinationPath"));
}

#[test]
fn every_path_of_a_file_is_looked_at_once() {
    let parameters = |path: &str| {
        let mut parameters = right_parameters();
        parameters["ProcDestinationPath"] = path.into();
        parameters
    };
    let paths = ["/proc", "/no-such-directory-here", "/a/b", "/proc"];
    let connectors: Vec<Value> = paths.iter().map(|path| connector(ARN, &parameters(path))).collect();
    let stdin = definition(&connectors).to_string();
    let verdict = validate(&["-", "--probe", "--format", "json"]).exits(1).stdin(stdin).json();
    check_shape(&verdict);
    let looked_at: Vec<(&Value, &Value)> =
        verdict["probe"].as_array().unwrap().iter().map(|probe| (&probe["path"], &probe["usable"])).collect();
    assert_eq!(looked_at, [(&json!("/no-such-directory-here"), &json!(false)), (&json!("/proc"), &json!(true))]);
    // One that is no right path is not looked at, and does not have to be.
    let verdict = validate(&["--proc-destination-path", "/proc/1", "--probe", "--format", "json"]).exits(1).json();
    assert_eq!(verdict["probe"], json!([]));
}

#[test]
fn nothing_is_looked_at_unasked() {
    let args = ["--proc-destination-path", "/no-such-directory-here"];
    assert_eq!(validate(&args).text(), "valid: no problems, no warnings\n");
    let verdict = validate(&[&args[..], &["--format", "json"]].concat()).json();
    assert_eq!(verdict["probe"], json!(null));
    assert_eq!(validate(&[&args[..], &["--probe"]].concat()).finish().status.code(), Some(1));
}
