//! Running one task: from what may start to what is to be kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use wflow_model::record::Artifacts;
use wflow_model::record::Log;
use wflow_model::record::Outcome;
use wflow_model::record::TaskRecord;
use wflow_sandbox::CancelToken;
use wflow_sandbox::Component;
use wflow_sandbox::Ended;
use wflow_sandbox::TaskContext;
use wflow_store::StoreError;

use crate::context::RunContext;
use crate::context::now;
use crate::environment::Environment;
use crate::items::Items;
use crate::schedule::Advance;
use crate::schedule::Frame;
use crate::schedule::Start;
use crate::session::Session;
use crate::slots::Slots;
use crate::transition::decide;

/// A task that may start, in a run.
pub(crate) type Task = Start<Environment, Arc<Items>>;

/// How a task ended.
pub(crate) enum Execution {
    /// It returned, and goes on.
    Done(TaskRecord, Advance<Environment, Arc<Items>>),
    /// It had been done before the run began, and goes on.
    Known(Advance<Environment, Arc<Items>>),
    /// It need not be executed, since another run has, and goes on.
    Reused(Advance<Environment, Arc<Items>>),
    /// It failed.
    Failed(TaskRecord),
    /// It was stopped from outside, and leaves nothing.
    Cancelled,
}

/// What runs a task. It blocks, and is called from as many threads as there may be tasks at
/// once. The one that there is runs them here; others could send them elsewhere.
pub(crate) trait Executor: Sync {
    /// Runs a task to its end.
    ///
    /// # Errors
    ///
    /// If the store cannot take what the task left.
    fn execute(&self, task: &Task, cancel: &CancelToken) -> Result<Execution, StoreError>;

    /// Bytes of the stack that the threads need which call it.
    fn thread_stack(&self) -> usize;
}

/// Runs tasks in this process, in instances of the component.
pub(crate) struct LocalExecutor {
    pub(crate) run: Arc<RunContext>,
    pub(crate) component: Component,
    pub(crate) slots: Arc<Slots>,
}

impl Executor for LocalExecutor {
    fn thread_stack(&self) -> usize {
        self.component.thread_stack()
    }

    fn execute(&self, task: &Task, cancel: &CancelToken) -> Result<Execution, StoreError> {
        if task.inputs.is_some() {
            // A join reads its inputs from the store.
            self.run.output.flush()?;
        }
        let started = now();
        let session = Box::new(Session::new(&self.run, task));
        let limits = &self.run.policy.limits;
        let slot = self.slots.take();
        let ended = self.component.run(self.context(task), limits, cancel, session);
        drop(slot);
        let Ended { io, outcome, outside, refused, denied } = ended;
        let io: Box<dyn std::any::Any> = io;
        let Ok(mut session) = io.downcast::<Session>() else {
            unreachable!("the sandbox hands back the session that it was given")
        };
        let decision = match outcome {
            Ok(()) => session.check_quota().and_then(|()| decide(&session)),
            Err(error) => match error.failure() {
                None => return Ok(Execution::Cancelled),
                Some(mut failure) => {
                    if failure.hint.is_empty() {
                        let limit = session.quota.exceeded().map(|limit| limit.hint().to_owned());
                        failure.hint = limit.or(denied).unwrap_or_default();
                    }
                    // What was put before the end is not kept: all of it or nothing.
                    session.artifacts = Artifacts::new();
                    session.removed = BTreeSet::new();
                    Err(Box::new(failure))
                }
            },
        };
        let (outcome, decision) = match decision {
            Ok(decision) => (Outcome::Done, Some(decision)),
            Err(failure) => (Outcome::Failed(failure), None),
        };
        let trace = decision.is_some().then(|| Box::new(session.trace(&outside, refused)));
        let [stdout, stderr] = session.finish_logs();
        let mut record = TaskRecord {
            id: task.id.clone(),
            attempt: 0,
            started,
            finished: now(),
            outcome,
            inherits: None,
            artifacts: std::mem::take(&mut session.artifacts),
            removed: std::mem::take(&mut session.removed).into_iter().collect(),
            inherited: Artifacts::new(),
            stdout: self.keep_log(&stdout)?,
            stderr: self.keep_log(&stderr)?,
            origin: None,
            trace,
        };
        let hands_on =
            Environment::after(task.inherits.as_ref(), task.inputs.as_ref(), &mut record);
        Ok(match decision {
            None => Execution::Failed(record),
            Some(decision) => Execution::Done(record, decision.advance(hands_on)),
        })
    }
}

impl LocalExecutor {
    fn context(&self, task: &Task) -> TaskContext {
        let run = &self.run;
        let frame = |frame: &Frame<Arc<Items>>| wflow_sandbox::Frame {
            step: Arc::clone(&run.steps[frame.step.get()]),
            artifact: frame.items.name(),
            index: frame.index,
            width: frame.width,
        };
        TaskContext {
            flow: Arc::clone(&run.flow),
            run_id: Arc::clone(&run.run_text),
            step: Arc::clone(&run.steps[task.id.step.get()]),
            task: task.id.task.to_string(),
            attempt: 0,
            frames: task.frames.iter().map(frame).collect(),
            seed: run.policy.seed,
            logical_time: run.policy.logical_time,
            access: run.access.clone(),
        }
    }

    fn keep_log(&self, text: &[u8]) -> Result<Log, StoreError> {
        let text = match text {
            [] => None,
            text => Some(self.run.output.put(self.run.format("text/plain"), text)?),
        };
        Ok(Log { text, dropped: 0 })
    }
}
