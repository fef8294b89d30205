//! The large blobs: a file each, named by its digest.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use cap_std::fs::Dir;
use cap_std::fs::OpenOptions;
use wflow_model::Digest;
use wflow_model::record::RunId;

use crate::error::Result;
use crate::error::While;

/// The folders of the large blobs of one store.
#[derive(Debug)]
pub(crate) struct BlobFiles {
    store: PathBuf,
    blobs: Dir,
    temporary: Arc<Dir>,
    /// Tells the temporary files of this process apart.
    counter: AtomicU64,
}

/// A file that is on its way to become a blob. It is removed when dropped, unless it became one.
#[derive(Debug)]
pub(crate) struct TempFile {
    folder: Arc<Dir>,
    name: String,
    kept: AtomicBool,
    /// The file, open for writing and reading.
    pub(crate) file: File,
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed)
            && let Err(error) = self.folder.remove_file(&self.name)
        {
            tracing::debug!(name = self.name, %error, "a temporary file stays behind");
        }
    }
}

/// `ab` and `ab/abcd...`: the folder and the path of a blob's file.
fn place(digest: &Digest) -> (String, PathBuf) {
    let name = digest.to_string();
    let shard = name[..2].to_owned();
    let path = Path::new(&shard).join(name);
    (shard, path)
}

impl BlobFiles {
    pub(crate) fn new(store: PathBuf, blobs: Dir, temporary: Dir) -> Self {
        Self { store, blobs, temporary: Arc::new(temporary), counter: AtomicU64::new(0) }
    }

    /// A new temporary file. Its name says whose it is, so that what a killed process left can be
    /// told from what is in use.
    pub(crate) fn temporary(&self, run: RunId) -> Result<TempFile> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let name = format!("{run}-{}-{number}", std::process::id());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = self
            .temporary
            .open_with(&name, &options)
            .during(&self.store, "creating a temporary file")?;
        Ok(TempFile {
            folder: Arc::clone(&self.temporary),
            name,
            kept: AtomicBool::new(false),
            file: file.into_std(),
        })
    }

    /// Whether the blob has its file already. If so, the file is made young: whoever removes
    /// the files that no task refers to spares those younger than the oldest run at work, because
    /// that run may be about to refer to them.
    pub(crate) fn has(&self, digest: &Digest, size: u64) -> Result<bool> {
        const DOING: &str = "looking for a blob";
        match self.blobs.open(place(digest).1) {
            Ok(file) => {
                let file = file.into_std();
                // A file of another size is damaged; writing it anew repairs it.
                if file.metadata().during(&self.store, DOING)?.len() != size {
                    return Ok(false);
                }
                match file.set_modified(SystemTime::now()) {
                    // Somebody else's file: one of our own takes its place.
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
                    result => result.map(|()| true).during(&self.store, DOING),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).during(&self.store, DOING),
        }
    }

    /// Opens the file of a blob; none if there is none.
    pub(crate) fn open(&self, digest: &Digest) -> Result<Option<File>> {
        match self.blobs.open(place(digest).1) {
            Ok(file) => Ok(Some(file.into_std())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).during(&self.store, "opening a blob"),
        }
    }

    /// Gives a complete file its name, its content on disk before that. The name itself is on
    /// disk after [`Self::sync`].
    pub(crate) fn keep(&self, temp: &TempFile, digest: &Digest) -> Result<()> {
        const DOING: &str = "writing a blob";
        temp.file.sync_all().during(&self.store, DOING)?;
        let (shard, path) = place(digest);
        let rename = || self.temporary.rename(&temp.name, &self.blobs, &path);
        match rename() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match self.blobs.create_dir(&shard) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                    _ => rename(),
                }
            }
            result => result,
        }
        .during(&self.store, DOING)?;
        temp.kept.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The names of these blobs are on disk when this returns.
    pub(crate) fn sync<'a>(&self, digests: impl Iterator<Item = &'a Digest>) -> Result<()> {
        const DOING: &str = "writing a blob";
        let shards: BTreeSet<u8> = digests.map(|digest| digest.as_bytes()[0]).collect();
        for shard in &shards {
            let folder = self.blobs.open_dir(format!("{shard:02x}")).during(&self.store, DOING)?;
            sync_folder(&folder).during(&self.store, DOING)?;
        }
        if !shards.is_empty() {
            // Another process may have made the folder a moment ago and not come to this line.
            sync_folder(&self.blobs).during(&self.store, DOING)?;
        }
        Ok(())
    }
}

/// The entries of the folder are on disk when this returns.
pub(crate) fn sync_folder(folder: &Dir) -> io::Result<()> {
    // The handle of a `Dir` need not be one that can be synced; a file opened on it is.
    folder.open(".")?.sync_all()
}

/// Reads bytes of a file at a place, without moving anything that other readers share.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
}
