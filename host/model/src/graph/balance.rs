//! Splits and joins: every split is ended by a join of its own, as a bracket is closed.
//!
//! Each step stands in a *scope*: the splits around it that are still open, and on which branch
//! of each it is. Walking from `start`, a split opens a scope for each of its branches, and a
//! join goes back to the scope outside. The flow is balanced if every way to a step leads into
//! the same scope, every join closes exactly one split, and `end` stands outside all.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;

use super::Step;
use super::Transition;
use super::problems::Problems;
use super::problems::names;

/// A scope: a node of the tree of all scopes of a flow.
struct Scope {
    parent: usize,
    /// The step that opened it, and which of its branches it is.
    opened_by: usize,
    branch: usize,
    /// The nearest foreach around, this one included, and how many there are.
    foreach: Option<usize>,
    foreach_depth: usize,
}

/// The most foreach loops that may be nested in each other. Each multiplies the tasks.
const MAX_FOREACH_DEPTH: usize = 256;

/// Of so many ways to a step the open splits are named.
const SHOWN: usize = 100;

/// The scope outside every split; the root of the tree.
const OUTSIDE: usize = 0;

/// The walk over the steps.
struct Walk<'a> {
    steps: &'a [Step],
    scopes: Vec<Scope>,
    /// The scope that each step's successors start from.
    scope_of: Vec<Option<usize>>,
    /// How each step is reached: from which step, in which scope.
    arrivals: Vec<Vec<(usize, usize)>>,
    queue: VecDeque<usize>,
}

/// What the walk found out about each step.
pub(super) struct Balance {
    /// For a join, the split that it ends.
    pub(super) joins: Vec<Option<usize>>,
    /// The foreach steps around it, outermost first.
    pub(super) foreachs: Vec<Vec<usize>>,
}

/// Checks that splits and joins match; adds what does not to `problems`.
///
/// If a transition is `broken` a branch may get lost for that reason alone, which is not told.
pub(super) fn check(
    steps: &[Step],
    start: usize,
    end: usize,
    broken: bool,
    problems: &mut Problems,
) -> Balance {
    let mut walk = Walk {
        steps,
        scopes: vec![Scope {
            parent: OUTSIDE,
            opened_by: start,
            branch: 0,
            foreach: None,
            foreach_depth: 0,
        }],
        scope_of: vec![None; steps.len()],
        arrivals: vec![Vec::new(); steps.len()],
        queue: VecDeque::from([start]),
    };
    walk.scope_of[start] = Some(OUTSIDE);
    walk.run();
    let joins: Vec<Option<usize>> =
        (0..steps.len()).map(|step| walk.check_step(step, end, broken, problems)).collect();
    check_rivals(steps, &joins, problems);
    let foreachs = (0..steps.len()).map(|step| walk.foreachs(step)).collect();
    Balance { joins, foreachs }
}

/// Checks that no two joins end one split, between which its branches could be scattered.
fn check_rivals(steps: &[Step], joins: &[Option<usize>], problems: &mut Problems) {
    let mut ended = HashMap::new();
    for (join, split) in joins.iter().enumerate() {
        let Some(split) = *split else { continue };
        let first = *ended.entry(split).or_insert(join);
        if first != join {
            problems.step(
                join,
                format!("it joins the split in {}, and so does {}", names(steps, [split]), names(steps, [first])),
                "lead every branch of a split to the same join, whatever a switch on the way decides",
            );
        }
    }
}

