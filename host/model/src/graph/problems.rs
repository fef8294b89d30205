//! The problems of a flow as they are found.

use super::Diagnostic;
use super::InvalidFlow;
use super::Place;
use super::Step;
use super::document::StepEntry;
use crate::Name;
use crate::name::excerpt;

/// More problems than this are counted only: a description may well have a million.
const KEPT: usize = 1000;

/// The longest path of a source file. It is said again with every problem of a step.
const MAX_FILE: usize = 4096;

/// What was found so far, and what is needed to say where.
pub(super) struct Problems {
    subjects: Vec<Subject>,
    found: Vec<(usize, Diagnostic)>,
    more: usize,
}

/// A step as a diagnostic names it.
struct Subject {
    name: String,
    place: Option<Place>,
}

impl Problems {
    /// Nothing yet, about these steps.
    pub(super) fn new(entries: &[StepEntry]) -> Self {
        Self { subjects: entries.iter().map(subject).collect(), found: Vec::new(), more: 0 }
    }

    /// Something wrong with the flow as a whole.
    pub(super) fn flow(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.add(0, Diagnostic::flow(message, help));
    }

    /// Something wrong with one step.
    pub(super) fn step(
        &mut self,
        step: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let Subject { name, place } = &self.subjects[step];
        let (name, place) = (Some(name.clone()), place.clone());
        let (message, help) = (message.into(), help.into());
        self.add(step, Diagnostic { step: name, place, message, help });
    }

    fn add(&mut self, step: usize, diagnostic: Diagnostic) {
        if self.found.len() < KEPT {
            self.found.push((step, diagnostic));
        } else {
            self.more += 1;
        }
    }

    /// Where a step stands in the source.
    pub(super) fn place(&self, step: usize) -> Option<Place> {
        self.subjects[step].place.clone()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.found.len() + self.more
    }

    /// All of them: of the flow first, then in the order of the steps.
    pub(super) fn into_error(mut self) -> InvalidFlow {
        self.found.sort_by_key(|(step, diagnostic)| (diagnostic.step.is_some(), *step));
        InvalidFlow::new(
            self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect(),
            self.more,
        )
    }
}

/// Steps for a sentence: `a`, `b` and `c`; shortened where there are many.
pub(super) fn names(steps: &[Step], which: impl IntoIterator<Item = usize>) -> String {
    const SHOWN: usize = 8;
    let mut which = which.into_iter();
    let shown = which.by_ref().take(SHOWN);
    let mut listed: Vec<String> = shown.map(|step| format!("`{}`", steps[step].name)).collect();
    match which.count() {
        0 => {}
        more => listed.push(format!("{more} more")),
    }
    match listed.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

fn subject(entry: &StepEntry) -> Subject {
    let file = &entry.file[..entry.file.floor_char_boundary(MAX_FILE)];
    let place = (!file.is_empty()).then(|| Place { file: file.to_owned(), line: entry.line });
    // What is longer is no name, and not worth repeating.
    let is_short = entry.name.len() <= Name::MAX_LENGTH;
    let name = if is_short { entry.name.clone() } else { excerpt(&entry.name) };
    Subject { name, place }
}
