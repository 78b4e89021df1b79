//! Clocks that a test moves, by a library that is loaded before the C library.

use std::sync::OnceLock;

use super::preload::Preload;
use super::{CommandLine, Device};

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
    static LIBRARY: OnceLock<Preload> = OnceLock::new();
    LIBRARY.get_or_init(|| Preload::compile(SHIM)).path()
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