impl Walk<'_> {
    /// Visits each step once, in the scope in which it is first reached.
    fn run(&mut self) {
        while let Some(step) = self.queue.pop_front() {
            let Some(scope) = self.scope_of[step] else { continue };
            let steps = self.steps;
            match &steps[step].transition {
                Transition::Split(targets) => {
                    for (branch, target) in targets.iter().enumerate() {
                        let inner = self.open(scope, step, branch);
                        self.arrive(step, target.get(), inner);
                    }
                }
                Transition::Foreach { step: target, .. } => {
                    let inner = self.open(scope, step, 0);
                    self.arrive(step, target.get(), inner);
                }
                other => {
                    for target in other.targets() {
                        self.arrive(step, target.get(), scope);
                    }
                }
            }
        }
    }

    fn open(&mut self, parent: usize, opened_by: usize, branch: usize) -> usize {
        let number = self.scopes.len();
        let outer = &self.scopes[parent];
        let is_foreach = matches!(self.steps[opened_by].transition, Transition::Foreach { .. });
        self.scopes.push(Scope {
            parent,
            opened_by,
            branch,
            foreach: if is_foreach { Some(number) } else { outer.foreach },
            foreach_depth: outer.foreach_depth + usize::from(is_foreach),
        });
        number
    }

    fn arrive(&mut self, from: usize, step: usize, scope: usize) {
        self.arrivals[step].push((from, scope));
        if self.scope_of[step].is_none() {
            let own = if self.steps[step].join { self.scopes[scope].parent } else { scope };
            self.scope_of[step] = Some(own);
            self.queue.push_back(step);
        }
    }

    /// Checks how one step is reached. Returns the split that it ends, if it is a join.
    fn check_step(
        &self,
        step: usize,
        end: usize,
        broken: bool,
        problems: &mut Problems,
    ) -> Option<usize> {
        let arrivals = &self.arrivals[step];
        let name = &self.steps[step].name;
        if step == end && self.steps[step].join {
            problems.step(
                step,
                "the last step cannot be a join",
                "put a join before it, and let that be followed by it",
            );
            return None;
        }
        if self.steps[step].join {
            return self.check_join(step, broken, problems);
        }
        let &(_, first) = arrivals.first()?;
        if self.scopes[first].foreach_depth > MAX_FOREACH_DEPTH {
            problems.step(
                step,
                format!("it is inside more than {MAX_FOREACH_DEPTH} nested foreach"),
                "join some of them first",
            );
        }
        if step == end && arrivals.iter().any(|&(_, scope)| scope != OUTSIDE) {
            let splits: BTreeSet<usize> = arrivals
                .iter()
                .take(SHOWN)
                .flat_map(|&(_, scope)| self.open_splits(scope))
                .collect();
            problems.step(
                step,
                format!(
                    "the flow ends before the branches of {} are joined",
                    names(self.steps, splits)
                ),
                "add a join, a step that takes `inputs`, before the end, for every split",
            );
        } else if arrivals.iter().any(|&(_, scope)| scope != first) {
            let from = names(self.steps, arrivals.iter().map(|&(from, _)| from));
            let siblings = arrivals.iter().all(|&(_, scope)| {
                self.scopes[scope].parent == self.scopes[first].parent
                    && self.scopes[scope].opened_by == self.scopes[first].opened_by
            });
            let help = if siblings {
                format!("if `{name}` is to join them, let it take `inputs`")
            } else {
                "a step may be reached from several others only within one branch, through a \
                 switch; join the branches first, or give each its own step"
                    .to_owned()
            };
            problems.step(
                step,
                format!("it follows {from}, which are on different branches"),
                help,
            );
        }
        None
    }

    /// Checks that a join ends all branches of one split, and nothing else.
    fn check_join(&self, step: usize, broken: bool, problems: &mut Problems) -> Option<usize> {
        let arrivals = &self.arrivals[step];
        let &(from, first) = arrivals.first()?;
        if arrivals.iter().any(|&(_, scope)| scope == OUTSIDE) {
            problems.step(
                step,
                "it is a join, but no split or foreach leads to it",
                "every join needs a split of its own before it; if it joins nothing, let it take \
                 no `inputs`",
            );
            return None;
        }
        let split = self.scopes[first].opened_by;
        if let Some(&(stranger, scope)) = arrivals.iter().find(|&&(_, scope)| {
            self.scopes[scope].opened_by != split
                || self.scopes[scope].parent != self.scopes[first].parent
        }) {
            let other = self.scopes[scope].opened_by;
            problems.step(
                step,
                format!(
                    "it joins branches of different splits: {} comes from the split in {}, {} from that in {}",
                    names(self.steps, [from]),
                    names(self.steps, [split]),
                    names(self.steps, [stranger]),
                    names(self.steps, [other]),
                ),
                "a join ends all branches of one split: give each split its own join, the inner first",
            );
            return None;
        }
        if arrivals.iter().any(|&(from, _)| from == split) {
            let (kind, help) = match self.steps[split].transition {
                Transition::Foreach { .. } => {
                    ("foreach", "put the step that is to run for each item between the two")
                }
                _ => ("split", "put a step of that branch between the two"),
            };
            problems.step(
                split,
                format!("its {kind} leads straight to the join {}", names(self.steps, [step])),
                help,
            );
            return None;
        }
        if let Transition::Split(targets) = &self.steps[split].transition {
            let joined: BTreeSet<usize> =
                arrivals.iter().map(|&(_, scope)| self.scopes[scope].branch).collect();
            let missing = targets.iter().enumerate().filter(|(branch, _)| !joined.contains(branch));
            let missing: BTreeSet<usize> = missing.map(|(_, target)| target.get()).collect();
            if !missing.is_empty() && !broken {
                problems.step(
                    step,
                    format!(
                        "it joins {} of the {} branches that {} splits into: {} {} missing",
                        joined.len(),
                        targets.len(),
                        names(self.steps, [split]),
                        names(self.steps, missing.iter().copied()),
                        if missing.len() == 1 { "is" } else { "are" },
                    ),
                    "lead every branch of the split to the same join",
                );
            }
        }
        Some(split)
    }

    /// The steps that opened this scope and those around it, outermost first.
    fn open_splits(&self, mut scope: usize) -> Vec<usize> {
        let mut splits = Vec::new();
        while scope != OUTSIDE {
            splits.push(self.scopes[scope].opened_by);
            scope = self.scopes[scope].parent;
        }
        splits.reverse();
        splits
    }

    /// The foreach steps around a step, outermost first.
    fn foreachs(&self, step: usize) -> Vec<usize> {
        let mut scope = self.scopes[self.scope_of[step].unwrap_or(OUTSIDE)].foreach;
        let mut steps = Vec::new();
        while let Some(number) = scope {
            steps.push(self.scopes[number].opened_by);
            scope = self.scopes[self.scopes[number].parent].foreach;
        }
        steps.reverse();
        steps
    }
}
