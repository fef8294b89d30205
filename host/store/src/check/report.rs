//! What a check of a store finds.

use std::collections::HashMap;
use std::path::PathBuf;

use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::record::RunId;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;

use crate::error::StoreError;

/// What a check of a store found, and how much it looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// What is wrong; at most [`Self::MAX_FAULTS`] of it.
    pub faults: Vec<Fault>,
    /// How many faults there are beyond those.
    pub more_faults: u64,
    /// How many runs were looked at.
    pub runs: u64,
    /// How many tasks.
    pub tasks: u64,
    /// How many artifacts that their tasks hold themselves.
    pub inline: u64,
    /// How many blobs, each once however much refers to it.
    pub blobs: u64,
    /// How many bytes these blobs have.
    pub bytes: u64,
    /// Runs of which there are only remains; no fault, garbage collection removes them.
    pub remains: u64,
    /// Blobs that nothing refers to, or nothing yet; no fault, likewise.
    pub unreferenced: u64,
    /// Files that killed processes left behind; no fault, likewise.
    pub leftovers: u64,
}

/// Something that is wrong in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// With what.
    pub subject: Subject,
    /// What is wrong with it, as the rest of a sentence about it.
    pub why: String,
    /// What refers to it; at most [`Self::MAX_REFERRERS`] of those.
    pub referrers: Vec<Referrer>,
    /// How many there are in all.
    pub referrers_in_all: u64,
}

/// What a fault is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// The database.
    Catalog,
    /// A run.
    Run(RunId),
    /// A step of a run.
    Step(RunId, StepIndex),
    /// A task of a run.
    Task(RunId, TaskRef),
    /// An artifact that a record holds itself.
    Inline(Referrer),
    /// A blob.
    Blob(Digest),
    /// A file, by its path within the store.
    File(PathBuf),
}

/// What refers to something else in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Referrer {
    /// In which run.
    pub run: RunId,
    /// Which task of it; none for the run itself.
    pub task: Option<TaskRef>,
    /// By what.
    pub by: By,
}

/// How something refers to something else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    /// An artifact, set or inherited, or a parameter of a run.
    Artifact(Name),
    /// The component that a run executes.
    Code,
    /// What a task wrote to standard output.
    Stdout,
    /// What it wrote to standard error.
    Stderr,
    /// A task inherits from it.
    Inheritance,
}

impl Fault {
    /// So many referrers are shown.
    pub const MAX_REFERRERS: usize = 10;

    fn refer(&mut self, referrer: Referrer) {
        self.referrers_in_all += 1;
        if self.referrers.len() < Self::MAX_REFERRERS {
            self.referrers.push(referrer);
        }
    }
}

impl Report {
    /// So many faults are told one by one.
    pub const MAX_FAULTS: usize = 1000;

    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// The report of a store that cannot even be opened, because its catalog is damaged; none if
    /// it was something else that failed.
    pub fn unreadable(error: &StoreError) -> Option<Self> {
        let why = damage(error)?;
        let mut faults = Faults::default();
        faults.add(Subject::Catalog, format!("cannot be read: {why}"));
        let mut report = Self::default();
        faults.into_report(&mut report);
        Some(report)
    }
}

/// What SQLite says of a catalog that it cannot make sense of; none for any other error.
pub(super) fn damage(error: &StoreError) -> Option<String> {
    match error {
        StoreError::DamagedCatalog { source, .. } | StoreError::Catalog { source, .. } => {
            Some(source.to_string())
        }
        _ => None,
    }
}

/// The faults that were found so far.
#[derive(Default)]
pub(super) struct Faults {
    list: Vec<Fault>,
    more: u64,
    /// Where the faults are that others may refer to; none for those beyond the list.
    blobs: HashMap<Digest, Option<usize>>,
    tasks: HashMap<(RunId, TaskRef), Option<usize>>,
}

impl Faults {
    /// Adds one that nothing refers to.
    pub(super) fn add(&mut self, subject: Subject, why: String) -> Option<usize> {
        if self.list.len() == Report::MAX_FAULTS {
            self.more += 1;
            return None;
        }
        self.list.push(Fault { subject, why, referrers: Vec::new(), referrers_in_all: 0 });
        Some(self.list.len() - 1)
    }

    /// Whether a blob is known to be at fault; if so, adds what refers to it.
    pub(super) fn refer_to_blob(&mut self, digest: &Digest, referrer: &Referrer) -> bool {
        let Some(place) = self.blobs.get(digest) else { return false };
        if let Some(place) = *place {
            self.list[place].refer(referrer.clone());
        }
        true
    }

    /// Whether a blob is at fault.
    pub(super) fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// A blob is at fault, as somebody who refers to it found.
    pub(super) fn blob(&mut self, digest: Digest, why: String, referrer: &Referrer) {
        let place = self.add(Subject::Blob(digest), why);
        self.blobs.insert(digest, place);
        self.refer_to_blob(&digest, referrer);
    }

    /// A task is missing, as one found that inherits from it.
    pub(super) fn missing_task(&mut self, run: RunId, task: TaskRef, referrer: Referrer) {
        let key = (run, task);
        let place = match self.tasks.get(&key) {
            Some(place) => *place,
            None => {
                let subject = Subject::Task(run, key.1.clone());
                let place = self.add(subject, "is missing".to_owned());
                // Past the limit nothing is remembered, so that memory has one too.
                if place.is_some() {
                    self.tasks.insert(key, place);
                }
                place
            }
        };
        if let Some(place) = place {
            self.list[place].refer(referrer);
        }
    }

    pub(super) fn into_report(self, report: &mut Report) {
        report.faults = self.list;
        report.more_faults = self.more;
    }
}
