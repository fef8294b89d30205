//! How a task that returned goes on: its transition, decided by what it left behind.

use std::sync::Arc;

use wflow_model::cbor;
use wflow_model::graph::Case;
use wflow_model::graph::Transition;
use wflow_model::record::Cause;
use wflow_model::record::Failure;
use wflow_model::task::StepIndex;
use wflow_sandbox::Problem;

use crate::environment::Environment;
use crate::items::Items;
use crate::schedule::Advance;
use crate::schedule::next_id;
use crate::session::Session;

/// The most bytes of a value that chooses a case: they come from the graph, which is no larger.
const MAX_CASE: u64 = wflow_model::graph::MAX_DOCUMENT as u64;

/// Where a task goes, before what it hands on is known.
pub(crate) enum Decision {
    Next,
    Foreach { items: Arc<Items>, width: u32 },
    Case(StepIndex),
}

impl Decision {
    /// The same, with what the task hands on.
    pub(crate) fn advance(self, hands_on: Environment) -> Advance<Environment, Arc<Items>> {
        match self {
            Self::Next => Advance::Next(hands_on),
            Self::Foreach { items, width } => Advance::Foreach { hands_on, items, width },
            Self::Case(step) => Advance::Case { hands_on, step },
        }
    }
}

/// Decides where a task goes on.
///
/// # Errors
///
/// If what it left behind does not fit its transition.
pub(crate) fn decide(session: &Session) -> Result<Decision, Box<Failure>> {
    let graph = &session.run.graph;
    match &graph.step(session.id.step).transition {
        Transition::End | Transition::Split(_) => Ok(Decision::Next),
        Transition::Linear(step) => {
            check_rounds(session, *step)?;
            Ok(Decision::Next)
        }
        Transition::Foreach { over, .. } => {
            let (items, width) = split(session, over)?;
            Ok(Decision::Foreach { items, width })
        }
        Transition::Switch { on, cases, .. } => {
            let step = choose(session, on, cases)?;
            check_rounds(session, step)?;
            Ok(Decision::Case(step))
        }
    }
}

fn split(session: &Session, over: &str) -> Result<(Arc<Items>, u32), Box<Failure>> {
    let step = session.run.step_name(session.id.step);
    let fail = |why: String, hint: &str| failure(format!("foreach over `{over}`: {why}"), hint);
    let set_it = format!("assign a list to `{over}` in step `{step}`, or before it");
    let missing = |problem: Problem| fail(problem.to_string(), &set_it);
    let artifact = session.artifact(over).map_err(missing)?;
    // The host holds it for all the tasks.
    let memory = session.run.policy.limits.memory;
    if artifact.size > memory {
        let size = artifact.size;
        return Err(fail(
            format!("the list has {size} bytes, more than the {memory} that a task may use"),
            "split a list of names or ranges instead, or raise the limit with --memory",
        ));
    }
    let list = session.run.value(&artifact).map_err(missing)?;
    let limit = session.run.policy.max_num_splits;
    let (items, count) = Items::split(over, list, limit as usize)
        .map_err(|error| fail(error.to_string(), &set_it))?;
    match u32::try_from(count) {
        Ok(width) if width <= limit => Ok((Arc::new(items), width)),
        _ => Err(fail(
            format!("it yields {count} tasks, and at most {limit} are allowed"),
            "raise the limit with --max-num-splits, if that many are meant",
        )),
    }
}

fn choose(session: &Session, on: &str, cases: &[Case]) -> Result<StepIndex, Box<Failure>> {
    let step = session.run.step_name(session.id.step);
    let fail = |why: String, hint: &str| failure(format!("switch on `{on}`: {why}"), hint);
    let missing = |problem: Problem| {
        fail(problem.to_string(), &format!("assign it in step `{step}`, or before it"))
    };
    let artifact = session.artifact(on).map_err(missing)?;
    let known: Vec<String> = cases.iter().map(|case| case.value.to_string()).collect();
    let hint = format!("its cases are {}", known.join(", "));
    if artifact.size > MAX_CASE {
        let size = artifact.size;
        return Err(fail(format!("the value has {size} bytes, which names no case"), &hint));
    }
    let value = session.run.value(&artifact).map_err(missing)?;
    let Some(found) = cbor::case_value(&value.format, &value.data) else {
        let kind = cbor::kind(&value.data);
        return Err(fail(format!("the value is a {kind}, which names no case"), &hint));
    };
    match cases.iter().find(|case| case.value == found) {
        Some(case) => Ok(case.step),
        None => {
            let found = wflow_model::name::excerpt(&found.to_string());
            Err(fail(format!("the value is {found}, for which there is no case"), &hint))
        }
    }
}

/// A loop comes to an end.
fn check_rounds(session: &Session, step: StepIndex) -> Result<(), Box<Failure>> {
    let graph = &session.run.graph;
    let Some(in_loop) = graph.step(step).in_loop else { return Ok(()) };
    let (round, limit) = (next_id(graph, &session.id, step).round, graph.rounds(in_loop));
    if round <= limit {
        return Ok(());
    }
    let name = session.run.step_name(step);
    Err(failure(
        format!("it leads back to step `{name}` for round {round}, and the loop may have {limit}"),
        "let the switch leave the loop, or raise `rounds` where the switch is declared",
    ))
}

fn failure(message: String, hint: &str) -> Box<Failure> {
    Box::new(Failure {
        cause: Cause::Transition,
        kind: String::new(),
        message,
        location: String::new(),
        trace: String::new(),
        hint: hint.to_owned(),
    })
}
