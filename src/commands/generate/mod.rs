//! `generate`: shell completions and a config file, made from the command line's own definitions, and systemd unit files.

mod completions;
mod config;
mod units;

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use nix::sys::stat::Mode;

use crate::cli::{Generate, GenerateArgs, UnitsArgs};
use crate::config::SettingError;
use crate::config::cores::Core;
use crate::config::greengrass;
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
        Generate::Units(args) => write_units(args, terminal)?,
    }
    Ok(Exit::Success)
}

/// Reads the core below `root`, or else the one on this device, if there is one and it can be read.
fn find_core(root: Option<&Path>, terminal: &Terminal) -> Result<Option<Core>, Error> {
    let mut notes = Vec::new();
    let found = greengrass::find(root, &mut notes);
    for note in &notes {
        terminal.debug(note);
    }
    match found {
        Err(error) if root.is_none() => {
            terminal.warn(format_args!("{error}; nothing is filled in"));
            Ok(None)
        }
        Err(error) => Err(vec![SettingError::of_core(&error, "leave out --greengrass-root")].into()),
        Ok(core) => {
            if let Some(core) = &core {
                terminal.debug(format_args!("settings from {}", core.file.display()));
            }
            Ok(core)
        }
    }
}

/// Writes the unit files into the directory, which is created if missing: all that differ, or none. A file that is there and
/// differs is replaced only with `--force`, because somebody may have edited it.
fn write_units(args: &UnitsArgs, terminal: &Terminal) -> Result<(), Error> {
    let credentials = match &args.greengrass_root {
        None => Credentials::default(),
        Some(root) => Credentials::of_core(root, terminal)?,
    };
    let failed = |path: &Path, source| Error::Output { target: path.display().to_string(), source };
    let unwritten =
        |path: &Path, error: io::Error| failed(path, io::Error::other(format!("{error}; nothing was written")));
    let dir = Directory::create(&args.dir, Mode::from_bits_truncate(0o777)).map_err(|e| failed(&args.dir, e))?;
    let units = units::units(&credentials);
    let (mut staged, mut different, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    for (name, unit) in &units {
        let path = dir.join(name);
        let limit = u64::try_from(unit.len()).unwrap_or(u64::MAX);
        let existing = dir.read(name, limit);
        if existing.as_ref().is_ok_and(|existing| existing == unit.as_bytes()) {
            unchanged.push(path);
            continue;
        }
        let file = dir.stage(name, unit.as_bytes(), PUBLIC).map_err(|e| unwritten(&path, e))?;
        if existing.err().is_none_or(|error| error.kind() != ErrorKind::NotFound) {
            different.push(path.clone());
        }
        staged.push((path, file));
    }
    if !different.is_empty() && !args.force {
        return Err(Error::Exists(different));
    }
    for (path, file) in staged {
        file.commit().map_err(|e| failed(&path, e))?;
        terminal.debug(format_args!("wrote {}", path.display()));
    }
    for path in unchanged {
        terminal.debug(format_args!("{}: unchanged", path.display()));
    }
    Ok(())
}
