//! Times as they are shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
