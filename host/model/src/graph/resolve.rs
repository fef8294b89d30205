//! The rules for each step by itself: its name, the form of its transition, and whether the
//! steps that it leads to exist.

use std::collections::HashMap;
use std::collections::HashSet;

use super::Case;
use super::DEFAULT_ROUNDS;
use super::Step;
use super::Transition;
use super::document::NextEntry;
use super::document::StepEntry;
use super::index;
use super::problems::Problems;
use crate::Name;
use crate::name::excerpt;
use crate::name::nearest;
use crate::task::StepIndex;

/// Names that the languages of guests use for other things.
const RESERVED_STEPS: &[&str] = &["name", "next", "input", "inputs", "index", "cmd"];

/// Past this many problems no more suggestions are sought, which takes time.
const SUGGESTIONS: usize = 10;

/// The names of the steps, checked.
pub(super) struct StepNames {
    /// The name of each step; a stand-in where the name itself is invalid.
    names: Vec<Name>,
    /// Which step has a name; the first, where several have it.
    positions: HashMap<String, usize>,
}

impl StepNames {
    pub(super) fn check(entries: &[StepEntry], problems: &mut Problems) -> Self {
        let mut positions = HashMap::new();
        let mut names = Vec::with_capacity(entries.len());
        for (position, entry) in entries.iter().enumerate() {
            let name = Name::new(&entry.name).ok().filter(|name| is_step_name(name));
            if name.is_none() {
                problems.step(
                    position,
                    "its name is invalid",
                    "a lower-case letter first, then lower-case letters, digits and underscores, \
                     at most 128",
                );
            } else if RESERVED_STEPS.contains(&entry.name.as_str()) {
                problems.step(position, "its name is reserved", "choose another name for the step");
            }
            if positions.contains_key(&entry.name) {
                problems.step(position, "another step has this name", "rename one of them");
            }
            positions.entry(entry.name.clone()).or_insert(position);
            #[expect(clippy::expect_used, reason = "the stand-in is a valid name")]
            names.push(name.unwrap_or_else(|| Name::new("invalid").expect("a valid name")));
        }
        Self { names, positions }
    }

    /// The steps with their transitions; none if there are no steps.
    pub(super) fn resolve(
        &self,
        entries: &[StepEntry],
        problems: &mut Problems,
    ) -> Option<Vec<Step>> {
        if entries.is_empty() {
            problems.flow("the flow has no steps", "define at least a step named `start`");
            return None;
        }
        let last = self.last(entries);
        let steps = entries.iter().enumerate().map(|(position, entry)| {
            let transition = match &entry.next {
                Some(next) => self.transition(position, next, problems),
                None => {
                    if Some(position) != last && entry.name != "end" {
                        problems.step(
                            position,
                            "it has no transition, and only the last step, `end`, may have none",
                            "say which step follows it",
                        );
                    }
                    None
                }
            };
            if entry.join
                && matches!(transition, Some(Transition::Split(_) | Transition::Foreach { .. }))
            {
                problems.step(
                    position,
                    "it is both a join and a split",
                    "let the join be followed by a step of its own that splits",
                );
            }
            Step {
                name: self.names[position].clone(),
                doc: entry.doc.clone(),
                join: entry.join,
                place: problems.place(position),
                transition: transition.unwrap_or(Transition::End),
                joins: None,
                joined_by: None,
                foreachs: Vec::new(),
                back_edges: Vec::new(),
                in_loop: None,
            }
        });
        Some(steps.collect())
    }

    /// The step that may go without a transition: `end`; without one, the step that should
    /// have been named so, about which [`check_ends`] has a better word.
    fn last(&self, entries: &[StepEntry]) -> Option<usize> {
        self.positions.get("end").copied().or_else(|| {
            let mut open = (0..entries.len()).filter(|&step| entries[step].next.is_none());
            open.next().filter(|_| open.next().is_none())
        })
    }

