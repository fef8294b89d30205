//! How values of the model stand in the columns of the catalog.

use wflow_model::record::RunId;
use wflow_model::record::RunStatus;

/// A run's id as SQLite holds numbers. The store gives out no id beyond 63 bits; one that somebody
/// typed and that does not fit names no run, as -1 does.
pub(crate) fn run(run: RunId) -> i64 {
    i64::try_from(run.0).unwrap_or(-1)
}

/// A run's id from its column.
pub(crate) fn run_id(value: i64) -> RunId {
    RunId(u64::try_from(value).unwrap_or(0))
}

/// The column `status` of a task.
pub(crate) fn task_status(failed: bool) -> i64 {
    i64::from(failed)
}

/// The column `status` of a run.
pub(crate) fn run_status(status: RunStatus) -> i64 {
    match status {
        RunStatus::Running => 0,
        RunStatus::Done => 1,
        RunStatus::Failed => 2,
        RunStatus::Cancelled => 3,
    }
}

/// How a run stands, by its column.
pub(crate) fn status_of(value: i64) -> Option<RunStatus> {
    match value {
        0 => Some(RunStatus::Running),
        1 => Some(RunStatus::Done),
        2 => Some(RunStatus::Failed),
        3 => Some(RunStatus::Cancelled),
        _ => None,
    }
}
