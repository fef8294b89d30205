//! Reading tasks.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::params;
use wflow_model::TaskId;
use wflow_model::lookup;
use wflow_model::lookup::Answer;
use wflow_model::record;
use wflow_model::record::Origin;
use wflow_model::record::RunId;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;

use crate::columns;
use crate::error::RecordFault;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::store::Store;

const DOING: &str = "reading tasks";

/// The sort key of a task that is asked for, and which of the questions it answers.
type Wanted = (Vec<u8>, usize);

/// Where tasks are read: as of one moment, those of one step of a run.
struct Place<'a> {
    connection: &'a Connection,
    run: RunId,
    step: StepIndex,
}

impl Store {
    /// A committed task; none if there is no such task.
    ///
    /// # Errors
    ///
    /// If its record is damaged or the catalog cannot be read.
    pub fn task(&self, run: RunId, task: &TaskRef) -> Result<Option<TaskRecord>> {
        let found = self.tasks_by_id(run, task.step, std::slice::from_ref(&task.task))?;
        Ok(found.into_iter().next().flatten())
    }

    /// Committed tasks of a step in the order of their ids: those after a given one, for the next
    /// page; at most `limit`.
    ///
    /// # Errors
    ///
    /// If a record is damaged or the catalog cannot be read.
    pub fn tasks(
        &self,
        run: RunId,
        step: StepIndex,
        after: Option<&TaskId>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>> {
        // No key is empty, so all of them are greater than this.
        let after = after.map(TaskId::sort_key).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let owner = self.owner(run)?;
        self.page(
            run,
            owner,
            "SELECT key, record, step FROM tasks WHERE run = ?1 AND step = ?2 AND key > ?3
             ORDER BY key LIMIT ?4",
            params![columns::run(owner), step.0, after, limit],
        )
    }

    /// Committed tasks of a step in the order of their ids: this one, if there is one of that id,
    /// and those after it; at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`Self::tasks`].
    pub fn tasks_from(
        &self,
        run: RunId,
        step: StepIndex,
        first: &TaskId,
        limit: usize,
    ) -> Result<Vec<TaskRecord>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let owner = self.owner(run)?;
        self.page(
            run,
            owner,
            "SELECT key, record, step FROM tasks WHERE run = ?1 AND step = ?2 AND key >= ?3
             ORDER BY key LIMIT ?4",
            params![columns::run(owner), step.0, first.sort_key(), limit],
        )
    }

