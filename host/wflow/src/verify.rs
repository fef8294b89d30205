//! Executing a run again to see whether it leaves the same.
//!
//! The scheduler is walked as when the run ran, with what the store has of each task in the place
//! of its execution. So every task is executed with the inputs that are on record, whatever became
//! of the tasks before it, and all of them side by side.

mod report;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;

use wflow_model::Digest;
use wflow_model::Grants;
use wflow_model::record::Cause;
use wflow_model::record::Impurity;
use wflow_model::record::Outcome;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::TaskRecord;
use wflow_model::record::Trace;
use wflow_sandbox::Access;
use wflow_sandbox::AccessError;
use wflow_sandbox::CancelToken;
use wflow_store::Progress;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::Flow;
use crate::context::RunContext;
use crate::environment::Environment;
use crate::error::FlowError;
use crate::execute::Execution;
use crate::execute::Executor;
use crate::execute::LocalExecutor;
use crate::execute::Task;
use crate::items::Items;
use crate::options::Policy;
use crate::options::cores;
use crate::output::Output;
use crate::replay::follow;
use crate::sample::Sample;
use crate::schedule::Scheduler;
use crate::session::Session;
use crate::shelf::Shelf;

pub use report::Difference;
pub use report::Finding;
pub use report::Found;
pub use report::VerifyReport;
use report::differences;

/// So many findings are told one by one.
const MAX_FINDINGS: usize = 10_000;

/// How a run is to be verified.
#[derive(Debug, Clone)]
pub struct Verify {
    /// How many of its tasks are executed, of all: from 0 to 1. At least one is.
    pub share: f64,
    /// How many are executed at once, at most.
    pub max_workers: usize,
    /// What is granted again. What lets nothing be stolen or harmed, which is the clock, random
    /// numbers and variables whose value is on record, is granted by itself if the run had it.
    pub grants: Grants,
    /// What stops it.
    pub cancel: CancelToken,
}

impl Default for Verify {
    /// All tasks, on all cores.
    fn default() -> Self {
        let cancel = CancelToken::new();
        Self { share: 1.0, max_workers: cores(), grants: Grants::NONE, cancel }
    }
}

/// A run cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store does not have its component.
    #[error(
        "the component of run {0} is not in the store (an older wflow has run it): give its file"
    )]
    NoCode(RunId),
    /// The component is another one.
    #[error("this is not the component of run {run}, whose digest is {expected}")]
    OtherCode {
        /// The run.
        run: RunId,
        /// The digest of its component.
        expected: Digest,
    },
    /// The component cannot be loaded.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// Something is granted that is not there.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread could be started to execute tasks.
    #[error("no thread can be started to execute tasks: {0}")]
    Thread(std::io::Error),
    /// It was cancelled.
    #[error("cancelled: nothing has been found out")]
    Cancelled,
}

impl Flow {
    /// Executes the tasks of a run of this flow again, each with the inputs that are on record,
    /// and compares what they leave. Nothing is written. `progress` is told how far it is.
    ///
    /// # Errors
    ///
    /// If the run is of another component, the store fails, or it is cancelled.
    pub fn verify(
        &self,
        store: &Store,
        run: RunId,
        options: &Verify,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<VerifyReport, VerifyError> {
        // Nobody removes it meanwhile.
        let _hold = store.hold(run)?;
        let record = store.run(run)?.ok_or(StoreError::NoRun(run))?.record;
        if record.component != self.digest() {
            return Err(VerifyError::OtherCode { run, expected: record.component });
        }
        let harmless = record.grants.iter().filter(|grant| grant.is_harmless()).cloned();
        let grants = Grants::new(harmless).unwrap_or_default();
        let grants = options.grants.clone().over(grants);
        let tasks: u64 = store.steps(run)?.iter().map(|step| step.done + step.failed).sum();
        let context = Arc::new(self.context_again(store, run, &record, &grants)?);
        let missing = record.grants.iter().filter(|grant| !grants.satisfy(grant)).cloned();
        let chosen = Sample::size(tasks, options.share);
        let verification = Verification {
            missing: Grants::new(missing).unwrap_or_default(),
            executor: LocalExecutor {
                run: Arc::clone(&context),
                component: self.component().clone(),
                slots: Arc::clone(self.slots()),
            },
            shelf: Shelf::new(store.clone(), run),
            cancel: &options.cancel,
            state: Mutex::new(State {
                scheduler: Scheduler::new(Arc::clone(self.shared_graph())),
                sample: Sample::new(tasks, options.share),
                same: 0,
                reached: 0,
                findings: Vec::new(),
                more_findings: 0,
                error: None,
            }),
            progress,
            chosen,
            run: context,
        };
        verification.work(options.max_workers.max(1));
        let state = verification.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.error {
            return Err(error);
        }
        if options.cancel.is_cancelled() {
            return Err(VerifyError::Cancelled);
        }
        let graph = self.graph();
        let mut findings = state.findings;
        findings.sort_by_key(|finding| (graph.find(&finding.step), finding.task.clone()));
        Ok(VerifyReport {
            run,
            record,
            tasks,
            chosen,
            reached: state.reached,
            same: state.same,
            findings,
            more_findings: state.more_findings,
        })
    }

    /// What the tasks of a run had in common, for their second execution.
    fn context_again(
        &self,
        store: &Store,
        run: RunId,
        record: &RunRecord,
        grants: &Grants,
    ) -> Result<RunContext, VerifyError> {
        let output = Output::Nowhere(store.clone());
        let access = Access::open(grants)?;
        Ok(RunContext::new(
            self,
            store,
            run,
            record,
            Policy::of(record),
            access,
            output,
            Arc::new(()),
        ))
    }
}

/// A verification at work.
struct Verification<'a> {
    run: Arc<RunContext>,
    /// What the run was granted, and now is not.
    missing: Grants,
    executor: LocalExecutor,
    shelf: Shelf,
    cancel: &'a CancelToken,
    state: Mutex<State>,
    progress: &'a (dyn Fn(Progress) + Sync),
    chosen: u64,
}

