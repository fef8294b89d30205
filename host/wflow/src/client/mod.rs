//! Reading what runs left behind: by pathspec, while they are going on or long after.

mod check;
mod explain;
mod find;
mod value;

use std::io;
use std::io::Write;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::cbor;
use wflow_model::graph::Graph;
use wflow_model::name::excerpt;
use wflow_model::name::nearest;
use wflow_model::record::Artifact;
use wflow_model::record::Artifacts;
use wflow_model::record::Log;
use wflow_model::record::RunEnd;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;
use wflow_sandbox::Limits;
pub use wflow_store::FlowSummary;
pub use wflow_store::RunState;
pub use wflow_store::RunSummary;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::options::Policy;
pub use wflow_store::Subject;

pub use check::Checked;
pub use check::NamedFault;
pub use check::check;
pub use explain::KeyDifference;
pub use explain::KeyField;
pub use find::FindError;
pub use find::known_flow;
pub use find::run;
pub use find::run_by_id;
pub use find::step;
pub use find::tasks;
pub use value::kind;
pub use value::outline;
pub use value::to_json;

/// How many bytes of an artifact are copied at once.
const PIECE: usize = 256 << 10;

/// The size of a value, in bytes, that is shown where others are named by their digests.
const SMALL: u64 = 1000;

/// How many tasks are read from the store at once.
const PAGE: usize = 512;

/// A run, with the graph that it ran.
#[derive(Debug, Clone)]
pub struct Run {
    store: Store,
    /// What a list would say of it.
    pub summary: RunSummary,
    /// What was known when it began.
    pub record: Arc<RunRecord>,
    /// How it ended, if it did.
    pub end: Option<RunEnd>,
    /// Its graph.
    pub graph: Arc<Graph>,
}

/// A step of a run.
#[derive(Debug, Clone)]
pub struct Step {
    /// The run.
    pub run: Run,
    /// Which step.
    pub index: StepIndex,
}

/// A finished task of a run.
#[derive(Debug, Clone)]
pub struct Task {
    /// The run.
    pub run: Run,
    /// What the store keeps of it.
    pub record: TaskRecord,
}

/// How many tasks of a step have finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that are done.
    pub done: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Run {
    /// What its tasks could use.
    pub fn limits(&self) -> Limits {
        Policy::of(&self.record).limits
    }

    /// The id of the run.
    pub fn id(&self) -> RunId {
        self.summary.id
    }

    /// A step by its name.
    ///
    /// # Errors
    ///
    /// If the run has no such step.
    pub fn step(&self, name: &str) -> Result<Step, FindError> {
        let Some(index) = self.graph.find(name) else {
            let names = self.graph.steps().iter().map(|step| step.name.as_str());
            let meant = nearest(name, names).map(ToOwned::to_owned);
            return Err(FindError::Step { run: self.id(), step: excerpt(name), meant });
        };
        Ok(Step { run: self.clone(), index })
    }

    /// The step at an index of the run's graph.
    pub fn step_at(&self, index: StepIndex) -> Step {
        Step { run: self.clone(), index }
    }

    /// How many tasks of each step have finished, in the order of the graph.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn counts(&self) -> Result<Vec<Counts>, StoreError> {
        let mut counts = vec![Counts::default(); self.graph.steps().len()];
        for summary in self.store.steps(self.id())? {
            if let Some(count) = counts.get_mut(summary.step.get()) {
                *count = Counts { done: summary.done, failed: summary.failed };
            }
        }
        Ok(counts)
    }

    /// The pathspec of a task of this run.
    pub fn pathspec(&self, task: &TaskRef) -> String {
        let step = &self.graph.step(task.step).name;
        format!("{}/{}/{step}/{}", self.record.flow, self.id(), task.task)
    }

    /// The value of a parameter as JSON, if it is small and has one.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged, or the store fails.
    pub fn small_value(
        &self,
        artifact: &Artifact,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        if artifact.size > SMALL {
            return Ok(None);
        }
        Ok(to_json(&artifact.format, &self.store.read_verified(artifact)?))
    }

    /// Waits until everything that was read of this run is on disk.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.store.sync()
    }
}

impl Step {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.run.graph.step(self.index).name
    }

    /// The tasks that have finished, in order.
    pub fn tasks(&self) -> Tasks {
        self.tasks_after(None)
    }

    /// The tasks that have finished and come after one, in order.
    pub fn tasks_after(&self, last: Option<TaskId>) -> Tasks {
        Tasks { step: self.clone(), buffer: Vec::new().into_iter(), last, more: true }
    }

    /// Reads the id of a task of this step, as a person writes it.
    ///
    /// # Errors
    ///
    /// If the text is no such id.
    pub fn task_id(&self, text: &str) -> Result<TaskId, FindError> {
        let depth = self.run.graph.step(self.index).foreachs.len();
        TaskId::parse(text, depth).map_err(|error| FindError::TaskId {
            step: self.name().clone(),
            text: excerpt(text),
            error,
        })
    }

    /// A task by its id, as a person writes it.
    ///
    /// # Errors
    ///
    /// If the text is no such id, there is no such task, or the store fails.
    pub fn task(&self, text: &str) -> Result<Task, FindError> {
        let id = TaskRef { step: self.index, task: self.task_id(text)? };
        match self.run.store.task(self.run.id(), &id)? {
            Some(record) => Ok(Task { run: self.run.clone(), record }),
            None => {
                let counts = self.run.counts()?[self.index.get()];
                Err(FindError::Task {
                    run: self.run.id(),
                    step: self.name().clone(),
                    task: id.task,
                    of: counts.done + counts.failed,
                })
            }
        }
    }
}

