//! The problems of a flow as they are found.

use super::Diagnostic;
use super::InvalidFlow;
use super::Place;
use super::Step;
use super::document::StepEntry;

/// What was found so far, and what is needed to say where.
pub(super) struct Problems {
    subjects: Vec<Subject>,
    found: Vec<(usize, Diagnostic)>,
}

/// A step as a diagnostic names it.
struct Subject {
    name: String,
    place: Option<Place>,
}

impl Problems {
    /// Nothing yet, about these steps.
    pub(super) fn new(entries: &[StepEntry]) -> Self {
        Self { subjects: entries.iter().map(subject).collect(), found: Vec::new() }
    }

    /// Something wrong with the flow as a whole.
    pub(super) fn flow(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.found.push((0, Diagnostic::flow(message, help)));
    }

    /// Something wrong with one step.
    pub(super) fn step(
        &mut self,
        step: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let subject = &self.subjects[step];
        self.found.push((
            step,
            Diagnostic {
                step: Some(subject.name.clone()),
                place: subject.place.clone(),
                message: message.into(),
                help: help.into(),
            },
        ));
    }

    /// Where a step stands in the source.
    pub(super) fn place(&self, step: usize) -> Option<Place> {
        self.subjects[step].place.clone()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// All of them: of the flow first, then in the order of the steps.
    pub(super) fn into_error(mut self) -> InvalidFlow {
        self.found.sort_by_key(|(step, diagnostic)| (diagnostic.step.is_some(), *step));
        InvalidFlow::new(self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect())
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
    let place =
        (!entry.file.is_empty()).then(|| Place { file: entry.file.clone(), line: entry.line });
    Subject { name: entry.name.clone(), place }
}
