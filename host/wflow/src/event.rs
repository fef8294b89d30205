//! What happens in a run, for whoever wants to watch.

use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::record::Failure;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
pub use wflow_sandbox::Channel;

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The run has been registered; its first task is about to start.
    RunStarted {
        /// The flow.
        flow: &'a Name,
        /// The run.
        run: RunId,
    },
    /// A task is starting.
    TaskStarted {
        /// Its step.
        step: &'a Name,
        /// Which task of the step.
        task: &'a TaskId,
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

/// Watches a run. Called from the threads that run tasks, which wait for it: be quick.
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Watches nothing.
impl Observer for () {
    fn event(&self, _: &Event<'_>) {}
}
