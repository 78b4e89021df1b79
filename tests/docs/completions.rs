//! The shell completions in `completions/`, as bash, zsh and fish complete with them.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::Arg;
use device_defender::internals::command;

use super::{PROGRAM, assert_files};
use crate::support::{Dir, spawn, system, tool};

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

// The shell inserts all candidates when Tab is pressed, and a script in the place of the program gets them as its arguments:
// what the shell adds and quotes is part of the test.
const BASH: &str = ". ./completions/bash\nbind '\"\\t\": insert-completions'\n";
const ZSH: &str = "fpath=($PWD/completions $fpath)
autoload -U compinit
compinit -u -D
zstyle ':completion:*' completer _all_matches _complete
zstyle ':completion:*' insert true
";
const START: &str = "PATH=$PWD/bin:$PATH\ncd files\n";
const PRINT_ARGUMENTS: &str = "#!/bin/sh\nprintf '%s\\n' \"$@\" . >>../arguments\n";

#[test]
fn completions_match_the_command_line() {
    let files = [("device-defender.bash", "bash"), ("_device-defender", "zsh"), ("device-defender.fish", "fish")];
    assert_files("completions", files.map(|(name, shell)| (name.to_owned(), script(shell))).into());
}

fn script(shell: &str) -> String {
    let output = Command::new(PROGRAM).args(["generate", "completions", shell]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A directory with the completions, and in `files` with two files and a directory.
fn directory() -> Dir {
    let dir = Dir::new();
    for name in ["bin", "completions", "files/state dir"] {
        fs::create_dir_all(dir.path(name)).unwrap();
    }
    for name in ["files/connector.json", "files/key one.pem"] {
        dir.write(name, "");
    }
    for (name, shell) in [("bash", "bash"), ("_device-defender", "zsh"), ("fish", "fish")] {
        dir.write(&format!("completions/{name}"), script(shell));
    }
    dir.write("bashrc", format!("{BASH}{START}"));
    dir.write(".zshrc", format!("{ZSH}{START}"));
    dir.write("bin/device-defender", PRINT_ARGUMENTS);
    system(tool("chmod").arg("+x").arg(dir.path("bin/device-defender")));
    dir
}

/// What a shell completes the last word of each line with, sorted.
fn complete(shell: &str, lines: &[String]) -> Vec<Vec<String>> {
    let dir = directory();
    let candidates = match shell {
        "fish" => complete_in_fish(&dir, lines),
        "bash" => complete_on_terminal(&dir, "bash --noprofile --rcfile bashrc -i", lines),
        _ => complete_on_terminal(&dir, "zsh -d -i", lines),
    };
    assert_eq!(candidates.len(), lines.len(), "{shell}: {candidates:?}");
    let sorted = |mut candidates: Vec<String>| {
        candidates.sort();
        candidates
    };
    candidates.into_iter().map(sorted).collect()
}

/// Types the lines, each with Tab at its end, at an interactive shell.
fn complete_on_terminal(dir: &Dir, shell: &str, lines: &[String]) -> Vec<Vec<String>> {
    let mut script = tool("timeout");
    script.args(["60", "script", "-qec", shell, "/dev/null"]).current_dir(dir.root());
    script
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .env("HOME", dir.root())
        .env("ZDOTDIR", dir.root())
        .env_remove("HISTFILE");
    let mut child = spawn(script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let typed: String = lines.iter().flat_map(|line| ["device-defender ", line, "\t\n"]).collect();
    child.stdin.take().unwrap().write_all(format!("{typed}exit 0\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shell}: tests/run installs what the tests need\n{output:?}\n{screen}");
    let printed = fs::read_to_string(dir.path("arguments")).unwrap_or_else(|e| panic!("{e}\n{screen}"));
    let commands = printed.split_terminator(".\n").zip(lines);
    // The words before the last are what was typed.
    commands
        .map(|(arguments, line)| arguments.lines().skip(line.matches(' ').count()).map(str::to_owned).collect())
        .collect()
}

fn complete_in_fish(dir: &Dir, lines: &[String]) -> Vec<Vec<String>> {
    let ask: String = lines.iter().flat_map(|line| ["complete -C 'device-defender ", line, "'; echo .\n"]).collect();
    let mut fish = tool("fish");
    fish.args(["--no-config", "-c", &format!("source completions/fish; cd files; {ask}")]);
    let printed = system(fish.current_dir(dir.root()).env("HOME", dir.root()));
    // A description follows the candidate, and a directory ends with a slash.
    let word = |line: &str| line.split('\t').next().unwrap().trim_end_matches('/').to_owned();
    printed.split_terminator(".\n").map(|candidates| candidates.lines().map(word).collect()).collect()
}

#[test]
fn commands_options_values_and_files_are_completed() {
    let commands = ["collect", "detect", "generate", "help", "publish", "validate-params", "watch"];
    let cases: Vec<(&str, &[&str])> = vec![
        ("", &commands),
        ("help ", &commands),
        ("co", &["collect"]),
        ("collect --form", &["--format"]),
        ("collect --format ", &["cbor", "json", "table"]),
        ("collect --format=t", &["--format=table"]),
        ("collect -f t", &["table"]),
        ("collect -t --comp", &["--compat"]),
        ("-v collect --strict --since 10s --nam", &["--names"]),
        ("--color never collect --names ", &["long", "short"]),
        ("detect --format ", &["json", "table"]),
        ("detect --profile connector.json --rep", &["--report"]),
        ("watch --via ", &["greengrass", "mqtt"]),
        ("publish --once --key-file k", &["key one.pem"]),
        ("collect --state-dir s", &["state dir"]),
        ("validate-params c", &["connector.json"]),
        ("validate-params --pro", &["--probe", "--proc-destination-path", "--proc-destination-path-resource-id"]),
        ("collect --netns ", &[]),
        ("watch --interval ", &[]),
        ("publish --port ", &[]),
        ("generate ", &["completions", "config", "units"]),
        ("generate completions ", &["bash", "fish", "zsh"]),
        ("generate units --f", &["--force"]),
        ("generate units s", &["state dir"]),
    ];
    let lines: Vec<String> = cases.iter().map(|(line, _)| (*line).to_owned()).collect();
    for shell in SHELLS {
        for ((line, expected), mut candidates) in cases.iter().zip(complete(shell, &lines)) {
            if line.ends_with(' ') || line.is_empty() {
                candidates.retain(|candidate| !candidate.starts_with('-')); // bash completes options, too
            }
            assert_eq!(candidates, *expected, "{shell}: device-defender {line}");
        }
    }
}

#[test]
fn every_option_of_every_command_is_completed() {
    let mut program = command().disable_help_subcommand(true);
    program.build();
    let generate = program.find_subcommand("generate").unwrap();
    let below = generate.get_subcommands().map(|command| (format!("generate {} --", command.get_name()), command));
    let commands = program.get_subcommands().map(|command| (format!("{} --", command.get_name()), command));
    let (lines, commands): (Vec<String>, Vec<_>) = commands.chain(below).chain([("--".to_owned(), &program)]).unzip();
    for shell in SHELLS {
        for ((line, command), candidates) in lines.iter().zip(&commands).zip(complete(shell, &lines)) {
            let mut options: Vec<String> =
                command.get_arguments().filter_map(Arg::get_long).map(|long| format!("--{long}")).collect();
            options.sort();
            assert_eq!(candidates, options, "{shell}: device-defender {line}");
        }
    }
}
