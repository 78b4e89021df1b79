//! Libraries that are loaded before the C library, and replace functions of it.

use std::fs;
use std::process::Stdio;

use tempfile::TempDir;

use super::tool;

pub(crate) struct Preload(TempDir);

impl Preload {
    /// Compiles a library from C.
    pub(crate) fn compile(source: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("shim.c"), source).unwrap();
        let mut cc = tool("cc");
        cc.args(["-shared", "-fPIC", "-o", "shim.so", "shim.c"]).current_dir(dir.path()).stdin(Stdio::null());
        let made = cc.output().unwrap();
        assert!(made.status.success(), "cc: {}", String::from_utf8_lossy(&made.stderr));
        Self(dir)
    }

    /// The value of `LD_PRELOAD`.
    pub(crate) fn path(&self) -> String {
        self.0.path().join("shim.so").to_str().unwrap().to_owned()
    }
}
