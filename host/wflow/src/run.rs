//! A run from its first task to its last.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use wflow_model::Name;
use wflow_model::Tag;
use wflow_model::TaskId;
use wflow_model::record::Artifacts;
use wflow_model::record::Failure;
use wflow_model::record::RunEnd;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::RunStatus;
use wflow_sandbox::Access;
use wflow_store::RunWriter;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::Flow;
use crate::context::RunContext;
use crate::context::now;
use crate::driver::Driven;
use crate::driver::Driver;
use crate::driver::End;
use crate::environment::Environment;
use crate::error::RunError;
use crate::event::Event;
use crate::execute::LocalExecutor;
use crate::items::Items;
use crate::options::Policy;
use crate::options::RunOptions;
use crate::output::Output;
use crate::replay::Replay;
use crate::reuse::MAX_TOLD;
use crate::reuse::Reuse;
use crate::reuse::Whole;
use crate::reuse::each_task;
use crate::reuse::tell_of_reused;
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
    /// How many tasks have been executed to their end, failed ones included.
    pub tasks: u64,
    /// How many tasks were reused from other runs.
    pub reused: u64,
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

/// The media type of a component.
const CODE_FORMAT: &str = "application/wasm";

impl Flow {
    /// Runs the flow to its end, and blocks until then.
    ///
    /// A flow that fails is no error here: the report says so.
    ///
    /// # Errors
    ///
    /// If a parameter is wrong, if the flow wishes for what is not granted, or the store fails.
    pub fn run(&self, store: &Store, options: RunOptions) -> Result<RunReport, RunError> {
        let arguments = match &options.arguments {
            Some(arguments) => arguments.clone(),
            None => self.arguments(&options.parameters)?,
        };
        self.check_limits(&options)?;
        let access = self.open(&options.grants)?;
        let writer = store.reserve(now())?;
        let record = self.record(arguments.store(&writer)?, &writer, &options)?;
        let mut run = RunInProgress::new(self, store, writer, access, &record, &options);
        if options.reuse {
            let reuse = Reuse::new(&run.context, &record)?;
            if let Some(source) = reuse.whole()? {
                return run.copy(&record, &options.tags, &source);
            }
            run.reuse = Some(reuse);
        }
        run.begin(&record, &options.tags)?;
        let scheduler = Scheduler::new(Arc::clone(self.shared_graph()));
        run.complete(scheduler, None, options)
    }

    /// Whether the host of this flow can keep the limits.
    pub(crate) fn check_limits(&self, options: &RunOptions) -> Result<(), RunError> {
        self.component().can_keep(&options.policy.limits).map_err(RunError::Limits)
    }

    /// The record of a new run that begins anew.
    pub(crate) fn record(
        &self,
        parameters: Artifacts,
        writer: &RunWriter,
        options: &RunOptions,
    ) -> Result<RunRecord, StoreError> {
        Ok(RunRecord {
            flow: self.graph().name().clone(),
            graph: self.document().to_owned(),
            component: self.digest(),
            parameters,
            seed: options.policy.seed,
            logical_time: options.policy.logical_time,
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            resumes: None,
            grants: options.grants.clone(),
            limits: options.policy.told(),
            engine: wflow_sandbox::ENGINE.to_owned(),
            reuse: options.reuse,
            code: Some(writer.put(CODE_FORMAT, self.code())?),
        })
    }
}

/// A run between its reservation and its end.
pub(crate) struct RunInProgress {
    pub(crate) context: Arc<RunContext>,
    pub(crate) writer: Arc<RunWriter>,
    executor: LocalExecutor,
    reuse: Option<Reuse>,
}

