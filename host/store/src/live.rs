//! Which runs are being written: each holds a lock on a file of its own for as long.
//!
//! The operating system drops the lock when the process ends, however it ends, so a run that is
//! recorded as running and whose lock is free was interrupted.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use cap_std::fs::OpenOptions;
use wflow_model::record::RunId;

use crate::error::Result;
use crate::error::While;

/// The lock of a run that is being written. Dropping it lets go.
#[derive(Debug)]
pub(crate) struct LiveLock {
    folder: Arc<Dir>,
    name: String,
    // Held open for the lock on it.
    _file: File,
}

impl LiveLock {
    /// Takes the lock of a run that nobody else knows of yet.
    pub(crate) fn take(folder: &Arc<Dir>, run: RunId, store: &Path) -> Result<Self> {
        const DOING: &str = "marking the run as being written";
        let name = run.to_string();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = folder.open_with(&name, &options).during(store, DOING)?.into_std();
        file.lock().during(store, DOING)?;
        Ok(Self { folder: Arc::clone(folder), name, _file: file })
    }
}

impl Drop for LiveLock {
    fn drop(&mut self) {
        // A file that stays behind does no harm, since nobody holds its lock.
        if let Err(error) = self.folder.remove_file(&self.name) {
            tracing::debug!(run = self.name, %error, "the lock file of the run stays behind");
        }
    }
}

/// Removes the file of a run that nobody writes.
pub(crate) fn remove_mark(folder: &Dir, run: RunId) {
    // It does no harm if it stays.
    if let Err(error) = folder.remove_file(run.to_string()) {
        tracing::debug!(%run, %error, "the lock file of the run stays behind");
    }
}

/// The runs that have a file here: all that are being written, and those whose process was
/// killed.
pub(crate) fn marked(folder: &Dir, store: &Path) -> Result<Vec<RunId>> {
    const DOING: &str = "looking which runs are being written";
    let mut runs = Vec::new();
    for entry in folder.entries().during(store, DOING)? {
        let name = entry.during(store, DOING)?.file_name();
        runs.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok()));
    }
    Ok(runs)
}

/// Whether some process, this one included, is writing the run.
pub(crate) fn is_live(folder: &Dir, run: RunId, store: &Path) -> Result<bool> {
    const DOING: &str = "looking whether the run is being written";
    let file = match folder.open(run.to_string()) {
        Ok(file) => file.into_std(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).during(store, DOING),
    };
    // A shared lock, so that two who look at the same time do not take each other for a writer.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(std::fs::TryLockError::WouldBlock) => Ok(true),
        Err(std::fs::TryLockError::Error(error)) => Err(error).during(store, DOING),
    }
}
