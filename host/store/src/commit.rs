//! The thread that commits: one for a run, so that many tasks share a transaction.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::Statement;
use rusqlite::params;
use wflow_model::Digest;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use zstd::bulk::Compressor;

use crate::coded;
use crate::columns;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::queue::Item;
use crate::queue::Pending;
use crate::queue::Queue;
use crate::queue::TaskRow;
use crate::schema;
use crate::schema::CODING_PLAIN;
use crate::schema::CODING_ZSTD;
use crate::store::Shared;

const DOING: &str = "committing tasks";

/// Rows with fewer bytes are stored as they are: a few hundred bytes less are not worth some ten
/// microseconds.
const SHRINK_MIN: usize = 4 << 10;

/// Commits what comes through the queue until it is closed.
pub(crate) fn work(connection: Connection, queue: &Queue, shared: &Arc<Shared>) {
    // Whoever waits for a commit must not wait for ever, whatever happens here.
    let _guard = Guard(queue);
    if let Err(error) = drain(&connection, queue, shared) {
        tracing::debug!(run = %queue.run(), %error, "no more commits");
        queue.fail(error);
    }
    if schema::set_writable(&connection, shared.path(), false).is_ok() {
        shared.pool().put_back(connection);
    }
}

struct Guard<'a>(&'a Queue);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.fail(if std::thread::panicking() {
            StoreError::CommitterDied(self.0.run())
        } else {
            StoreError::Ended(self.0.run())
        });
    }
}

fn drain(connection: &Connection, queue: &Queue, shared: &Arc<Shared>) -> Result<()> {
    let mut statements = Statements::prepare(connection).during(shared.path(), DOING)?;
    let mut batch = Vec::new();
    let mut compressor = None;
    while queue.take(&mut batch) {
        settle_files(queue.run(), &batch, shared)?;
        let rows = statements.shrink(&batch, &mut compressor).during(shared.path(), DOING)?;
        let result = statements.commit(queue.run(), &batch, &rows);
        if result.is_err() && !connection.is_autocommit() {
            // The first error says what went wrong; that of the way back adds nothing.
            drop(connection.execute_batch("ROLLBACK"));
        }
        result.during(shared.path(), DOING)?;
        queue.committed(&mut batch);
    }
    Ok(())
}

/// The files of the batch and their names are on disk when this returns, before the rows that
/// refer to them are written.
fn settle_files(run: RunId, batch: &[Item], shared: &Shared) -> Result<()> {
    let mut present = Vec::new();
    for item in batch {
        match item {
            Item::Blob(digest, Pending::File(temp)) => {
                shared.files().keep(temp, digest, run)?;
                present.push(digest);
            }
            Item::Present(digest) => present.push(digest),
            Item::Begin(_) | Item::Blob(_, Pending::Row(_)) | Item::Task(_) | Item::End(_) => {}
        }
    }
    shared.files().sync(present.into_iter())
}

/// The statements of a commit, prepared once.
struct Statements<'a> {
    begin: Statement<'a>,
    run: Statement<'a>,
    tag: Statement<'a>,
    copy: Statement<'a>,
    commit: Statement<'a>,
    task: Statement<'a>,
    again: Statement<'a>,
    count: Statement<'a>,
    known: Statement<'a>,
    blob: Statement<'a>,
    end: Statement<'a>,
}

/// How many tasks of a step a batch adds.
#[derive(Default)]
struct Count {
    done: i64,
    failed: i64,
}

