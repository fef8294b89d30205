//! The scheduler by itself: flows are written down in short, and nothing is run.

mod bounds;
mod examples;
mod interrupted;
#[path = "../../../../tests/notation.rs"]
mod notation;
mod properties;
mod random_flow;

use super::*;

/// A scheduler whose tasks hand on who they are, and whose lists are known by who made them.
type Tasks = Scheduler<TaskRef, TaskRef>;
type Task = Start<TaskRef, TaskRef>;

/// A valid flow in short, as [`notation::document`] reads it: these tests are about those.
fn graph(text: &str) -> Arc<Graph> {
    match Graph::parse(&notation::document(text).to_string()) {
        Ok(graph) => Arc::new(graph),
        Err(invalid) => panic!("{text}\n{invalid}"),
    }
}

/// A task as it is written in a pathspec, such as `a/3.2`.
fn name(graph: &Graph, id: &TaskRef) -> String {
    format!("{}/{}", graph.step(id.step).name, id.task)
}

/// All inputs of a join; none if it is no join.
fn inputs(task: &Task) -> Option<Vec<TaskRef>> {
    let inputs = task.inputs.as_ref()?;
    assert!(inputs.get(inputs.len()).is_none(), "there is nothing past the last input");
    Some((0..inputs.len()).map(|position| inputs.get(position).unwrap()).collect())
}
