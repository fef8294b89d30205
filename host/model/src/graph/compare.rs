//! Which steps of a graph stand where they stood in an earlier version of it.

use std::collections::HashMap;

use super::CaseValue;
use super::Graph;
use super::Transition;
use crate::Name;
use crate::task::StepIndex;

/// What a step was in an earlier version of its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// This step: of the same name, and led to in the same ways.
    Same(StepIndex),
    /// A step of that name, but others lead to it, or it joins something else: what its tasks
    /// begin with is not what they began with then.
    Elsewhere,
    /// There was none of that name.
    Absent,
}

/// A way that leads to a step.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way<'a> {
    Next,
    Branch,
    Item { over: &'a Name },
    Case { on: &'a Name, value: String },
}

impl Graph {
    /// What each step of this graph was in an earlier version of it.
    ///
    /// It looks one step back only: whoever reuses the tasks of a step has to have reused those
    /// before it.
    pub fn compare(&self, earlier: &Self) -> Vec<Before> {
        let (ways, earlier_ways) = (self.ways(), earlier.ways());
        let names: HashMap<&Name, StepIndex> =
            earlier.indexed_steps().map(|(index, step)| (&step.name, index)).collect();
        let before = |(index, step): (StepIndex, &super::Step)| match names.get(&step.name) {
            None => Before::Absent,
            Some(&old)
                if ways[index.get()] == earlier_ways[old.get()]
                    && step.join == earlier.step(old).join
                    && self.around(index) == earlier.around(old)
                    && self.joined(index) == earlier.joined(old) =>
            {
                Before::Same(old)
            }
            Some(_) => Before::Elsewhere,
        };
        self.indexed_steps().map(before).collect()
    }

    /// For each step all ways that lead to it, sorted, each with the step that it comes from.
    fn ways(&self) -> Vec<Vec<(&Name, Way<'_>)>> {
        let mut ways: Vec<Vec<_>> = self.steps.iter().map(|_| Vec::new()).collect();
        for step in &self.steps {
            let mut add = |to: StepIndex, way| ways[to.get()].push((&step.name, way));
            match &step.transition {
                Transition::End => {}
                Transition::Linear(to) => add(*to, Way::Next),
                Transition::Split(all) => all.iter().for_each(|to| add(*to, Way::Branch)),
                Transition::Foreach { over, step } => add(*step, Way::Item { over }),
                Transition::Switch { on, cases, .. } => {
                    for case in cases {
                        // As it is written, since numbers and texts are told apart by quotes.
                        add(case.step, Way::Case { on, value: CaseValue::to_string(&case.value) });
                    }
                }
            }
        }
        ways.iter_mut().for_each(|ways| ways.sort());
        ways
    }

    /// The steps whose foreach a step is inside of.
    fn around(&self, step: StepIndex) -> Vec<&Name> {
        self.step(step).foreachs.iter().map(|step| &self.step(*step).name).collect()
    }

    /// What a join joins: the step that splits, and its branches in order.
    fn joined(&self, join: StepIndex) -> Option<(&Name, Vec<&Name>)> {
        let split = self.step(self.step(join).joins?);
        let branches = split.transition.targets();
        Some((&split.name, branches.into_iter().map(|step| &self.step(step).name).collect()))
    }
}
