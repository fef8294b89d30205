//! The worker threads of a run: they take tasks from the scheduler and run them.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;

use wflow_model::graph::Transition;
use wflow_model::record::TaskRecord;
use wflow_sandbox::CancelToken;
use wflow_store::RunWriter;
use wflow_store::StoreError;

use crate::context::RunContext;
use crate::environment::Environment;
use crate::event::Event;
use crate::execute::Execution;
use crate::execute::Executor;
use crate::execute::Task;
use crate::items::Items;
use crate::replay::Replay;
use crate::schedule::Advance;
use crate::schedule::Scheduler;

/// Why no more tasks are started.
pub(crate) enum End {
    Done,
    Failed(Box<TaskRecord>),
    Cancelled,
    Broken(StoreError),
}

/// Bytes of the stack of a worker: a guest may use one MiB of it, host calls come on top.
pub(crate) const WORKER_STACK: usize = 4 << 20;

/// What the workers share.
struct State {
    scheduler: Scheduler<Environment, Arc<Items>>,
    end: Option<End>,
    tasks: u64,
    /// Workers that wait for a task. To wake nobody costs a system call as well.
    waiting: usize,
}

/// Runs tasks on worker threads until the flow has ended.
pub(crate) struct Driver<'a> {
    run: &'a RunContext,
    writer: &'a RunWriter,
    executor: &'a dyn Executor,
    /// What the run took over before it began, if it resumes another.
    replay: Option<&'a Replay>,
    cancel: CancelToken,
    state: Mutex<State>,
    changed: Condvar,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(
        run: &'a RunContext,
        writer: &'a RunWriter,
        executor: &'a dyn Executor,
        scheduler: Scheduler<Environment, Arc<Items>>,
        replay: Option<&'a Replay>,
        cancel: CancelToken,
    ) -> Self {
        let end = scheduler.is_done().then_some(End::Done);
        let state = Mutex::new(State { scheduler, end, tasks: 0, waiting: 0 });
        Self { run, writer, executor, replay, cancel, state, changed: Condvar::new() }
    }

    /// Runs all tasks; returns how many were executed, and why there are no more.
    pub(crate) fn drive(self, workers: usize) -> (u64, End) {
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
        if let Some(replay) = self.replay
            && let Some(advance) = replay.again(task)?
        {
            return Ok(Execution::Known(advance));
        }
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
                self.writer.append(record)?;
                observer.event(&Event::TaskFinished { step, task: id });
            }
            Execution::Failed(record) => {
                self.writer.append(record)?;
                if let Some(failure) = record.failure() {
                    observer.event(&Event::TaskFailed { step, task: id, failure });
                }
            }
            Execution::Known(_) => {}
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
            Ok(Execution::Known(advance)) => {
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
