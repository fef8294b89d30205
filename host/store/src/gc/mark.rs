//! What must stay: what runs refer to, or are about to.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use wflow_model::Digest;
use wflow_model::record;
use wflow_model::record::Artifact;
use wflow_model::record::Body;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;

use super::Tell;
use crate::columns;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::live;
use crate::progress::Progress;
use crate::runs;
use crate::store::Store;
use crate::tasks;

/// What must not be removed, although nothing refers to it.
pub(super) struct AtWork {
    /// Blobs that this run handed in, or a later one.
    pub(super) since: RunId,
    /// Files of runs that nobody writes any more.
    pub(super) stale: Vec<RunId>,
}

impl Store {
    /// Settles which runs are at work, and removes the files of those that are not.
    pub(super) fn at_work(&self, connection: &Connection, dry_run: bool) -> Result<AtWork> {
        const DOING: &str = "looking which runs are at work";
        // Meanwhile nobody gets an id: whoever does takes the lock of the run in a transaction of
        // the same kind.
        let behavior =
            if dry_run { TransactionBehavior::Deferred } else { TransactionBehavior::Immediate };
        let transaction =
            Transaction::new_unchecked(connection, behavior).during(self.path(), DOING)?;
        let last: i64 = transaction
            .query_row(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'runs'",
                [],
                |row| row.get(0),
            )
            .during(self.path(), DOING)?;
        let mut since = columns::run_id(last.saturating_add(1));
        let mut stale = Vec::new();
        let live = self.shared().live();
        for run in live::marked(live, self.path())? {
            if live::is_live(live, run, self.path())? {
                since = since.min(run);
            } else {
                stale.push(run);
                if !dry_run {
                    live::remove_mark(live, run);
                }
            }
        }
        transaction.finish().during(self.path(), DOING)?;
        Ok(AtWork { since, stale })
    }

    /// The digests of all stored artifacts that records refer to, as of one moment.
    pub(super) fn mark(
        &self,
        connection: &Connection,
        gone: &HashSet<RunId>,
        tell: Tell<'_>,
    ) -> Result<HashSet<Digest>> {
        const DOING: &str = "reading what runs refer to";
        let snapshot = connection.unchecked_transaction().during(self.path(), DOING)?;
        let mut marked = HashSet::new();
        let mut records =
            snapshot.prepare("SELECT id, record FROM runs").during(self.path(), DOING)?;
        let mut rows = records.query([]).during(self.path(), DOING)?;
        while let Some(row) = rows.next().during(self.path(), DOING)? {
            let (run, bytes) = (row.get(0), row.get_ref(1));
            let run = columns::run_id(run.during(self.path(), DOING)?);
            if !gone.contains(&run) {
                let bytes = bytes.and_then(|bytes| Ok(bytes.as_blob()?));
                let record: RunRecord = record::decode(bytes.during(self.path(), DOING)?)
                    .map_err(|error| StoreError::DamagedRun { run, source: error.into() })?;
                marked.extend(stored(record.parameters.values().chain(&record.code)));
            }
        }
        let of = runs::tasks_in_all(&snapshot).during(self.path(), DOING)?;
        let mut tasks = snapshot
            .prepare("SELECT run, step, key, record FROM tasks")
            .during(self.path(), DOING)?;
        let mut rows = tasks.query([]).during(self.path(), DOING)?;
        let mut done = 0;
        while let Some(row) = rows.next().during(self.path(), DOING)? {
            let read = || -> rusqlite::Result<_> {
                let (key, record) = (row.get_ref(2)?.as_blob()?, row.get_ref(3)?.as_blob()?);
                Ok((columns::run_id(row.get(0)?), StepIndex(row.get(1)?), key, record))
            };
            let (run, step, key, bytes) = read().during(self.path(), DOING)?;
            if !gone.contains(&run) {
                let record = tasks::decode(run, step, key, bytes)?;
                marked.extend(stored(artifacts(&record)));
            }
            done += 1;
            if done % 4096 == 0 {
                tell(Progress { doing: "reading tasks", done, of });
            }
        }
        Ok(marked)
    }
}

/// All artifacts of a record: what the task set, its copies of what it inherited, its logs.
pub(crate) fn artifacts(record: &TaskRecord) -> impl Iterator<Item = &Artifact> {
    let logs = [&record.stdout, &record.stderr].into_iter().filter_map(|log| log.text.as_ref());
    record.artifacts.values().chain(record.inherited.values()).chain(logs)
}

/// The digests of those that are not in the record itself.
fn stored<'a>(artifacts: impl Iterator<Item = &'a Artifact>) -> impl Iterator<Item = Digest> {
    artifacts.filter(|artifact| artifact.body == Body::Stored).map(|artifact| artifact.digest)
}
