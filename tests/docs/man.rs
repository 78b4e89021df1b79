//! The man pages in `man/`: a page for the program and one for each command. Options come from the command line's
//! definitions, the other sections from `pages`.

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use clap::{Arg, ArgAction, ArgGroup, Command, Id};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
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
        let text = String::from_utf8(output.stdout).unwrap();
        let title = format!("{}(1)", page.file_stem().unwrap().display());
        let (first, last) = (text.lines().next().unwrap(), text.trim_end().lines().last().unwrap());
        assert!(first.starts_with(&format!("{title} ")) && first.ends_with(&format!(" {title}")), "{first}");
        assert!(last.ends_with(&format!(" {title}")) && text.len() > 1000, "{}: {text}", page.display());
    }
}

impl Page {
    /// File name and content of the page.
    fn render(&self, program: &Command) -> (String, String) {
        let command = match self.command {
            "" => program,
            name => program.find_subcommand(name).unwrap_or_else(|| panic!("no command {name}")),
        };
        let title = command.get_display_name().unwrap_or_else(|| command.get_name());
        let source = concat!("device-defender ", env!("CARGO_PKG_VERSION"));
        let mut roff = Roff::new();
        roff.control("TH", [title, "1", "\"\"", source, "Commands"]); // an empty date would be left out
        roff.control("SH", ["NAME"]).text([roman(format!("{title} - {}", command.get_about().unwrap()))]);
        synopsis(&mut roff, command);
        roff.control("SH", ["DESCRIPTION"]);
        description(&mut roff, command);
        let page = roff.render() + &subcommands(command) + &options(command);
        (format!("{title}.1"), page + &self.sections(command, program).render())
    }

    fn sections(&self, command: &Command, program: &Command) -> Roff {
        let mut roff = Roff::new();
        if self.command.is_empty() {
            roff.control("SH", ["COMMANDS"]);
            for command in program.get_subcommands() {
                let page = format!("{}(1)", command.get_display_name().unwrap());
                define(&mut roff, &page, &command.get_about().unwrap().to_string());
            }
        }
        for (title, paragraphs) in self.prose {
            roff.control("SH", [*title]);
            for text in *paragraphs {
                roff.control("PP", []);
                if text.starts_with(' ') {
                    roff.control("nf", []).text([roman(*text)]).control("fi", []);
                } else {
                    roff.text([roman(*text)]);
                }
            }
        }
        section(&mut roff, "JSON OUTPUT", self.json_output);
        roff.control("SH", ["EXIT STATUS"]);
        match self.exits {
            [] => define_exits(&mut roff, &Exit::ALL.map(|exit| (exit, ""))),
            exits => define_exits(&mut roff, exits),
        }
        self.environment(&mut roff, command);
        section(&mut roff, "FILES", self.files);
        roff.control("SH", ["EXAMPLES"]);
        for (text, example) in self.examples {
            roff.control("PP", []).text([roman(*text)]).control("PP", []).control("RS", ["4"]).control("nf", []);
            roff.text([roman(*example)]).control("fi", []).control("RE", []);
        }
        roff.control("SH", ["SEE ALSO"]).text([roman(self.see_also)]);
        roff
    }

    fn environment(&self, roff: &mut Roff, command: &Command) {
        let twins: Vec<(&str, &str)> = command.get_arguments().filter_map(variable_and_flag).collect();
        if twins.is_empty() && self.environment.is_empty() {
            return;
        }
        roff.control("SH", ["ENVIRONMENT"]);
        if !twins.is_empty() {
            roff.text([roman(
                "Each of these variables sets an option that is not given; an empty one counts as unset:",
            )]);
            roff.control("RS", ["0"]);
            for (variable, flag) in twins {
                roff.control("IP", ["\\(bu", "2"]).text([bold(variable), roman(format!(" sets --{flag}"))]);
                roff.control("PD", ["0"]); // no blank line between the entries
            }
            roff.control("PD", []).control("RE", []);
        }
        for (name, text) in self.environment.iter().copied().flatten() {
            define(roff, name, text);
        }
    }
}

/// The SYNOPSIS: every option of the command itself, with its values; a line for each subcommand, for
/// each argument that decides what the command does, or for each kind of input.
fn synopsis(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["SYNOPSIS"]).control("nh", []).control("ad", ["l"]);
    let mut forms = Vec::new();
    for command in without_page(command) {
        forms.push(form(command, |_| true));
    }
    for choice in required_choice(command) {
        let conflicts = |one: &Arg, other: &Arg| {
            command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
        };
        forms.push(form(command, |arg| {
            let is_other = required_choice(command).any(|other| other.get_id() == arg.get_id());
            arg.get_id() == choice.get_id() || !(is_other || conflicts(arg, choice) || conflicts(choice, arg))
        }));
    }
    if forms.is_empty() {
        // Of a file and the flags that give what is in it, one is required.
        let input = required_group(command);
        forms.push(form(command, |arg| arg.is_positional() || !input.contains(&arg.get_id())));
        if !input.is_empty() {
            forms.push(form(command, |arg| !arg.is_positional()));
        }
    }
    for (number, form) in forms.into_iter().enumerate() {
        if number > 0 {
            roff.control("br", []);
        }
        roff.text(form);
    }
    roff.control("ad", ["b"]).control("hy", []);
}

