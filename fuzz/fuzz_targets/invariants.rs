//! What has to hold of every graph that is accepted, found out in another way than the validator
//! does; and of every refusal.

use std::collections::HashSet;

use wflow_model::graph::Before;
use wflow_model::graph::Graph;
use wflow_model::graph::InvalidFlow;
use wflow_model::graph::MAX_STEPS;
use wflow_model::graph::Transition;
use wflow_model::task::StepIndex;

/// A split or foreach that is open, and on which branch of it we are.
type Open = (StepIndex, usize);

/// A refusal has reasons, and is fit to be printed.
pub fn hold_of_what_is_said(invalid: &InvalidFlow) {
    assert!(!invalid.diagnostics().is_empty(), "a flow is refused for no reason");
    let text = invalid.to_string();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "unprintable: {text:?}");
    assert!(text.len() < 200_000, "{} bytes are said", text.len());
}

/// The rules of a valid flow.
pub fn hold(graph: &Graph) {
    let steps = graph.steps();
    assert!((1..=MAX_STEPS).contains(&steps.len()));
    let names: HashSet<&str> = steps.iter().map(|step| &*step.name).collect();
    assert_eq!(names.len(), steps.len(), "two steps of one name");
    for (index, step) in graph.indexed_steps() {
        assert_eq!(graph.find(&step.name), Some(index));
        let ends = step.transition == Transition::End;
        assert_eq!(ends, index == graph.end(), "only the end has no transition: {}", step.name);
        let splits = matches!(step.transition, Transition::Split(_) | Transition::Foreach { .. });
        assert_eq!(step.join, step.joins.is_some(), "what {} joins", step.name);
        assert_eq!(splits, graph.join_of(index).is_some(), "what joins {}", step.name);
        if let Some(split) = step.joins {
            assert_eq!(graph.join_of(split), Some(index), "the join of what it joins");
        }
        if let Transition::Switch { cases, rounds, .. } = &step.transition {
            let values: HashSet<_> = cases.iter().map(|case| &case.value).collect();
            assert!(values.len() == cases.len() && cases.len() > 1 && *rounds > 0);
        }
        for &from in &step.back_edges {
            assert!(graph.step(from).transition.targets().contains(&index));
            assert!(step.in_loop.is_some() && step.in_loop == graph.step(from).in_loop);
        }
        if let Some(number) = step.in_loop {
            assert!(graph.rounds(number) > 0, "a loop without a switch");
        }
    }
    balanced(graph);
    gets_to_the_end(graph);
    let same = graph.compare(graph).into_iter();
    let same = same.eq(graph.indexed_steps().map(|(index, _)| Before::Same(index)));
    assert!(same, "a graph differs from itself");
    parameters(graph);
}

/// Every way to a step opens the same splits and has closed the others.
fn balanced(graph: &Graph) {
    let mut open_at: Vec<Option<Vec<Open>>> = vec![None; graph.steps().len()];
    let mut ways = vec![(graph.start(), Vec::<Open>::new())];
    while let Some((index, mut open)) = ways.pop() {
        let step = graph.step(index);
        if step.join {
            let closed = open.pop().map(|(split, _)| split);
            assert_eq!(closed, step.joins, "{} joins what is not open", step.name);
        }
        match &open_at[index.get()] {
            Some(before) => {
                assert_eq!(*before, open, "{} is on two branches", step.name);
                continue;
            }
            None => open_at[index.get()] = Some(open.clone()),
        }
        let is_foreach =
            |split: &StepIndex| matches!(graph.step(*split).transition, Transition::Foreach { .. });
        let around: Vec<_> = open.iter().map(|(split, _)| *split).filter(is_foreach).collect();
        assert_eq!(around, step.foreachs, "the foreach loops around {}", step.name);
        let splits = graph.join_of(index).is_some();
        for (branch, target) in step.transition.targets().into_iter().enumerate() {
            let mut inner = open.clone();
            if splits {
                inner.push((index, branch));
            }
            ways.push((target, inner));
        }
    }
    assert!(open_at.iter().all(Option::is_some), "a step is never reached");
    assert_eq!(open_at[graph.end().get()], Some(Vec::new()), "the end is within a split");
}

/// From every step there is a way to the end.
fn gets_to_the_end(graph: &Graph) {
    let mut leads_on = vec![false; graph.steps().len()];
    leads_on[graph.end().get()] = true;
    let mut changed = true;
    while changed {
        changed = false;
        for (index, step) in graph.indexed_steps() {
            let targets = step.transition.targets();
            if !leads_on[index.get()] && targets.iter().any(|to| leads_on[to.get()]) {
                leads_on[index.get()] = true;
                changed = true;
            }
        }
    }
    assert!(leads_on.into_iter().all(|leads| leads), "a step is stuck");
}

/// No two parameters are the same to whoever gives them.
fn parameters(graph: &Graph) {
    let mut variables = HashSet::new();
    let mut artifacts = HashSet::new();
    for parameter in graph.parameters() {
        assert!(variables.insert(parameter.variable()), "{} twice", parameter.name);
        assert!(artifacts.insert(&parameter.artifact), "{} twice", parameter.artifact);
    }
}
