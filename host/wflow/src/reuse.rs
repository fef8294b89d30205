//! Tasks of earlier runs that need not be executed again.

use std::sync::Arc;

use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::record::Artifacts;
use wflow_model::record::Origin;
use wflow_model::record::Outcome;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::TaskRecord;
use wflow_store::RunHold;
use wflow_store::RunState;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::context::RunContext;
use crate::event::Channel;
use crate::event::Event;
use crate::execute::Task;
use crate::log::LogCapture;
use crate::log::Speaker;
use crate::replay::Onward;
use crate::replay::follow;
use crate::replay::is_complete;
use crate::session::Session;
use crate::shelf::Shelf;
use crate::trace::run_key;

/// So many of the latest runs of a flow are looked at.
const LOOKED_AT: usize = 200;

/// In so many of them a task is looked for. Whatever a run reused it has itself, so the latest few
/// are enough unless parameters go back and forth.
const MAX_CANDIDATES: usize = 8;

/// How many tasks are read at once.
const PAGE: usize = 1024;

/// So many tasks of a run that is reused as a whole are held until they are told of; if there are
/// more, all are read again for that.
pub(crate) const MAX_TOLD: usize = 100_000;

/// A run that is reused as a whole.
pub(crate) struct Whole {
    pub(crate) run: RunId,
    /// Its tasks, step by step, without their artifacts; at most [`MAX_TOLD`].
    pub(crate) tasks: Vec<TaskRecord>,
}

/// The runs whose tasks may be reused in another.
pub(crate) struct Reuse {
    run: Arc<RunContext>,
    component: Digest,
    candidates: Vec<Candidate>,
}

/// An earlier run of the same component, with the same seed, time and grants.
struct Candidate {
    run: RunId,
    record: Arc<RunRecord>,
    done: bool,
    tasks: Shelf,
    /// Nobody removes it while its tasks are reused.
    _hold: RunHold,
}

impl Candidate {
    /// Whether all of its tasks are there, and have the keys that follow from its record.
    fn is_whole(&self) -> bool {
        self.done && self.record.resumes.is_none()
    }
}

impl Reuse {
    /// Finds the runs whose tasks may be reused in this one.
    pub(crate) fn new(run: &Arc<RunContext>, record: &RunRecord) -> Result<Self, StoreError> {
        let candidates = candidates(&run.store, record)?;
        Ok(Self { run: Arc::clone(run), component: record.component, candidates })
    }

    /// What a task left that need not be executed, as a record of this run, and how it goes on.
    /// None if it has to be executed.
    pub(crate) fn find(&self, task: &Task) -> Result<Option<(TaskRecord, Onward)>, StoreError> {
        for candidate in &self.candidates {
            // The graph follows from the component, so the steps are the same.
            let Some(mut record) = candidate.tasks.find(task.id.step, &task.id.task)? else {
                continue;
            };
            if !self.leaves_the_same(task, &record) || !is_complete(&self.run.store, &record)? {
                continue;
            }
            let origin = Origin { run: candidate.run, component: self.component };
            record.origin.get_or_insert(origin);
            return Ok(follow(&self.run, task, record));
        }
        Ok(None)
    }

    /// A run that is done, all of whose tasks would be reused here: one with the same parameters,
    /// whose tasks leave the same each time. Not one that has resumed another: it may have taken
    /// over what other code left.
    pub(crate) fn whole(&self) -> Result<Option<Whole>, StoreError> {
        for candidate in self.candidates.iter().filter(|candidate| candidate.is_whole()) {
            let digests = |parameters: &Artifacts| -> Vec<(Name, Digest)> {
                parameters.iter().map(|(name, value)| (name.clone(), value.digest)).collect()
            };
            let splits = candidate.record.limits.get("max-num-splits").copied();
            if digests(&candidate.record.parameters) == digests(&self.run.parameters)
                && splits.is_some_and(|splits| splits <= self.run.policy.max_num_splits.into())
                && let Some(tasks) = self.all_leave_the_same(candidate.run)?
            {
                return Ok(Some(Whole { run: candidate.run, tasks }));
            }
        }
        Ok(None)
    }

