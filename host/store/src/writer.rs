//! Writing a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::TransactionBehavior;
use wflow_model::Tag;
use wflow_model::record;
use wflow_model::record::Artifact;
use wflow_model::record::Outcome;
use wflow_model::record::RunEnd;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::TaskRecord;
use wflow_model::record::Timestamp;

use crate::artifact;
use crate::columns;
use crate::commit;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::live::LiveLock;
use crate::queue::EndRow;
use crate::queue::Item;
use crate::queue::Queue;
use crate::queue::RunRow;
use crate::queue::TaskRow;
use crate::schema;
use crate::store::Shared;
use crate::stream::BlobWriter;

/// Writes one run. Any number of threads may use it at once.
///
/// Dropped without [`Self::finish`], it commits what it was given and leaves the run as
/// interrupted.
#[derive(Debug)]
pub struct RunWriter {
    sink: Sink,
    created: Timestamp,
    rest: Mutex<Option<Rest>>,
}

/// What only the end of the run touches.
#[derive(Debug)]
struct Rest {
    committer: JoinHandle<()>,
    // Dropped last: nobody may think the run interrupted while it is still committing.
    lock: LiveLock,
}

/// Where the content of a run goes.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Arc<Queue>,
}

impl RunWriter {
    pub(crate) fn reserve(shared: Arc<Shared>, now: Timestamp) -> Result<Self> {
        let mut connection = shared.pool().take()?;
        schema::set_writable(&connection, shared.path(), true)?;
        let (run, lock) = reserve(&mut connection, &shared, now)?;
        let queue = Arc::new(Queue::new(run));
        shared.register(&queue);
        let committer = {
            let (shared, queue) = (Arc::clone(&shared), Arc::clone(&queue));
            thread::Builder::new()
                .name("wflow-commit".to_owned())
                .spawn(move || commit::work(connection, &queue, &shared))
        }
        .during(shared.path(), "starting the thread that commits")?;
        let rest = Mutex::new(Some(Rest { committer, lock }));
        Ok(Self { sink: Sink { shared, queue }, created: now, rest })
    }

    /// Registers the run with its tags: it can be seen when this returns. What was put before,
    /// such as the values of its parameters, is committed with it.
    ///
    /// # Errors
    ///
    /// If there are too many tags, if the store failed, or if the run is registered already.
    pub fn register(&self, record: &RunRecord, tags: &BTreeSet<Tag>) -> Result<()> {
        self.begin(record, tags, None)
    }

    /// Registers a run whose tasks are those of another, all of them and no others. That one
    /// has ended, and cannot be removed as long as this one is there. The caller holds it.
    ///
    /// # Errors
    ///
    /// As [`Self::register`].
    pub fn register_copy(
        &self,
        record: &RunRecord,
        tags: &BTreeSet<Tag>,
        source: RunId,
    ) -> Result<()> {
        self.begin(record, tags, Some(source))
    }

    fn begin(&self, record: &RunRecord, tags: &BTreeSet<Tag>, source: Option<RunId>) -> Result<()> {
        if tags.len() > Tag::MAX_PER_RUN {
            return Err(StoreError::TooManyTags(tags.len()));
        }
        let encoded = record::encode(record)
            .map_err(|_| StoreError::Unwritable("the record of a run does not encode"))?;
        self.sink.queue.push(Item::Begin(RunRow {
            flow: record.flow.as_str().to_owned(),
            created: self.created.0,
            record: encoded,
            tags: tags.iter().map(Tag::to_string).collect(),
            source,
        }))?;
        self.flush()
    }

    /// What tells when something is committed.
    pub fn commits(&self) -> Commits {
        Commits { queue: Arc::clone(&self.sink.queue) }
    }

    /// The id of the run.
    pub fn run(&self) -> RunId {
        self.sink.queue.run()
    }

    /// Takes the bytes of an artifact, which a record that is appended later may refer to.
    ///
    /// Where they go depends on their number. Equal ones are stored once. They can be read from
    /// this store at once.
    ///
    /// # Errors
    ///
    /// If the store failed, now or at an earlier commit.
    pub fn put(&self, format: impl Into<Arc<str>>, bytes: &[u8]) -> Result<Artifact> {
        artifact::put(&self.sink, format.into(), bytes)
    }