impl RunInProgress {
    pub(crate) fn new(
        flow: &Flow,
        store: &Store,
        writer: RunWriter,
        access: Access,
        record: &RunRecord,
        options: &RunOptions,
    ) -> Self {
        let writer = Arc::new(writer);
        let policy = Policy {
            seed: record.seed,
            logical_time: record.logical_time,
            ..options.policy.clone()
        };
        let (output, observer) = (Output::Run(Arc::clone(&writer)), Arc::clone(&options.observer));
        let run = writer.run();
        let context = RunContext::new(flow, store, run, record, policy, access, output, observer);
        let context = Arc::new(context);
        let executor = LocalExecutor {
            run: Arc::clone(&context),
            component: flow.component().clone(),
            slots: Arc::clone(flow.slots()),
        };
        Self { context, writer, executor, reuse: None }
    }

    /// Registers the run: from here on it can be seen.
    pub(crate) fn begin(&self, record: &RunRecord, tags: &BTreeSet<Tag>) -> Result<(), StoreError> {
        self.writer.register(record, tags)?;
        self.tell_begin(record);
        Ok(())
    }

    fn tell_begin(&self, record: &RunRecord) {
        let RunContext { run, observer, .. } = &*self.context;
        let commits = &self.writer.commits();
        observer.event(&Event::RunStarted { flow: &record.flow, run: *run, commits });
    }

    /// Ends the run at once: all of its tasks are those of another run, which is done.
    fn copy(
        self,
        record: &RunRecord,
        tags: &BTreeSet<Tag>,
        source: &Whole,
    ) -> Result<RunReport, RunError> {
        self.writer.register_copy(record, tags, source.run)?;
        self.tell_begin(record);
        let RunContext { run, store, observer, .. } = &*self.context;
        if observer.follows_tasks() && source.tasks.len() < MAX_TOLD {
            for task in &source.tasks {
                tell_of_reused(&self.context, task, source.run)?;
            }
        } else if observer.follows_tasks() {
            each_task(&self.context, *run, &mut |task| {
                tell_of_reused(&self.context, &task, source.run)?;
                Ok(true)
            })?;
        }
        let status = RunStatus::Done;
        self.writer.finish(&RunEnd { status, finished: now(), failed: None })?;
        observer.event(&Event::RunFinished { run: *run, status });
        let reused = store.steps(*run)?.iter().map(|step| step.done).sum();
        let flow = record.flow.clone();
        Ok(RunReport { flow, run: *run, status, tasks: 0, reused, failed: None })
    }

    /// Runs the tasks that are left.
    pub(crate) fn complete(
        self,
        scheduler: Scheduler<Environment, Arc<Items>>,
        replay: Option<&Replay>,
        options: RunOptions,
    ) -> Result<RunReport, RunError> {
        let Self { context, writer, executor, reuse } = self;
        let RunOptions { max_workers, cancel, .. } = options;
        let reuse = reuse.as_ref();
        let driver = Driver::new(&context, &writer, &executor, scheduler, replay, reuse, cancel);
        let Driven { tasks, reused, end } = driver.drive(max_workers);
        let broken = |error: RunError| {
            // The store may still take the one row that says how the run ended.
            let end = RunEnd { status: RunStatus::Failed, finished: now(), failed: None };
            if let Err(error) = writer.finish(&end) {
                tracing::debug!(%error, "the end of the run could not be recorded");
            }
            Err(error)
        };
        let (status, failed) = match end {
            End::Done => (RunStatus::Done, None),
            End::Cancelled => (RunStatus::Cancelled, None),
            End::Failed(record) => (RunStatus::Failed, Some(record)),
            End::Broken(error) => return broken(error.into()),
            End::NoWorker(error) => return broken(RunError::Thread(error)),
        };
        let run = context.run;
        let failed_id = failed.as_ref().map(|record| record.id.clone());
        writer.finish(&RunEnd { status, finished: now(), failed: failed_id })?;
        context.observer.event(&Event::RunFinished { run, status });
        let failed = failed.and_then(|record| {
            let step = context.step_name(record.id.step).clone();
            let failure = record.failure()?.clone();
            Some(FailedTask { step, task: record.id.task, failure })
        });
        let flow = context.graph.name().clone();
        let reused = reused + replay.map_or(0, Replay::reused);
        Ok(RunReport { flow, run, status, tasks, reused, failed })
    }
}
