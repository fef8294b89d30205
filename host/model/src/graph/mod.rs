//! The graph of a flow: what a component describes, checked.

mod balance;
mod compare;
mod diagnostic;
mod document;
mod order;
mod parameters;
mod problems;
mod resolve;
mod rules;
mod wishes;

pub use compare::Before;
pub use diagnostic::Diagnostic;
pub use diagnostic::InvalidFlow;
use serde::Serialize;

use crate::Name;
use crate::grant::Wish;
use crate::parameter::Parameter;
use crate::task::StepIndex;

/// The version of the contract that this host speaks, as `describe` names it.
pub const CONTRACT: &str = "0.1";

/// The largest description of a flow, in bytes.
pub const MAX_DOCUMENT: usize = 16 << 20;

/// The most steps that a flow may have.
pub const MAX_STEPS: usize = 100_000;

/// How often a task may come round a loop if the switch does not say.
pub const DEFAULT_ROUNDS: u32 = 1000;

/// A valid flow: every rule that can be checked before it runs holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    name: Name,
    doc: String,
    parameters: Vec<Parameter>,
    wishes: Vec<Wish>,
    steps: Vec<Step>,
    start: StepIndex,
    end: StepIndex,
    /// For each loop how often a task may come round: as its most patient switch says.
    loops: Vec<u32>,
}

/// One step of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: Name,
    /// What it does, in its author's words; may be empty.
    pub doc: String,
    /// Whether it joins the branches of a split, or the tasks of a foreach.
    pub join: bool,
    /// Where it stands in the flow's source, if that is known.
    pub place: Option<Place>,
    /// What follows it.
    pub transition: Transition,
    /// The step whose split or foreach this join ends; none for other steps.
    pub joins: Option<StepIndex>,
    /// The join that ends the split or foreach of this step; none if it has neither.
    joined_by: Option<StepIndex>,
    /// The steps whose foreach this step is inside of, outermost first.
    pub foreachs: Vec<StepIndex>,
    /// The steps that it follows from going back in a loop.
    pub back_edges: Vec<StepIndex>,
    /// The loop that it is part of, if a task may come by it again.
    pub in_loop: Option<LoopIndex>,
}

/// A loop by its position in its graph. Loops within a loop are part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopIndex(usize);

/// A place in the source of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as the guest names it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// What follows a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// Nothing: the flow is done.
    End,
    /// One step.
    Linear(StepIndex),
    /// Several steps, side by side.
    Split(Vec<StepIndex>),
    /// One task of a step for each item of an artifact.
    Foreach {
        /// The artifact, a list.
        over: Name,
        /// The step.
        step: StepIndex,
    },
    /// The step that the value of an artifact names.
    Switch {
        /// The artifact.
        on: Name,
        /// The choices.
        cases: Vec<Case>,
        /// How often a task may come round through this switch.
        rounds: u32,
    },
}

/// One choice of a switch.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The value that chooses it.
    pub value: CaseValue,
    /// The step that follows then.
    pub step: StepIndex,
}

/// A value that can choose a case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(untagged, expecting = "the value of a case is a string, an integer or a bool")]
pub enum CaseValue {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for CaseValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// The index of a step by its position, which [`MAX_STEPS`] bounds.
#[expect(clippy::cast_possible_truncation, reason = "a flow has at most MAX_STEPS steps")]
fn index(position: usize) -> StepIndex {
    StepIndex(position as u32)
}

impl Transition {
    /// All steps that may follow, in order, with repetitions.
    pub fn targets(&self) -> Vec<StepIndex> {
        match self {
            Self::End => Vec::new(),
            Self::Linear(step) | Self::Foreach { step, .. } => vec![*step],
            Self::Split(steps) => steps.clone(),
            Self::Switch { cases, .. } => cases.iter().map(|case| case.step).collect(),
        }
    }
}

impl Graph {
    /// Reads and checks the document that a component's `describe` returned.
    ///
    /// # Errors
    ///
    /// With every problem that the flow has, not only the first.
    pub fn parse(document: &str) -> Result<Self, InvalidFlow> {
        rules::check(document::parse(document)?)
    }

    /// The name of the flow.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What the flow does, in its author's words; may be empty.
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// The parameters, in the order of their definition.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What it would like to be granted; without it, it is not run.
    pub fn wishes(&self) -> &[Wish] {
        &self.wishes
    }

    /// The steps, in the order of their definition.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps with their indices.
    pub fn indexed_steps(&self) -> impl Iterator<Item = (StepIndex, &Step)> {
        (0..).map(StepIndex).zip(&self.steps)
    }

    /// The step at an index of this graph.
    ///
    /// # Panics
    ///
    /// If the index is of another graph.
    pub fn step(&self, index: StepIndex) -> &Step {
        &self.steps[index.get()]
    }

    /// The first step.
    pub fn start(&self) -> StepIndex {
        self.start
    }

    /// The last step; the first as well, in a flow of a single step.
    pub fn end(&self) -> StepIndex {
        self.end
    }

    /// How often a task may come round a loop of this graph.
    ///
    /// # Panics
    ///
    /// If the index is of another graph.
    pub fn rounds(&self, index: LoopIndex) -> u32 {
        self.loops[index.0]
    }

    /// The join that ends the split or foreach of this step; none if it has neither.
    pub fn join_of(&self, split: StepIndex) -> Option<StepIndex> {
        self.step(split).joined_by
    }

    /// Whether a step comes before another one on some way.
    ///
    /// # Panics
    ///
    /// If an index is of another graph.
    pub fn leads(&self, from: StepIndex, to: StepIndex) -> bool {
        let mut seen = vec![false; self.steps.len()];
        let mut open = vec![from];
        while let Some(step) = open.pop() {
            for next in self.step(step).transition.targets() {
                if next == to {
                    return true;
                }
                if !std::mem::replace(&mut seen[next.get()], true) {
                    open.push(next);
                }
            }
        }
        false
    }

    /// The step of that name.
    pub fn find(&self, name: &str) -> Option<StepIndex> {
        self.indexed_steps().find(|(_, step)| &*step.name == name).map(|(index, _)| index)
    }
}
