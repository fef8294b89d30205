//! Which steps stand where they stood, when a flow has changed.

#[path = "../../../tests/notation.rs"]
mod notation;

use notation::document;
use wflow_model::graph::Before;
use wflow_model::graph::Graph;

fn graph(text: &str) -> Graph {
    Graph::parse(&document(text).to_string()).expect("a valid flow")
}

/// The steps of the new graph that do not stand where they stood: `a` elsewhere, `+b` new.
#[track_caller]
fn check(earlier: &str, now: &str, changed: &[&str]) {
    let (earlier, now) = (graph(earlier), graph(now));
    let before = now.compare(&earlier);
    let mut found = Vec::new();
    for (step, before) in now.steps().iter().zip(before) {
        match before {
            Before::Same(old) => assert_eq!(earlier.step(old).name, step.name),
            Before::Elsewhere => found.push(step.name.to_string()),
            Before::Absent => found.push(format!("+{}", step.name)),
        }
    }
    assert_eq!(found, changed);
}

const LINE: &str = "start -> a\na -> b\nb -> end\nend";
const SPLIT: &str = "start -> a, b\na -> j\nb -> j\nj(inputs) -> end\nend";
const EACH: &str = "start -> a for xs\na -> j\nj(inputs) -> end\nend";
const SWITCH: &str = "start -> ? kind x:a y:b\na -> end\nb -> end\nend";

#[test]
fn nothing_has_changed() {
    for text in [LINE, SPLIT, EACH, SWITCH] {
        check(text, text, &[]);
    }
}

#[test]
fn the_order_of_definition_does_not_matter() {
    check(LINE, "b -> end\nend\na -> b\nstart -> a", &[]);
    check(SPLIT, "start -> a, b\nb -> j\na -> j\nj(inputs) -> end\nend", &[]);
}

#[test]
fn a_step_is_inserted() {
    check(LINE, "start -> a\na -> m\nm -> b\nb -> end\nend", &["+m", "b"]);
}

#[test]
fn a_step_is_removed() {
    check(LINE, "start -> b\nb -> end\nend", &["b"]);
}

#[test]
fn a_step_is_renamed() {
    check(LINE, "start -> a\na -> c\nc -> end\nend", &["+c", "end"]);
}

#[test]
fn two_steps_change_places() {
    check(LINE, "start -> b\nb -> a\na -> end\nend", &["b", "a", "end"]);
}

#[test]
fn a_branch_more_concerns_the_join_alone() {
    check(SPLIT, "start -> a, b, c\na -> j\nb -> j\nc -> j\nj(inputs) -> end\nend", &["+c", "j"]);
}

#[test]
fn a_join_sees_the_order_of_its_branches() {
    check(SPLIT, "start -> b, a\na -> j\nb -> j\nj(inputs) -> end\nend", &["j"]);
}

#[test]
fn a_foreach_goes_over_something_else() {
    check(EACH, "start -> a for ys\na -> j\nj(inputs) -> end\nend", &["a"]);
    check(EACH, "start -> a, b\na -> j\nb -> j\nj(inputs) -> end\nend", &["a", "+b", "j"]);
}

#[test]
fn cases_change_places() {
    check(SWITCH, "start -> ? kind x:b y:a\na -> end\nb -> end\nend", &["a", "b"]);
    check(SWITCH, "start -> ? sort x:a y:b\na -> end\nb -> end\nend", &["a", "b"]);
    check(SWITCH, "start -> ? kind x:a y:b z:b\na -> end\nb -> end\nend", &["b"]);
}

#[test]
fn a_loop_is_closed_or_opened() {
    let looped = "start -> a\na -> b\nb -> ? c more:a done:end\nend";
    check(LINE, looped, &["a", "end"]);
    check(looped, LINE, &["a", "end"]);
}
