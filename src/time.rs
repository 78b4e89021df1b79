//! The clock that does not step, durations as they are given, and times as they are shown.

use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::files;

/// The last second that RFC 3339 can write: that of the year 9999.
const LAST: u64 = 253_402_300_799;

/// A time as RFC 3339, in UTC, to the second: `2026-11-23T12:00:00Z`. A time before 1970 is shown as 1970, one after 9999 as
/// the end of that year.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().min(LAST);
    let shown = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(shown).to_string()
}

/// Seconds since 1970; 1 where the clock shows an earlier time, as on a device whose clock was never set.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs().max(1))
}

/// Parses seconds (`300`) or a duration (`5m`, `1h 30m`).
///
/// # Errors
/// It is not a duration, or takes more than 64 bits.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Duration::from_secs).map_err(|_| DurationError::TooLong);
    }
    humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => DurationError::TooLong,
        _ => DurationError::Malformed,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("too long")]
    TooLong,
    #[error("expected seconds (300) or a duration (5m)")]
    Malformed,
}

impl From<DurationError> for String {
    fn from(error: DurationError) -> Self {
        error.to_string()
    }
}

/// The time since boot, suspend included (`CLOCK_BOOTTIME`, `clock_gettime(2)`): setting the clock does not move it.
pub(crate) fn since_boot() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from)?)
}

/// The time since boot at a past moment. If the thread is descheduled between reading the two clocks, the result errs late,
/// the safe side for spacing reports.
pub(crate) fn since_boot_at(moment: Instant) -> io::Result<Duration> {
    let elapsed = moment.elapsed();
    Ok(since_boot()?.saturating_sub(elapsed))
}

/// Which boot of this machine this is (`proc_sys_kernel(5)`); `None` when that cannot be read.
pub(crate) fn boot_id() -> Option<&'static str> {
    static BOOT_ID: OnceLock<String> = OnceLock::new(); // a process lives in one boot
    if let Some(id) = BOOT_ID.get() {
        return Some(id);
    }
    let id = files::read_short(Path::new("/proc/sys/kernel/random/boot_id"))?;
    Some(id.trim()).filter(|id| !id.is_empty()).map(|id| BOOT_ID.get_or_init(|| id.to_owned()).as_str())
}
