//! The large blobs: a file each, named by its digest.
//!
//! # Which files garbage collection spares
//!
//! A run hands a blob in before it commits the task that refers to it, and if the blob is there
//! already nothing is written. So a blob that no record refers to may be about to be referred to.
//! The file says which run handed it in last: its time of modification is that run's id, read as
//! microseconds since 1970, and is only ever raised. Garbage are the files whose run is older than
//! every run that is at work: ids grow, whatever the clock does, so this needs no clock and no
//! period of grace.
//!
//! Whoever gives a file its name, raises its time or removes it has [`BlobFiles::lock`] meanwhile.
//! Hence a run that was told that a blob is there has raised its time before a collection looks at
//! it, or after: then the file is gone, and the run writes it anew.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;

use cap_std::fs::Dir;
use cap_std::fs::OpenOptions;
use wflow_model::Digest;
use wflow_model::record::RunId;

use crate::content::BlobFile;
use crate::content::CompleteFile;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::live;
use crate::lockfile;

/// The file that [`BlobFiles::lock`] locks.
pub(crate) const BLOBS_LOCK: &str = "blobs.lock";

/// The folders of the large blobs of one store.
#[derive(Debug)]
pub(crate) struct BlobFiles {
    store: PathBuf,
    root: Dir,
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

/// The id of a run as the time of a file.
pub(crate) fn moment(run: RunId) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(run.0)
}

/// What is added to the name of a file that is compressed.
const CODED: &str = ".zst";

/// `ab` and `ab/abcd...`: the folder and the path of a blob's file.
fn place(digest: &Digest, coded: bool) -> (String, PathBuf) {
    let mut name = digest.to_string();
    let shard = name[..2].to_owned();
    if coded {
        name.push_str(CODED);
    }
    let path = Path::new(&shard).join(name);
    (shard, path)
}

impl BlobFiles {
    pub(crate) fn new(store: PathBuf, root: Dir, blobs: Dir, temporary: Dir) -> Self {
        Self { store, root, blobs, temporary: Arc::new(temporary), counter: AtomicU64::new(0) }
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

    /// Whether the blob has its file already. If so, the run counts as having handed it in.
    pub(crate) fn has(&self, digest: &Digest, size: u64, run: RunId) -> Result<bool> {
        let _lock = self.lock()?;
        self.raise(digest, size, run)
    }

    /// [`Self::has`] for who has the lock.
    fn raise(&self, digest: &Digest, size: u64, run: RunId) -> Result<bool> {
        const DOING: &str = "looking for a blob";
        for coded in [false, true] {
            if let Some(file) = self.open_as(digest, coded).during(&self.store, DOING)? {
                return self.raise_file(&file, coded, size, run);
            }
        }
        Ok(false)
    }

    fn raise_file(&self, file: &File, coded: bool, size: u64, run: RunId) -> Result<bool> {
        const DOING: &str = "looking for a blob";
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let content = file.try_clone().and_then(|file| BlobFile::new(file, coded)?.size());
        // A file of another size is damaged; writing it anew repairs it.
        match content {
            Ok(found) if found == size => {}
            Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                return Err(error).during(&self.store, DOING);
            }
            _ => return Ok(false),
        }
        if modified.during(&self.store, DOING)? >= moment(run) {
            return Ok(true);
        }
        match file.set_modified(moment(run)) {
            // Somebody else's file: one of our own takes its place.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            result => result.map(|()| true).during(&self.store, DOING),
        }
    }

    /// What the file system makes of the id of a run as a time: it may be coarser, and end sooner.
    /// Files of this run and later ones have this time or a later one.
    pub(crate) fn moment_on_disk(&self, run: RunId) -> Result<SystemTime> {
        const DOING: &str = "trying out times of files";
        let probe = self.temporary(run)?;
        probe.file.set_modified(moment(run)).during(&self.store, DOING)?;
        probe.file.metadata().and_then(|metadata| metadata.modified()).during(&self.store, DOING)
    }

