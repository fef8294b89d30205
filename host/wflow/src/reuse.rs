//! Tasks of earlier runs that need not be executed again.

use std::sync::Arc;

use wflow_model::Digest;
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
use crate::execute::Task;
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

/// The runs whose tasks may be reused in another.
pub(crate) struct Reuse {
    run: Arc<RunContext>,
    component: Digest,
    candidates: Vec<Candidate>,
}

/// An earlier run of the same component, with the same seed, time and grants.
struct Candidate {
    run: RunId,
    tasks: Shelf,
    /// Nobody removes it while its tasks are reused.
    _hold: RunHold,
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

    /// Whether a task would leave what another left: that is one that leaves the same each time,
    /// and what it read is there again.
    fn leaves_the_same(&self, task: &Task, record: &TaskRecord) -> bool {
        let Some(trace) = record.trace.as_ref().filter(|trace| trace.impure.is_empty()) else {
            return false;
        };
        record.outcome == Outcome::Done
            && Session::new(&self.run, task).key(&trace.reads).is_ok_and(|key| key == trace.key)
    }
}

fn candidates(store: &Store, record: &RunRecord) -> Result<Vec<Candidate>, StoreError> {
    let key = run_key(record);
    let mut candidates = Vec::new();
    for summary in store.runs(Some(&record.flow), None, LOOKED_AT)? {
        if candidates.len() == MAX_CANDIDATES {
            break;
        }
        let run = summary.id;
        // What a running one commits is only seen by chance.
        let ended = summary.state != RunState::Running;
        // One that is damaged or being removed has nothing to offer, and is no reason to stop.
        if !ended || !store.run_record(run).is_ok_and(|earlier| run_key(&earlier) == key) {
            continue;
        }
        let Ok(hold) = store.hold(run) else { continue };
        candidates.push(Candidate { run, tasks: Shelf::new(store.clone(), run), _hold: hold });
    }
    Ok(candidates)
}