    /// All tasks of a run, if all of them leave the same each time.
    fn all_leave_the_same(&self, run: RunId) -> Result<Option<Vec<TaskRecord>>, StoreError> {
        let mut tasks = Vec::new();
        let all = each_task(&self.run, run, &mut |mut record| {
            let pure = record.trace.take().is_some_and(|trace| trace.impure.is_empty());
            if !pure || !is_complete(&self.run.store, &record)? {
                return Ok(false);
            }
            if tasks.len() < MAX_TOLD {
                // Who they are and what they wrote is all that is told of them.
                record.artifacts = Artifacts::new();
                record.inherited = Artifacts::new();
                tasks.push(record);
            }
            Ok(true)
        })?;
        Ok(all.then_some(tasks))
    }

    /// Whether a task would leave what another left: that is one that leaves the same each time,
    /// and what it read is there again.
    fn leaves_the_same(&self, task: &Task, record: &TaskRecord) -> bool {
        let Some(trace) = record.trace.as_ref().filter(|trace| trace.impure.is_empty()) else {
            return false;
        };
        record.outcome == Outcome::Done
            && Session::new(&self.run, task).key_of(trace) == Some(trace.key)
    }
}

/// Tells the observer that a task of another run is reused, and what it had written.
pub(crate) fn tell_of_reused(
    run: &RunContext,
    record: &TaskRecord,
    from: RunId,
) -> Result<(), StoreError> {
    let (step, task) = (run.step_name(record.id.step), &record.id.task);
    let observer = &*run.observer;
    let origin = record.origin.as_ref().map_or(from, |origin| origin.run);
    observer.event(&Event::TaskReused { step, task, origin });
    for (log, channel) in [(&record.stdout, Channel::Stdout), (&record.stderr, Channel::Stderr)] {
        if let Some(text) = &log.text {
            let speaker = Speaker { observer, step, task };
            let mut lines = LogCapture::new(channel);
            lines.push(&run.store.read(text)?, &speaker);
            lines.finish(&speaker);
        }
    }
    Ok(())
}

/// Visits the tasks of a run, step by step in the order of the graph, as long as `visit` says so.
/// Returns whether it came to the end.
pub(crate) fn each_task(
    context: &RunContext,
    run: RunId,
    visit: &mut dyn FnMut(TaskRecord) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    for (step, _) in context.graph.indexed_steps() {
        let mut last: Option<TaskId> = None;
        loop {
            let tasks = context.store.tasks(run, step, last.as_ref(), PAGE)?;
            last = tasks.last().filter(|_| tasks.len() == PAGE).map(|task| task.id.task.clone());
            for task in tasks {
                if !visit(task)? {
                    return Ok(false);
                }
            }
            if last.is_none() {
                break;
            }
        }
    }
    Ok(true)
}

fn candidates(store: &Store, record: &RunRecord) -> Result<Vec<Candidate>, StoreError> {
    let key = run_key(record);
    let mut candidates = Vec::new();
    for summary in store.runs(Some(&record.flow), None, LOOKED_AT)? {
        if candidates.len() == MAX_CANDIDATES {
            break;
        }
        let run = summary.id;
        // What a running one commits is only seen by chance. One that is damaged or being removed
        // has nothing to offer, and is no reason to stop.
        let (
            RunState::Done | RunState::Failed | RunState::Cancelled | RunState::Interrupted,
            Ok(earlier),
        ) = (summary.state, store.run_record(run))
        else {
            continue;
        };
        if run_key(&earlier) != key {
            continue;
        }
        let Ok(hold) = store.hold(run) else { continue };
        candidates.push(Candidate {
            run,
            record: earlier,
            done: summary.state == RunState::Done,
            tasks: Shelf::new(store.clone(), run),
            _hold: hold,
        });
    }
    Ok(candidates)
}
