//! What the tests are made of.
//!
//! | to | take |
//! |---|---|
//! | run the built program to its end and check how it ended | [`Run`] |
//! | have a host with sockets, counters and a state directory | [`Device`] |
//! | send its reports somewhere | [`Device::publish_to`], [`Device::watch_broker`] |
//! | have somewhere to send them | [`Broker`] with a [`Service`], or a [`Peer`] that plays a script |
//! | run it as a component of Greengrass | [`Nucleus`] |
//! | have a network, a host or a container of its own | [`in_namespaces`] |
//! | have a file system that stops responding | [`DeadMount`] |
//! | compare a whole text with a snapshot | [`assert_snapshot`] |

pub(crate) mod broker;
mod clocks;
mod command_line;
mod dead_mount;
mod device;
mod namespace;
#[cfg(feature = "greengrass")]
mod nucleus;
mod preload;
mod run;
mod snapshot;
mod tool;

use std::path::{Path, PathBuf};

use proptest::test_runner::Config;

pub(crate) use broker::mosquitto::{Broker, Ways, closed_port};
pub(crate) use broker::peer::{EACH_VERSION, Link, Peer, Seen, Tls};
pub(crate) use broker::pki::{copy_pki, pki, pki_str};
pub(crate) use broker::service::{Answer, Received, Service, accepted, rejected};
pub(crate) use broker::wire;
pub(crate) use clocks::{clocked, shim, step};
pub(crate) use command_line::{CommandLine, Outcome};
pub(crate) use dead_mount::DeadMount;
pub(crate) use device::{
    BEFORE, BOOT, Device, Dir, Interfaces, NAMESPACE, Traffic, accepting, state, traffic, without_id,
};
pub(crate) use namespace::{
    HOST, Helper, NET, NET_ONLY, Part, add_addresses, bind_proc, black_holes, hosts_file, in_namespaces, ip,
    mount_proc, powerless, private_etc, privilege, set_up, small_disk, until, veth_pair,
};
#[cfg(feature = "greengrass")]
pub(crate) use nucleus::{Nucleus, NucleusLink, Request, SOCKET_VARIABLE, TOKEN_VARIABLE};
pub(crate) use preload::Preload;
pub(crate) use run::{Run, copy_program, is_root, program};
pub(crate) use snapshot::{assert_snapshot, assert_snapshot_of};
pub(crate) use tool::{NEVER, output, spawn, system, tool};

/// The captured `/proc` trees and other inputs.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A value as CBOR: lengths definite, numbers as short as can be.
pub(crate) fn to_cbor(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// A configuration of property tests with so many cases, which leaves no files behind.
pub(crate) fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}
