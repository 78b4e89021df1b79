//! Clocks that a test moves, by a library that is loaded before the C library.

use std::fs;
use std::process::Stdio;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::{CommandLine, Device, tool};

/// Moves two clocks by so many seconds as a file says: the one that can be set, and the one that counts suspend. The
/// `libfaketime` of Debian knows no `CLOCK_BOOTTIME`. And on a slow disk, each `fsync` moves both clocks on.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    long done = syscall(SYS_clock_gettime, clock, now);
    const char *path = getenv("TEST_CLOCKS");
    if (getenv("TEST_NO_BOOTTIME") && clock == CLOCK_BOOTTIME) { errno = EINVAL; return -1; }
    if (done != 0 || !path || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME)) return done;
    char text[64] = {0};
    long long real = 0, boot = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) abort();
    if (read(file, text, sizeof text - 1) < 0 || sscanf(text, "%lld %lld", &real, &boot) != 2) abort();
    close(file);
    now->tv_sec += clock == CLOCK_REALTIME ? real : boot;
    return 0;
}

int fsync(int disk) {
    const char *slow = getenv("TEST_SLOW_DISK_S"), *path = getenv("TEST_CLOCKS");
    long long real = 0, boot = 0;
    FILE *file = slow ? fopen(path, "r+") : NULL;
    if (file) {
        if (fscanf(file, "%lld %lld", &real, &boot) != 2) abort();
        rewind(file);
        fprintf(file, "%lld %lld", real + atoi(slow), boot + atoi(slow));
        fclose(file);
    }
    return syscall(SYS_fsync, disk);
}
"#;

/// The shim, made once.
pub(crate) fn shim() -> String {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("clocks.c"), SHIM).unwrap();
        let mut cc = tool("cc");
        cc.args(["-shared", "-fPIC", "-o", "clocks.so", "clocks.c"]).current_dir(dir.path()).stdin(Stdio::null());
        let made = cc.output().unwrap();
        assert!(made.status.success(), "cc: {}", String::from_utf8_lossy(&made.stderr));
        dir
    });
    dir.path().join("clocks.so").to_str().unwrap().to_owned()
}

/// Moves the clocks of a run by so many seconds.
pub(crate) fn step(device: &Device, real: i64, boot: i64) {
    device.write("clocks", format!("{real} {boot}"));
}

/// A run with such clocks.
pub(crate) fn clocked(device: &Device, flags: CommandLine) -> CommandLine {
    step(device, 0, 0);
    flags.env("LD_PRELOAD", shim()).env("TEST_CLOCKS", device.path("clocks"))
}
