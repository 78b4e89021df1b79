//! `generate`: shell completions, made from the command line's own definitions, and systemd unit files.

mod units;

use std::io::ErrorKind;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Generator, Shell};
use nix::sys::stat::Mode;

use crate::cli::{Cli, GenerateArgs, Generated};
use crate::directory::Directory;
use crate::error::Error;
use crate::exit::Exit;

/// For everybody to read; the umask of the user takes away from it.
const PUBLIC: Mode = Mode::from_bits_truncate(0o666);

/// Writes the files into the directory, which is created if missing. A file that is there and differs is replaced only with
/// `--force`, because somebody may have edited it.
pub(super) fn run(args: &GenerateArgs) -> Result<Exit, Error> {
    let files = match args.what {
        Generated::Completions => [Shell::Bash, Shell::Zsh, Shell::Fish].map(completion).to_vec(),
        Generated::Units => units::units().map(|(name, unit)| (name.to_owned(), unit.into())).to_vec(),
    };
    let failed = |path: &Path, source| Error::Output { target: path.display().to_string(), source };
    let dir = Directory::create(&args.dir, Mode::from_bits_truncate(0o777)).map_err(|e| failed(&args.dir, e))?;
    let (mut to_write, mut different) = (Vec::new(), Vec::new());
    for (name, content) in &files {
        let limit = u64::try_from(content.len()).unwrap_or(u64::MAX);
        match dir.read(name, limit) {
            Ok(existing) if existing == *content => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => different.push(dir.join(name)),
        }
        to_write.push((name, content));
    }
    if !different.is_empty() && !args.force {
        return Err(Error::Exists(different));
    }
    for (name, content) in to_write {
        dir.replace(name, content, PUBLIC).map_err(|e| failed(&dir.join(name), e))?;
    }
    Ok(Exit::Success)
}

/// File name, as the shell looks for it, and content of a completion script.
fn completion(shell: Shell) -> (String, Vec<u8>) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "device-defender", &mut script);
    (shell.file_name("device-defender"), script)
}
