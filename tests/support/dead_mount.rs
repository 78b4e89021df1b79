//! A mount whose file system stops responding, as that of a server that is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;

use super::namespace::{Part, until};
use super::tool::{spawn, system, tool};

/// A directory that is mounted on another by `bindfs`, a FUSE file system. Needs `/dev/fuse`.
#[derive(Clone)]
pub(crate) struct DeadMount(Arc<FileSystem>);

struct FileSystem {
    process: std::sync::Mutex<Child>,
    /// Where it is mounted.
    path: PathBuf,
}

impl DeadMount {
    /// Mounts `source` on the directory `name` of the test. It responds until it is stopped.
    pub(crate) fn new(part: &Part, source: &Path, name: &str) -> Self {
        let path = part.dir.join(name);
        fs::create_dir_all(&path).unwrap();
        let mut command = tool("bindfs");
        command.args(["-f", "--no-allow-other"]).args([source, &path]).stdin(Stdio::null());
        let process = spawn(&mut command).into();
        let mounted = || fs::read_to_string("/proc/self/mounts").unwrap().contains(path.to_str().unwrap());
        until("bindfs has mounted; is there a /dev/fuse that may be used?", mounted);
        Self(Arc::new(FileSystem { process, path }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// From now on, whoever opens a file there waits.
    pub(crate) fn stop(&self) {
        self.0.signal("STOP");
        let status = format!("/proc/{}/status", self.0.pid());
        until("bindfs has stopped", || fs::read_to_string(&status).unwrap().contains("State:\tT"));
    }

    /// It responds again.
    pub(crate) fn resume(&self) {
        self.0.signal("CONT");
    }
}

impl FileSystem {
    fn pid(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    fn signal(&self, name: &str) {
        system(tool("kill").args(["-s", name, &self.pid().to_string()]));
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap();
        process.kill().unwrap(); // and whoever waits gets an error
        process.wait().unwrap();
    }
}