    /// Removes the file of a blob if it was handed in before a moment; says how many bytes it had on
    /// disk. Without `really` it stays.
    pub(crate) fn remove_before(
        &self,
        digest: &Digest,
        coded: bool,
        before: SystemTime,
        really: bool,
    ) -> Result<Option<u64>> {
        let remove = || -> io::Result<_> {
            let path = place(digest, coded).1;
            let metadata = self.blobs.metadata(&path)?;
            if metadata.modified()?.into_std() >= before {
                return Ok(None);
            }
            if really {
                self.blobs.remove_file(&path)?;
            }
            Ok(Some(metadata.len()))
        };
        let _lock = really.then(|| self.lock()).transpose()?;
        match remove() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.during(&self.store, "removing a blob"),
        }
    }

    /// The lock that all share who change which files there are, or how old they are. It is held
    /// for microseconds.
    fn lock(&self) -> Result<File> {
        lockfile::lock(&self.root, BLOBS_LOCK).during(&self.store, "locking the blobs")
    }

    /// Opens the file of a blob; none if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::DamagedBlob`] if what it holds cannot be made out.
    pub(crate) fn open(&self, digest: &Digest) -> Result<Option<BlobFile>> {
        let open = |coded| {
            let file = self.open_as(digest, coded)?;
            file.map(|file| BlobFile::new(file, coded)).transpose()
        };
        for coded in [false, true] {
            match open(coded) {
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let why = "what is needed to decompress it is damaged";
                    return Err(StoreError::DamagedBlob { digest: *digest, why });
                }
                result => return result.during(&self.store, "opening a blob"),
            }
        }
        Ok(None)
    }

    fn open_as(&self, digest: &Digest, coded: bool) -> io::Result<Option<File>> {
        match self.blobs.open(place(digest, coded).1) {
            Ok(file) => Ok(Some(file.into_std())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a complete file its name, its content on disk before that. The name itself is on
    /// disk after [`Self::sync`].
    pub(crate) fn keep(&self, new: &CompleteFile, digest: &Digest, run: RunId) -> Result<()> {
        const DOING: &str = "writing a blob";
        let CompleteFile { temp, coded, size } = new;
        temp.file.set_modified(moment(run)).during(&self.store, DOING)?;
        temp.file.sync_all().during(&self.store, DOING)?;
        let (shard, path) = place(digest, *coded);
        let _lock = self.lock()?;
        // Another run may have been faster; a newer one must not lose its time.
        if self.raise(digest, *size, run)? {
            return Ok(());
        }
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

    /// Visits every file in the folder of the blobs: with its digest and whether it is compressed,
    /// if it stands where that blob belongs, and with its path in the folder.
    pub(crate) fn each(
        &self,
        mut visit: impl FnMut(Option<(Digest, bool)>, &Path) -> Result<()>,
    ) -> Result<()> {
        const DOING: &str = "looking through the blobs";
        for shard in self.blobs.entries().during(&self.store, DOING)? {
            let shard = shard.during(&self.store, DOING)?;
            let folder = shard.file_name();
            if !shard.file_type().during(&self.store, DOING)?.is_dir() {
                visit(None, Path::new(&folder))?;
                continue;
            }
            let entries = self.blobs.open_dir(&folder).and_then(|folder| folder.entries());
            for entry in entries.during(&self.store, DOING)? {
                let name = entry.during(&self.store, DOING)?.file_name();
                let path = Path::new(&folder).join(&name);
                let blob = name.to_str().and_then(|name| {
                    let plain = name.strip_suffix(CODED);
                    Some((plain.unwrap_or(name).parse::<Digest>().ok()?, plain.is_some()))
                });
                visit(blob.filter(|(digest, coded)| place(digest, *coded).1 == path), &path)?;
            }
        }
        Ok(())
    }

    /// Temporary files that no process needs any more: their names.
    pub(crate) fn leftovers(&self, live: &Dir) -> Result<Vec<String>> {
        const DOING: &str = "looking through temporary files";
        let mut leftovers = Vec::new();
        for entry in self.temporary.entries().during(&self.store, DOING)? {
            let name = entry.during(&self.store, DOING)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let run = name.split('-').next().and_then(|run| run.parse().ok());
            // The run of the name is over, and its id never comes again.
            if let Some(run) = run
                && !live::is_live(live, run, &self.store)?
            {
                leftovers.push(name.to_owned());
            }
        }
        Ok(leftovers)
    }

    /// Removes a temporary file.
    pub(crate) fn remove_leftover(&self, name: &str) -> Result<()> {
        match self.temporary.remove_file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.during(&self.store, "removing a temporary file"),
        }
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
