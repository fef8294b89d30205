//! Flows in short, for every test that writes graphs down: here, in the model and in the scheduler.

use serde_json::Value as Json;
use serde_json::json;

/// A flow in short: one step a line, `name -> transition`, with `(inputs)` behind the name of a
/// join. A transition is a step; several, for a split; `a for xs`; or `? kind x:a y:b`.
pub(crate) fn document(text: &str) -> Json {
    json!({"contract": "0.1", "name": "TestFlow", "steps": steps(text)})
}

/// The steps alone.
pub(crate) fn steps(text: &str) -> Vec<Json> {
    let step = |line: &str| {
        let (head, next) = line.split_once("->").unwrap_or((line, ""));
        let name = head.replace("(inputs)", "").trim().to_owned();
        let mut step = json!({"name": name, "join": head.contains("(inputs)")});
        if line.contains("->") {
            step["next"] = transition(next.trim());
        }
        step
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(step).collect()
}

fn transition(text: &str) -> Json {
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
