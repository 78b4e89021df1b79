//! The man pages in `man/`: a page for the program and one for each command. Options come from the command line's
//! definitions, the other sections from `pages`.

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use clap::builder::PossibleValue;
use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use device_defender::Exit;
use device_defender::internals::command;

use super::pages::{Entry, PAGES, Page};
use super::{PROJECT, assert_files};

#[test]
fn man_pages_match_the_command_line() {
    let mut program = command().disable_help_subcommand(true);
    program.build();
    let documented: Vec<&str> = PAGES.iter().map(|page| page.command).filter(|name| !name.is_empty()).collect();
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        assert!(documented.contains(&command.get_name()), "{} has no man page", command.get_name());
    }
    assert_files("man", PAGES.iter().map(|page| page.render(&program)).collect());
}

#[test]
fn man_formats_every_page_without_warnings() {
    for entry in fs::read_dir(Path::new(PROJECT).join("man")).unwrap() {
        let page = entry.unwrap().path();
        if page.is_dir() {
            continue; // man/schema
        }
        let output = Process::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&page)
            .env("MANWIDTH", "80")
            .env("MAN_KEEP_STDERR", "1")
            .output()
            .unwrap_or_else(|e| panic!("man, from the Debian package man-db: {e}"));
        assert!(output.status.success(), "{}: {output:?}", page.display());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", page.display());
        assert!(output.stdout.len() > 1000, "{}: too short", page.display());
    }
}

impl Page {
    /// File name and content of the page.
    fn render(&self, program: &Command) -> (String, String) {
        let command = match self.command {
            "" => program,
            name => program.find_subcommand(name).unwrap_or_else(|| panic!("no command {name}")),
        };
        let documented =
            command.clone().override_usage(usage(command)).version(None::<&str>).long_version(None::<&str>);
        let man = Man::new(documented)
            .date("\"\"") // clap_mangen leaves out an empty date, which shifts the arguments after it
            .source(concat!("device-defender ", env!("CARGO_PKG_VERSION")))
            .manual("User Commands");
        let mut page = Vec::new();
        man.render(&mut page).unwrap();
        (man.get_filename(), String::from_utf8(page).unwrap() + &self.sections(command).render())
    }

    fn sections(&self, command: &Command) -> Roff {
        let mut roff = Roff::new();
        section(&mut roff, "JSON OUTPUT", self.json_output);
        roff.control("SH", ["EXIT STATUS"]);
        match self.exits {
            [] => define_exits(&mut roff, &Exit::ALL.map(|exit| (exit, ""))),
            exits => define_exits(&mut roff, exits),
        }
        roff.control("SH", ["ENVIRONMENT"]);
        let twins: Vec<(&str, &str)> = command.get_arguments().filter_map(variable_and_flag).collect();
        if !twins.is_empty() {
            roff.text([roman(
                "Each of these variables sets an option that is not given. An empty variable counts as unset.",
            )]);
            roff.control("RS", ["0"]);
            for (variable, flag) in twins {
                roff.control("IP", ["\\(bu", "2"]).text([bold(variable), roman(format!(" sets --{flag}"))]);
                roff.control("PD", ["0"]); // no blank line between the entries
            }
            roff.control("PD", []).control("RE", []);
        }
        for (name, text) in self.environment.iter().copied().flatten() {
            define(&mut roff, name, text);
        }
        section(&mut roff, "FILES", self.files);
        roff.control("SH", ["EXAMPLES"]);
        for (text, example) in self.examples {
            roff.control("PP", []).text([roman(*text)]).control("PP", []).control("RS", ["4"]).control("nf", []);
            roff.text([roman(*example)]).control("fi", []).control("RE", []);
        }
        roff.control("SH", ["SEE ALSO"]).text([roman(self.see_also)]);
        roff
    }
}

/// The SYNOPSIS: every option of the command itself, with its values.
fn usage(command: &Command) -> String {
    let mut words = vec![command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()];
    let is_own = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help";
    for arg in command.get_arguments().filter(is_own) {
        let takes_value = arg.get_action().takes_values();
        let value = match arg.get_possible_values().as_slice() {
            _ if !takes_value => String::new(),
            [] => arg.get_value_names().unwrap_or_default().join(" "),
            values => values.iter().map(PossibleValue::get_name).collect::<Vec<_>>().join("|"),
        };
        let word = match arg.get_long() {
            Some(long) if takes_value => format!("--{long} {value}"),
            Some(long) => format!("--{long}"),
            None => value,
        };
        // clap does not require --once: `publish` reports a missing --once itself, and explains the alternative.
        let required = arg.is_required_set() || arg.get_id() == "once";
        words.push(if required { word } else { format!("[{word}]") });
    }
    if command.has_subcommands() {
        words.push("COMMAND".to_owned());
    }
    words.join(" ")
}

/// The environment variable that sets an option, and the option.
fn variable_and_flag(arg: &Arg) -> Option<(&str, &str)> {
    Some((arg.get_env()?.to_str()?, arg.get_long()?))
}

/// Adds a section, unless it is empty.
fn section(roff: &mut Roff, heading: &str, entries: &[Entry]) {
    if !entries.is_empty() {
        roff.control("SH", [heading]);
    }
    for (name, text) in entries {
        define(roff, name, text);
    }
}

fn define_exits(roff: &mut Roff, exits: &[(Exit, &str)]) {
    for (exit, when) in exits {
        let when = if when.is_empty() { exit.meaning() } else { when };
        define(roff, &exit.code().to_string(), when);
    }
}

/// Adds a term and its description.
fn define(roff: &mut Roff, term: &str, description: &str) {
    roff.control("TP", []).text([bold(term)]).text([roman(description)]);
}
