//! What the threads of a run hand to the thread that commits.
//!
//! Everything is committed in the order in which it was handed over, so a blob that a thread
//! handed over before a task that refers to it is never committed after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use wflow_model::Digest;
use wflow_model::record::RunId;

use crate::content::CompleteFile;
use crate::error::Result;
use crate::error::StoreError;

/// How long the committer waits for more before it commits little: a transaction has a price of
/// its own, about that of ten tasks.
const LINGER: Duration = Duration::from_millis(10);
/// It does not wait for more than this.
const BATCH_ITEMS: usize = 1024;
const BATCH_BYTES: usize = 4 << 20;
/// Who hands over more than this waits for the committer.
const QUEUE_ITEMS: usize = 8 * BATCH_ITEMS;
const QUEUE_BYTES: usize = 4 * BATCH_BYTES;
/// What a queued file counts for, so that not too many are open.
const FILE_WEIGHT: usize = QUEUE_BYTES / 64;
/// What an item costs besides its bytes.
const ITEM_WEIGHT: usize = 128;

/// Something to commit.
#[derive(Debug)]
pub(crate) enum Item {
    /// The run itself.
    Begin(RunRow),
    /// A finished task.
    Task(TaskRow),
    /// A blob that the store may not have.
    Blob(Digest, Pending),
    /// A blob whose file was there, but perhaps not yet on disk.
    Present(Digest),
    /// The end of the run; nothing follows.
    End(EndRow),
}

/// A run as the catalog holds it when it begins.
#[derive(Debug)]
pub(crate) struct RunRow {
    pub(crate) flow: String,
    pub(crate) created: i64,
    pub(crate) record: Vec<u8>,
    pub(crate) tags: Vec<String>,
    /// The run whose tasks are its own.
    pub(crate) source: Option<RunId>,
}

/// A task as the catalog holds it.
#[derive(Debug)]
pub(crate) struct TaskRow {
    pub(crate) step: u32,
    pub(crate) key: Vec<u8>,
    pub(crate) attempt: u32,
    pub(crate) failed: bool,
    pub(crate) record: Vec<u8>,
}

/// The end of a run as the catalog holds it.
#[derive(Debug)]
pub(crate) struct EndRow {
    pub(crate) status: i64,
    pub(crate) finished: i64,
    pub(crate) end: Vec<u8>,
}

/// The content of a blob that is not committed yet.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// To become a row.
    Row(Arc<[u8]>),
    /// To become a file.
    File(Arc<CompleteFile>),
}

impl Item {
    fn weight(&self) -> usize {
        ITEM_WEIGHT
            + match self {
                Self::Begin(row) => row.record.len(),
                Self::Task(row) => row.record.len(),
                Self::Blob(_, Pending::Row(bytes)) => bytes.len(),
                Self::Blob(_, Pending::File(_)) => FILE_WEIGHT,
                Self::Present(_) => 0,
                Self::End(row) => row.end.len(),
            }
    }
}

/// The queue between the threads of one run and its committer.
#[derive(Debug)]
pub(crate) struct Queue {
    run: RunId,
    state: Mutex<State>,
    /// Wakes the committer.
    work: Condvar,
    /// Wakes who waits for room.
    room: Condvar,
    /// Wakes who waits for a commit.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<Item>,
    weight: usize,
    /// Blobs that are queued or being committed.
    pending: HashMap<Digest, Pending>,
    /// How many items were ever handed over, and how many of them are committed.
    accepted: u64,
    committed: u64,
    /// Commit up to this number without waiting for more.
    wanted: u64,
    /// The end of the run was handed over, or the writer is gone.
    closed: bool,
    /// Why nothing is committed any more.
    error: Option<StoreError>,
    committer_sleeps: bool,
    waiting_for_room: bool,
}

impl Queue {
    pub(crate) fn new(run: RunId) -> Self {
        Self {
            run,
            state: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            done: Condvar::new(),
        }
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Hands over an item; waits while there are too many.
    pub(crate) fn push(&self, item: Item) -> Result<()> {
        let mut state = self.lock();
        loop {
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            if state.closed {
                return Err(StoreError::Ended(self.run));
            }
            if state.items.len() < QUEUE_ITEMS && state.weight < QUEUE_BYTES {
                break;
            }
            state.waiting_for_room = true;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &item {
            Item::Blob(digest, pending) => {
                if state.pending.contains_key(digest) {
                    return Ok(());
                }
                state.pending.insert(*digest, pending.clone());
            }
            Item::End(_) => {
                state.closed = true;
                state.wanted = state.accepted + 1;
            }
            Item::Begin(_) | Item::Task(_) | Item::Present(_) => {}
        }
        state.weight += item.weight();
        state.items.push(item);
        state.accepted += 1;
        // A sleeping committer is woken by the first item, to start its wait, and by the one that
        // ends it; what comes in between costs no system call.
        let ready = state.items.len() == 1 || state.is_ready();
        if ready && state.committer_sleeps {
            state.committer_sleeps = false;
            drop(state);
            self.work.notify_one();
        }
        Ok(())
    }

    /// The content of a blob that was handed over and is not committed.
    pub(crate) fn pending(&self, digest: &Digest) -> Option<Pending> {
        self.lock().pending.get(digest).cloned()
    }

    /// Waits until everything handed over so far is committed.
    pub(crate) fn flush(&self) -> Result<()> {
        let mut state = self.lock();
        let target = state.accepted;
        state.wanted = state.wanted.max(target);
        if state.committer_sleeps {
            state.committer_sleeps = false;
            self.work.notify_one();
        }
        loop {
            if state.committed >= target {
                return Ok(());
            }
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more items. What was handed over is still committed.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.wanted = state.accepted;
        self.work.notify_one();
    }

    /// Takes what there is to commit into `batch`, which is empty; waits for it. False when there
    /// is nothing left and nothing more will come.
    pub(crate) fn take(&self, batch: &mut Vec<Item>) -> bool {
        let mut state = self.lock();
        let mut deadline = None;
        loop {
            if state.error.is_some() || (state.closed && state.items.is_empty()) {
                return false;
            }
            let left = match deadline {
                _ if state.items.is_empty() => None,
                None => {
                    deadline = Some(Instant::now() + LINGER);
                    Some(LINGER)
                }
                Some(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            };
            if state.is_ready() || left == Some(Duration::ZERO) {
                break;
            }
            state.committer_sleeps = true;
            state = match left {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.committer_sleeps = false;
        }
        std::mem::swap(&mut state.items, batch);
        state.weight = 0;
        if std::mem::take(&mut state.waiting_for_room) {
            self.room.notify_all();
        }
        true
    }

    /// The items are committed.
    pub(crate) fn committed(&self, batch: &mut Vec<Item>) {
        let mut state = self.lock();
        state.committed += batch.len() as u64;
        for item in batch.iter() {
            if let Item::Blob(digest, _) = item {
                state.pending.remove(digest);
            }
        }
        self.done.notify_all();
        drop(state);
        batch.clear();
    }

    /// Nothing will be committed any more.
    pub(crate) fn fail(&self, error: StoreError) {
        let mut state = self.lock();
        state.error.get_or_insert(error);
        self.done.notify_all();
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No invariant is broken between two statements of this file that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_ready(&self) -> bool {
        !self.items.is_empty()
            && (self.committed < self.wanted
                || self.items.len() >= BATCH_ITEMS
                || self.weight >= BATCH_BYTES)
    }
}
