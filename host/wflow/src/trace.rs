//! What the outcome of a task follows from, and the key that stands for all of it.
//!
//! Two tasks with one key leave the same behind, so the second need not be executed. What all tasks
//! of a run have in common goes into the key first; then which task it is; then everything that it
//! read, each thing with the digest of what it found. What a task did not look at is not in its
//! key. Reads are known only once a task has been executed, so whoever looks for a task that can
//! be reused takes one that stood at the same place, and asks what its reads would find now.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::record::Impurity;
use wflow_model::record::Read;
use wflow_model::record::RunRecord;
use wflow_model::record::Trace;
use wflow_sandbox::Problem;
use wflow_sandbox::RUN_ID;

use crate::environment::Lookup;
use crate::session::Session;

/// Names the derivation of keys. What goes into them in another way gets another name.
const PURPOSE: &str = "wflow 2026-11-25 what a task follows from";

/// More reads than this are not told one by one.
const MAX_READS: usize = 1000;

/// Takes in one thing after the other, so that no two sequences of things are the same.
pub(crate) struct Hasher(blake3::Hasher);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new_derive_key(PURPOSE))
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
        self
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(crate) fn digest(&mut self, digest: Option<&Digest>) -> &mut Self {
        self.number(u64::from(digest.is_some()));
        if let Some(digest) = digest {
            self.0.update(digest.as_bytes());
        }
        self
    }

    pub(crate) fn finish(&self) -> Digest {
        Digest::from_bytes(*self.0.finalize().as_bytes())
    }
}

/// What all tasks of a run have in common, of what their outcomes follow from.
pub(crate) fn run_key(record: &RunRecord) -> Digest {
    let mut hasher = Hasher::new();
    hasher
        .digest(Some(&record.component))
        .text(&record.engine)
        .number(record.seed)
        .number(record.logical_time);
    for grant in &record.grants {
        hasher.text(&grant.to_string());
    }
    hasher.finish()
}

/// What a task has read so far.
#[derive(Default)]
pub(crate) struct Reads {
    all: BTreeSet<Read>,
    /// It read what cannot be told.
    untold: bool,
}

impl Reads {
    /// Notes that something was read.
    pub(crate) fn note(&mut self, read: Read) {
        if self.all.len() < MAX_READS {
            self.all.insert(read);
        } else if !self.all.contains(&read) {
            self.untold = true;
        }
    }

    /// Notes that something was read which has no name.
    pub(crate) fn note_untold(&mut self) {
        self.untold = true;
    }
}

impl Session {
    /// What the outcome of the task follows from. `outside` are the imports through which
    /// something came in, and `refused` says whether it was refused memory.
    pub(crate) fn trace(&mut self, outside: &[&str], refused: bool) -> Trace {
        let reads = std::mem::take(&mut self.reads);
        let mut impure: BTreeSet<Impurity> = BTreeSet::new();
        impure.extend(outside.iter().map(|import| match *import {
            RUN_ID => Impurity::RunId,
            import => Impurity::Outside(import.to_owned()),
        }));
        impure.extend(refused.then_some(Impurity::Refused));
        let untold = reads.untold || self.run.store_failed.load(Ordering::Relaxed);
        impure.extend(untold.then_some(Impurity::Untold));
        let found = reads.all.into_iter().map(|read| {
            let found = self.found(&read).unwrap_or_else(|problem| {
                // Nobody will find this task again, and nothing else is lost.
                tracing::debug!(%problem, "what a task has read cannot be read again");
                impure.insert(Impurity::Untold);
                None
            });
            (read, found)
        });
        let reads: Vec<(Read, Option<Digest>)> = found.collect();
        let key = self.key(&reads);
        Trace { key, reads, impure: impure.into_iter().collect() }
    }

    /// The key that this task has if it reads what another one read and finds what stands in its
    /// place; none if it finds something else.
    pub(crate) fn key_of(&mut self, trace: &Trace) -> Option<Digest> {
        let same = |(read, found): &(Read, Option<Digest>)| {
            self.found(read).is_ok_and(|now| now == *found)
        };
        let all = trace.reads.iter().all(same);
        all.then(|| self.key(&trace.reads))
    }

    /// The key of a task that stands where this one does, and found these things.
    fn key(&self, reads: &[(Read, Option<Digest>)]) -> Digest {
        let mut hasher = Hasher::new();
        hasher.digest(Some(&self.run.key));
        hasher.text(self.run.step_name(self.id.step)).text(&self.id.task.to_string());
        for frame in &self.frames {
            let step = self.run.step_name(frame.step);
            hasher.text(step).text(&frame.items.name());
            hasher.number(frame.index.into()).number(frame.width.into());
        }
        hasher.number(reads.len() as u64);
        for (read, found) in reads {
            hasher.text(&read.to_string()).digest(found.as_ref());
        }
        hasher.finish()
    }

    /// What a read finds, before the task has changed anything; none if nothing.
    fn found(&mut self, read: &Read) -> Result<Option<Digest>, Problem> {
        Ok(match read {
            Read::Artifact(name) => self.before(name),
            Read::Names => {
                let mut hasher = Hasher::new();
                for name in self.visible_before() {
                    hasher.text(&name);
                }
                Some(hasher.finish())
            }
            Read::Item(level) => {
                let item = self.frames.get(*level as usize);
                let value = item.and_then(|frame| frame.items.get(frame.index));
                value.map(|value| Digest::of_artifact(&value.format, &value.data))
            }
            Read::InputSteps => {
                let Some(inputs) = &self.inputs else { return Ok(None) };
                let mut hasher = Hasher::new();
                for index in 0..inputs.count() {
                    hasher.text(self.run.step_name(inputs.task(index)?.step));
                }
                Some(hasher.finish())
            }
            Read::Input(name) => match &mut self.inputs {
                Some(inputs) => Some(inputs.digest(&self.run, name)?),
                None => None,
            },
            Read::Inputs => match &self.inputs {
                Some(inputs) => Some(inputs.digest_of_all(&self.run)?),
                None => None,
            },
        })
    }

    /// The artifact or parameter of that name as the task found it.
    fn before(&self, name: &Name) -> Option<Digest> {
        let inherited = self.inherits.as_ref().map_or(Lookup::Unknown, |all| all.lookup(name));
        match inherited {
            Lookup::Found(artifact) => Some(artifact.digest),
            Lookup::Removed(_) => None,
            Lookup::Unknown => self.run.parameters.get(name).map(|artifact| artifact.digest),
        }
    }
}
