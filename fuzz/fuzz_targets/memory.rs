//! Included by the targets that bound memory.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What `run` returns, after a check that it never takes more than `limit` bytes of heap in addition to what is there.
pub fn within<T>(limit: usize, run: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = run();
    let peak = MEMORY.peak_usage() - before;
    assert!(peak <= limit, "{peak} bytes, at most {limit} are allowed");
    result
}
