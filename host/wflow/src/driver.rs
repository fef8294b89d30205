//! The worker threads of a run: they take tasks from the scheduler and run them.

use std::io;
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
use crate::replay::Onward;
use crate::replay::Replay;
use crate::reuse::Reuse;
use crate::reuse::tell_of_reused;
use crate::schedule::Advance;
use crate::schedule::Scheduler;

/// Why no more tasks are started.
pub(crate) enum End {
    Done,
    Failed(Box<TaskRecord>),
    Cancelled,
    Broken(StoreError),
    /// There is no thread to run them.
    NoWorker(io::Error),
}

/// What came of driving a run.
pub(crate) struct Driven {
    /// How many tasks were executed.
    pub(crate) tasks: u64,
    /// How many were taken over from other runs.
    pub(crate) reused: u64,
    /// Why there are no more.
    pub(crate) end: End,
}

/// What the workers share.
struct State {
    scheduler: Scheduler<Environment, Arc<Items>>,
    end: Option<End>,
    tasks: u64,
    reused: u64,
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
    /// Where to look for tasks that need not be executed, if that is wanted.
    reuse: Option<&'a Reuse>,
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
        reuse: Option<&'a Reuse>,
        cancel: CancelToken,
    ) -> Self {
        let end = scheduler.is_done().then_some(End::Done);
        let state = Mutex::new(State { scheduler, end, tasks: 0, reused: 0, waiting: 0 });
        Self { run, writer, executor, replay, reuse, cancel, state, changed: Condvar::new() }
    }

    /// Runs all tasks.
    pub(crate) fn drive(self, workers: usize) -> Driven {
        thread::scope(|scope| {
            for number in 0..workers {
                let worker = thread::Builder::new()
                    .name("wflow-worker".to_owned())
                    .stack_size(self.executor.thread_stack())
                    .spawn_scoped(scope, || self.work());
                if let Err(error) = worker {
                    // Fewer workers take longer, and come to the same result.
                    tracing::warn!(%error, "only {number} of {workers} workers could be started");
                    if number == 0 {
                        self.lock().end.get_or_insert(End::NoWorker(error));
                    }
                    break;
                }
            }
        });
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let State { tasks, reused, end, .. } = state;
        Driven { tasks, reused, end: end.unwrap_or(End::Cancelled) }
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
        if let Some(reuse) = self.reuse {
            if task.inputs.is_some() {
                // What it reads of its inputs is looked up in the store.
                self.writer.flush()?;
            }
            if let Some((record, advance)) = reuse.find(task)? {
                return self.take_over(task, &record, advance);
            }
        }
        let step = self.run.step_name(task.id.step);
        let id = &task.id.task;
        let observer = &*self.run.observer;
        observer.event(&Event::TaskStarted { step, task: id });
        let execution = self.executor.execute(task, &self.cancel)?;
        match &execution {
            Execution::Done(record, advance) => {
                self.tell_foreach(task, advance);
                self.writer.append(record)?;
                observer.event(&Event::TaskFinished { step, task: id });
            }
            Execution::Failed(record) => {
                self.writer.append(record)?;
                if let Some(failure) = record.failure() {
                    observer.event(&Event::TaskFailed { step, task: id, failure });
                }
            }
            Execution::Known(_) | Execution::Reused(_) => {}
            Execution::Cancelled => observer.event(&Event::TaskCancelled { step, task: id }),
        }
        Ok(execution)
    }

    /// Takes over a task that another run has executed, and tells what it had written.
    fn take_over(
        &self,
        task: &Task,
        record: &TaskRecord,
        advance: Onward,
    ) -> Result<Execution, StoreError> {
        self.writer.append(record)?;
        if self.run.observer.follows_tasks() {
            tell_of_reused(self.run, record, self.run.run)?;
        }
        self.tell_foreach(task, &advance);
        Ok(Execution::Reused(advance))
    }

    /// Tells the observer if a task opens a foreach.
    fn tell_foreach(&self, task: &Task, advance: &Onward) {
        if let Advance::Foreach { width, .. } = advance
            && let Transition::Foreach { step: body, .. } =
                &self.run.graph.step(task.id.step).transition
        {
            self.run.observer.event(&Event::ForeachOpened {
                step: self.run.step_name(task.id.step),
                task: &task.id.task,
                body: self.run.step_name(*body),
                width: *width,
            });
        }
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
            Ok(Execution::Reused(advance)) => {
                state.reused += 1;
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
