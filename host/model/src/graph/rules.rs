//! The rules for the graph of a flow (the book's section 3.2.1, and what follows from it).
//!
//! Every rule is checked, so that all problems of a flow are seen at once. Where a name is
//! mistyped the check goes on with the name that was probably meant, so that one slip does not
//! look like five.

use std::collections::HashMap;
use std::collections::HashSet;

use super::Graph;
use super::InvalidFlow;
use super::LoopIndex;
use super::MAX_STEPS;
use super::Step;
use super::Transition;
use super::balance;
use super::document::Document;
use super::index;
use super::order;
use super::parameters;
use super::problems::Problems;
use super::problems::names;
use super::resolve::StepNames;
use super::wishes;
use crate::Name;
use crate::task::StepIndex;

/// Checks a description and builds the graph.
pub(super) fn check(document: Document) -> Result<Graph, InvalidFlow> {
    let mut problems = Problems::new(&document.steps);

    let name = Name::new(&document.name);
    if let Err(error) = &name {
        problems.flow(format!("the name of the flow is invalid: {error}"), "rename the flow");
    }
    if document.name == "latest" {
        problems.flow(
            "the name of the flow is reserved: `latest` stands for the latest run",
            "rename the flow",
        );
    }
    let parameters = parameters::check(document.parameters, &mut problems);
    let wishes = wishes::check(document.wants, &mut problems);
    if document.steps.len() > MAX_STEPS {
        problems.flow(
            format!("the flow has {} steps, at most {MAX_STEPS} are allowed", document.steps.len()),
            "a foreach stands for many tasks with one step",
        );
        return Err(problems.into_error());
    }
    let steps = StepNames::check(&document.steps, &mut problems);
    let Some(mut steps) = steps.resolve(&document.steps, &mut problems) else {
        return Err(problems.into_error());
    };
    let ends = check_ends(&steps, &mut problems);
    let edges: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| step.transition.targets().into_iter().map(StepIndex::get).collect())
        .collect();
    let looped = check_loops(&steps, &edges, &mut problems);
    if let (Some(start), Some(end)) = ends {
        let broken = check_reach(&steps, &edges, start, end, &looped, &mut problems);
        let balance = balance::check(&steps, start, end, broken, &mut problems);
        for (position, step) in steps.iter_mut().enumerate() {
            step.joins = balance.joins[position].map(index);
            step.foreachs = balance.foreachs[position].iter().copied().map(index).collect();
        }
        for (join, split) in balance.joins.iter().enumerate() {
            if let Some(split) = *split {
                steps[split].joined_by = Some(index(join));
            }
        }
        let loops = find_loops(&mut steps, &edges, start);
        if let (Ok(name), true) = (name, problems.count() == 0) {
            let (start, end) = (index(start), index(end));
            let doc = document.doc;
            return Ok(Graph { name, doc, parameters, wishes, steps, start, end, loops });
        }
    }
    Err(problems.into_error())
}

/// Finds the first and the last step, and checks that nothing leads in or out.
fn check_ends(steps: &[Step], problems: &mut Problems) -> (Option<usize>, Option<usize>) {
    let find = |name: &str| steps.iter().position(|step| &*step.name == name);
    if let [only] = steps
        && matches!(&*only.name, "start" | "end")
    {
        if only.transition != Transition::End {
            problems.step(0, "it leads to itself", "a flow of one step has no transition");
        }
        if only.join {
            problems.step(0, "it is a join, but nothing leads to it", "let it take no `inputs`");
        }
        return (Some(0), Some(0));
    }
    let (start, end) = (find("start"), find("end"));
    if start.is_none() {
        problems.flow("the flow has no step `start`", "name its first step `start`");
    }
    match end {
        None => {
            let mut open =
                (0..steps.len()).filter(|&step| steps[step].transition == Transition::End);
            let help = match (open.next(), open.next()) {
                (Some(last), None) => format!("rename its last step, `{}`", steps[last].name),
                _ => "name its last step `end`".to_owned(),
            };
            problems.flow("the flow has no step `end`", help);
        }
        Some(end) if steps[end].transition != Transition::End => {
            problems.step(
                end,
                "the last step has a transition",
                "remove it: nothing follows `end`",
            );
        }
        Some(_) => {}
    }
    if let Some(start) = start {
        if steps[start].join {
            problems.step(
                start,
                "it is a join, but no split or foreach leads to it",
                "let it take no `inputs`: nothing comes before `start`",
            );
        }
        let leads_in = |step: &&Step| step.transition.targets().contains(&index(start));
        let from: Vec<usize> = (0..steps.len()).filter(|&step| leads_in(&&steps[step])).collect();
        if !from.is_empty() {
            problems.step(
                start,
                format!("{} leads to the first step", names(steps, from)),
                "lead it elsewhere: nothing comes before `start`",
            );
        }
    }
    (start, end)
}

