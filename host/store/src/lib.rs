//! The store: the catalog of runs and tasks, and everything that tasks produced, by content.
//!
//! It knows bytes and records, not flows. A store is a folder (by custom `.wflow`):
//!
//! - `catalog.sqlite`: runs, tasks, and the blobs of middle size; SQLite in WAL mode;
//! - `blobs/ab/abcd...`: the large blobs, a file each, named by digest; with `.zst` behind it where
//!   they are compressed;
//! - `tmp/`: files on their way to become blobs;
//! - `live/<run>`: a file for each run that is being written, locked by its process;
//! - `live/<run>.hold`: a file for each run that is being resumed or removed, likewise.
//!
//! # Where an artifact lives
//!
//! Up to [`INLINE_MAX`] bytes in the record of the task that made it, so that a small task is one
//! row; up to [`ROW_MAX`] in a row of its own; above that in a file. Rows and files are keyed by
//! the digest over format and bytes, so equal content is stored once, across runs and flows.
//!
//! Rows of some KiB and files are compressed (zstd) if they shrink to less than three fifths. The
//! digest is over the plain bytes all the same, and every place of a file can be read without what
//! is before it. Compressing takes two to four times as long as hashing and writing do, so of a
//! large file only as much is compressed as takes no longer than hashing it; `coded.rs` has the
//! figures.
//!
//! # What is on disk when
//!
//! Many tasks share one transaction, which is not synced by itself: [`RunWriter::append`] hands a
//! record to the run's committer and does not wait for the disk. What follows from that:
//!
//! - A process that dies, however it dies, loses what it had not committed yet (the last hundredth
//!   of a second), and nothing else. A machine that dies may lose the last moments of committed
//!   tasks as well. In both cases what is left is consistent: a task is there with its artifacts or
//!   not at all, and of a run's committed transactions a beginning is left, never one without
//!   those before it.
//! - For that, everything is committed in the order in which it was handed over, blobs before the
//!   tasks that refer to them; a file of a blob is synced, renamed, and its folder synced before
//!   the transaction that refers to it begins.
//! - [`RunWriter::flush`] returns when everything handed over is committed: every reader of every
//!   process sees it.
//! - [`RunWriter::sync`], [`RunWriter::finish`] and [`Store::sync`] return when everything
//!   committed is on disk. Whoever reports something to a person calls one of them first.
//! - A commit that fails ends the writer: the error comes back from every later call, and nothing
//!   is called done that is not committed.
//!
//! Several processes may use a store at once. One writes at a time, for milliseconds; the others
//! wait. Readers wait for nobody and see whole transactions only.

#![deny(missing_docs)]

mod artifact;
mod check;
mod coded;
mod columns;
mod commit;
mod content;
mod error;
mod files;
mod gc;
mod hold;
mod live;
mod lockfile;
mod pool;
mod progress;
mod queue;
mod remove;
mod resolve;
mod runs;
mod schema;
mod store;
mod stream;
mod tasks;
mod writer;

pub use artifact::BlobReader;
pub use artifact::INLINE_MAX;
pub use artifact::ROW_MAX;
pub use check::By;
pub use check::Fault;
pub use check::Referrer;
pub use check::Report;
pub use check::Subject;
#[doc(hidden)]
pub use coded::CodedFile;
pub use error::RecordFault;
pub use error::Result;
pub use error::StoreError;
pub use gc::Collected;
pub use gc::Selection;
pub use gc::Spared;
pub use hold::RunHold;
pub use progress::Progress;
pub use runs::FlowSummary;
pub use runs::Run;
pub use runs::RunState;
pub use runs::RunSummary;
pub use runs::StepSummary;
pub use store::Store;
pub use stream::BlobWriter;
pub use writer::Commits;
pub use writer::RunWriter;
