//! The man pages: what clap knows, and the sections it does not.

/// Every page under its file name.
pub(super) fn pages() -> Vec<(String, Vec<u8>)> {
    Vec::new()
}
