//! The man pages: a page for the program and one for every command. What clap knows comes from clap; the sections it
//! does not know are here.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::pages::{PAGES, Page};
use crate::cli::Cli;

/// Every page under its file name.
pub(super) fn pages() -> Vec<(String, Vec<u8>)> {
    let mut program = Cli::command();
    program.build();
    PAGES.iter().filter_map(|page| page.render(&program)).collect()
}

impl Page {
    /// The page and its name; `None` when clap knows no such command.
    fn render(&self, program: &Command) -> Option<(String, Vec<u8>)> {
        let command = match self.command {
            "" => program,
            name => program.find_subcommand(name)?,
        };
        let man = Man::new(command.clone())
            .title("device-defender")
            .source(concat!("device-defender ", env!("CARGO_PKG_VERSION")));
        let mut page = Vec::new();
        let clap_knows = [
            Man::render_title,
            Man::render_name_section,
            Man::render_synopsis_section,
            Man::render_description_section,
            Man::render_options_section,
        ];
        for section in clap_knows {
            section(&man, &mut page).ok()?;
        }
        if command.get_subcommands().any(|command| !command.is_hide_set()) {
            man.render_subcommands_section(&mut page).ok()?;
        }
        self.our_sections(command).to_writer(&mut page).ok()?;
        Some((man.get_filename(), page))
    }

    fn our_sections(&self, command: &Command) -> Roff {
        let mut roff = Roff::new();
        if !self.fields.is_empty() {
            roff.control("SH", ["JSON OUTPUT"]);
        }
        for (name, text) in self.fields {
            define(&mut roff, name, text);
        }
        roff.control("SH", ["EXIT STATUS"]);
        for exit in self.exits {
            define(&mut roff, &exit.code().to_string(), exit.meaning());
        }
        roff.control("SH", ["ENVIRONMENT"]);
        for arg in command.get_arguments() {
            if let (Some(variable), Some(flag)) = (arg.get_env().and_then(|name| name.to_str()), arg.get_long()) {
                define(
                    &mut roff,
                    variable,
                    &format!("The value of --{flag} when that is not given. Empty means unset."),
                );
            }
        }
        for (name, text) in self.environment {
            define(&mut roff, name, text);
        }
        if !self.files.is_empty() {
            roff.control("SH", ["FILES"]);
        }
        for (name, text) in self.files {
            define(&mut roff, name, text);
        }
        roff.control("SH", ["EXAMPLES"]);
        for (text, example) in self.examples {
            roff.control("PP", []).text([roman(*text)]).control("PP", []).control("RS", ["4"]).control("nf", []);
            roff.text([roman(*example)]).control("fi", []).control("RE", []);
        }
        roff.control("SH", ["SEE ALSO"]).text([roman(self.see_also)]);
        roff
    }
}

/// Adds a term and what it means.
fn define(roff: &mut Roff, term: &str, meaning: &str) {
    roff.control("TP", []).text([bold(term)]).text([roman(meaning)]);
}
