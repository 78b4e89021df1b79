//! The command line of `generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// What to generate
    #[arg(value_enum)]
    pub what: Generated,
    /// The directory to write to
    #[arg(value_hint = ValueHint::DirPath, default_value = ".")]
    pub dir: PathBuf,
    /// Replace files that are there and differ
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    /// Completions for bash, zsh and fish
    Completions,
    /// Unit files for systemd
    Units,
}
