//! Properties of the library that hold for any input: whatever bytes a table holds, whatever sockets a host has.
//!
//! | module | what holds |
//! |---|---|
//! | [`total`] | no bytes make a parser panic |
//! | [`tables`] | reading what the kernel writes gives exactly what it wrote |
//! | [`names`] | an interface name is given where it is certain, and nowhere else |
//! | [`netlink`] | the kernel's answers give the same sockets as its files |
//! | [`oracle`] | the crate `procfs` reads the same |
//! | [`packets`] | what a broker writes is understood, and no bytes are taken for what they are not |
//! | [`traffic`] | traffic is never negative, and adds up |
//! | [`documents`] | JSON, CBOR, long and short names all say what the sockets say |
//! | [`budget`] | a report that is cut fits, and stays true |
//! | [`custom`] | the limits of custom metrics |
//! | [`config`] | a config file says what it says |
//!
//! The others help: [`kernel`] writes tables as the kernel does, [`captured`] has those of real hosts and damages them,
//! [`scene`] makes up hosts, [`expected`] says in the plainest way what their reports hold, [`shape`] is the document's
//! specification.

mod budget;
mod captured;
mod config;
mod custom;
mod documents;
mod expected;
#[cfg(feature = "greengrass")]
mod frames;
mod kernel;
mod names;
mod netlink;
mod oracle;
mod packets;
mod scene;
pub(crate) mod shape;
mod tables;
mod total;
mod traffic;
