//! Checking a store, with the names that people know things by.

use std::collections::HashMap;
use std::path::Path;

use wflow_model::graph::Graph;
use wflow_model::record::RunId;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;
use wflow_store::By;
use wflow_store::Fault;
use wflow_store::Progress;
use wflow_store::Referrer;
use wflow_store::Report;
use wflow_store::Store;
use wflow_store::StoreError;
use wflow_store::Subject;

/// What a check of a store found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the store says of itself.
    pub report: Report,
    /// Its faults, with names.
    pub faults: Vec<NamedFault>,
}

/// Something that is wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFault {
    /// With what: a pathspec, if it has one.
    pub subject: String,
    /// What is wrong with it, as the rest of a sentence about it.
    pub why: String,
    /// What refers to it, by pathspecs; the first few.
    pub referrers: Vec<String>,
    /// How many there are in all.
    pub referrers_in_all: u64,
}

/// Checks everything in a store: see [`Store::check`]. That its catalog cannot be read at all is
/// a fault as well.
///
/// # Errors
///
/// If there is no store, or something other than its content keeps it from being read.
pub fn check(path: &Path, tell: &mut dyn FnMut(Progress)) -> Result<Checked, StoreError> {
    let (store, report) = match Store::open(path) {
        Ok(store) => {
            let report = store.check(tell)?;
            (Some(store), report)
        }
        Err(error) => (None, Report::unreadable(&error).ok_or(error)?),
    };
    let mut names = Names { store, runs: HashMap::new() };
    let faults = report.faults.iter().map(|fault| names.fault(fault)).collect();
    Ok(Checked { report, faults })
}

/// Finds the names of things.
struct Names {
    store: Option<Store>,
    /// The graphs of the runs that came up; none of those whose record is damaged.
    runs: HashMap<RunId, Option<Graph>>,
}

impl Names {
    fn fault(&mut self, fault: &Fault) -> NamedFault {
        NamedFault {
            subject: self.subject(&fault.subject),
            why: fault.why.clone(),
            referrers: fault.referrers.iter().map(|referrer| self.referrer(referrer)).collect(),
            referrers_in_all: fault.referrers_in_all,
        }
    }

    fn subject(&mut self, subject: &Subject) -> String {
        match subject {
            Subject::Catalog => "the catalog".to_owned(),
            Subject::Run(run) => self.run(*run),
            Subject::Step(run, step) => self.step(*run, *step),
            Subject::Task(run, task) => self.task(*run, task),
            Subject::Inline(referrer) => self.referrer(referrer),
            Subject::Blob(digest) => format!("blob {digest}"),
            Subject::File(path) => format!("file {}", path.display()),
        }
    }

    fn referrer(&mut self, referrer: &Referrer) -> String {
        let run = referrer.run;
        match (&referrer.task, &referrer.by) {
            (_, By::Code) => format!("{} component", self.run(run)),
            (None, By::Artifact(name)) => format!("{} parameter `{name}`", self.run(run)),
            (None, _) => self.run(run),
            (Some(task), By::Artifact(name)) => {
                format!("{} artifact `{name}`", self.task(run, task))
            }
            (Some(task), By::Stdout) => format!("{} standard output", self.task(run, task)),
            (Some(task), By::Stderr) => format!("{} standard error", self.task(run, task)),
            (Some(task), By::Inheritance) => {
                format!("{} inherits from it", self.task(run, task))
            }
        }
    }

    fn run(&mut self, run: RunId) -> String {
        match self.graph(run) {
            Some(graph) => format!("{}/{run}", graph.name()),
            None => format!("run {run}"),
        }
    }

    fn step(&mut self, run: RunId, step: StepIndex) -> String {
        let name = self.run(run);
        match self.graph(run).and_then(|graph| graph.steps().get(step.get())) {
            Some(step) => format!("{name}/{}", step.name),
            // By its number, where nobody knows its name.
            None => format!("{name}/{}", step.0),
        }
    }

    fn task(&mut self, run: RunId, task: &TaskRef) -> String {
        format!("{}/{}", self.step(run, task.step), task.task)
    }

    fn graph(&mut self, run: RunId) -> Option<&Graph> {
        let store = self.store.as_ref();
        let read = || {
            let record = store?.run_record(run).ok()?;
            Graph::parse(&record.graph).ok()
        };
        self.runs.entry(run).or_insert_with(read).as_ref()
    }
}
