//! `generate`: shell completions and a config file, made from the command line's own definitions, and systemd unit files.

mod completions;
mod config;
mod units;

use std::io::{ErrorKind, Write};
use std::path::Path;

use nix::sys::stat::Mode;

use crate::cli::{Generate, GenerateArgs, UnitsArgs};
use crate::directory::Directory;
use crate::error::Error;
use crate::exit::Exit;
use crate::terminal::Terminal;
use units::Credentials;

/// For everybody to read; the umask of the user takes away from it.
const PUBLIC: Mode = Mode::from_bits_truncate(0o666);

pub(super) fn run(args: &GenerateArgs, terminal: &Terminal) -> Result<Exit, Error> {
    match &args.what {
        Generate::Completions(args) => {
            let script = completions::script(args.shell);
            terminal.write(|out| out.write_all(script.as_bytes()))?;
        }
        Generate::Config(args) => {
            let text = config::file(args.greengrass_root.as_deref(), terminal)?;
            terminal.write(|out| out.write_all(text.as_bytes()))?;
        }
        Generate::Units(args) => write_units(args)?,
    }
    Ok(Exit::Success)
}

/// Writes the unit files into the directory, which is created if missing. A file that is there and differs is replaced only
/// with `--force`, because somebody may have edited it.
fn write_units(args: &UnitsArgs) -> Result<(), Error> {
    let credentials = match &args.greengrass_root {
        None => Credentials::default(),
        Some(root) => Credentials::of_core(root)?,
    };
    let failed = |path: &Path, source| Error::Output { target: path.display().to_string(), source };
    let dir = Directory::create(&args.dir, Mode::from_bits_truncate(0o777)).map_err(|e| failed(&args.dir, e))?;
    let (mut to_write, mut different) = (Vec::new(), Vec::new());
    for (name, unit) in units::units(&credentials) {
        let limit = u64::try_from(unit.len()).unwrap_or(u64::MAX);
        match dir.read(name, limit) {
            Ok(existing) if existing == unit.as_bytes() => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => different.push(dir.join(name)),
        }
        to_write.push((name, unit));
    }
    if !different.is_empty() && !args.force {
        return Err(Error::Exists(different));
    }
    for (name, unit) in to_write {
        dir.replace(name, unit.as_bytes(), PUBLIC).map_err(|e| failed(&dir.join(name), e))?;
    }
    Ok(())
}
