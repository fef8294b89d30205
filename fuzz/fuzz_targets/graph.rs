//! The description of a flow, as a component would return it from `describe`.

#![no_main]

mod invariants;

use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use wflow_model::graph::Graph;

fuzz_target!(|document: &str| {
    let parsed = Graph::parse(document);
    match &parsed {
        Err(invalid) => invariants::hold_of_what_is_said(invalid),
        Ok(graph) => {
            invariants::hold(graph);
            assert_eq!(Graph::parse(document).as_ref(), Ok(graph), "parsed again it differs");
            // Spaces and escapes mean nothing.
            let value: Json = serde_json::from_str(document).expect("it was read before");
            let other = serde_json::to_string_pretty(&value).expect("what was read is written");
            assert_eq!(
                Graph::parse(&other).as_ref(),
                Ok(graph),
                "written in other words it differs"
            );
        }
    }
});
