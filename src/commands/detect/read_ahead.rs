//! Reads reports in a thread, so that waiting for the next one can time out.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::mem;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Instant;
use std::vec;

use crate::detect::reports::{ReadError, Received, Reports};
use crate::files;

/// The bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// The most items that are handed over at once. Fewer, if the next one must be waited for.
const BATCH: usize = 64;

type Item = Result<Received, ReadError>;

/// The items of [`Reports`], one batch read ahead.
pub(super) struct ReadAhead {
    batches: Receiver<Vec<Item>>,
    batch: vec::IntoIter<Item>,
}

impl ReadAhead {
    pub(super) fn open(
        path: &Path,
        reports: impl FnOnce(BufReader<Source>) -> Reports<BufReader<Source>> + Send + 'static,
    ) -> io::Result<Self> {
        let input: Box<dyn Read + Send> =
            if files::is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
        // Without a buffer in between, a batch is handed over only when this thread is ready for it, which bounds memory.
        let (sender, batches) = mpsc::sync_channel(0);
        thread::Builder::new().spawn(move || {
            let batch = Rc::new(RefCell::new(Batch { items: Vec::with_capacity(BATCH), sender }));
            let source = Source { input, batch: Rc::clone(&batch) };
            let mut reports = reports(BufReader::with_capacity(BUFFER, source));
            while let Some(item) = reports.next()
                && batch.borrow_mut().push(item)
            {}
            batch.borrow_mut().send()
        })?;
        Ok(Self { batches, batch: Vec::new().into_iter() })
    }

    /// The next item. After the deadline none, even if there is one, so that a flood of them does not defer it.
    pub(super) fn next(&mut self, deadline: Option<Instant>) -> Result<Item, RecvTimeoutError> {
        loop {
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(RecvTimeoutError::Timeout);
            }
            if let Some(item) = self.batch.next() {
                return Ok(item);
            }
            let batch = match deadline {
                Some(deadline) => self.batches.recv_timeout(deadline.saturating_duration_since(Instant::now()))?,
                None => self.batches.recv().map_err(|_| RecvTimeoutError::Disconnected)?,
            };
            self.batch = batch.into_iter();
        }
    }
}

struct Batch {
    items: Vec<Item>,
    sender: SyncSender<Vec<Item>>,
}

impl Batch {
    /// False once nobody receives any more.
    fn push(&mut self, item: Item) -> bool {
        self.items.push(item);
        self.items.len() < BATCH || self.send()
    }

    fn send(&mut self) -> bool {
        self.items.is_empty() || self.sender.send(mem::replace(&mut self.items, Vec::with_capacity(BATCH))).is_ok()
    }
}

/// The input. Hands over what was read before it waits for more.
pub(super) struct Source {
    input: Box<dyn Read + Send>,
    batch: Rc<RefCell<Batch>>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.batch.borrow_mut().send();
        self.input.read(buffer)
    }
}
