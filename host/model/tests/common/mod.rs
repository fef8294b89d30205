//! Flows for the tests of the graph.

use serde_json::Value;
use serde_json::json;

/// A flow in short: one step a line, `name -> transition`, with `(inputs)` behind the name of a
/// join. A transition is a step; several, for a split; `a for xs`; or `? kind x:a y:b`.
pub(crate) fn document(text: &str) -> Value {
    let step = |line: &str| {
        let (head, next) = line.split_once("->").unwrap_or((line, ""));
        let join = head.contains("(inputs)");
        let name = head.replace("(inputs)", "").trim().to_owned();
        let mut step = json!({"name": name, "join": join});
        if line.contains("->") {
            step["next"] = transition(next.trim());
        }
        step
    };
    let steps: Vec<Value> = text.lines().filter(|l| !l.trim().is_empty()).map(step).collect();
    json!({"contract": "0.1", "name": "TestFlow", "steps": steps})
}

fn transition(text: &str) -> Value {
    if let Some(switch) = text.strip_prefix('?') {
        let mut words = switch.split_whitespace();
        let on = words.next().unwrap_or_default();
        let case = |word: &str| {
            let (value, step) = word.split_once(':').expect("value:step");
            json!({"value": value, "step": step})
        };
        return json!({"switch": on, "cases": words.map(case).collect::<Vec<_>>()});
    }
    if let Some((step, over)) = text.split_once(" for ") {
        return json!({"step": step, "foreach": over});
    }
    match text.split(',').map(str::trim).collect::<Vec<_>>().as_slice() {
        [""] => json!({"split": []}),
        [one] => json!({"step": one}),
        many => json!({"split": many}),
    }
}