/// The finished tasks of a step, in order, read a page at a time.
pub struct Tasks {
    step: Step,
    buffer: std::vec::IntoIter<TaskRecord>,
    last: Option<TaskId>,
    more: bool,
}

impl Iterator for Tasks {
    type Item = Result<Task, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.buffer.len() == 0 && self.more {
            let run = &self.step.run;
            match run.store.tasks(run.id(), self.step.index, self.last.as_ref(), PAGE) {
                Ok(page) => {
                    self.more = page.len() == PAGE;
                    self.last = page.last().map(|record| record.id.task.clone());
                    self.buffer = page.into_iter();
                }
                Err(error) => {
                    self.more = false;
                    return Some(Err(error));
                }
            }
        }
        let record = self.buffer.next()?;
        Some(Ok(Task { run: self.step.run.clone(), record }))
    }
}

/// An artifact could not be read as what it was wanted as.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none, or the store fails.
    #[error(transparent)]
    Find(#[from] FindError),
    /// It is no CBOR.
    #[error("artifact `{name}` has format {format}, not {}", cbor::FORMAT)]
    Format {
        /// The artifact.
        name: String,
        /// Its format.
        format: Arc<str>,
    },
    /// It is not of that type.
    #[error("artifact `{name}` is not of the type asked for: {error}")]
    Type {
        /// The artifact.
        name: String,
        /// What does not fit.
        error: minicbor_serde::error::DecodeError,
    },
}

/// An artifact could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It is missing or damaged, or the store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Where it was to go refuses it.
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Find(error.into())
    }
}

impl Task {
    /// Its pathspec.
    pub fn pathspec(&self) -> String {
        self.run.pathspec(&self.record.id)
    }

    /// The pathspec of the task that was executed in its stead, if it was reused.
    pub fn origin(&self) -> Option<String> {
        let origin = self.record.origin.as_ref()?;
        let (flow, step) = (&self.run.record.flow, &self.run.graph.step(self.record.id.step).name);
        Some(format!("{flow}/{}/{step}/{}", origin.run, self.record.id.task))
    }

    /// Everything that it sees, by name: what it set, what it inherited, and the parameters.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn artifacts(&self) -> Result<Artifacts, StoreError> {
        self.run.store.visible(self.run.id(), &self.record)
    }

    /// An artifact by its name.
    ///
    /// # Errors
    ///
    /// If there is none, or the store fails.
    pub fn artifact(&self, name: &str) -> Result<Artifact, FindError> {
        if let Some(artifact) = self.run.store.resolve(self.run.id(), &self.record, name)? {
            return Ok(artifact);
        }
        let all = self.artifacts()?;
        let meant = nearest(name, all.keys().map(Name::as_str)).map(ToOwned::to_owned);
        Err(FindError::Artifact { task: self.pathspec(), artifact: excerpt(name), meant })
    }

    /// The bytes of an artifact of this run, checked against its digest.
    ///
    /// # Errors
    ///
    /// If they are missing or damaged, or the store fails.
    pub fn bytes(&self, artifact: &Artifact) -> Result<Arc<[u8]>, StoreError> {
        self.run.store.read_verified(artifact)
    }

    /// The first bytes of an artifact, at most `limit`. They are not checked.
    ///
    /// # Errors
    ///
    /// If they are missing, or the store fails.
    pub fn head(&self, artifact: &Artifact, limit: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; limit];
        let read = self.run.store.open_blob(artifact)?.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Checks the bytes of an artifact against its digest.
    ///
    /// # Errors
    ///
    /// If they are missing or damaged, or the store fails.
    pub fn check(&self, artifact: &Artifact) -> Result<(), StoreError> {
        self.run.store.verify(artifact)
    }

    /// Writes the bytes of an artifact somewhere, and holds but a piece of them in memory. They
    /// are not checked.
    ///
    /// # Errors
    ///
    /// If they are missing, the store fails, or they cannot be written.
    pub fn copy(&self, artifact: &Artifact, to: &mut dyn Write) -> Result<(), CopyError> {
        let blob = self.run.store.open_blob(artifact)?;
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        loop {
            match blob.read_at(&mut piece, offset)? {
                0 => return Ok(to.flush()?),
                count => to.write_all(&piece[..count])?,
            }
            offset += PIECE as u64;
        }
    }

    /// The value of an artifact in CBOR, as a type of the program's own.
    ///
    /// # Errors
    ///
    /// If there is no such artifact, or it is not of that type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, ReadError> {
        let artifact = self.artifact(name)?;
        let name = name.to_owned();
        if &*artifact.format != cbor::FORMAT {
            return Err(ReadError::Format { name, format: artifact.format });
        }
        let bytes = self.bytes(&artifact)?;
        minicbor_serde::from_slice(&bytes).map_err(|error| ReadError::Type { name, error })
    }

    /// What the task wrote to one of its streams.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn log(&self, log: &Log) -> Result<String, StoreError> {
        match &log.text {
            None => Ok(String::new()),
            Some(text) => Ok(String::from_utf8_lossy(&self.bytes(text)?).into_owned()),
        }
    }
}
