//! The integration tests: the built program from outside, and the library where a property is easier to state there.
//!
//! | module | what it tests |
//! |---|---|
//! | [`support`] | nothing; it holds what the others are made of |
//! | [`golden`] | the documents of captured hosts, in every form |
//! | [`cli`] | `collect`, `generate`: flags, streams, terminals, custom metrics, the payload budget, `--since` |
//! | [`config`] | the config file, passed credentials, variables that set nothing |
//! | [`hostile`] | `collect` over damaged trees |
//! | [`netns`] | `collect` in network namespaces with known sockets |
//! | [`params`] | `validate-params` |
//! | [`publish`] | `publish` against a broker, and against peers that misbehave |
//! | [`watch`] | `watch` through outages, full disks and clocks that step |
//! | [`detect`] | `detect` on reports and on a device |
//! | [`packaging`] | the Debian package, the init scripts, the Greengrass component |
//! | [`schema`] | the schemas of the JSON output |
//! | [`docs`] | man pages, completions, unit files, README and changelog against the program |
//! | [`properties`] | what holds for any table, any host and any report |
//!
//! `tests/run` installs the programs that the tests need. A test that cannot run fails and says what is missing.
#![expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::needless_raw_string_hashes,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in helpers; snapshots are written by their library"
)]
#![cfg_attr(
    not(full),
    allow(dead_code, unused_imports, reason = "what only tests of a part use that this build is without")
)]

mod cli;
mod config;
#[cfg(feature = "detect")]
mod detect;
#[cfg(full)]
mod docs;
mod golden;
mod hostile;
mod netns;
#[cfg(full)]
mod packaging;
mod params;
mod properties;
mod publish;
mod schema;
mod support;
mod watch;
