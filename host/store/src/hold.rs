//! Runs that must stay: whoever needs one holds a shared lock on a file beside that of its
//! writer, whoever removes one an exclusive lock.
//!
//! A file is removed by somebody who has its exclusive lock; somebody else may have opened it
//! just before, and get the lock on a file that has no name any more. A lock counts only on a
//! file that still has its name, so everybody looks again once the lock is theirs.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use wflow_model::record::RunId;

use crate::error::Result;
use crate::error::While;
use crate::lockfile;

const DOING: &str = "taking hold of a run";
/// What follows the id of the run in the name of the file.
const SUFFIX: &str = ".hold";

/// Keeps a run that has ended from being removed. Any number of processes may hold a run at once.
/// Dropping it lets go.
#[derive(Debug)]
pub struct RunHold {
    folder: Arc<Dir>,
    run: RunId,
    file: File,
}

/// Keeps a run from being held. Dropping it lets go.
#[derive(Debug)]
pub(crate) struct RemovalLock {
    folder: Arc<Dir>,
    run: RunId,
    // Held open for the lock on it.
    _file: File,
}

impl RunHold {
    /// Holds a run, if need be after whoever removes it is done.
    pub(crate) fn take(folder: &Arc<Dir>, run: RunId, store: &Path) -> Result<Self> {
        loop {
            let file = lockfile::open(folder, name(run)).during(store, DOING)?;
            file.lock_shared().during(store, DOING)?;
            if has_name(&file).during(store, DOING)? {
                return Ok(Self { folder: Arc::clone(folder), run, file });
            }
        }
    }

    /// The run that is held.
    pub fn run(&self) -> RunId {
        self.run
    }
}

impl Drop for RunHold {
    fn drop(&mut self) {
        // The file belongs to all who hold the run: only who can have it alone removes it.
        let alone = self.file.unlock().and_then(|()| lockfile::taken(self.file.try_lock()));
        if alone.is_ok_and(|alone| alone) && has_name(&self.file).is_ok_and(|named| named) {
            lockfile::remove(&self.folder, &name(self.run));
        }
    }
}

impl RemovalLock {
    /// Takes the lock, if need be after somebody else who removes the run; none if the run is
    /// held.
    pub(crate) fn take(folder: &Arc<Dir>, run: RunId, store: &Path) -> Result<Option<Self>> {
        loop {
            let file = lockfile::open(folder, name(run)).during(store, DOING)?;
            if !lockfile::taken(file.try_lock()).during(store, DOING)? {
                if lockfile::taken(file.try_lock_shared()).during(store, DOING)? {
                    return Ok(None);
                }
                // Somebody removes the run, or lets go of it at this moment.
                file.lock().during(store, DOING)?;
            }
            if has_name(&file).during(store, DOING)? {
                return Ok(Some(Self { folder: Arc::clone(folder), run, _file: file }));
            }
        }
    }
}

impl Drop for RemovalLock {
    fn drop(&mut self) {
        lockfile::remove(&self.folder, &name(self.run));
    }
}

/// Whether somebody holds the run, without a trace of having looked.
pub(crate) fn is_held(folder: &Dir, run: RunId, store: &Path) -> Result<bool> {
    lockfile::is_locked(folder, &name(run), File::try_lock).during(store, DOING)
}

/// The runs that have a file here: all that are held, and those whose holder was killed.
pub(crate) fn marked(folder: &Dir, store: &Path) -> Result<Vec<RunId>> {
    lockfile::names(folder, |name| name.strip_suffix(SUFFIX)?.parse().ok()).during(store, DOING)
}

fn name(run: RunId) -> String {
    format!("{run}{SUFFIX}")
}

/// Whether an open file has not been removed. Nobody renames these files or gives them a second
/// name.
fn has_name(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 0);
    // A file that is open keeps its name there.
    #[cfg(not(unix))]
    return Ok(true);
}
