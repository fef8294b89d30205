//! Which runs are being written: each holds a lock on a file of its own for as long.
//!
//! The operating system drops the lock when the process ends, however it ends, so a run that is
//! recorded as running and whose lock is free was interrupted.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use wflow_model::record::RunId;

use crate::error::Result;
use crate::error::While;
use crate::lockfile;

/// The lock of a run that is being written. Dropping it lets go.
#[derive(Debug)]
pub(crate) struct LiveLock {
    folder: Arc<Dir>,
    run: RunId,
    // Held open for the lock on it.
    _file: File,
}

impl LiveLock {
    /// Takes the lock of a run that nobody else knows of yet.
    pub(crate) fn take(folder: &Arc<Dir>, run: RunId, store: &Path) -> Result<Self> {
        let file = lockfile::lock(folder, run.to_string())
            .during(store, "marking the run as being written")?;
        Ok(Self { folder: Arc::clone(folder), run, _file: file })
    }
}

impl Drop for LiveLock {
    fn drop(&mut self) {
        remove_mark(&self.folder, self.run);
    }
}

/// Removes the file of a run that nobody writes.
pub(crate) fn remove_mark(folder: &Dir, run: RunId) {
    lockfile::remove(folder, &run.to_string());
}

/// The runs that have a file here: all that are being written, and those whose process was
/// killed.
pub(crate) fn marked(folder: &Dir, store: &Path) -> Result<Vec<RunId>> {
    lockfile::names(folder, |name| name.parse().ok())
        .during(store, "looking which runs are being written")
}

/// Whether some process, this one included, is writing the run.
pub(crate) fn is_live(folder: &Dir, run: RunId, store: &Path) -> Result<bool> {
    // A shared lock, so that two who look at the same time do not take each other for a writer.
    lockfile::is_locked(folder, &run.to_string(), File::try_lock_shared)
        .during(store, "looking whether the run is being written")
}
