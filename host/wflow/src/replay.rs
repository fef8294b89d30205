//! What a run takes over from the one that it resumes.
//!
//! The scheduler is walked twice. First nothing is executed: every task that the origin has done
//! is taken over, and where there is none, the walk stops and sets the branch aside. All of that
//! is committed before the run can be seen, so that whoever resumes the resumed run, however soon
//! that was killed, finds everything there. Then the run goes on where the walk stopped: branches
//! begin again with their first task, and what was taken over of them is only looked up.

use std::sync::Arc;

use wflow_model::Digest;
use wflow_model::record::Artifact;
use wflow_model::record::Body;
use wflow_model::record::Origin;
use wflow_model::record::Outcome;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_sandbox::CancelToken;
use wflow_store::RunWriter;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::context::RunContext;
use crate::environment::Environment;
use crate::execute::Task;
use crate::items::Items;
use crate::schedule::Advance;
use crate::schedule::Scheduler;
use crate::session::Session;
use crate::shelf::Shelf;
use crate::transition::decide;

/// How a task that was done goes on.
pub(crate) type Onward = Advance<Environment, Arc<Items>>;

/// The tasks of one run, to be reused in another.
pub(crate) struct Replay {
    /// The run that resumes.
    pub(crate) run: Arc<RunContext>,
    pub(crate) writer: Arc<RunWriter>,
    /// The run that is resumed, and the component that it ran.
    pub(crate) origin: Origin,
    /// For each step the step of the origin whose tasks stand for its own, if there is one.
    pub(crate) steps: Vec<Option<StepIndex>>,
    /// If it is to be so, only tasks that this component has executed are reused.
    pub(crate) only: Option<Digest>,
    /// The tasks of the origin.
    pub(crate) tasks: Shelf,
    /// The tasks of the run that resumes.
    pub(crate) own: Shelf,
    /// How many tasks of each step were taken over, and how many of them another component has
    /// executed.
    pub(crate) counts: Vec<Count>,
}

/// How many tasks of a step were taken over.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) all: u64,
    pub(crate) trusted: u64,
}

impl Replay {
    /// Takes over all tasks that can be. False if that was cancelled.
    pub(crate) fn take_over(
        &mut self,
        scheduler: &mut Scheduler<Environment, Arc<Items>>,
        component: Digest,
        cancel: &CancelToken,
    ) -> Result<bool, StoreError> {
        while let Some(task) = scheduler.start() {
            if cancel.is_cancelled() {
                return Ok(false);
            }
            match self.reuse(&task)? {
                None => scheduler.defer(task),
                Some((record, onward)) => {
                    let other = |origin: &Origin| origin.component != component;
                    let count = &mut self.counts[task.id.step.get()];
                    count.all += 1;
                    count.trusted += u64::from(record.origin.as_ref().is_some_and(other));
                    self.writer.append(&record)?;
                    scheduler.finish(task, onward);
                }
            }
        }
        scheduler.recall();
        self.writer.flush()?;
        Ok(true)
    }

    /// How a task goes on that was taken over before; none if it was not.
    pub(crate) fn again(&self, task: &Task) -> Result<Option<Onward>, StoreError> {
        if self.steps[task.id.step.get()].is_none() {
            return Ok(None);
        }
        let record = self.own.find(task.id.step, &task.id.task)?;
        Ok(record.and_then(|record| follow(&self.run, task, record)).map(|(_, onward)| onward))
    }

    /// How many tasks were taken over.
    pub(crate) fn reused(&self) -> u64 {
        self.counts.iter().map(|count| count.all).sum()
    }

    /// The record of a task that the origin has done and that is still valid, as a record of this
    /// run, and how it goes on.
    fn reuse(&self, task: &Task) -> Result<Option<(TaskRecord, Onward)>, StoreError> {
        let Some(step) = self.steps[task.id.step.get()] else { return Ok(None) };
        let Some(mut record) = self.tasks.find(step, &task.id.task)? else { return Ok(None) };
        if record.outcome != Outcome::Done {
            return Ok(None);
        }
        let origin = record.origin.get_or_insert_with(|| self.origin.clone());
        if self.only.is_some_and(|only| only != origin.component) {
            return Ok(None);
        }
        let hides_parameter = |name| self.run.parameters.contains_key(name);
        if record.artifacts.keys().any(hides_parameter) || !is_complete(&self.run.store, &record)? {
            return Ok(None);
        }
        record.id = task.id.clone();
        Ok(follow(&self.run, task, record))
    }
}

/// Decides how a task goes on that left what is in the record, as if it had just returned. None if
/// it cannot: then it is to be executed, and will fail of itself.
pub(crate) fn follow(
    run: &Arc<RunContext>,
    task: &Task,
    mut record: TaskRecord,
) -> Option<(TaskRecord, Onward)> {
    let mut session = Session::new(run, task);
    session.artifacts = record.artifacts;
    session.removed = record.removed.into_iter().collect();
    let decision = decide(&session).ok()?;
    record.artifacts = session.artifacts;
    record.removed = session.removed.into_iter().collect();
    record.inherits = None;
    record.inherited.clear();
    let hands_on = Environment::after(task.inherits.as_ref(), task.inputs.as_ref(), &mut record);
    Some((record, decision.advance(hands_on)))
}

/// Whether the store still has everything that a task left.
pub(crate) fn is_complete(store: &Store, record: &TaskRecord) -> Result<bool, StoreError> {
    let logs = [&record.stdout, &record.stderr].into_iter().filter_map(|log| log.text.as_ref());
    let stored = |artifact: &&Artifact| matches!(artifact.body, Body::Stored);
    for artifact in record.artifacts.values().chain(logs).filter(stored) {
        match store.open_blob(artifact) {
            Ok(_) => {}
            Err(StoreError::MissingBlob(_) | StoreError::DamagedBlob { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
