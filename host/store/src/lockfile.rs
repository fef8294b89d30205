//! Files that are there to be locked. The operating system drops a lock when its process ends,
//! however it ends.

use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;

use cap_std::fs::Dir;
use cap_std::fs::OpenOptions;

/// Opens such a file, and makes it if need be. Nobody has its lock by that.
pub(crate) fn open(folder: &Dir, name: impl AsRef<Path>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    Ok(folder.open_with(name, &options)?.into_std())
}

/// Takes the lock on such a file, and waits for it. It is let go when the file is dropped.
pub(crate) fn lock(folder: &Dir, name: impl AsRef<Path>) -> io::Result<File> {
    let file = open(folder, name)?;
    file.lock()?;
    Ok(file)
}

/// Whether somebody has a lock that `try_lock` cannot share, without a trace of having looked.
pub(crate) fn is_locked(
    folder: &Dir,
    name: &str,
    try_lock: fn(&File) -> Result<(), TryLockError>,
) -> io::Result<bool> {
    match folder.open(name) {
        Ok(file) => Ok(!taken(try_lock(&file.into_std()))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an attempt to take a lock succeeded.
pub(crate) fn taken(attempt: Result<(), TryLockError>) -> io::Result<bool> {
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes such a file. One that stays behind does no harm, since nobody holds its lock.
pub(crate) fn remove(folder: &Dir, name: &str) {
    if let Err(error) = folder.remove_file(name) {
        tracing::debug!(name, %error, "a lock file stays behind");
    }
}

/// What `read` makes of the names of the files in a folder, where it makes something.
pub(crate) fn names<T>(folder: &Dir, read: impl Fn(&str) -> Option<T>) -> io::Result<Vec<T>> {
    let mut found = Vec::new();
    for entry in folder.entries()? {
        found.extend(entry?.file_name().to_str().and_then(&read));
    }
    Ok(found)
}
