//! A run from its first task to its last.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;

use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::cbor;
use wflow_model::graph::Transition;
use wflow_model::record::Failure;
use wflow_model::record::RunEnd;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::RunStatus;
use wflow_model::record::TaskRecord;
use wflow_sandbox::CancelToken;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::Flow;
use crate::context::RunContext;
use crate::context::now;
use crate::environment::Environment;
use crate::error::RunError;
use crate::event::Event;
use crate::execute::Execution;
use crate::execute::Executor;
use crate::execute::LocalExecutor;
use crate::execute::Task;
use crate::items::Items;
use crate::options::RunOptions;
use crate::schedule::Advance;
use crate::schedule::Scheduler;

/// How a run ended. Everything it tells of is on disk.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The flow.
    pub flow: Name,
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub status: RunStatus,
    /// How many tasks finished, failed ones included.
    pub tasks: u64,
    /// The task that failed first, if one did.
    pub failed: Option<FailedTask>,
}

/// A task that failed.
#[derive(Debug, Clone)]
pub struct FailedTask {
    /// Its step.
    pub step: Name,
    /// Which task of the step.
    pub task: TaskId,
    /// Why.
    pub failure: Failure,
}

impl fmt::Display for FailedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}/{} failed: {}", self.step, self.task, self.failure.message)
    }
}

impl Flow {
    /// Runs the flow to its end, and blocks until then.
    ///
    /// A flow that fails is no error here: the report says so.
    ///
    /// # Errors
    ///
    /// If a parameter is wrong, or the store fails.
    pub fn run(&self, store: &Store, options: RunOptions) -> Result<RunReport, RunError> {
        let RunOptions { parameters, arguments, policy, max_workers, observer, cancel } = options;
        let arguments = match arguments {
            Some(arguments) => arguments,
            None => self.arguments(&parameters)?,
        };
        let writer = store.reserve(now())?;
        let record = RunRecord {
            flow: self.graph().name().clone(),
            graph: self.document().to_owned(),
            component: self.digest(),
            parameters: arguments.store(&writer)?,
            seed: policy.seed,
            logical_time: policy.logical_time,
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            resumes: None,
        };
        writer.register(&record, &BTreeSet::new())?;
        let run = writer.run();
        let context = Arc::new(RunContext {
            graph: Arc::clone(self.shared_graph()),
            run,
            run_text: run.to_string().into(),
            flow: record.flow.as_str().into(),
            steps: self.graph().steps().iter().map(|step| step.name.as_str().into()).collect(),
            formats: [cbor::FORMAT.into(), "text/plain".into()],
            parameters: record.parameters,
            store: store.clone(),
            writer,
            policy,
            observer,
        });
        context.observer.event(&Event::RunStarted { flow: &record.flow, run });
        let executor = LocalExecutor {
            run: Arc::clone(&context),
            component: self.component().clone(),
            slots: Arc::clone(self.slots()),
        };
        let (tasks, end) = Driver::new(&context, &executor, cancel).drive(max_workers);
        let (status, failed) = match end {
            End::Done => (RunStatus::Done, None),
            End::Cancelled => (RunStatus::Cancelled, None),
            End::Failed(record) => (RunStatus::Failed, Some(record)),
            End::Broken(error) => {
                // The store may still take the one row that says how the run ended.
                let end = RunEnd { status: RunStatus::Failed, finished: now(), failed: None };
                if let Err(error) = context.writer.finish(&end) {
                    tracing::debug!(%error, "the end of the run could not be recorded");
                }
                return Err(error.into());
            }
        };
        let failed_id = failed.as_ref().map(|record| record.id.clone());
        context.writer.finish(&RunEnd { status, finished: now(), failed: failed_id })?;
        context.observer.event(&Event::RunFinished { run, status });
        let failed = failed.and_then(|record| {
            let step = context.step_name(record.id.step).clone();
            let failure = record.failure()?.clone();
            Some(FailedTask { step, task: record.id.task, failure })
        });
        Ok(RunReport { flow: record.flow, run, status, tasks, failed })
    }
}

/// Why no more tasks are started.
enum End {
    Done,
    Failed(Box<TaskRecord>),
    Cancelled,
    Broken(StoreError),
}

