//! `--probe`: what a path is on this machine, and what `collect --proc` would see through it.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::collector::proc_root::{Netns, ProcRoot, is_procfs};
use crate::escape::escape;
use crate::terminal::Out;
/// What was found at a path.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the JSON output")]
pub(super) struct Probe {
    path: String,
    /// Whether `collect --proc` can show this machine through it.
    pub(super) usable: bool,
    /// Whether something is there.
    exists: bool,
    /// Whether the system says that it is a proc file system.
    procfs: bool,
    /// The directory whose tables would be read; `None` when not one can be.
    net: Option<String>,
    /// Whether that shows the network namespace of this process; `None` when there is nothing to read, or it is a copy.
    own_namespace: Option<bool>,
    /// Whether the tables of process 1 are hidden from this user while others can be read.
    hidepid: bool,
    /// What is wrong, and what to do about it.
    problem: Option<String>,
    remedy: Option<String>,
}

impl Probe {
    /// Looks at `path` as this user.
    pub(super) fn look(path: &Path) -> Self {
        let procfs = is_procfs(path);
        let found = ProcRoot::find(path, Netns::Auto);
        let mut probe = Self {
            path: path.display().to_string(),
            usable: procfs && found.is_ok(),
            exists: path.exists(),
            procfs,
            net: None,
            own_namespace: None,
            hidepid: false,
            problem: None,
            remedy: None,
        };
        match found {
            Ok(root) => {
                probe.net = Some(root.net.display().to_string());
                probe.own_namespace = procfs.then_some(root.own_namespace);
                probe.hidepid = procfs && root.passed_over.iter().any(|(net, _)| *net == path.join("1/net"));
                if probe.hidepid {
                    probe.usable = false;
                    probe.problem = Some(format!("{}: process 1 is hidden from this user (hidepid=)", path.display()));
                    probe.remedy = Some("run as root to see the host".to_owned());
                }
                if !procfs {
                    probe.problem =
                        Some(format!("{}: holds network tables, but is no proc file system", path.display()));
                    probe.remedy = Some("mount the host's /proc there, with mount --bind or as a volume".to_owned());
                }
            }
            Err(error) => {
                probe.problem = Some(error.to_string());
                probe.remedy = Some(error.hint().to_owned());
            }
        }
        probe
    }

    /// Writes it for people.
    pub(super) fn write(&self, out: &mut Out) -> io::Result<()> {
        let path = escape(&self.path);
        if let (Some(net), Some(own)) = (&self.net, self.own_namespace) {
            let whose = if own { "this process" } else { "its process 1" };
            let net = escape(net);
            writeln!(
                out,
                "probe: {path} is a proc file system; collect --proc would read {net}: the network of {whose}"
            )?;
        }
        match (&self.problem, &self.remedy) {
            (Some(problem), Some(remedy)) => {
                writeln!(out, "probe: {}\n  remedy:  {}", escape(problem), escape(remedy))
            }
            _ => Ok(()),
        }
    }
}
