//! What a pathspec names.

use std::sync::Arc;

use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::graph::Graph;
use wflow_model::name::nearest;
use wflow_model::pathspec::Pathspec;
use wflow_model::pathspec::RunSelector;
use wflow_model::record::RunId;
use wflow_model::task::InvalidTaskId;
use wflow_store::Store;
use wflow_store::StoreError;

use super::Run;
use super::Step;
use super::Tasks;

/// So many of the latest runs are looked at for one that was probably meant.
const RECENT: usize = 200;

/// What a pathspec names was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no such flow.
    #[error("there is no run of a flow `{name}` in this store{}", hint(meant.as_deref()))]
    Flow {
        /// The name that was asked for.
        name: Name,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// There is no such run.
    #[error("there is no run {run}{} in this store{}", flow.as_ref().map(|flow| format!(" of flow `{flow}`")).unwrap_or_default(), hint(meant.as_deref()))]
    Run {
        /// The flow that was asked for, if one was.
        flow: Option<Name>,
        /// The run that was asked for.
        run: RunId,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// There are no runs at all.
    #[error("there are no runs in this store")]
    Empty,
    /// The run has no such step.
    #[error("run {run} has no step `{step}`{}", hint(meant.as_deref()))]
    Step {
        /// The run.
        run: RunId,
        /// The step that was asked for.
        step: String,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// The text is no id of a task of this step.
    #[error("`{text}` is no task of step `{step}`: {error}")]
    TaskId {
        /// The step.
        step: Name,
        /// The text.
        text: String,
        /// What it should look like.
        error: InvalidTaskId,
    },
    /// There is no such task, or none yet.
    #[error("there is no task {run}/{step}/{task}: {}", match of {
        0 => "no task of this step has finished".to_owned(),
        1 => "one task of this step has finished".to_owned(),
        of => format!("{of} tasks of this step have finished"),
    })]
    Task {
        /// The run.
        run: RunId,
        /// The step.
        step: Name,
        /// The task that was asked for.
        task: TaskId,
        /// How many tasks of the step there are.
        of: u64,
    },
    /// The task has no such artifact.
    #[error("task {task} has no artifact `{artifact}`{}", hint(meant.as_deref()))]
    Artifact {
        /// The task.
        task: String,
        /// The artifact that was asked for.
        artifact: String,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// A pathspec names less than is needed.
    #[error("`{0}` names no {1}: the form is [FLOW/]RUN/STEP/TASK, and RUN may be `latest`")]
    TooShort(Pathspec, &'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The graph that is kept with a run cannot be read.
    #[error("the graph of run {0} is damaged")]
    Graph(RunId),
}

fn hint(meant: Option<&str>) -> String {
    meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

/// The run that a pathspec names; the latest, if it names a flow alone or nothing.
///
/// # Errors
///
/// If there is no such run, or the store fails.
pub fn run(store: &Store, spec: &Pathspec) -> Result<Run, FindError> {
    let flow = spec.flow.as_ref();
    if let Some(name) = flow {
        known_flow(store, name)?;
    }
    let id = match spec.run {
        Some(RunSelector::Id(id)) => id,
        Some(RunSelector::Latest) | None => {
            store.latest(flow.map(Name::as_str))?.ok_or(FindError::Empty)?
        }
    };
    let found = store.run(id)?.filter(|run| flow.is_none_or(|flow| *flow == run.summary.flow));
    let Some(found) = found else {
        let recent = store.runs(flow.map(Name::as_str), None, RECENT)?;
        let ids: Vec<String> = recent.iter().map(|run| run.id.to_string()).collect();
        let meant = nearest(&id.to_string(), ids.iter().map(String::as_str));
        let meant = meant.map(ToOwned::to_owned);
        return Err(FindError::Run { flow: flow.cloned(), run: id, meant });
    };
    let graph = Graph::parse(&found.record.graph).map_err(|_| FindError::Graph(id))?;
    Ok(Run {
        store: store.clone(),
        summary: found.summary,
        record: found.record,
        end: found.end,
        graph: Arc::new(graph),
    })
}

/// The run with this id.
///
/// # Errors
///
/// If there is no such run, or the store fails.
pub fn run_by_id(store: &Store, id: RunId) -> Result<Run, FindError> {
    run(store, &Pathspec { run: Some(RunSelector::Id(id)), ..Pathspec::default() })
}

/// The step that a pathspec names.
///
/// # Errors
///
/// If it names none, there is no such step, or the store fails.
pub fn step(store: &Store, spec: &Pathspec) -> Result<Step, FindError> {
    let name = spec.step.as_ref().ok_or_else(|| FindError::TooShort(spec.clone(), "step"))?;
    run(store, spec)?.step(name)
}

/// The tasks that a pathspec names: one, or all of a step that have finished, in order.
///
/// # Errors
///
/// If it names no step, there is no such task, or the store fails.
pub fn tasks(store: &Store, spec: &Pathspec) -> Result<Tasks, FindError> {
    let step = step(store, spec)?;
    match &spec.task {
        None => Ok(step.tasks()),
        Some(text) => {
            let task = step.task(text)?;
            Ok(Tasks { step, buffer: vec![task.record].into_iter(), last: None, more: false })
        }
    }
}

/// Checks that a flow has runs.
///
/// # Errors
///
/// If it has none, or the store fails.
pub fn known_flow(store: &Store, name: &Name) -> Result<(), FindError> {
    let flows = store.flows()?;
    if flows.iter().any(|flow| flow.name == *name) {
        return Ok(());
    }
    let meant = nearest(name, flows.iter().map(|flow| flow.name.as_str()));
    Err(FindError::Flow { name: name.clone(), meant: meant.map(ToOwned::to_owned) })
}