/// The arguments of which exactly one is required.
fn required_choice(command: &Command) -> impl Iterator<Item = &Arg> {
    let groups = command.get_groups().filter(|group| group.is_required_set() && !ArgGroup::clone(group).is_multiple());
    let ids: Vec<&Id> = groups.flat_map(ArgGroup::get_args).collect();
    command.get_arguments().filter(move |arg| ids.contains(&arg.get_id()))
}

fn required_group(command: &Command) -> Vec<&Id> {
    command.get_groups().filter(|group| group.is_required_set()).flat_map(ArgGroup::get_args).collect()
}

/// One form of a command, with these arguments: those that are required first, those without a flag last.
fn form(command: &Command, is_shown: impl Fn(&Arg) -> bool) -> Vec<Inline> {
    let in_group = |arg: &Arg| required_group(command).contains(&arg.get_id());
    let is_chosen = |arg: &Arg| required_choice(command).any(|choice| choice.get_id() == arg.get_id());
    let is_required = |arg: &Arg| arg.is_required_set() || is_chosen(arg) || arg.is_positional() && in_group(arg);
    let mut args: Vec<&Arg> = command.get_arguments().filter(|arg| is_own(arg) && is_shown(arg)).collect();
    args.sort_by_key(|arg| (arg.is_positional(), !is_required(arg)));
    let mut line = vec![bold(command.get_bin_name().unwrap_or_else(|| command.get_name()))];
    for arg in args {
        line.push(roman(if is_required(arg) { " " } else { " [" }));
        line.extend(usage(arg));
        let is_repeated = matches!(arg.get_action(), ArgAction::Append) && arg.get_num_args() == Some(1.into());
        line.push(roman(if is_required(arg) { "" } else { "]" }));
        line.push(roman(if is_repeated { "..." } else { "" }));
    }
    if command.has_subcommands() {
        line.extend([roman(" "), italic("COMMAND")]);
    }
    line
}

/// The subcommands that are described in the page of their command.
fn without_page(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|_| command.get_name() == "generate")
}

/// Whether an argument is of this command only.
fn is_own(arg: &Arg) -> bool {
    !arg.is_hide_set() && !arg.is_global_set()
}

/// An argument in the synopsis.
fn usage(arg: &Arg) -> Vec<Inline> {
    let name = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => Some(format!("--{long}")),
        (None, short) => short.map(|short| format!("-{short}")),
    };
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let value = match values.as_slice() {
        _ if !arg.get_action().takes_values() => None,
        [] => Some(arg.get_value_names().unwrap_or_default().join(" ")),
        values => Some(values.join("|")),
    };
    let mut words: Vec<Inline> = name.map(bold).into_iter().collect();
    if let Some(value) = value {
        if !words.is_empty() {
            words.push(roman(" "));
        }
        words.push(if values.is_empty() { italic(value) } else { roman(value) });
        if arg.get_num_args().is_some_and(|range| range.max_values() > 1) {
            words.push(roman("..."));
        }
    }
    words
}

/// The long help without its first sentence, which is in NAME.
fn description(roff: &mut Roff, command: &Command) {
    let about = command.get_about().unwrap().to_string();
    let long = command.get_long_about().map_or_else(String::new, ToString::to_string);
    let rest = long.strip_prefix(&about).unwrap_or(&long).trim();
    for paragraph in if rest.is_empty() { &about } else { rest }.split("\n\n") {
        roff.control("PP", []).text([roman(paragraph)]);
    }
}

/// The subcommands that have no page of their own.
fn subcommands(command: &Command) -> String {
    let text = |subcommand: &Command| {
        let own = subcommand.get_arguments().filter(|arg| is_own(arg)).cloned();
        let options = options(&Command::new("own").args(own).disable_help_flag(true));
        let mut roff = Roff::new();
        roff.control("SH", [format!("generate {}", subcommand.get_name()).to_uppercase().as_str()]);
        roff.text([roman(format!("{}.", subcommand.get_about().unwrap()))]);
        description(&mut roff, subcommand);
        roff.render() + &options.replace(".SH OPTIONS\n", "")
    };
    without_page(command).map(text).collect()
}

/// The sections with the options.
fn options(command: &Command) -> String {
    let mut sections = Vec::new();
    Man::new(command.clone()).render_options_section(&mut sections).unwrap();
    String::from_utf8(sections).unwrap()
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
