//! Standard output as a terminal: color, width, indentation, and what is kept from it. `script` of util-linux gives the
//! program a pseudo-terminal of its own.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::idle;
use crate::support::{Run, fixtures, program};

/// What the program did on a terminal.
struct Shown {
    code: Option<i32>,
    /// What the terminal was sent, with the line ends the program wrote.
    screen: String,
    /// What went to standard error, which is a file.
    stderr: String,
}

/// Runs the program with standard output on a terminal of so many columns, standard error redirected.
fn on_terminal(columns: u16, env: &[(&str, &str)], args: &[&str]) -> Shown {
    let stderr = tempfile::NamedTempFile::new().unwrap();
    let line = r#"stty rows 24 cols "$COLUMNS_WANTED" && eval "exec \"\$PROGRAM\" $ARGS" 2>"$STDERR""#;
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{}'", arg.replace('\'', r"'\''"))).collect();
    let mut command = Command::new("script");
    command.env_clear().current_dir(fixtures()).args(["-qec", line, "/dev/null"]).stdin(Stdio::null());
    command.env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh").env("TERM", "xterm-256color");
    command.env("PROGRAM", program()).env("ARGS", quoted.join(" ")).env("STDERR", stderr.path());
    command.env("COLUMNS_WANTED", columns.to_string()).envs(env.iter().copied());
    let output = command.output().unwrap();
    Shown {
        code: output.status.code(),
        screen: String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"),
        stderr: std::fs::read_to_string(stderr.path()).unwrap(),
    }
}

/// A run on a terminal of 80 columns that must succeed without a word on standard error.
fn screen(env: &[(&str, &str)], args: &[&str]) -> String {
    let shown = on_terminal(80, env, args);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{env:?} {args:?}");
    shown.screen
}

const TABLE: [&str; 5] = ["collect", "--proc", "idle/proc", "--format", "table"];

#[test]
fn a_table_is_colored_on_a_terminal_that_can_unless_somebody_objects() {
    type Case = (&'static [(&'static str, &'static str)], &'static [&'static str], bool);
    let cases: [Case; 11] = [
        (&[], &[], true),
        (&[], &["--color", "auto"], true),
        (&[], &["--color", "always"], true),
        (&[], &["--color", "never"], false),
        (&[("NO_COLOR", "1")], &[], false),
        (&[("NO_COLOR", "")], &[], true),
        (&[("TERM", "dumb")], &[], false),
        (&[("NO_COLOR", "1")], &["--color", "always"], true),
        (&[("TERM", "dumb")], &["--color", "always"], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[], false),
        (&[("CLICOLOR", "0")], &["--color", "always"], true),
    ];
    for (env, args, colored) in cases {
        let screen = screen(env, &[&TABLE, args].concat());
        assert_eq!(screen.contains('\u{1b}'), colored, "{env:?} {args:?}: {screen:?}");
        assert_eq!(without_color(&screen), table(), "{env:?} {args:?}");
    }
}

#[test]
fn a_table_is_colored_elsewhere_only_when_asked() {
    for (env, args, colored) in [
        (None, &[][..], false),
        (Some("CLICOLOR_FORCE"), &[], false),
        (None, &["--color", "auto"], false),
        (None, &["--color", "never"], false),
        (None, &["--color", "always"], true),
        (Some("NO_COLOR"), &["--color", "always"], true),
    ] {
        let run = idle(&[&["--format", "table"], args].concat());
        let run = if let Some(name) = env { run.env(name, "1") } else { run };
        let text = String::from_utf8(run.output()).unwrap();
        assert_eq!(text.contains('\u{1b}'), colored, "{args:?}");
        assert_eq!(without_color(&text), table());
    }
}

/// The table of the tree `idle`, but for its first line, which has the time.
fn table() -> String {
    without_color(&String::from_utf8(idle(&["--format", "table"]).output()).unwrap())
}

/// A table without its first line and without colors (`ESC [ … m`); anything else a terminal would act on is a fault.
fn without_color(text: &str) -> String {
    let text = text.split_once('\n').unwrap().1;
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (codes, rest) = piece.split_once('m').unwrap();
        assert!(codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "{piece:?}");
        plain.push_str(rest);
    }
    assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "{plain:?}");
    plain
}

