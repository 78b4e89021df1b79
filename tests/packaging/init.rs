//! The scripts for sysvinit and procd, with the tools of busybox. Of procd itself there is only a stand-in, which prints what
//! the script asks of it.

use std::fs;
use std::path::Path;

use snapbox::str;

use super::play;
use crate::support::{assert_snapshot, program, tool};

#[test]
fn init_scripts_work_with_busybox() {
    let dir = tempfile::tempdir().unwrap();
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = project.join("tests/packaging/init");
    let scripts = project.join("packaging/init");
    fs::copy(program(), dir.path().join("program")).unwrap();
    fs::copy(here.join("play"), dir.path().join("play")).unwrap();
    let mut unshare = tool("unshare");
    unshare.args(["--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child", "sh"]);
    unshare.arg(here.join("scratch-root")).arg(dir.path()).arg(scripts);
    assert_snapshot(
        play(&mut unshare),
        str![[r#"
== sysvinit
stopped
code 3
running
device-defender is running
/usr/bin/device-defender watch 
running
stopped
code 3
Usage: ./device-defender {start|stop|restart|status}
code 2
no files left
device-defender: first report in 1h, then every 2h
device-defender: first report in 1h, then every 2h
== procd
#!/bin/sh /etc/rc.common
open
command /usr/bin/device-defender watch
respawn 3600 60 0
file /etc/device-defender/config.toml
stderr 1
close

"#]],
    );
}
