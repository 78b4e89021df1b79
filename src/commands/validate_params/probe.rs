//! `--probe`: what a path is on this machine, and what `collect --proc` would see through it.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::collector::proc::root::{Netns, ProcRoot, is_procfs};
use crate::terminal::Out;
use crate::text::escape;

#[derive(Debug, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the JSON output")]
pub(super) struct Probe {
    path: String,
    /// Whether `collect --proc` can report the host through it.
    pub(super) usable: bool,
    exists: bool,
    procfs: bool,
    /// The directory of the tables; `None` when none of them can be opened.
    net: Option<String>,
    /// Whether `net` shows the network namespace of this process; `None` without `net`, or for a copy.
    own_namespace: Option<bool>,
    /// Whether the tables of process 1 are hidden from this user, but others are readable.
    hidepid: bool,
    problem: Option<String>,
    remedy: Option<&'static str>,
}

impl Probe {
    pub(super) fn run(path: &Path) -> Self {
        let procfs = is_procfs(path);
        let shown = path.display();
        let mut probe = Self { path: shown.to_string(), exists: path.exists(), procfs, ..Self::default() };
        let found = match ProcRoot::find(path, Netns::Auto) {
            Err(error) => Some((error.to_string(), error.hint())),
            Ok(root) => {
                probe.net = Some(root.net.display().to_string());
                probe.own_namespace = procfs.then_some(root.own_namespace);
                probe.hidepid = procfs && root.passed_over.iter().any(|(net, _)| *net == path.join("1/net"));
                probe.usable = procfs && !probe.hidepid;
                if !procfs {
                    let remedy = "mount the host's /proc there, with mount --bind or as a volume";
                    Some((format!("{shown}: holds network tables, but is not a proc file system"), remedy))
                } else if probe.hidepid {
                    let problem = format!("{shown}: process 1 is hidden from this user (hidepid=)");
                    Some((problem, "run as root to see the host"))
                } else {
                    None
                }
            }
        };
        (probe.problem, probe.remedy) = found.unzip();
        probe
    }

    pub(super) fn write(&self, out: &mut Out) -> io::Result<()> {
        let path = escape(&self.path);
        if let (Some(net), Some(own)) = (&self.net, self.own_namespace) {
            let whose = if own { "this process" } else { "its process 1" };
            let reads = format!("collect --proc would read {}: the network of {whose}", escape(net));
            writeln!(out, "probe: {path} is a proc file system; {reads}")?;
        }
        if let (Some(problem), Some(remedy)) = (&self.problem, &self.remedy) {
            writeln!(out, "probe: {}\n  remedy:  {}", escape(problem), escape(remedy))?;
        }
        Ok(())
    }
}
