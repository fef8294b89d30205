//! Reading runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use wflow_model::Name;
use wflow_model::Tag;
use wflow_model::record;
use wflow_model::record::RunEnd;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::RunStatus;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;

use crate::columns;
use crate::error::RecordFault;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::live;
use crate::store::Store;

/// How a run stands, seen from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunState {
    /// A process is writing it.
    Running,
    /// It has not ended, and nobody is writing it: its process was killed, or the machine
    /// stopped.
    Interrupted,
    /// Its `end` finished.
    Done,
    /// A task failed.
    Failed,
    /// It was stopped from outside.
    Cancelled,
}

/// What a list of runs says of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// The name of its flow.
    pub flow: Name,
    /// How it stands.
    pub state: RunState,
    /// When it began.
    pub created: Timestamp,
    /// When it ended, if it did.
    pub finished: Option<Timestamp>,
}

/// A run.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// What a list would say of it.
    pub summary: RunSummary,
    /// What was known when it began.
    pub record: Arc<RunRecord>,
    /// How it ended, if it did.
    pub end: Option<RunEnd>,
}

/// A flow that has runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowSummary {
    /// Its name.
    pub name: Name,
    /// How many runs of it there are.
    pub runs: u64,
    /// The latest of them.
    pub latest: RunId,
}

/// How many tasks of a step are committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepSummary {
    /// The step.
    pub step: StepIndex,
    /// Those that are done.
    pub done: u64,
    /// Those that failed.
    pub failed: u64,
}

/// The columns of a summary, as they stand.
struct Columns {
    id: RunId,
    flow: String,
    status: i64,
    created: Timestamp,
    finished: Option<Timestamp>,
}

const SUMMARY: &str = "id, flow, status, created, finished";
const DOING: &str = "reading runs";

impl Columns {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: columns::run_id(row.get(0)?),
            flow: row.get(1)?,
            status: row.get(2)?,
            created: Timestamp(row.get(3)?),
            finished: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        })
    }
}

