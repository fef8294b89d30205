//! The records of runs and tasks, and what they say of each other.

use std::iter::once;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use rusqlite::types::ValueRef;
use wflow_model::Tag;
use wflow_model::TaskId;
use wflow_model::record;
use wflow_model::record::Artifact;
use wflow_model::record::Outcome;
use wflow_model::record::RunEnd;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::RunStatus;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;

use super::By;
use super::Check;
use super::DOING;
use super::Referrer;
use super::Subject;
use crate::columns;
use crate::error::Result;
use crate::error::While;
use crate::progress::Progress;
use crate::resolve::Walk;
use crate::runs;
use crate::tasks;

impl Check<'_> {
    pub(super) fn runs(&mut self) -> Result<()> {
        let path = self.store.path();
        let mut statement = self
            .snapshot
            .prepare(r#"SELECT id, flow, status, finished, record, "end" FROM runs"#)
            .during(path, DOING)?;
        let mut rows = statement.query([]).during(path, DOING)?;
        while let Some(row) = rows.next().during(path, DOING)? {
            self.report.runs += 1;
            let run = columns::run_id(row.get(0).during(path, DOING)?);
            match run_of(row) {
                Ok(record) => {
                    for (name, artifact) in &record.parameters {
                        let by = By::Artifact(name.clone());
                        self.artifact(artifact, &Referrer { run, task: None, by })?;
                    }
                    if let Some(code) = &record.code {
                        self.artifact(code, &Referrer { run, task: None, by: By::Code })?;
                    }
                }
                Err(why) => {
                    self.faults.add(Subject::Run(run), why);
                }
            }
            for tag in self.tags(run).during(path, DOING)? {
                if let Err(error) = Tag::new(&tag) {
                    self.faults.add(Subject::Run(run), format!("has a strange tag: {error}"));
                }
            }
        }
        Ok(())
    }

    /// The runs of which others are copies are there.
    pub(super) fn copies(&mut self) -> Result<()> {
        let path = self.store.path();
        let mut statement = self
            .snapshot
            .prepare(
                "SELECT run, source FROM copies WHERE run IN (SELECT id FROM runs)
                     AND (source NOT IN (SELECT id FROM runs) OR source IN (SELECT run FROM copies))",
            )
            .during(path, DOING)?;
        let mut rows = statement.query([]).during(path, DOING)?;
        while let Some(row) = rows.next().during(path, DOING)? {
            let ids = || -> rusqlite::Result<_> { Ok((row.get(0)?, row.get(1)?)) };
            let (run, source): (i64, i64) = ids().during(path, DOING)?;
            let why = format!("has the tasks of run {source}, which has none of its own");
            self.faults.add(Subject::Run(columns::run_id(run)), why);
        }
        Ok(())
    }

    fn tags(&self, run: RunId) -> rusqlite::Result<Vec<String>> {
        self.snapshot
            .prepare_cached("SELECT tag FROM tags WHERE run = ?1")?
            .query_map([columns::run(run)], |row| row.get(0))?
            .collect()
    }

    pub(super) fn tasks(&mut self) -> Result<()> {
        let path = self.store.path();
        let of = runs::tasks_in_all(self.snapshot).during(path, DOING)?;
        let mut statement = self
            .snapshot
            .prepare("SELECT id, run, step, key, attempt, status, record FROM tasks")
            .during(path, DOING)?;
        let mut rows = statement.query([]).during(path, DOING)?;
        // Of many tasks of a foreach the same one is the parent.
        let mut parent = None;
        while let Some(row) = rows.next().during(path, DOING)? {
            let ids = || -> rusqlite::Result<_> {
                Ok((row.get(0)?, columns::run_id(row.get(1)?), StepIndex(row.get(2)?)))
            };
            let (id, run, step): (i64, _, _) = ids().during(path, DOING)?;
            if self.remains.contains(&run) {
                continue;
            }
            self.report.tasks += 1;
            if self.report.tasks.is_multiple_of(1024) {
                let (doing, done) = ("checking tasks", self.report.tasks);
                (self.tell)(Progress { doing, done, of });
            }
            match task_of(row, step) {
                Ok(record) => {
                    self.parent(id, run, &record, &mut parent)?;
                    self.artifacts(run, &record)?;
                }
                Err(why) => {
                    let key = row.get_ref(3).ok().and_then(|key| key.as_blob().ok());
                    let task = key.and_then(TaskId::from_sort_key);
                    let subject = match task {
                        Some(task) => Subject::Task(run, TaskRef { step, task }),
                        None => Subject::Step(run, step),
                    };
                    self.faults.add(subject, why);
                }
            }
        }
        Ok(())
    }

    fn artifacts(&mut self, run: RunId, record: &TaskRecord) -> Result<()> {
        let named = record.artifacts.iter().chain(&record.inherited);
        let named = named.map(|(name, artifact)| (By::Artifact(name.clone()), artifact));
        let logs = once((By::Stdout, &record.stdout)).chain(once((By::Stderr, &record.stderr)));
        let logs = logs.filter_map(|(by, log)| Some((by, log.text.as_ref()?)));
        let all: Vec<(By, &Artifact)> = named.chain(logs).collect();
        for (by, artifact) in all {
            self.artifact(artifact, &Referrer { run, task: Some(record.id.clone()), by })?;
        }
        Ok(())
    }

    /// The task from which another one inherits is there, and the way on from it ends.
    ///
    /// As a rule a parent has the smaller row number, because it was committed first, and a way
    /// on which the numbers only fall has an end. So the ways to be followed are those from tasks
    /// of which the parent has a greater number: every circle has at least one.
    fn parent(
        &mut self,
        id: i64,
        run: RunId,
        record: &TaskRecord,
        last: &mut Option<(RunId, TaskRef, i64)>,
    ) -> Result<()> {
        let Some(parent) = &record.inherits else { return Ok(()) };
        let known = last.as_ref().filter(|(of, task, _)| *of == run && task == parent);
        let found = match known {
            Some((.., id)) => Some(*id),
            None => self.row_of(run, parent).during(self.store.path(), DOING)?,
        };
        let Some(found) = found else {
            let referrer = Referrer { run, task: Some(record.id.clone()), by: By::Inheritance };
            self.faults.missing_task(run, parent.clone(), referrer);
            return Ok(());
        };
        *last = Some((run, parent.clone(), found));
        if found >= id && self.circles(run, &record.id)? {
            let why = "inherits from itself, or from tasks that do".to_owned();
            self.faults.add(Subject::Task(run, record.id.clone()), why);
        }
        Ok(())
    }

    /// The number of a task's row.
    fn row_of(&self, run: RunId, task: &TaskRef) -> rusqlite::Result<Option<i64>> {
        self.snapshot
            .prepare_cached("SELECT id FROM tasks WHERE run = ?1 AND step = ?2 AND key = ?3")?
            .query_row(params![columns::run(run), task.step.0, task.task.sort_key()], |row| {
                row.get(0)
            })
            .optional()
    }

    /// Whether the way from a task leads into a circle.
    fn circles(&self, run: RunId, from: &TaskRef) -> Result<bool> {
        let mut walk = Walk::new();
        let mut task = from.clone();
        loop {
            let record = || {
                self.snapshot
                    .prepare_cached(
                        "SELECT record FROM tasks WHERE run = ?1 AND step = ?2 AND key = ?3",
                    )?
                    .query_row(
                        params![columns::run(run), task.step.0, task.task.sort_key()],
                        |row| row.get::<_, Vec<u8>>(0),
                    )
                    .optional()
            };
            let bytes = record().during(self.store.path(), DOING)?;
            let record = bytes.and_then(|bytes| record::decode::<TaskRecord>(&bytes).ok());
            // What is missing or damaged here is told of the tasks there.
            let Some(next) = record.and_then(|record| record.inherits) else { return Ok(false) };
            if walk.step(run, &next).is_err() {
                return Ok(true);
            }
            task = next;
        }
    }

    /// The counters of steps say how many tasks there are.
    pub(super) fn counters(&mut self) -> Result<()> {
        let path = self.store.path();
        // Three small lists, from indices alone, put side by side.
        let mut statement = self
            .snapshot
            .prepare(
                "SELECT run, step, sum(tasks) - sum(failures), sum(failures), sum(done), sum(failed)
                 FROM (
                     SELECT run, step, count(*) AS tasks, 0 AS failures, 0 AS done, 0 AS failed
                     FROM tasks GROUP BY run, step
                     UNION ALL SELECT run, step, 0, count(*), 0, 0
                     FROM tasks WHERE status <> 0 GROUP BY run, step
                     UNION ALL SELECT run, step, 0, 0, done, failed FROM steps)
                 GROUP BY run, step
                 HAVING sum(tasks) - sum(failures) <> sum(done) OR sum(failures) <> sum(failed)",
            )
            .during(path, DOING)?;
        let wrong = statement
            .query_map([], |row| {
                let step = (columns::run_id(row.get(0)?), StepIndex(row.get(1)?));
                let counts: [i64; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
                Ok((step, counts))
            })
            .during(path, DOING)?;
        for wrong in wrong {
            let ((run, step), [done, failed, told_done, told_failed]) =
                wrong.during(path, DOING)?;
            if !self.remains.contains(&run) {
                let why = format!(
                    "has {done} tasks done and {failed} failed, but is said to have {told_done} \
                     and {told_failed}"
                );
                self.faults.add(Subject::Step(run, step), why);
            }
        }
        Ok(())
    }
}

/// The record of a run that agrees with its columns, or what is wrong.
fn run_of(row: &Row<'_>) -> std::result::Result<RunRecord, String> {
    let strange = |column: &str| format!("has a strange value in column `{column}`");
    let record = row.get_ref(4).ok().and_then(|bytes| bytes.as_blob().ok());
    let record: RunRecord = record::decode(record.ok_or_else(|| strange("record"))?)
        .map_err(|error| unreadable(&error))?;
    let end = match row.get_ref(5) {
        Ok(ValueRef::Null) => None,
        Ok(ValueRef::Blob(bytes)) => {
            Some(record::decode::<RunEnd>(bytes).map_err(|error| unreadable(&error))?)
        }
        _ => return Err(strange("end")),
    };
    if row.get::<_, String>(1).ok().as_deref() != Some(record.flow.as_str()) {
        return Err(strange("flow"));
    }
    let status = row.get(2).ok().and_then(columns::status_of);
    if status != Some(end.as_ref().map_or(RunStatus::Running, |end| end.status)) {
        return Err(strange("status"));
    }
    if row.get::<_, Option<i64>>(3).ok() != Some(end.map(|end| end.finished.0)) {
        return Err(strange("finished"));
    }
    Ok(record)
}

/// The record of a task that agrees with its columns, or what is wrong.
fn task_of(row: &Row<'_>, step: StepIndex) -> std::result::Result<TaskRecord, String> {
    let strange = |column: &str| format!("has a strange value in column `{column}`");
    let blob = |index| row.get_ref(index).ok().and_then(|bytes| bytes.as_blob().ok());
    let (key, bytes) = (blob(3).ok_or_else(|| strange("key"))?, blob(6));
    let record: TaskRecord = record::decode(bytes.ok_or_else(|| strange("record"))?)
        .map_err(|error| unreadable(&error))?;
    if !tasks::is_at(&record.id, step, key) {
        return Err("has the record of another task".to_owned());
    }
    let failed = !matches!(record.outcome, Outcome::Done);
    if row.get(5).ok() != Some(columns::task_status(failed)) {
        return Err(strange("status"));
    }
    if row.get(4).ok() != Some(record.attempt) {
        return Err(strange("attempt"));
    }
    Ok(record)
}

fn unreadable(error: &record::DecodeError) -> String {
    format!("has a record that cannot be read: {error}")
}