    /// The transition that an entry states; none if it cannot be made out.
    fn transition(
        &self,
        step: usize,
        next: &NextEntry,
        problems: &mut Problems,
    ) -> Option<Transition> {
        match next {
            NextEntry {
                step: Some(target),
                split: None,
                foreach: None,
                switch: None,
                cases: None,
                rounds: None,
            } => self.target(step, target, problems).map(Transition::Linear),
            NextEntry {
                step: None,
                split: Some(targets),
                foreach: None,
                switch: None,
                cases: None,
                rounds: None,
            } => self.split(step, targets, problems),
            NextEntry {
                step: Some(target),
                split: None,
                foreach: Some(over),
                switch: None,
                cases: None,
                rounds: None,
            } => {
                let over = artifact(step, over, problems);
                let target = self.target(step, target, problems);
                Some(Transition::Foreach { over: over?, step: target? })
            }
            NextEntry {
                step: None,
                split: None,
                foreach: None,
                switch: Some(on),
                cases: Some(_),
                ..
            } => self.switch(step, on, next, problems),
            _ => {
                problems.step(
                    step,
                    "its transition is of no known form",
                    "it is one of: a step; a split, a list of steps; a foreach, an artifact and a \
                     step; a switch, an artifact and its cases",
                );
                None
            }
        }
    }

    fn split(
        &self,
        step: usize,
        targets: &[String],
        problems: &mut Problems,
    ) -> Option<Transition> {
        let listed = targets.len();
        let (mut seen, mut unique) = (HashSet::new(), Vec::new());
        for target in targets {
            if seen.insert(target) {
                unique.push(target);
            } else {
                problems.step(
                    step,
                    format!("its split lists `{}` twice", excerpt(target)),
                    "name each branch once; to run one step many times use a foreach",
                );
            }
        }
        let targets: Vec<StepIndex> =
            unique.iter().filter_map(|target| self.target(step, target, problems)).collect();
        match targets.as_slice() {
            [] => {
                if unique.is_empty() {
                    problems.step(step, "its split has no branches", "name the steps that follow");
                }
                None
            }
            [only] if listed == 1 => Some(Transition::Linear(*only)),
            _ => Some(Transition::Split(targets)),
        }
    }

    fn switch(
        &self,
        step: usize,
        on: &str,
        next: &NextEntry,
        problems: &mut Problems,
    ) -> Option<Transition> {
        let on = artifact(step, on, problems);
        let entries = next.cases.as_deref().unwrap_or_default();
        if entries.len() < 2 {
            let count = if entries.is_empty() { "no cases" } else { "one case" };
            problems.step(
                step,
                format!("its switch has {count}, and needs at least two"),
                "add a case, or let one step simply follow",
            );
        }
        if next.rounds == Some(0) {
            problems.step(step, "its switch allows no rounds", "let `rounds` be at least 1");
        }
        let mut values = HashSet::new();
        for entry in entries {
            if !values.insert(&entry.value) {
                let value = excerpt(&entry.value.to_string());
                problems.step(
                    step,
                    format!("its switch has two cases for {value}"),
                    "remove one of them",
                );
            }
        }
        let cases: Vec<Case> = entries
            .iter()
            .filter_map(|entry| {
                let target = self.target(step, &entry.step, problems)?;
                Some(Case { value: entry.value.clone(), step: target })
            })
            .collect();
        if cases.is_empty() {
            return None;
        }
        Some(Transition::Switch { on: on?, cases, rounds: next.rounds.unwrap_or(DEFAULT_ROUNDS) })
    }

    /// The step of that name; where there is none, the one that was probably meant.
    fn target(&self, step: usize, name: &str, problems: &mut Problems) -> Option<StepIndex> {
        if let Some(&position) = self.positions.get(name) {
            return Some(index(position));
        }
        let meant = match problems.count() {
            0..SUGGESTIONS => nearest(name, self.positions.keys().map(String::as_str)),
            _ => None,
        };
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "name a step of this flow".to_owned(),
        };
        let message = format!("it leads to `{}`, and there is no such step", excerpt(name));
        problems.step(step, message, help);
        // Nothing may lead to `start`, so to go on with it would only lead to more complaints.
        meant.filter(|&meant| meant != "start").map(|meant| index(self.positions[meant]))
    }
}

fn artifact(step: usize, name: &str, problems: &mut Problems) -> Option<Name> {
    Name::new(name)
        .map_err(|error| problems.step(step, error.to_string(), "name an artifact of the flow"))
        .ok()
}

fn is_step_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.contains(|c: char| c.is_ascii_uppercase())
}