impl Store {
    /// Runs, the newest first: those of one flow or all; those before a given one, for the next
    /// page; at most `limit`.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read or holds what no wflow writes.
    pub fn runs(
        &self,
        flow: Option<&str>,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunSummary>> {
        let before = before.map_or(i64::MAX, columns::run);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.shared().pool().with(|connection| {
            let read = || {
                let (text, flow) = match flow {
                    // Two statements, so that each finds its index.
                    None => ("id < ?2 AND ?1 IS NULL", None),
                    Some(flow) => ("id < ?2 AND flow = ?1", Some(flow)),
                };
                connection
                    .prepare_cached(&format!(
                        "SELECT {SUMMARY} FROM runs WHERE {text} ORDER BY id DESC LIMIT ?3"
                    ))?
                    .query_map(params![flow, before, limit], Columns::read)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            read().during(self.path(), DOING)
        })?;
        rows.into_iter().map(|columns| self.summary(columns)).collect()
    }

    /// A run; none if there is no such run.
    ///
    /// # Errors
    ///
    /// If its record is damaged or the catalog cannot be read.
    pub fn run(&self, run: RunId) -> Result<Option<Run>> {
        let row = self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached(&format!(
                        r#"SELECT {SUMMARY}, record, "end" FROM runs WHERE id = ?1"#
                    ))?
                    .query_row([columns::run(run)], |row| {
                        let record: Vec<u8> = row.get(5)?;
                        let end: Option<Vec<u8>> = row.get(6)?;
                        Ok((Columns::read(row)?, record, end))
                    })
                    .optional()
            };
            read().during(self.path(), DOING)
        })?;
        let Some((columns, record, end)) = row else { return Ok(None) };
        let damaged =
            |error: record::DecodeError| StoreError::DamagedRun { run, source: error.into() };
        let record = Arc::new(record::decode(&record).map_err(damaged)?);
        let end = end.map(|end| record::decode(&end)).transpose().map_err(damaged)?;
        Ok(Some(Run { summary: self.summary(columns)?, record, end }))
    }

    /// Whether there is such a run.
    pub(crate) fn has_run(&self, run: RunId) -> Result<bool> {
        Ok(self.status_now(run)?.is_some())
    }

    /// What was known of a run when it began. Asked for the same run again and again, it answers
    /// from memory.
    ///
    /// # Errors
    ///
    /// If there is no such run, if its record is damaged, or if the catalog cannot be read.
    pub fn run_record(&self, run: RunId) -> Result<Arc<RunRecord>> {
        if let Some((last, record)) = &*self.shared().last_run()
            && *last == run
        {
            return Ok(Arc::clone(record));
        }
        let bytes: Option<Vec<u8>> = self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached("SELECT record FROM runs WHERE id = ?1")?
                    .query_row([columns::run(run)], |row| row.get(0))
                    .optional()
            };
            read().during(self.path(), DOING)
        })?;
        let bytes = bytes.ok_or(StoreError::NoRun(run))?;
        let record = record::decode(&bytes)
            .map_err(|error| StoreError::DamagedRun { run, source: error.into() })?;
        let record = Arc::new(record);
        *self.shared().last_run() = Some((run, Arc::clone(&record)));
        Ok(record)
    }

    /// The latest run of a flow, or of all.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read.
    pub fn latest(&self, flow: Option<&str>) -> Result<Option<RunId>> {
        Ok(self.runs(flow, None, 1)?.first().map(|run| run.id))
    }

    /// All flows that have runs, by name.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read.
    pub fn flows(&self) -> Result<Vec<FlowSummary>> {
        let rows = self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached(
                        "SELECT flow, count(*), max(id) FROM runs GROUP BY flow ORDER BY flow",
                    )?
                    .query_map([], |row| {
                        Ok((row.get::<_, String>(0)?, count(row, 1)?, row.get::<_, i64>(2)?))
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            read().during(self.path(), DOING)
        })?;
        rows.into_iter()
            .map(|(flow, runs, latest)| {
                let latest = columns::run_id(latest);
                Ok(FlowSummary { name: flow_name(&flow, latest)?, runs, latest })
            })
            .collect()
    }

    /// How many tasks of each step of a run are committed; steps without any are left out.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read.
    pub fn steps(&self, run: RunId) -> Result<Vec<StepSummary>> {
        self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached(
                        "SELECT step, done, failed FROM steps
                         WHERE run = coalesce((SELECT source FROM copies WHERE run = ?1), ?1)
                         ORDER BY step",
                    )?
                    .query_map([columns::run(run)], |row| {
                        let step = StepIndex(row.get(0)?);
                        Ok(StepSummary { step, done: count(row, 1)?, failed: count(row, 2)? })
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            read().during(self.path(), DOING)
        })
    }

    /// The tags of a run.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read or holds what no wflow writes.
    pub fn tags(&self, run: RunId) -> Result<BTreeSet<Tag>> {
        let rows = self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached("SELECT tag FROM tags WHERE run = ?1")?
                    .query_map([columns::run(run)], |row| row.get::<_, String>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            read().during(self.path(), DOING)
        })?;
        let damaged = |_| StoreError::DamagedRun { run, source: RecordFault::Column("tag") };
        rows.iter().map(|tag| Tag::new(tag).map_err(damaged)).collect()
    }

    fn summary(&self, columns: Columns) -> Result<RunSummary> {
        let Columns { id, flow, status, created, mut finished } = columns;
        let recorded = |status| {
            let fault = RecordFault::Column("status");
            columns::status_of(status).ok_or(StoreError::DamagedRun { run: id, source: fault })
        };
        let state = match recorded(status)? {
            RunStatus::Running if live::is_live(self.shared().live(), id, self.path())? => {
                RunState::Running
            }
            RunStatus::Running => {
                // It may have ended between the look at its row and that at its lock.
                let now = self.status_now(id)?;
                if let Some((_, now)) = now {
                    finished = now;
                }
                match now.map(|(status, _)| recorded(status)).transpose()? {
                    None | Some(RunStatus::Running) => RunState::Interrupted,
                    Some(ended) => ended.into(),
                }
            }
            ended => ended.into(),
        };
        Ok(RunSummary { id, flow: flow_name(&flow, id)?, state, created, finished })
    }

    fn status_now(&self, run: RunId) -> Result<Option<(i64, Option<Timestamp>)>> {
        self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached("SELECT status, finished FROM runs WHERE id = ?1")?
                    .query_row([columns::run(run)], |row| {
                        Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(Timestamp)))
                    })
                    .optional()
            };
            read().during(self.path(), DOING)
        })
    }
}

impl From<RunStatus> for RunState {
    /// The state that is recorded; that of a run nobody writes is [`RunState::Interrupted`].
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Running => Self::Running,
            RunStatus::Done => Self::Done,
            RunStatus::Failed => Self::Failed,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// How many tasks of all runs there are, as their steps count them.
pub(crate) fn tasks_in_all(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .query_row("SELECT coalesce(sum(done + failed), 0) FROM steps", [], |row| count(row, 0))
}

fn flow_name(text: &str, run: RunId) -> Result<Name> {
    Name::new(text).map_err(|_| StoreError::DamagedRun { run, source: RecordFault::Column("flow") })
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}
