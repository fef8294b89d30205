//! What happens in a run, for whoever wants to watch.

use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::record::Failure;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
pub use wflow_sandbox::Channel;
pub use wflow_store::Commits;

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The run has been registered, and can be looked at from now on.
    RunStarted {
        /// The flow.
        flow: &'a Name,
        /// The run.
        run: RunId,
        /// Tells when tasks that were said to be finished are committed. They are so soon, not
        /// at once; whoever passes the word on should wait for it first.
        commits: &'a Commits,
    },
    /// The run resumes another, and has taken over the tasks that it reuses.
    RunResumed {
        /// The run that it resumes.
        origin: RunId,
        /// What became of each step, in the order of the graph.
        steps: &'a [StepReuse<'a>],
        /// The steps of the origin that the flow has no longer.
        gone: &'a [&'a Name],
    },
    /// A task is starting.
    TaskStarted {
        /// Its step.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
    },
    /// A task is reused, and with that finished. What it had written follows.
    TaskReused {
        /// Its step.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
        /// The run that executed it.
        origin: RunId,
    },
    /// A task has written a line.
    Line {
        /// Its step.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
        /// The stream.
        channel: Channel,
        /// The line, without its end.
        text: &'a str,
    },
    /// A foreach has found out how many tasks it stands for.
    ForeachOpened {
        /// The step whose foreach it is.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
        /// The step that runs for each item.
        body: &'a Name,
        /// How many items there are.
        width: u32,
    },
    /// A task has finished.
    TaskFinished {
        /// Its step.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
    },
    /// A task has failed; the run is about to end.
    TaskFailed {
        /// Its step.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
        /// Why.
        failure: &'a Failure,
    },
    /// A task was stopped, because another one failed or the run was cancelled.
    TaskCancelled {
        /// Its step.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
    },
    /// The run has ended, and everything it left is on disk.
    RunFinished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
    },
}

/// What a resumed run reuses of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepReuse<'a> {
    /// The step.
    pub step: &'a Name,
    /// How many of its tasks are reused.
    pub tasks: u64,
    /// How many of those another component has executed: that its code for the step is the same
    /// is taken on trust.
    pub trusted: u64,
    /// Whether it stands in the graph where it stood.
    pub change: Change,
}

/// How the place of a step in its graph has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Not at all.
    None,
    /// The step is new.
    Added,
    /// Other steps lead to it, or it joins something else: its tasks cannot be reused.
    Moved,
}

/// Watches a run. Called from the threads that run tasks, which wait for it: be quick.
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);

    /// Whether what happens to single tasks is of interest. If not, it may not be told of tasks
    /// that are reused.
    fn follows_tasks(&self) -> bool {
        true
    }
}

/// Watches nothing.
impl Observer for () {
    fn event(&self, _: &Event<'_>) {}

    fn follows_tasks(&self) -> bool {
        false
    }
}