/// Finds loops that no switch can leave; returns a step of each.
fn check_loops(steps: &[Step], edges: &[Vec<usize>], problems: &mut Problems) -> Vec<usize> {
    let unconditional: Vec<Vec<usize>> = steps
        .iter()
        .zip(edges)
        .map(|(step, targets)| match step.transition {
            Transition::Switch { .. } => Vec::new(),
            _ => targets.clone(),
        })
        .collect();
    let component = order::components(&unconditional);
    let mut told = HashSet::new();
    let mut found = Vec::new();
    for step in 0..steps.len() {
        let looped = unconditional[step].iter().any(|&target| component[target] == component[step]);
        if looped && told.insert(component[step]) {
            found.push(step);
            let way = order::cycle_through(&unconditional, &component, step);
            problems.step(
                step,
                format!("there is a loop without an exit: {}", way_text(steps, &way)),
                "change a transition, or let a switch decide whether to go round again",
            );
        }
    }
    found
}

fn way_text(steps: &[Step], way: &[usize]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<&str> = way.iter().take(SHOWN).map(|&step| &*steps[step].name).collect();
    if way.len() > SHOWN {
        shown.push("...");
    }
    shown.join(" -> ")
}

/// Tells each step which loop it is part of; returns how often each may be gone round.
fn find_loops(steps: &mut [Step], edges: &[Vec<usize>], start: usize) -> Vec<u32> {
    let component = order::components(edges);
    let mut loops = Vec::new();
    let mut numbers = HashMap::new();
    for (from, to) in order::back_edges(edges, start) {
        steps[to].back_edges.push(index(from));
        numbers.entry(component[to]).or_insert_with(|| {
            loops.push(0);
            LoopIndex(loops.len() - 1)
        });
    }
    for (step, component) in steps.iter_mut().zip(component) {
        step.in_loop = numbers.get(&component).copied();
        if let (Some(LoopIndex(number)), Transition::Switch { rounds, .. }) =
            (step.in_loop, &step.transition)
        {
            loops[number] = loops[number].max(*rounds);
        }
    }
    loops
}

/// Checks that every step is reached, and can reach the end. Returns whether there are steps
/// whose transition is missing or unknown, so that what follows from that need not be told.
fn check_reach(
    steps: &[Step],
    edges: &[Vec<usize>],
    start: usize,
    end: usize,
    looped: &[usize],
    problems: &mut Problems,
) -> bool {
    let reached = order::reachable(edges, [start]);
    let mut backwards = vec![Vec::new(); steps.len()];
    for (from, targets) in edges.iter().enumerate() {
        for &to in targets {
            backwards[to].push(from);
        }
    }
    let broken: Vec<usize> = (0..steps.len())
        .filter(|&step| step != end && steps[step].transition == Transition::End)
        .collect();
    let ends = [end].into_iter().chain(broken.iter().copied()).chain(looped.iter().copied());
    let leads_on = order::reachable(&backwards, ends);
    let stuck: Vec<usize> =
        (0..steps.len()).filter(|&step| reached[step] && !leads_on[step]).collect();
    if let Some(&first) = stuck.first() {
        let message = format!("no way leads from {} to `{}`", names(steps, stuck), steps[end].name);
        problems.step(first, message, "add a way out of the loop, a case that leads on");
    }
    let help = match broken.as_slice() {
        [] => "lead another step to it, or remove it".to_owned(),
        _ => format!(
            "perhaps the transition of {} should lead to it; else remove it",
            names(steps, broken.iter().copied())
        ),
    };
    let mut seen = HashSet::new();
    for step in 0..steps.len() {
        // The end of a flow that goes astray is not reached; where it does was told already.
        let told = (step == end && problems.count() > 0) || !seen.insert(&steps[step].name);
        if !reached[step] && !told {
            problems.step(step, format!("no way leads from `{}` to it", steps[start].name), &*help);
        }
    }
    !broken.is_empty()
}