#[test]
fn json_and_cbor_are_never_colored_and_json_is_indented() {
    for args in [&[][..], &["--color", "always"], &["--names", "short"], &["--compat", "connector"]] {
        let args = [&["collect", "--proc", "idle/proc"], args].concat();
        let text = screen(&[], &args);
        assert!(!text.contains('\u{1b}') && text.starts_with("{\n  \"he") && text.ends_with("}\n"), "{text:?}");
        let shown: Value = serde_json::from_str(&text).unwrap();
        let piped = Run::new(&fixtures(), &args).json();
        for metrics in ["metrics", "met"] {
            assert_eq!(shown[metrics], piped[metrics]);
        }
    }
    let bounded = screen(&[], &["collect", "--proc", "idle/proc", "--max-bytes", "5000"]);
    assert_eq!(bounded.matches('\n').count(), 1, "--max-bytes counts the bytes of one line");
    // The time in the report ID may well have the byte of an escape sequence, so the decoded documents are compared.
    let metrics = |when: &str| -> Value {
        let cbor = idle(&["--format", "cbor", "--color", when]).output();
        ciborium::from_reader::<Value, _>(cbor.as_slice()).unwrap()["metrics"].clone()
    };
    assert_eq!(metrics("always"), metrics("never"));
}

#[test]
fn cbor_is_kept_from_a_terminal() {
    let shown = on_terminal(80, &[], &["collect", "--proc", "idle/proc", "--format", "cbor"]);
    assert_eq!((shown.code, shown.screen.as_str()), (Some(2), ""));
    assert_eq!(
        shown.stderr,
        "device-defender: CBOR is not printed to a terminal; redirect it, as in `--format cbor > report.cbor`\n\
         device-defender: hint: see device-defender collect --help\n"
    );
}

#[test]
fn standard_error_in_a_file_stays_plain_while_standard_output_is_a_terminal() {
    for (args, code) in [
        (&["collect", "--proc", "idle/proc", "-v", "--color", "always", "--format", "table"][..], 0),
        (&["collect", "--proc", "none", "--color", "always"], 66),
        (&["collect", "--frob"], 2),
        (&["collect", "--since", "0s", "--color", "always"], 2),
    ] {
        let shown = on_terminal(80, &[], args);
        assert_eq!(shown.code, Some(code));
        assert!(!shown.stderr.is_empty() && !shown.stderr.contains('\u{1b}'), "{args:?}: {:?}", shown.stderr);
    }
}

#[test]
fn a_table_fits_the_columns_of_the_terminal() {
    for tree in ["idle", "busy", "vlan-bridge", "container", "ipv6-off", "big-endian"] {
        let proc = format!("{tree}/proc");
        let args = ["collect", "--proc", &proc, "--format", "table"];
        let wide = without_color(&screen(&[], &args));
        let piped = Run::new(&fixtures(), &args).output();
        assert_eq!(wide, without_color(&String::from_utf8(piped).unwrap()), "{tree}: 80 columns are enough");
        for columns in [80, 72, 64] {
            let shown = on_terminal(columns, &[], &args);
            let longest = without_color(&shown.screen).lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(usize::from(columns)), "{tree} in {columns} columns: {longest:?}");
        }
        for columns in [0, 1, 10, 1000] {
            let shown = on_terminal(columns, &[], &args);
            assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{tree} in {columns} columns");
        }
    }
}

#[test]
fn nothing_from_outside_drives_the_terminal() {
    let args = ["collect", "--proc", "odd-names/proc"];
    without_color(&screen(&[], &[&args[..], &["--format", "table"]].concat()));

    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    std::fs::create_dir(&net).unwrap();
    for table in ["udp", "tcp", "fib_trie", "route", "dev"] {
        let text = std::fs::read_to_string(fixtures().join("idle/proc/net").join(table)).unwrap();
        std::fs::write(net.join(table), text.replace("eth0", "\u{9b}31m\u{1b}[2J\u{7f}")).unwrap();
    }
    for args in [&[][..], &["--max-bytes", "100000"]] {
        let json = screen(&[], &[&["collect", "--proc", dir.path().to_str().unwrap()], args].concat());
        let raw: Vec<char> = json.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(raw.is_empty(), "control characters sent to the terminal: {raw:?}");
        let report: Value = serde_json::from_str(&json).unwrap();
        let connection = &report["metrics"]["tcp_connections"]["established_connections"]["connections"][0];
        assert_eq!(connection["local_interface"], "\u{9b}31m\u{1b}[2J\u{7f}");
    }
}
