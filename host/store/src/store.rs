//! Opening a store, and what its parts share.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use wflow_model::Digest;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::Timestamp;

use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::files::BLOBS_LOCK;
use crate::files::BlobFiles;
use crate::files::sync_folder;
use crate::hold::RunHold;
use crate::live;
use crate::lockfile;
use crate::pool::Pool;
use crate::queue::Pending;
use crate::queue::Queue;
use crate::schema;
use crate::writer::RunWriter;

/// The folders of a store.
const BLOBS: &str = "blobs";
const TEMPORARY: &str = "tmp";
const LIVE: &str = "live";
/// What creators lock, one after the other.
const CREATE_LOCK: &str = "create.lock";
/// What garbage collections lock, one after the other.
pub(crate) const GC_LOCK: &str = "gc.lock";
/// Keeps the store out of the version control of the folder around it.
const IGNORE: &str = ".gitignore";

/// An open store. Cheap to clone; every method can be called from many threads at once.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

/// What the handles, writers and readers of one open store have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pool: Pool,
    root: Dir,
    live: Arc<Dir>,
    files: BlobFiles,
    /// The queues of the runs that this handle writes: their blobs can be read before they are
    /// committed.
    queues: Mutex<Vec<Weak<Queue>>>,
    /// The run whose record was asked for last.
    last_run: Mutex<Option<(RunId, Arc<RunRecord>)>>,
}

impl Store {
    /// The name of the folder that [`Self::discover`] looks for.
    pub const FOLDER: &str = ".wflow";

    /// Opens the store in this folder.
    ///
    /// # Errors
    ///
    /// If there is no store, if a newer wflow made it, or if it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let missing = |why| StoreError::NotAStore { path: path.to_path_buf(), why };
        if !path.is_dir() {
            return Err(missing("there is no such folder"));
        }
        if !path.join(schema::CATALOG).is_file() {
            return Err(missing("it holds no catalog.sqlite"));
        }
        // Absolute, so that it stays the same folder if the process goes elsewhere.
        let path = fs::canonicalize(path).during(path, OPENING)?;
        // First, so that a folder of somebody else's is refused before anything is made in it.
        let pool = Pool::open(path.clone())?;
        let root = Dir::open_ambient_dir(&path, ambient_authority()).during(&path, OPENING)?;
        let blobs = subfolder(&root, BLOBS, &path)?;
        let temporary = subfolder(&root, TEMPORARY, &path)?;
        let live = Arc::new(subfolder(&root, LIVE, &path)?);
        let files = BlobFiles::new(
            path.clone(),
            root.try_clone().during(&path, OPENING)?,
            blobs,
            temporary,
        );
        let (queues, last_run) = Default::default();
        let shared = Shared { pool, root, live, files, queues, last_run };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Opens the store in this folder; makes the folder and the store if need be.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; also if the folder holds files and none of them is a store's, and if a
    /// store cannot be made there.
    pub fn create_or_open(path: &Path) -> Result<Self> {
        if !is_created(path) {
            create(path)?;
        }
        Self::open(path)
    }

    /// The store that belongs to a folder: `.wflow` in it or in the nearest folder around it.
    /// None if there is none.
    pub fn discover(start: &Path) -> Option<PathBuf> {
        let start = fs::canonicalize(start).ok()?;
        start.ancestors().map(|folder| folder.join(Self::FOLDER)).find(|path| path.is_dir())
    }

    /// The folder of the store, as an absolute path.
    pub fn path(&self) -> &Path {
        self.shared.path()
    }