    /// Takes an artifact in pieces. It holds at most [`crate::ROW_MAX`] bytes in memory.
    pub fn stream(&self, format: impl Into<Arc<str>>) -> BlobWriter {
        BlobWriter::new(self.sink.clone(), format.into())
    }

    /// Hands over a finished task, to be committed soon. It waits only while too much is handed
    /// over already.
    ///
    /// The second record of a task changes nothing, unless the first one had failed and the second
    /// is done or a later attempt: then it takes its place.
    ///
    /// # Errors
    ///
    /// If the store failed, now or at an earlier commit, or if the run has ended.
    pub fn append(&self, task: &TaskRecord) -> Result<()> {
        let record = record::encode(task)
            .map_err(|_| StoreError::Unwritable("the record of a task does not encode"))?;
        self.sink.queue.push(Item::Task(TaskRow {
            step: task.id.step.0,
            key: task.id.task.sort_key(),
            attempt: task.attempt,
            failed: !matches!(task.outcome, Outcome::Done),
            record,
        }))
    }

    /// Waits until everything handed over so far is committed, and visible to every reader.
    ///
    /// # Errors
    ///
    /// If not all of it was committed.
    pub fn flush(&self) -> Result<()> {
        self.sink.queue.flush()
    }

    /// Waits until everything handed over so far is committed and on disk.
    ///
    /// # Errors
    ///
    /// If not all of it was committed, or the disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.flush()?;
        self.sink.shared.sync()
    }

    /// Ends the run: when this returns everything, the end included, is on disk.
    ///
    /// # Errors
    ///
    /// If not all of it was committed, if the disk refuses, or if the run has ended before.
    pub fn finish(&self, end: &RunEnd) -> Result<()> {
        let encoded = record::encode(end)
            .map_err(|_| StoreError::Unwritable("the record of a run's end does not encode"))?;
        self.sink.queue.push(Item::End(EndRow {
            status: columns::run_status(end.status),
            finished: end.finished.0,
            end: encoded,
        }))?;
        self.sync()?;
        self.stop();
        Ok(())
    }

    /// Lets the committer finish, and gives the lock of the run back.
    fn stop(&self) {
        self.sink.queue.close();
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Rest { committer, lock }) = rest {
            if committer.join().is_err() {
                tracing::error!(run = %self.run(), "the committer panicked");
            }
            drop(lock);
        }
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells when what a run handed over is committed. Cheap to clone, and of use to those who report
/// on a run while it goes on.
#[derive(Clone, Debug)]
pub struct Commits {
    queue: Arc<Queue>,
}

impl Commits {
    /// Waits until everything that the run handed over so far is committed: from then on a process
    /// that is killed loses nothing of it.
    ///
    /// # Errors
    ///
    /// If not all of it was committed.
    pub fn wait(&self) -> Result<()> {
        self.queue.flush()
    }
}

/// Gives a run its id, and marks it as live. It is not to be seen yet.
fn reserve(
    connection: &mut Connection,
    shared: &Shared,
    now: Timestamp,
) -> Result<(RunId, LiveLock)> {
    const DOING: &str = "reserving the id of a run";
    let path = shared.path();
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).during(path, DOING)?;
    let last: Option<i64> = transaction
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'runs'", [], |row| row.get(0))
        .optional()
        .during(path, DOING)?;
    let next = last
        .unwrap_or(0)
        .checked_add(1)
        .ok_or(StoreError::Unwritable("there are no more run ids"))?;
    let id = now.0.max(next);
    // Before the run can be seen: whoever sees it sees that it is live.
    let lock = LiveLock::take(shared.live(), columns::run_id(id), path)?;
    let statement = match last {
        Some(_) => "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'runs'",
        None => "INSERT INTO sqlite_sequence (name, seq) VALUES ('runs', ?1)",
    };
    transaction.execute(statement, [id]).during(path, DOING)?;
    transaction.commit().during(path, DOING)?;
    Ok((columns::run_id(id), lock))
}
