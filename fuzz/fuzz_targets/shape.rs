//! Graphs of all shapes: each byte or two of the input say what follows a step, so that far more
//! of what is tried is valid than where the document itself is made up.

#![no_main]

mod invariants;

use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use serde_json::json;
use wflow_model::graph::Graph;

/// More steps show nothing that so many do not.
const MOST_STEPS: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    match Graph::parse(&document(bytes).to_string()) {
        Err(invalid) => invariants::hold_of_what_is_said(&invalid),
        Ok(graph) => invariants::hold(&graph),
    }
});

/// Three bytes a step: the kind of its transition, and two numbers that say how far away the
/// steps are that follow.
fn document(bytes: &[u8]) -> Json {
    let (entries, _) = bytes.as_chunks::<3>();
    let entries = &entries[..entries.len().min(MOST_STEPS)];
    let last = entries.len() + 1;
    let name = |position: usize| match position {
        0 => "start".to_owned(),
        _ if position == last => "end".to_owned(),
        _ => format!("s{position}"),
    };
    let step = |(position, &[kind, near, far]): (usize, &[u8; 3])| {
        let after = |distance: u8| name((position + usize::from(distance)).min(last));
        // The upper half of the numbers goes back.
        let around = |distance: u8| match distance.checked_sub(128) {
            None => after(distance),
            Some(back) => name(position.saturating_sub(usize::from(back))),
        };
        let next = match kind % 8 {
            0..=2 => json!({"step": around(near)}),
            3 => json!({"split": [after(near), around(far)]}),
            4 => json!({"split": [after(1), after(2), after(near), around(far)]}),
            5 => json!({"foreach": "xs", "step": around(near)}),
            6 => json!({"switch": "x", "cases": [
                {"value": near, "step": after(near)}, {"value": "b", "step": around(far)}]}),
            _ => json!({"switch": "x", "rounds": far, "cases": [
                {"value": true, "step": around(near)}, {"value": 1, "step": after(1)}]}),
        };
        json!({"name": name(position), "join": kind & 0x80 != 0, "next": next})
    };
    let mut steps: Vec<Json> = entries.iter().enumerate().map(step).collect();
    if steps.is_empty() {
        steps.push(json!({"name": "start", "next": {"step": "end"}}));
    }
    steps.push(json!({"name": "end"}));
    json!({"contract": "0.1", "name": "F", "steps": steps})
}
