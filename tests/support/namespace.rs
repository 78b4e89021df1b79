//! Network namespaces for a test, and the processes in them.
//!
//! A test is played by several processes of the same test binary. Each is started by `unshare(1)` in namespaces of its
//! own, told by its environment which test it belongs to and which part of it to play, and ends with the part. The
//! processes of a test talk through pipes: a part that is started next to another says when it is ready, and goes on
//! until its standard input ends, so that none is left behind whatever happens.

use std::any::type_name;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use std::{env, thread};

use super::tool::{NEVER, output, spawn, system, tool};

/// A network namespace and mounts of its own.
pub(crate) const NET: &[&str] = &["--net", "--mount", "--fork", "--kill-child"];

/// The same, and processes numbered from 1 with a `/proc` that shows them only: a host, or a container.
pub(crate) const HOST: &[&str] = &["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];

/// A network namespace alone. The process number is that of the process that was started.
pub(crate) const NET_ONLY: &[&str] = &["--net"];

/// Tells a process which part of which test to play, as `TEST PART`.
const PART: &str = "NETNS_TEST_PART";
/// The directory for the files of a test. Removed, after all its mounts are gone, by the outermost process.
const DIR: &str = "NETNS_TEST_DIR";
/// What a part prints when it can be relied on.
const READY: &str = "<ready>";
/// What a part prints when it has played to its end: without it, starting no test at all would be a success.
const DONE: &str = "<done>";

/// One part of a test, from inside.
pub(crate) struct Part {
    test: String,
    /// The name given to [`Part::run`] or [`Part::start`]; `"first"` for the one that the test starts with.
    pub(crate) name: String,
    /// A directory to mount or write in, open to everybody.
    pub(crate) dir: PathBuf,
}

/// A part that is played next to the one that started it, until this is dropped.
pub(crate) struct Helper {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Plays the test whose closure `play` is. Called outside, starts the part `first` in the given namespaces and fails if
/// that fails; called inside, plays the part this process is there for. Without `unshare`, or where namespaces are
/// refused, the test fails: one that was not run must not look like one that passed.
pub(crate) fn in_namespaces<F: FnOnce(&Part)>(flags: &[&str], play: F) {
    let test = name_of::<F>();
    let part = env::var(PART).unwrap_or_default();
    match part.split_once(' ') {
        Some((of, name)) if of == test => {
            play(&Part { test: of.to_owned(), name: name.to_owned(), dir: env::var_os(DIR).unwrap().into() });
            println!("\n{DONE}");
        }
        _ => {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
            let flags = [privilege(), flags].concat();
            let first = Part { test: test.to_owned(), name: String::new(), dir: dir.path().to_owned() };
            first.run("first", &flags);
        }
    }
}

/// The name that the test harness has for the test function which `F` is a closure of: its path without the crate's name.
/// Should the compiler ever name closures otherwise, no part will say that it is done.
fn name_of<F>() -> &'static str {
    let path = type_name::<F>();
    let path = path.split_once("::").map_or(path, |(_crate, path)| path);
    path.strip_suffix("::{{closure}}").unwrap_or(path)
}

/// What `unshare` needs to be given so that this user may make the other namespaces: nothing, or a user namespace.
pub(crate) fn privilege() -> &'static [&'static str] {
    static FLAGS: OnceLock<&[&str]> = OnceLock::new();
    FLAGS.get_or_init(|| {
        let mut refused = Vec::new();
        for flags in [&[][..], &["--user", "--map-root-user"]] {
            let mut command = tool("unshare");
            command.args(flags).args(["--net", "--mount", "--fork", "ip", "link", "set", "dev", "lo", "up"]);
            let output = output(&mut command);
            if output.status.success() {
                return flags;
            }
            refused.push(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        panic!(
            "these tests need namespaces, which are refused here:\n{}\nRun them as root, or allow user \
             namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns).",
            refused.join("\n")
        );
    })
}

impl Part {
    /// Plays another part of the same test in fresh namespaces, and fails if it fails.
    pub(crate) fn run(&self, name: &str, flags: &[&str]) {
        let mut command = self.command(name, flags);
        let Output { status, stdout, stderr } = output(command.stdin(Stdio::null()));
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success() && stdout.contains(DONE), "part {name}: {command:?}: {status}\n{stdout}\n{stderr}");
    }

    /// Starts another part of the same test in fresh namespaces, and returns when that part has called [`Part::hold`].
    pub(crate) fn start(&self, name: &str, flags: &[&str]) -> Helper {
        let mut command = self.command(name, flags);
        let mut process = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let input = process.stdin.take();
        let mut helper = Helper { input, output: BufReader::new(process.stdout.take().unwrap()), process };
        assert!(helper.reads(READY), "part {name}: {command:?} ended before it was ready");
        helper
    }

    fn command(&self, name: &str, flags: &[&str]) -> Command {
        let mut command = tool("unshare");
        command.args(flags).arg(env::current_exe().unwrap());
        command.args([&self.test, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(PART, format!("{} {name}", self.test)).env(DIR, &self.dir);
        command
    }

    /// In a part that was started: says that it is ready, and returns when its starter needs it no more.
    pub(crate) fn hold() {
        println!("\n{READY}");
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }

    /// In a part that was started: says that it is ready, and calls `answer` with every line its starter sends.
    pub(crate) fn serve(mut answer: impl FnMut(&str) -> String) {
        println!("\n{READY}");
        for line in io::stdin().lines() {
            println!("\n{}", answer(&line.unwrap()));
        }
    }
}

impl Helper {
    /// The process number. That of the part itself only with [`NET_ONLY`], as the other flags make `unshare` fork.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a line to a part that serves, and waits until it answers `expected`.
    pub(crate) fn ask(&mut self, line: &str, expected: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
        assert!(self.reads(expected), "the helper ended instead of answering {line}");
    }

    /// Reads until a line that is `expected`; false at the end.
    fn reads(&mut self, expected: &str) -> bool {
        self.output.by_ref().lines().map_while(Result::ok).any(|line| line == expected)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.input.take());
        let mut rest = String::new();
        let read = self.output.read_to_string(&mut rest);
        let status = self.process.wait().unwrap();
        if !thread::panicking() {
            read.unwrap();
            assert!(status.success() && rest.contains(DONE), "helper: {status}\n{rest}");
        }
    }
}

/// Runs several commands of `ip(8)`, one a line.
pub(crate) fn ip(commands: &str) {
    for line in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
        system(tool("ip").args(line.split(' ')));
    }
}

/// Sets interfaces up and waits until they carry: setting up an end of a veth pair is done before the kernel has taken
/// notice, and until then packets are dropped.
pub(crate) fn set_up(interfaces: &[&str]) {
    for interface in interfaces {
        ip(&format!("link set dev {interface} up"));
    }
    for interface in interfaces {
        let state = || system(tool("ip").args(["-o", "link", "show", "dev", interface]));
        until(&format!("{interface} carries"), || state().contains(" state UP "));
    }
}

/// Makes the interfaces `v0` and `v1`, which do not talk by themselves. What is sent to 10.9.0.2 goes from one to the other.
pub(crate) fn veth_pair() {
    ip("link set dev lo up
        link add name v0 type veth peer name v1
        link set dev v0 addrgenmode none
        link set dev v1 addrgenmode none");
    set_up(&["v0", "v1"]);
    ip("addr add 10.9.0.1/24 dev v0
        neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v0");
}

/// Makes addresses that lead nowhere: `192.0.2.2` and `2001:db8::2`. What is sent there is lost.
pub(crate) fn black_holes() {
    ip("link set dev lo up
        link add hole type veth peer name bottom
        link set dev hole up
        link set dev bottom up
        addr add 192.0.2.1/24 dev hole
        addr add 2001:db8::1/64 dev hole nodad
        neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev hole
        neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev hole");
}

/// Gives addresses to interfaces, one `ADDRESS/LENGTH dev INTERFACE` with any options a line, and waits until the kernel
/// has routes to the IPv6 ones, which it adds in the background.
pub(crate) fn add_addresses(list: &str) {
    let lines = || list.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().for_each(|line| ip(&format!("addr add {line}")));
    for line in lines() {
        let words: Vec<&str> = line.split(['/', ' ']).collect();
        let &[address, _, "dev", interface, ..] = &words[..] else { panic!("not an address: {line}") };
        if !address.contains(':') {
            continue;
        }
        let route = format!("local {address} dev {interface} ");
        let routes = || system(tool("ip").args(["-6", "route", "show", "table", "local"]));
        until(&route, || routes().contains(&route));
    }
}

/// Mounts a proc file system with these options on the directory `name` of the test.
pub(crate) fn mount_proc(part: &Part, name: &str, options: &str) -> PathBuf {
    mount(part, name, &["-t", "proc", "-o", options, "proc"])
}

/// Mounts `/proc` once more on the directory `name` of the test, as `docker run -v /proc:/host_proc` does.
pub(crate) fn bind_proc(part: &Part, name: &str) -> PathBuf {
    mount(part, name, &["--bind", "/proc"])
}

fn mount(part: &Part, name: &str, args: &[&str]) -> PathBuf {
    let dir = part.dir.join(name);
    fs::create_dir_all(&dir).unwrap();
    system(tool("mount").args(args).arg(&dir));
    dir
}

/// The command `program` without any privilege. Where there is another user to become, that is how; in a user namespace
/// there is none, and all capabilities are taken away.
pub(crate) fn powerless(program: &Path) -> Command {
    let mut command = tool("setpriv");
    let groups = fs::read_to_string("/proc/self/gid_map").unwrap();
    if groups.split_whitespace().last() == Some("1") {
        command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    } else {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(program);
    command
}

/// Waits until something has come true that nothing announces. Fails if it never does.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < NEVER, "never: {what}");
        thread::yield_now();
    }
}

/// Gives this mount namespace an `/etc/hosts` (or another file there) of its own. Returns where it can be changed.
pub(crate) fn hosts_file(part: &Part, name: &str, text: &str) -> PathBuf {
    let file = part.dir.join(name);
    fs::write(&file, text).unwrap();
    system(tool("mount").arg("--bind").arg(&file).arg(Path::new("/etc").join(name)));
    file
}

/// Gives this mount namespace an `/etc` that has nothing but users, groups and the names of hosts.
pub(crate) fn private_etc(part: &Part) -> PathBuf {
    let etc = part.dir.join("etc");
    fs::create_dir(&etc).unwrap();
    for name in ["passwd", "group", "nsswitch.conf", "hosts"] {
        drop(fs::copy(Path::new("/etc").join(name), etc.join(name)));
    }
    system(tool("mount").arg("--bind").arg(&etc).arg("/etc"));
    etc
}

/// A file system of a few kilobytes, such as `64k`, on the directory `state` of the test.
pub(crate) fn small_disk(part: &Part, size: &str) -> PathBuf {
    mount(part, "state", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
}
