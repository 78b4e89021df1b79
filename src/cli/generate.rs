//! The command line of `generate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    pub what: Generate,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Generate {
    /// Print the completions for a shell
    ///
    /// Save them where the shell looks for them: for bash as /usr/share/bash-completion/completions/device-defender, for zsh
    /// as /usr/local/share/zsh/site-functions/_device-defender, for fish as /etc/fish/completions/device-defender.fish.
    Completions(CompletionsArgs),
    /// Print a config file to start from
    ///
    /// All settings, each with its explanation. On a Greengrass core, those of the core are filled in. Save it as
    /// /etc/device-defender/config.toml, readable for all users: device-defender.service does not run as root.
    Config(ConfigArgs),
    /// Write unit files for systemd
    ///
    /// A service that runs watch, a path unit that restarts it when its certificate is renewed, and a timer that runs
    /// publish instead.
    Units(UnitsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Fill in the settings of the Greengrass core in this directory
    ///
    /// [default: the first of /greengrass/v2, /greengrass and /etc/greengrass that has a configuration, if any]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub greengrass_root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct UnitsArgs {
    /// The directory to write to, which is created if missing
    #[arg(value_hint = ValueHint::DirPath, default_value = ".")]
    pub dir: PathBuf,
    /// Replace files that are there and differ
    #[arg(long)]
    pub force: bool,
    /// Pass the certificate and key of the Greengrass core in this directory to the service
    ///
    /// Without this flag, those in /etc/device-defender: cert.pem and key.pem.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub greengrass_root: Option<PathBuf>,
}