impl<'a> Statements<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            run: connection.prepare(
                "INSERT INTO runs (id, flow, status, created, record) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            tag: connection.prepare("INSERT INTO tags (run, tag) VALUES (?1, ?2)")?,
            // What is a copy itself leads to what it is a copy of.
            copy: connection.prepare(
                "INSERT INTO copies (run, source)
                 VALUES (?1, coalesce((SELECT source FROM copies WHERE run = ?2), ?2))",
            )?,
            commit: connection.prepare("COMMIT")?,
            task: connection.prepare(
                "INSERT INTO tasks (run, step, key, attempt, status, record)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (run, step, key) DO NOTHING",
            )?,
            // A task that is done stays as it is; one that failed gives way to a later attempt.
            again: connection.prepare(
                "UPDATE tasks SET attempt = ?4, status = ?5, record = ?6
                 WHERE run = ?1 AND step = ?2 AND key = ?3 AND status <> 0
                   AND (?5 = 0 OR attempt < ?4)",
            )?,
            count: connection.prepare(
                "INSERT INTO steps (run, step, done, failed) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (run, step) DO UPDATE
                 SET done = done + excluded.done, failed = failed + excluded.failed",
            )?,
            known: connection.prepare("SELECT 1 FROM blobs WHERE digest = ?1")?,
            blob: connection.prepare(
                "INSERT INTO blobs (digest, newest_run, coding, bytes) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (digest) DO UPDATE SET newest_run = excluded.newest_run
                 WHERE newest_run < excluded.newest_run",
            )?,
            end: connection.prepare(
                r#"UPDATE runs SET status = ?2, finished = ?3, "end" = ?4 WHERE id = ?1"#,
            )?,
        })
    }

    /// Compresses the larger rows of the batch where that pays, before the transaction, in which
    /// nobody else can write. Returns them by their digests.
    fn shrink(
        &mut self,
        batch: &[Item],
        compressor: &mut Option<Compressor<'static>>,
    ) -> rusqlite::Result<HashMap<Digest, Vec<u8>>> {
        let mut rows = HashMap::new();
        for item in batch {
            let Item::Blob(digest, Pending::Row(bytes)) = item else { continue };
            if bytes.len() < SHRINK_MIN || self.known.exists([digest.as_bytes()])? {
                continue;
            }
            // Without room for a compressor rows are stored as they are.
            if compressor.is_none() {
                *compressor = coded::compressor().ok();
            }
            let Some(compressor) = compressor else { continue };
            if let Some(small) = coded::shrink(bytes, compressor) {
                rows.insert(*digest, small);
            }
        }
        Ok(rows)
    }

    /// One transaction: all of the batch or nothing. `rows` are the blobs that are compressed.
    fn commit(
        &mut self,
        run: RunId,
        batch: &[Item],
        rows: &HashMap<Digest, Vec<u8>>,
    ) -> rusqlite::Result<()> {
        let id = columns::run(run);
        let mut counts = BTreeMap::<u32, Count>::new();
        self.begin.execute([])?;
        for item in batch {
            match item {
                Item::Begin(row) => {
                    let status = columns::run_status(RunStatus::Running);
                    self.run.execute(params![id, row.flow, status, row.created, row.record])?;
                    for tag in &row.tags {
                        self.tag.execute(params![id, tag])?;
                    }
                    if let Some(source) = row.source {
                        self.copy.execute(params![id, columns::run(source)])?;
                    }
                }
                Item::Task(row) => self.task(id, row, counts.entry(row.step).or_default())?,
                Item::Blob(digest, Pending::Row(bytes)) => {
                    let (coding, bytes) = match rows.get(digest) {
                        Some(small) => (CODING_ZSTD, small.as_slice()),
                        None => (CODING_PLAIN, &**bytes),
                    };
                    self.blob.execute(params![digest.as_bytes(), id, coding, bytes])?;
                }
                Item::Blob(_, Pending::File(_)) | Item::Present(_) => {}
                Item::End(row) => {
                    self.end.execute(params![id, row.status, row.finished, row.end])?;
                }
            }
        }
        for (step, count) in counts {
            self.count.execute(params![id, step, count.done, count.failed])?;
        }
        self.commit.execute([])?;
        Ok(())
    }

    fn task(&mut self, run: i64, row: &TaskRow, count: &mut Count) -> rusqlite::Result<()> {
        let status = columns::task_status(row.failed);
        let values = params![run, row.step, row.key, row.attempt, status, row.record];
        if self.task.execute(values)? == 0 {
            if self.again.execute(values)? == 0 {
                return Ok(());
            }
            count.failed -= 1;
        }
        if row.failed {
            count.failed += 1;
        } else {
            count.done += 1;
        }
        Ok(())
    }
}
