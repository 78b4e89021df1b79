//! `--probe`, in a root directory made for it: whatever is mounted at the one-level paths that the parameter can have.
//!
//! Needs `unshare`, `mount` and `setpriv` (util-linux) and `chroot` (coreutils), and to be root or to be allowed a user
//! namespace. A test that cannot run here fails and says what is missing.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::params::messages::check_shape;
use crate::params::{ARN, connector, definition, right_parameters, validate};
use crate::support::{assert_snapshot_of, privilege, program, tool};

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

/// Namespaces of its own for mounts and processes.
const OWN: [&str; 4] = ["--mount", "--pid", "--fork", "--kill-child"];

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
    let mut command = tool("unshare");
    command.args(privilege()).args(OWN).args(["sh", "-c", SCRIPT, "sh"]).args(args).stdin(Stdio::null());
    // In a user namespace there is no other user to become: all capabilities are taken away.
    let user = match (scene.powerless, privilege().is_empty()) {
        (false, _) => "",
        (true, true) => "setpriv --reuid=65534 --regid=65534 --clear-groups",
        (true, false) => "setpriv --bounding-set=-all --inh-caps=-all",
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    command.env("ROOT", dir.path()).env("PROGRAM", program()).env("FIXTURES", fixtures).env("SETUP", scene.setup);
    command.env("USER", user).env("NETNS", if scene.other_netns { "unshare --net" } else { "" });
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}: {}: {told}", scene.title, output.status);
    assert_eq!(told, "", "{}", scene.title);
    output
}

const MOUNTED: &str = "mkdir host_proc; mount -t proc proc host_proc";
const BOUND: &str = "mkdir host_proc; mount --bind proc host_proc";
const HIDDEN: &str = "mkdir host_proc; mount -t proc -o hidepid=2 proc host_proc";
const COPIED: &str = r#"cp -r "$FIXTURES/idle/proc" host_proc"#;

/// Every scene.
fn scenes() -> Vec<Scene> {
    let scene = |title, setup| Scene { title, setup, ..Scene::default() };
    let other_netns = |scene| Scene { other_netns: true, ..scene };
    let powerless = |scene| Scene { powerless: true, ..scene };
    vec![
        scene("/proc mounted once more", BOUND),
        scene("a proc file system of its own", MOUNTED),
        other_netns(scene("the /proc of a host, in a container", BOUND)),
        scene("hidepid, and root", HIDDEN),
        powerless(scene("hidepid, and another user", HIDDEN)),
        scene("a saved copy", COPIED),
        scene("an empty directory", "mkdir host_proc"),
        scene("another directory", "mkdir host_proc host_proc/a"),
        scene("another file system", "mkdir host_proc; mount -t tmpfs tmpfs host_proc"),
        scene("a part of a proc file system", "mkdir host_proc; mount --bind proc/sys host_proc"),
        scene("a file", "touch host_proc"),
        powerless(scene("a directory that this user must not read", "mkdir host_proc; chmod 0 host_proc")),
        scene("a link to nowhere", "ln -s nowhere host_proc"),
        scene("not there", ""),
    ]
}

/// The transcript of every scene: what JSON says about the path, and what the text says in addition to that.
#[test]
fn a_path_is_found_to_be_what_it_is() {
    let args = ["--proc-destination-path", "/host_proc", "--probe"];
    let mut transcript = format!("$ device-defender validate-params {}\n", args.join(" "));
    for scene in scenes() {
        let output = probe(scene, &args);
        let (text, good) = (String::from_utf8(output.stdout).unwrap(), output.status.success());
        let json = probe(scene, &[&args[..], &["--format", "json"]].concat());
        let verdict: Value = serde_json::from_slice(&json.stdout).unwrap();
        check_shape(&verdict);
        assert_eq!((json.status.code(), &verdict["valid"]), (output.status.code(), &json!(good)), "{}", scene.title);
        assert_eq!(verdict["problems"], json!([]), "{}", scene.title);
        let [ref found] = verdict["probe"].as_array().unwrap()[..] else { panic!("{}: {verdict}", scene.title) };
        assert_eq!([found["problem"].is_null(), found["remedy"].is_null()], [good; 2], "{}: {found}", scene.title);
        let told = if good {
            "valid: no problems, no warnings\n".to_owned()
        } else {
            let [problem, remedy] = ["problem", "remedy"].map(|field| found[field].as_str().unwrap());
            format!("probe: {problem}\n  remedy:  {remedy}\nvalid, but not usable on this machine, no warnings\n")
        };
        let more = text.strip_suffix(&told).unwrap_or_else(|| panic!("{}: {text}{found}", scene.title));
        writeln!(transcript, "\n# {}\n{more}{found}", scene.title).unwrap();
    }
    assert_snapshot_of("params/golden/probe.txt", transcript);
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
    let verdict = validate(&["-", "--probe", "--format", "json"]).code(1).stdin(stdin).json();
    check_shape(&verdict);
    let looked_at: Vec<(&Value, &Value)> =
        verdict["probe"].as_array().unwrap().iter().map(|probe| (&probe["path"], &probe["usable"])).collect();
    assert_eq!(looked_at, [(&json!("/no-such-directory-here"), &json!(false)), (&json!("/proc"), &json!(true))]);
    // One that is no right path is not looked at, and does not have to be.
    let verdict = validate(&["--proc-destination-path", "/proc/1", "--probe", "--format", "json"]).code(1).json();
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