    /// The tasks of a run that failed, by step and id; at most `limit`.
    ///
    /// # Errors
    ///
    /// If a record is damaged or the catalog cannot be read.
    pub fn failed_tasks(&self, run: RunId, limit: usize) -> Result<Vec<TaskRecord>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let owner = self.owner(run)?;
        self.page(
            run,
            owner,
            "SELECT key, record, step FROM tasks WHERE run = ?1 AND status <> 0
             ORDER BY step, key LIMIT ?2",
            params![columns::run(owner), limit],
        )
    }

    /// The run whose tasks those of a run are: itself, or the one that it is a copy of.
    pub(crate) fn owner(&self, run: RunId) -> Result<RunId> {
        let source = self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached("SELECT source FROM copies WHERE run = ?1")?
                    .query_row([columns::run(run)], |row| row.get(0))
                    .optional()
            };
            read().during(self.path(), DOING)
        })?;
        Ok(source.map_or(run, columns::run_id))
    }

    /// Where a task of a copy was executed.
    fn origin(&self, owner: RunId) -> Result<Origin> {
        Ok(Origin { run: owner, component: self.run_record(owner)?.component })
    }

    /// The tasks of a run that a query yields, as `key, record, step`.
    fn page(
        &self,
        run: RunId,
        owner: RunId,
        query: &str,
        values: impl Params,
    ) -> Result<Vec<TaskRecord>> {
        let rows = self.shared().pool().with(|connection| {
            let read = || {
                connection
                    .prepare_cached(query)?
                    .query_map(values, |row| {
                        let (key, record) =
                            (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
                        Ok(decode(run, StepIndex(row.get(2)?), key, record))
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            read().during(self.path(), DOING)
        })?;
        let mut tasks = rows.into_iter().collect::<Result<Vec<TaskRecord>>>()?;
        if owner != run {
            let origin = self.origin(owner)?;
            for task in &mut tasks {
                task.origin.get_or_insert_with(|| origin.clone());
            }
        }
        Ok(tasks)
    }

    /// Several tasks of one step, in the order asked for; none where there is no such task.
    ///
    /// Meant for the inputs of a join: ids that follow each other are read in one go.
    ///
    /// # Errors
    ///
    /// If a record is damaged or the catalog cannot be read.
    pub fn tasks_by_id(
        &self,
        run: RunId,
        step: StepIndex,
        ids: &[TaskId],
    ) -> Result<Vec<Option<TaskRecord>>> {
        let owner = self.owner(run)?;
        let mut tasks =
            self.read_by_id(owner, step, ids, |key, bytes| decode(run, step, key, bytes))?;
        if owner != run {
            let origin = self.origin(owner)?;
            for task in tasks.iter_mut().flatten() {
                task.origin.get_or_insert_with(|| origin.clone());
            }
        }
        Ok(tasks)
    }

    /// What each of several tasks of one step says of a name.
    pub(crate) fn answers_by_id(
        &self,
        run: RunId,
        step: StepIndex,
        ids: &[TaskId],
        name: &str,
    ) -> Result<Vec<Option<Answer>>> {
        self.read_by_id(self.owner(run)?, step, ids, |key, bytes| {
            let (id, answer) = lookup::answer(bytes, name)
                .map_err(|error| damaged(run, step, key, error.into()))?;
            check_place(run, step, key, &id)?;
            Ok(answer)
        })
    }

    /// Reads something of several tasks of one step of a run that is no copy, given the key and the record of each.
    fn read_by_id<T: Clone>(
        &self,
        run: RunId,
        step: StepIndex,
        ids: &[TaskId],
        read: impl Fn(&[u8], &[u8]) -> Result<T>,
    ) -> Result<Vec<Option<T>>> {
        let mut found = vec![None; ids.len()];
        let mut wanted: Vec<Wanted> =
            ids.iter().enumerate().map(|(place, id)| (id.sort_key(), place)).collect();
        wanted.sort_unstable();
        self.shared().pool().with(|connection| {
            // All of them as of one moment, and one look at the locks of the catalog.
            let transaction = connection.unchecked_transaction().during(self.path(), DOING)?;
            let place = Place { connection, run, step };
            for chunk in wanted.chunk_by(|(before, _), (after, _)| follows(before, after)) {
                if let Some(rest) = self.scan(&place, chunk, &mut found, &read)? {
                    self.seek(&place, rest, &mut found, &read)?;
                }
            }
            transaction.finish().during(self.path(), DOING)
        })?;
        Ok(found)
    }

    /// Reads tasks by one walk through a range. Gives up where it meets too many others, such as
    /// those of the rounds of a loop, and returns what is left to be read.
    fn scan<'w, T: Clone>(
        &self,
        place: &Place<'_>,
        wanted: &'w [Wanted],
        found: &mut [Option<T>],
        read: &impl Fn(&[u8], &[u8]) -> Result<T>,
    ) -> Result<Option<&'w [Wanted]>> {
        let Place { connection, run, step } = *place;
        let ([(first, _), .., (last, _)], [_, _, ..]) = (wanted, wanted) else {
            return Ok(Some(wanted));
        };
        let mut statement = connection
            .prepare_cached(
                "SELECT key, record FROM tasks
                 WHERE run = ?1 AND step = ?2 AND key BETWEEN ?3 AND ?4 ORDER BY key",
            )
            .during(self.path(), DOING)?;
        let mut rows = statement
            .query(params![columns::run(run), step.0, first, last])
            .during(self.path(), DOING)?;
        let mut others = 0;
        let mut left = wanted;
        while let Some(row) = rows.next().during(self.path(), DOING)? {
            let key = key(row).during(self.path(), DOING)?;
            let gone = left.partition_point(|(wanted, _)| wanted.as_slice() < key);
            left = &left[gone..];
            let same = left.partition_point(|(wanted, _)| wanted.as_slice() == key);
            if same == 0 {
                others += 1;
                if others > wanted.len() {
                    return Ok(Some(left));
                }
                continue;
            }
            let record = read(key, bytes(row).during(self.path(), DOING)?)?;
            // Once as a rule; no copy is made then.
            for (_, place) in &left[1..same] {
                found[*place] = Some(record.clone());
            }
            found[left[0].1] = Some(record);
            left = &left[same..];
        }
        Ok(None)
    }

    /// Reads tasks one by one.
    fn seek<T>(
        &self,
        place: &Place<'_>,
        wanted: &[Wanted],
        found: &mut [Option<T>],
        read: &impl Fn(&[u8], &[u8]) -> Result<T>,
    ) -> Result<()> {
        let Place { connection, run, step } = *place;
        let mut statement = connection
            .prepare_cached("SELECT record FROM tasks WHERE run = ?1 AND step = ?2 AND key = ?3")
            .during(self.path(), DOING)?;
        for (key, place) in wanted {
            let record = statement
                .query_row(params![columns::run(run), step.0, key], |row| {
                    Ok(read(key, row.get_ref(0)?.as_blob()?))
                })
                .optional()
                .during(self.path(), DOING)?;
            found[*place] = record.transpose()?;
        }
        Ok(())
    }
}

fn key<'a>(row: &'a Row<'_>) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(0)?.as_blob()?)
}