    /// Begins a run: registers it and returns what writes it.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn begin(&self, record: &RunRecord) -> Result<RunWriter> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        self.begin_at(record, Timestamp(now))
    }

    /// Begins a run at a given moment; see [`Self::reserve`].
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    pub fn begin_at(&self, record: &RunRecord, now: Timestamp) -> Result<RunWriter> {
        let writer = self.reserve(now)?;
        writer.register(record, &BTreeSet::new())?;
        Ok(writer)
    }

    /// Takes an id for a run, and returns what writes it. It can be seen once it is registered
    /// ([`RunWriter::register`]); until then its record may refer to artifacts that are put.
    ///
    /// The id is the given moment, or the next that no run of this store ever had, if another
    /// run began at it or later.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn reserve(&self, now: Timestamp) -> Result<RunWriter> {
        RunWriter::reserve(Arc::clone(&self.shared), now)
    }

    /// Keeps a run from being removed while another one resumes it.
    ///
    /// # Errors
    ///
    /// If there is no such run, if a process is still writing it, or if the store cannot be
    /// written.
    pub fn hold(&self, run: RunId) -> Result<RunHold> {
        let hold = RunHold::take(self.shared.live(), run, self.path())?;
        // Only now: before it was held it could have gone after the look.
        if !self.has_run(run)? {
            return Err(StoreError::NoRun(run));
        }
        // Who has stopped writing a run never begins again.
        if live::is_live(self.shared.live(), run, self.path())? {
            return Err(StoreError::Live(run));
        }
        Ok(hold)
    }

    /// Everything that any process committed to the store is on disk when this returns.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.shared.sync()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Shared {
    pub(crate) fn path(&self) -> &Path {
        self.pool.store()
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }

    pub(crate) fn files(&self) -> &BlobFiles {
        &self.files
    }

    pub(crate) fn live(&self) -> &Arc<Dir> {
        &self.live
    }

    /// Syncs the write-ahead log. Whatever is committed is in it, or was moved on to the
    /// database, which SQLite syncs before it lets go of the log. Unlike a transaction with
    /// `synchronous = FULL` this waits for no lock, so that a reader can do it as well. SQLite's
    /// own locks are on other files, so closing this one releases none of them.
    pub(crate) fn sync(&self) -> Result<()> {
        const DOING: &str = "waiting for the disk";
        match self.root.open(schema::CATALOG_LOG) {
            Ok(log) => {
                log.sync_data().during(self.path(), DOING)?;
                sync_folder(&self.root).during(self.path(), DOING)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).during(self.path(), DOING),
        }
    }

    /// The run whose record was asked for last; ids are never given twice, and records never
    /// change.
    pub(crate) fn last_run(&self) -> MutexGuard<'_, Option<(RunId, Arc<RunRecord>)>> {
        self.last_run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the blobs of a run readable that are not committed yet.
    pub(crate) fn register(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(queue));
    }

    /// The content of a blob that a run of this process handed over and has not committed.
    pub(crate) fn pending(&self, digest: &Digest) -> Option<Pending> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.iter().find_map(|queue| queue.upgrade()?.pending(digest))
    }
}

/// A write-ahead log of up to this many bytes stays when a store is closed. Moving it to the
/// database would make every small run wait for the disk three times more; reading it costs the
/// next one who opens the store a millisecond at most.
const KEPT_LOG: u64 = 1 << 20;

impl Drop for Shared {
    fn drop(&mut self) {
        if self.root.metadata(schema::CATALOG_LOG).is_ok_and(|log| log.len() > KEPT_LOG) {
            self.pool.checkpoint_on_close();
        }
    }
}

const OPENING: &str = "opening its folder";
const CREATING: &str = "creating its folder";

/// A folder of the store, made anew if it was lost: an empty one may be lost in copying.
fn subfolder(root: &Dir, name: &str, store: &Path) -> Result<Dir> {
    match root.open_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(root, name).during(store, OPENING)?;
            root.open_dir(name)
        }
        result => result,
    }
    .during(store, OPENING)
}

/// Makes a folder, if there is none.
fn make(root: &Dir, name: &str) -> io::Result<()> {
    match root.create_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Whether the folder holds a catalog that somebody has written to.
fn is_created(path: &Path) -> bool {
    fs::metadata(path.join(schema::CATALOG)).is_ok_and(|file| file.is_file() && file.len() > 0)
}

/// Makes a store. Many may try at once: they take turns.
fn create(path: &Path) -> Result<()> {
    fs::create_dir_all(path).during(path, CREATING)?;
    let root = Dir::open_ambient_dir(path, ambient_authority()).during(path, CREATING)?;
    for entry in root.entries().during(path, CREATING)? {
        let name = entry.during(path, CREATING)?.file_name();
        let ours = name.to_str().is_some_and(|name| {
            [BLOBS, TEMPORARY, LIVE, IGNORE, BLOBS_LOCK, GC_LOCK].contains(&name)
                || name.starts_with(schema::CATALOG)
        });
        if !ours {
            return Err(StoreError::NotAStore {
                path: path.to_path_buf(),
                why: "it holds other files; a new store needs a folder that is empty or absent",
            });
        }
    }
    for folder in [TEMPORARY, BLOBS, LIVE] {
        make(&root, folder).during(path, CREATING)?;
    }
    let _lock =
        lockfile::lock(&root, Path::new(TEMPORARY).join(CREATE_LOCK)).during(path, CREATING)?;
    if is_created(path) {
        return Ok(());
    }
    // SQLite would play the old log into the new catalog.
    if root.exists(schema::CATALOG_LOG) {
        return Err(StoreError::NotAStore {
            path: path.to_path_buf(),
            why: "it holds the log of a catalog, but its catalog.sqlite was removed",
        });
    }
    root.write(IGNORE, "*\n").during(path, CREATING)?;
    // Made under another name, so that nobody opens half a catalog; without what a process left
    // that was killed while it did the same.
    let unfinished = Path::new(TEMPORARY).join(schema::CATALOG);
    for leftover in [unfinished.clone(), Path::new(TEMPORARY).join(schema::CATALOG_LOG)] {
        match root.remove_file(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).during(path, CREATING);
            }
            _ => {}
        }
    }
    schema::create(&path.join(&unfinished), path)?;
    root.rename(unfinished, &root, schema::CATALOG).during(path, CREATING)?;
    sync_folder(&root).during(path, CREATING)
}
