//! The source that reads files: a proc mount, or a saved copy of one. See `proc_pid_net(5)`.
//!
//! | file | module |
//! |---|---|
//! | which `/proc`, which network namespace | [`root`] |
//! | what all tables have in common | [`tables`], [`numbers`] |
//! | `net/tcp`, `net/tcp6`, `net/udp`, `net/udp6` | [`sockets`] |
//! | `net/dev` | [`counters`] |
//! | `net/if_inet6`, `net/fib_trie`, `net/route` | [`interfaces`] |
//! | `PID/fd/*` | [`owners`] |

pub(crate) mod counters;
pub(crate) mod interfaces;
pub(crate) mod numbers;
pub(crate) mod owners;
pub(crate) mod root;
pub(crate) mod sockets;
pub(crate) mod tables;