fn bytes<'a>(row: &'a Row<'_>) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(1)?.as_blob()?)
}

/// Whether a key belongs in one range with the key before it: their positions follow each other,
/// or differ by their rounds alone.
fn follows(before: &[u8], after: &[u8]) -> bool {
    match (innermost(before), innermost(after)) {
        (Some((around, before)), Some((also, after))) => {
            around == also && (before..=before.saturating_add(1)).contains(&after)
        }
        _ => false,
    }
}

/// The position in the innermost foreach, and the part of the key before it.
fn innermost(key: &[u8]) -> Option<(&[u8], u32)> {
    let (indices, _round) = key.split_last_chunk::<4>()?;
    let (around, last) = indices.split_last_chunk::<4>()?;
    Some((around, u32::from_be_bytes(*last)))
}

/// Reads a record and makes sure that it is of the task that the catalog says.
pub(crate) fn decode(run: RunId, step: StepIndex, key: &[u8], bytes: &[u8]) -> Result<TaskRecord> {
    let record: TaskRecord =
        record::decode(bytes).map_err(|error| damaged(run, step, key, error.into()))?;
    check_place(run, step, key, &record.id)?;
    Ok(record)
}

/// Whether a task is the one of that step and key.
pub(crate) fn is_at(id: &TaskRef, step: StepIndex, key: &[u8]) -> bool {
    id.step == step && id.task.has_sort_key(key)
}

/// A record is of the task that the catalog says.
fn check_place(run: RunId, step: StepIndex, key: &[u8], id: &TaskRef) -> Result<()> {
    if is_at(id, step, key) { Ok(()) } else { Err(damaged(run, step, key, RecordFault::Misplaced)) }
}

fn damaged(run: RunId, step: StepIndex, key: &[u8], source: RecordFault) -> StoreError {
    let task = TaskId::from_sort_key(key).unwrap_or(TaskId::ROOT);
    StoreError::DamagedTask { run, task: Box::new(TaskRef { step, task }), source }
}
