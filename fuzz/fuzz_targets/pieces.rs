//! Included by the targets that read tables.

use std::io::{self, Read};

/// A reader that returns at most this many bytes for each read.
pub struct Pieces<'a>(pub &'a [u8], pub usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let take = self.1.min(buffer.len()).min(self.0.len());
        buffer[..take].copy_from_slice(&self.0[..take]);
        self.0 = &self.0[take..];
        Ok(take)
    }
}

/// The number of lines; the last one may lack its newline.
pub fn count_lines(text: &[u8]) -> usize {
    text.split_inclusive(|&b| b == b'\n').count()
}

/// Sizes of reads to try: one that splits every line, one that depends on the input, one larger than any buffer.
pub fn steps(text: &[u8]) -> impl Iterator<Item = usize> {
    let smallest = if text.len() < 4096 { 1 } else { 61 };
    [smallest, 7 + text.len() % 4099, usize::MAX].into_iter()
}