/// Bytes of the stack of a worker: a guest may use one MiB of it, host calls come on top.
const WORKER_STACK: usize = 4 << 20;

/// What the workers share.
struct State {
    scheduler: Scheduler<Environment, Arc<Items>>,
    end: Option<End>,
    tasks: u64,
    /// Workers that wait for a task. To wake nobody costs a system call as well.
    waiting: usize,
}

/// Runs tasks on worker threads until the flow has ended.
struct Driver<'a> {
    run: &'a RunContext,
    executor: &'a dyn Executor,
    cancel: CancelToken,
    state: Mutex<State>,
    changed: Condvar,
}

impl<'a> Driver<'a> {
    fn new(run: &'a RunContext, executor: &'a dyn Executor, cancel: CancelToken) -> Self {
        let scheduler = Scheduler::new(Arc::clone(&run.graph));
        let state = Mutex::new(State { scheduler, end: None, tasks: 0, waiting: 0 });
        Self { run, executor, cancel, state, changed: Condvar::new() }
    }

    fn drive(self, workers: usize) -> (u64, End) {
        thread::scope(|scope| {
            for number in 0..workers {
                let worker = thread::Builder::new()
                    .name("wflow-worker".to_owned())
                    .stack_size(WORKER_STACK)
                    .spawn_scoped(scope, || self.work());
                if let Err(error) = worker {
                    // Fewer workers take longer, and come to the same result.
                    tracing::warn!(%error, "only {number} of {workers} workers could be started");
                    if number == 0 {
                        self.work();
                    }
                    break;
                }
            }
        });
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.tasks, state.end.unwrap_or(End::Cancelled))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes tasks and runs them, until there are none and will be none.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if state.end.is_none() && self.cancel.is_cancelled() {
                state.end = Some(End::Cancelled);
            }
            let next = match state.end {
                Some(_) => None,
                None => state.scheduler.start(),
            };
            match next {
                Some(task) => {
                    drop(state);
                    let execution = self.run_task(&task);
                    state = self.lock();
                    self.take_back(&mut state, task, execution);
                }
                None if state.end.is_some() || state.scheduler.in_flight() == 0 => break,
                None => {
                    state.waiting += 1;
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.waiting -= 1;
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Runs one task, and hands over what it left to be committed.
    fn run_task(&self, task: &Task) -> Result<Execution, StoreError> {
        let step = self.run.step_name(task.id.step);
        let id = &task.id.task;
        let observer = &*self.run.observer;
        observer.event(&Event::TaskStarted { step, task: id });
        let execution = self.executor.execute(task, &self.cancel)?;
        match &execution {
            Execution::Done(record, advance) => {
                if let Advance::Foreach { width, .. } = advance
                    && let Transition::Foreach { step: body, .. } =
                        &self.run.graph.step(task.id.step).transition
                {
                    let body = self.run.step_name(*body);
                    observer.event(&Event::ForeachOpened { step, task: id, body, width: *width });
                }
                self.run.writer.append(record)?;
                observer.event(&Event::TaskFinished { step, task: id });
            }
            Execution::Failed(record) => {
                self.run.writer.append(record)?;
                if let Some(failure) = record.failure() {
                    observer.event(&Event::TaskFailed { step, task: id, failure });
                }
            }
            Execution::Cancelled => observer.event(&Event::TaskCancelled { step, task: id }),
        }
        Ok(execution)
    }

    fn take_back(&self, state: &mut State, task: Task, execution: Result<Execution, StoreError>) {
        let end = match execution {
            Ok(Execution::Done(_, advance)) => {
                state.tasks += 1;
                state.scheduler.finish(task, advance);
                state.scheduler.is_done().then_some(End::Done)
            }
            Ok(Execution::Failed(record)) => {
                state.tasks += 1;
                state.scheduler.abandon();
                Some(End::Failed(Box::new(record)))
            }
            Ok(Execution::Cancelled) => {
                state.scheduler.abandon();
                Some(End::Cancelled)
            }
            Err(error) => {
                state.scheduler.abandon();
                Some(End::Broken(error))
            }
        };
        if let Some(end) = end {
            if !matches!(end, End::Done) {
                self.cancel.cancel();
            }
            state.end.get_or_insert(end);
        }
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }
}
