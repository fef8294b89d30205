//! The scheduler by itself: flows are written down in short, and nothing is run.

mod bounds;
mod examples;
mod interrupted;
mod properties;
mod random_flow;

use serde_json::Value;
use serde_json::json;

use super::*;

/// A scheduler whose tasks hand on who they are, and whose lists are known by who made them.
type Tasks = Scheduler<TaskRef, TaskRef>;
type Task = Start<TaskRef, TaskRef>;

/// A flow in short: one step a line, `name -> transition`, with `(inputs)` behind the name of a
/// join. A transition is a step; several, for a split; `a for xs`; or `? kind x:a y:b`.
///
/// The validator has to agree with it: these tests are about flows that are valid.
fn graph(text: &str) -> Arc<Graph> {
    let steps: Vec<Value> = text.lines().map(step).collect();
    let document = json!({"contract": "0.1", "name": "TestFlow", "steps": steps});
    match Graph::parse(&document.to_string()) {
        Ok(graph) => Arc::new(graph),
        Err(invalid) => panic!("{text}\n{invalid}"),
    }
}

fn step(line: &str) -> Value {
    let (head, next) = line.split_once("->").unwrap_or((line, ""));
    let name = head.replace("(inputs)", "");
    let mut step = json!({"name": name.trim(), "join": head.contains("(inputs)")});
    if !next.is_empty() {
        step["next"] = transition(next.trim());
    }
    step
}

fn transition(text: &str) -> Value {
    if let Some(switch) = text.strip_prefix('?') {
        let mut words = switch.split_whitespace();
        let on = words.next().unwrap();
        let case = |word: &str| {
            let (value, step) = word.split_once(':').unwrap();
            json!({"value": value, "step": step})
        };
        return json!({"switch": on, "cases": words.map(case).collect::<Vec<_>>()});
    }
    if let Some((step, over)) = text.split_once(" for ") {
        return json!({"step": step, "foreach": over});
    }
    match text.split(',').map(str::trim).collect::<Vec<_>>().as_slice() {
        [one] => json!({"step": one}),
        many => json!({"split": many}),
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
