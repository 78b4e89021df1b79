//! The processes of this benchmark. All of them run this same executable; the first argument says which part to play.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::result;

pub(crate) type Result<T> = result::Result<T, Box<dyn Error>>;

/// Sets up a small connection hash, then becomes [`SCALE`].
pub(crate) const SMALL_HASH: &str = "@small-hash";
/// Runs one scale in a network namespace of its own.
pub(crate) const SCALE: &str = "@scale";
/// Opens a share of the sockets and holds them until its standard input ends.
pub(crate) const SOCKETS: &str = "@sockets";
/// Runs a command once and prints what it cost.
pub(crate) const MEASURE: &str = "@measure";

/// The program under measurement, as cargo built it for this benchmark.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_device-defender");

/// The executable of this benchmark.
pub(crate) fn own_path() -> Result<PathBuf> {
    Ok(env::current_exe()?)
}
