//! `generate`: man pages and completions, from the definitions that the program itself parses with, and unit files.

mod man;
mod pages;
mod units;

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::{Cli, GenerateArgs, Generated};
use crate::exit::{Exit, Failure};

/// Runs `generate`.
///
/// # Errors
/// [`Exit::Output`] when a file cannot be written.
pub(super) fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    let files = match args.what {
        Generated::Man => man::pages(),
        Generated::Completions => completions(),
        Generated::Units => units::units(),
    };
    for (name, content) in files {
        let path = args.dir.join(name);
        write(&path, &content).map_err(|e| Failure::new(Exit::Output, format!("{}: {e}", path.display())))?;
    }
    Ok(Exit::Done)
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, content)
}

/// The completion scripts, each under the name its shell looks for.
fn completions() -> Vec<(String, Vec<u8>)> {
    let script = |shell, name: &str| {
        let mut content = Vec::new();
        let mut command: Command = Cli::command();
        generate(shell, &mut command, "device-defender", &mut content);
        (name.to_owned(), content)
    };
    vec![
        script(Shell::Bash, "device-defender.bash"),
        script(Shell::Zsh, "_device-defender"),
        script(Shell::Fish, "device-defender.fish"),
    ]
}
