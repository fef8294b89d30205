//! Removing runs.
//!
//! The row of the run goes first, and with it the run for every reader at once; its tasks follow
//! in many small transactions, between which others may write. A process that is killed in between
//! leaves *remains*: tasks of a run that has no row and that nobody writes. A run that resumes
//! another leaves the same if it is killed before it is registered. Nobody sees remains, and the
//! next garbage collection removes them.

use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;
use wflow_model::record::RunId;

use crate::columns;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::hold::RemovalLock;
use crate::live;
use crate::store::Store;

const DOING: &str = "removing a run";
const LOOKING: &str = "looking for what removed runs left";

/// So many rows are removed in one transaction: some ten milliseconds.
pub(crate) const BATCH: i64 = 2000;

impl Store {
    /// Removes a run with all its tasks; returns how many there were. What only it referred to is
    /// garbage then, to be collected by [`Self::collect`].
    ///
    /// # Errors
    ///
    /// If there is no such run, if a process writes it or needs it to stay, if its tasks are those
    /// of another run as well, or if the store cannot be written.
    pub fn remove(&self, run: RunId) -> Result<u64> {
        self.remove_telling(run, &mut |_| {})
    }

    /// [`Self::remove`]; `removed` is told how many tasks so far.
    pub(crate) fn remove_telling(&self, run: RunId, removed: &mut dyn FnMut(u64)) -> Result<u64> {
        // Who has stopped writing a run never begins again.
        if live::is_live(self.shared().live(), run, self.path())? {
            return Err(StoreError::Live(run));
        }
        let lock = RemovalLock::take(self.shared().live(), run, self.path())?
            .ok_or(StoreError::Held(run))?;
        self.shared().pool().write(|connection| {
            if let Some(by) = self.copy_of(connection, run)? {
                return Err(StoreError::Shared { run, by });
            }
            let gone = connection
                .execute("DELETE FROM runs WHERE id = ?1", [columns::run(run)])
                .during(self.path(), DOING)?;
            if gone == 0 {
                return Err(StoreError::NoRun(run));
            }
            // From here on there is nothing to hold.
            drop(lock);
            self.remove_remains(connection, run, removed)
        })
    }

    /// A run whose tasks are those of this one; none if there is none.
    pub(crate) fn copy_of(&self, connection: &Connection, run: RunId) -> Result<Option<RunId>> {
        let copy: Option<i64> = connection
            .prepare_cached(
                "SELECT copies.run FROM copies JOIN runs ON runs.id = copies.run
                 WHERE copies.source = ?1 LIMIT 1",
            )
            .and_then(|mut copies| {
                copies.query_row([columns::run(run)], |row| row.get(0)).optional()
            })
            .during(self.path(), DOING)?;
        Ok(copy.map(columns::run_id))
    }

    /// Removes what is left of a run without a row; returns how many tasks. `removed` is told how
    /// many so far.
    pub(crate) fn remove_remains(
        &self,
        connection: &Connection,
        run: RunId,
        removed: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let id = columns::run(run);
        let mut tasks = 0;
        loop {
            let gone = gently(|| {
                connection
                    .prepare_cached(
                        "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE run = ?1 LIMIT ?2)",
                    )?
                    .execute(params![id, BATCH])
            })
            .during(self.path(), DOING)?;
            tasks += gone as u64;
            removed(tasks);
            if gone == 0 {
                break;
            }
        }
        let rest = || {
            let transaction =
                Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM steps WHERE run = ?1", [id])?;
            transaction.execute("DELETE FROM tags WHERE run = ?1", [id])?;
            transaction.execute("DELETE FROM copies WHERE run = ?1", [id])?;
            transaction.commit()
        };
        rest().during(self.path(), DOING)?;
        Ok(tasks)
    }

    /// The runs of which there are only remains.
    pub(crate) fn remains(&self, connection: &Connection) -> Result<Vec<RunId>> {
        let mut remains = Vec::new();
        let mut last = i64::MIN;
        // From run to run, by the index.
        while let Some(run) = next_run(connection, last).during(self.path(), LOOKING)? {
            last = run;
            let id = columns::run_id(run);
            // In this order: a run that nobody writes will not be registered any more.
            if !live::is_live(self.shared().live(), id, self.path())? && !self.has_run(id)? {
                remains.push(id);
            }
        }
        Ok(remains)
    }
}

/// The first run behind another one that has tasks, counters or tags.
fn next_run(connection: &Connection, last: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT min(run) FROM (
                 SELECT min(run) AS run FROM tasks WHERE run > ?1
                 UNION ALL SELECT min(run) FROM steps WHERE run > ?1
                 UNION ALL SELECT min(run) FROM tags WHERE run > ?1
                 UNION ALL SELECT min(run) FROM copies WHERE run > ?1)",
        )?
        .query_row([last], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}

/// Does a piece of writing, and pauses for as long as it took: whoever waits for the catalog looks
/// only now and then whether it is free, so it has to be free about half of the time.
pub(crate) fn gently<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    thread::sleep(begun.elapsed());
    result
}
