//! What can go wrong in a store, and what to do about it.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ErrorCode;
use wflow_model::Digest;
use wflow_model::record::DecodeError;
use wflow_model::record::RunId;
use wflow_model::task::TaskRef;

/// The result of asking something of a store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A store could not do what it was asked.
///
/// Cheap to clone, because the failure of a commit is handed to everyone who waits for it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder holds no store.
    #[error("{} is not a wflow store: {why}", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// How that shows.
        why: &'static str,
    },
    /// A newer wflow wrote the store.
    #[error(
        "the store {} has format {found}, this wflow reads up to format {supported}: use a newer wflow, or another folder with --store", path.display()
    )]
    Newer {
        /// The folder of the store.
        path: PathBuf,
        /// The format of the store.
        found: i64,
        /// The newest format that this program knows.
        supported: i64,
    },
    /// An older wflow wrote the store, and it cannot be changed.
    #[error(
        "the store {} has an older format, and it cannot be brought to format {supported} because it is read-only: make it writable and open it once, or read it with the wflow that made it", path.display()
    )]
    Older {
        /// The folder of the store.
        path: PathBuf,
        /// The format that this program needs.
        supported: i64,
    },
    /// There is no room left.
    #[error(
        "no space left for the store {} while {doing}: free some, then resume the run", path.display()
    )]
    DiskFull {
        /// The folder of the store.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
    },
    /// The store may not be written.
    #[error(
        "cannot write to the store {} while {doing}: it is read-only or belongs to somebody else; choose another folder with --store", path.display()
    )]
    ReadOnly {
        /// The folder of the store.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
    },
    /// Another process held the store for too long.
    #[error(
        "the store {} stayed busy for {} s while {doing}: another process is writing to it; try again when it is done", path.display(), waited.as_secs()
    )]
    Busy {
        /// The folder of the store.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The operating system refused.
    #[error("the store {} failed while {doing}", path.display())]
    Io {
        /// The folder of the store.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the operating system says.
        #[source]
        source: Arc<io::Error>,
    },
    /// The catalog refused.
    #[error("the catalog of the store {} failed while {doing}", path.display())]
    Catalog {
        /// The folder of the store.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What SQLite says.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The catalog's file is damaged.
    #[error(
        "the catalog of the store {} is damaged: restore catalog.sqlite from a copy; the blobs beside it are unharmed", path.display()
    )]
    DamagedCatalog {
        /// The folder of the store.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The record of a run cannot be read.
    #[error("the record of run {run} cannot be read")]
    DamagedRun {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        #[source]
        source: RecordFault,
    },
    /// The record of a task cannot be read.
    #[error("the record of task {} of step {} in run {run} cannot be read", task.task, task.step.0)]
    DamagedTask {
        /// The run.
        run: RunId,
        /// The task, as far as the catalog knows it.
        task: Box<TaskRef>,
        /// What is wrong with it.
        #[source]
        source: RecordFault,
    },
    /// A record that should be written cannot be encoded, or does not fit the catalog.
    #[error("a record cannot be written: {0}")]
    Unwritable(&'static str),
    /// A run cannot have so many tags.
    #[error("{0} tags are too many: a run has at most {max}", max = wflow_model::Tag::MAX_PER_RUN)]
    TooManyTags(usize),
    /// The store holds no such run.
    #[error("the store holds no run {0}")]
    NoRun(RunId),
    /// A blob that a record refers to is gone.
    #[error("the blob {0} is missing from the store: a file of it was removed or never copied")]
    MissingBlob(Digest),
    /// A blob is not what its digest says.
    #[error("the blob {digest} is damaged: {why}")]
    DamagedBlob {
        /// The digest under which it was stored.
        digest: Digest,
        /// How that shows.
        why: &'static str,
    },
    /// The tasks from which a task inherits do not lead to an end.
    #[error(
        "what task {} of step {} in run {run} inherits cannot be followed: {why}", task.task, task.step.0
    )]
    BrokenChain {
        /// The run.
        run: RunId,
        /// The task at which it breaks.
        task: Box<TaskRef>,
        /// How.
        why: &'static str,
    },
    /// The run is being written, so it can be neither held nor removed.
    #[error("run {0} is still being written: wait until it has ended, or stop it")]
    Live(RunId),
    /// Somebody needs the run, so it cannot be removed.
    #[error(
        "run {0} is in use: a run that resumes or reuses it, or a verification, is reading it; try \
         again when that has ended"
    )]
    Held(RunId),
    /// The tasks of the run are those of another one as well.
    #[error("run {by} has reused all tasks of run {run}, which therefore stays: remove {by} first")]
    Shared {
        /// The run.
        run: RunId,
        /// The other one.
        by: RunId,
    },
    /// The run has ended, so nothing can be added to it.
    #[error("run {0} has ended: nothing more can be written to it")]
    Ended(RunId),
    /// The thread that commits died. A defect of wflow.
    #[error("the committer of run {0} stopped unexpectedly: this is a defect of wflow")]
    CommitterDied(RunId),
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// Its bytes do not decode.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    /// It is readable, but the catalog lists it as another one.
    #[error("the record is of something else than the catalog says")]
    Misplaced,
    /// A column of the catalog has a value that no wflow writes.
    #[error("the catalog holds a strange value in column `{0}`")]
    Column(&'static str),
}

/// Says where in a store an error of a lower layer happened.
pub(crate) trait While<T> {
    /// `doing` completes the sentence "the store failed while".
    fn during(self, store: &Path, doing: &'static str) -> Result<T>;
}

impl<T> While<T> for io::Result<T> {
    fn during(self, store: &Path, doing: &'static str) -> Result<T> {
        self.map_err(|source| StoreError::from_io(source, store, doing))
    }
}

impl<T> While<T> for rusqlite::Result<T> {
    fn during(self, store: &Path, doing: &'static str) -> Result<T> {
        self.map_err(|source| StoreError::from_sqlite(source, store, doing))
    }
}

/// How long a process waits for the others that write to the same store.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

impl StoreError {
    pub(crate) fn from_io(source: io::Error, store: &Path, doing: &'static str) -> Self {
        let path = store.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, doing }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, doing }
            }
            _ => Self::Io { path, doing, source: Arc::new(source) },
        }
    }

    pub(crate) fn from_sqlite(source: rusqlite::Error, store: &Path, doing: &'static str) -> Self {
        let path = store.to_path_buf();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, doing },
            // SQLite does not say why a file could not be made or made longer.
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly)
                if is_full(store) =>
            {
                Self::DiskFull { path, doing }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, doing }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { path, doing, waited: BUSY_TIMEOUT }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::DamagedCatalog { path, source: Arc::new(source) }
            }
            _ => Self::Catalog { path, doing, source: Arc::new(source) },
        }
    }
}

/// Whether a file in the folder of a store cannot be written for want of space.
fn is_full(store: &Path) -> bool {
    let probe = store.join(format!("tmp/{}.space", std::process::id()));
    let written = fs::write(&probe, [0; 4096]);
    drop(fs::remove_file(probe));
    written.is_err_and(|error| {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    })
}