struct State {
    scheduler: Scheduler<Environment, Arc<Items>>,
    sample: Sample,
    same: u64,
    /// How many of those that were chosen could be reached.
    reached: u64,
    findings: Vec<Finding>,
    more_findings: u64,
    error: Option<VerifyError>,
}

impl Verification<'_> {
    fn work(&self, workers: usize) {
        thread::scope(|scope| {
            for number in 0..workers {
                let worker = thread::Builder::new()
                    .name("wflow-verify".to_owned())
                    .stack_size(self.executor.thread_stack())
                    .spawn_scoped(scope, || self.worker());
                if let Err(error) = worker {
                    tracing::warn!(%error, "only {number} of {workers} workers could be started");
                    if number == 0 {
                        self.lock().error.get_or_insert(VerifyError::Thread(error));
                    }
                    break;
                }
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worker(&self) {
        loop {
            match self.next() {
                ControlFlow::Break(()) => return,
                ControlFlow::Continue(None) => {}
                ControlFlow::Continue(Some((task, record))) => self.verify(&task, &record),
            }
        }
    }

    /// The next task that is to be executed, with its record; breaks if there are no more. To go on
    /// from a task takes nothing but its record, so this is done at once, and nobody waits for
    /// anybody's execution.
    fn next(&self) -> ControlFlow<(), Option<(Task, TaskRecord)>> {
        let mut state = self.lock();
        if state.error.is_some() || self.cancel.is_cancelled() {
            return ControlFlow::Break(());
        }
        let Some(task) = state.scheduler.start() else { return ControlFlow::Break(()) };
        let record = match self.shelf.find(task.id.step, &task.id.task) {
            Ok(Some(record)) => record,
            Ok(None) => {
                state.scheduler.defer(task);
                return ControlFlow::Continue(None);
            }
            Err(error) => {
                state.error = Some(error.into());
                return ControlFlow::Break(());
            }
        };
        let chosen = state.sample.takes_next().then(|| (task.clone(), record.clone()));
        let onward = match record.outcome {
            Outcome::Done => follow(&self.run, &task, record),
            Outcome::Failed(_) => None,
        };
        match onward {
            Some((_, onward)) => state.scheduler.finish(task, onward),
            None => state.scheduler.defer(task),
        }
        ControlFlow::Continue(chosen)
    }

    fn verify(&self, task: &Task, record: &TaskRecord) {
        let verdict = self.verdict(task, record);
        let mut state = self.lock();
        match verdict {
            Ok(None) => state.same += 1,
            Ok(Some((found, impure))) => {
                let step = self.run.step_name(task.id.step).clone();
                let task = task.id.task.clone();
                if state.findings.len() < MAX_FINDINGS {
                    state.findings.push(Finding { step, task, found, impure });
                } else {
                    state.more_findings += 1;
                }
            }
            Err(error) => state.error = Some(error.into()),
        }
        state.reached += 1;
        let done = state.reached;
        drop(state);
        (self.progress)(Progress { doing: "verifying tasks", done, of: self.chosen });
    }

    /// Whether what a task follows from is what it follows from in this run.
    fn has_key(&self, task: &Task, trace: &Trace) -> bool {
        Session::new(&self.run, task).key_of(trace) == Some(trace.key)
    }

    /// Executes a task, and says what there is to say; none if it left the same.
    fn verdict(
        &self,
        task: &Task,
        record: &TaskRecord,
    ) -> Result<Option<(Found, Vec<Impurity>)>, StoreError> {
        let mut impure = record.trace.as_ref().map_or(Vec::new(), |trace| trace.impure.clone());
        if let Some(origin) = &record.origin
            && (origin.component != self.executor.component.digest()
                || record.trace.as_ref().is_some_and(|trace| !self.has_key(task, trace)))
        {
            return Ok(Some((Found::OtherRun(origin.run), impure)));
        }
        let accident = |failure: &wflow_model::record::Failure| {
            matches!(failure.cause, Cause::Timeout | Cause::Host)
        };
        if record.failure().is_some_and(accident) {
            return Ok(Some((Found::Accident, impure)));
        }
        // What failed has no trace, and may have used anything.
        let used = record.trace.as_ref().is_none_or(|trace| trace.impure.iter().any(is_outside));
        if used && !self.missing.is_empty() {
            return Ok(Some((Found::NeedsGrants(self.missing.clone()), impure)));
        }
        let now = match self.executor.execute(task, self.cancel)? {
            Execution::Done(record, _) | Execution::Failed(record) => record,
            // The caller looks at the token.
            Execution::Cancelled | Execution::Known(_) | Execution::Reused(_) => return Ok(None),
        };
        for impurity in now.trace.iter().flat_map(|trace| &trace.impure) {
            if !impure.contains(impurity) {
                impure.push(impurity.clone());
            }
        }
        let differences = differences(record, &now);
        if !differences.is_empty() {
            return Ok(Some((Found::Differs(differences), impure)));
        }
        let outside = impure.iter().any(is_outside);
        Ok(outside.then_some((Found::Outside, impure)))
    }
}

fn is_outside(impurity: &Impurity) -> bool {
    matches!(impurity, Impurity::Outside(_))
}
