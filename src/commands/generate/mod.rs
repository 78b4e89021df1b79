//! `generate`: shell completions, made from the command line's own definitions, and systemd unit files.

mod units;

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Generator, Shell};

use crate::cli::{Cli, GenerateArgs, Generated};
use crate::error::Error;
use crate::exit::Exit;

/// Writes the files into the directory, which is created if missing.
pub(super) fn run(args: &GenerateArgs) -> Result<Exit, Error> {
    let files = match args.what {
        Generated::Completions => [Shell::Bash, Shell::Zsh, Shell::Fish].map(completion).to_vec(),
        Generated::Units => units::units().map(|(name, unit)| (name.to_owned(), unit.into())).to_vec(),
    };
    let failed = |path: &Path, source| Error::Output { target: path.display().to_string(), source };
    fs::create_dir_all(&args.dir).map_err(|e| failed(&args.dir, e))?;
    for (name, content) in files {
        let path = args.dir.join(name);
        fs::write(&path, content).map_err(|e| failed(&path, e))?;
    }
    Ok(Exit::Success)
}

/// File name, as the shell looks for it, and content of a completion script.
fn completion(shell: Shell) -> (String, Vec<u8>) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "device-defender", &mut script);
    (shell.file_name("device-defender"), script)
}
