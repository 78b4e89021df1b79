//! The clock that does not step, and times as they are shown.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::collector::table;

/// The last second that RFC 3339 can write: that of the year 9999.
const LAST: u64 = 253_402_300_799;

/// A time as RFC 3339, in UTC, to the second: `2026-11-23T12:00:00Z`. One before 1970 shows as 1970, one after 9999 as
/// the end of that year.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().min(LAST);
    let shown = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(shown).to_string()
}

/// The time since boot, suspend included (`CLOCK_BOOTTIME`, `clock_gettime(2)`): no clock setting moves it.
#[must_use]
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// The same of a moment that has passed: rather a little too late than too early, when the process is held up meanwhile.
#[must_use]
pub fn of(moment: Instant) -> Duration {
    let elapsed = moment.elapsed();
    since_boot().saturating_sub(elapsed)
}

/// Which boot of this machine this is (`proc_sys_kernel(5)`); `None` when that cannot be read.
#[must_use]
pub fn boot_id() -> Option<&'static str> {
    static BOOT_ID: OnceLock<String> = OnceLock::new(); // a process lives in one boot
    if let Some(id) = BOOT_ID.get() {
        return Some(id);
    }
    let id = table::read_short(Path::new("/proc/sys/kernel/random/boot_id"))?;
    Some(id.trim()).filter(|id| !id.is_empty()).map(|id| BOOT_ID.get_or_init(|| id.to_owned()).as_str())
}
