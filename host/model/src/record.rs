//! What is kept of runs and tasks, and how it is written down.
//!
//! Records are encoded by postcard behind one byte that names the version of the encoding, so
//! that a later program knows what it reads.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Digest;
use crate::Grants;
use crate::Name;
use crate::TaskId;
use crate::task::StepIndex;
use crate::task::TaskRef;

/// A moment: microseconds since 1970 by the host's real clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A run's id: the microsecond since 1970 at which it began, made unique within its store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for RunId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A value that a task left behind: what it is, and where its bytes are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Artifact {
    /// The media type of the bytes.
    pub format: Arc<str>,
    /// The digest over format and bytes.
    pub digest: Digest,
    /// The number of bytes.
    pub size: u64,
    /// Where the bytes are.
    pub body: Body,
}

/// Where the bytes of an artifact are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Here: small values live with the task that made them.
    Inline(Arc<[u8]>),
    /// In the store, under the artifact's digest.
    Stored,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Self::Stored => f.write_str("Stored"),
        }
    }
}

/// Artifacts by name.
pub type Artifacts = BTreeMap<Name, Artifact>;

/// The text that a task wrote to one of its streams.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Log {
    /// The text; none if nothing was written.
    pub text: Option<Artifact>,
    /// How many bytes were thrown away because the log had reached its limit.
    pub dropped: u64,
}

/// Why a task failed, as far as it concerns what to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Cause {
    /// The guest returned an error.
    Error,
    /// The guest trapped: a panic, an `unreachable`, memory out of bounds, a stack overflow.
    Trap,
    /// The task ran longer than it may.
    Timeout,
    /// The task went over a limit other than time.
    Limit,
    /// What the task did does not fit the graph: a foreach too wide, a value that no case of a
    /// switch names.
    Transition,
    /// The host could not do its part: the store failed.
    Host,
}

/// Why a task failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What sort of failure.
    pub cause: Cause,
    /// The guest's word for the kind: `panic`, the class of an exception; or empty.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// Where in the flow's source; or empty.
    pub location: String,
    /// A traceback, a chain of causes, the frames of the trap; or empty.
    pub trace: String,
    /// What to do about it, if the host knows; or empty.
    pub hint: String,
}

/// How a task ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// It returned.
    Done,
    /// It did not, or its transition was impossible.
    Failed(Box<Failure>),
}

/// A finished task.
///
/// It holds what the task itself set. What it inherited is found by following `inherits`; to
/// bound how far, one task in a while holds copies of all that it inherited and follows nobody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Which task of the run.
    pub id: TaskRef,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The task from which it inherits what is in neither map below. None for `start`, for a
    /// join, and where `inherited` is complete.
    pub inherits: Option<TaskRef>,
    /// What it set, merged inputs included.
    pub artifacts: Artifacts,
    /// Names that it removed.
    pub removed: Vec<Name>,
    /// Copies of what it inherited, where `inherits` is none.
    pub inherited: Artifacts,
    /// What it wrote to standard output.
    pub stdout: Log,
    /// What it wrote to standard error.
    pub stderr: Log,
    /// Where it was executed, if not in this run: it was reused.
    pub origin: Option<Origin>,
    /// What its outcome follows from; none if it failed, or was executed by an older wflow.
    pub trace: Option<Box<Trace>>,
}

/// What the outcome of a task follows from. Beside what all tasks of its run have in common, its
/// step and its place in it, that is what it read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// The digest of all of it. Two tasks with one key leave the same behind.
    pub key: Digest,
    /// What it read, in order, and the digest of what it found; none where there was nothing.
    pub reads: Vec<(Read, Option<Digest>)>,
    /// Why it may leave something else the next time, or in another run; empty for most tasks.
    pub impure: Vec<Impurity>,
}

/// Something that a task read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Read {
    /// An artifact or a parameter, or that there is none of that name.
    Artifact(Name),
    /// The names of all of them.
    Names,
    /// The item of a foreach around it, counted from the outermost.
    Item(u32),
    /// How many inputs a join has, and of which steps they are.
    InputSteps,
    /// One artifact of the inputs of a join.
    Input(Name),
    /// All artifacts of the inputs of a join.
    Inputs,
}

/// Why a task may leave something else the next time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Impurity {
    /// Something came in from outside, through this import of a guest.
    Outside(String),
    /// It learned the id of its run.
    RunId,
    /// It was refused memory: with a higher limit it may have done something else.
    Refused,
    /// It read more than is kept, or what cannot be named.
    Untold,
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact(name) => write!(f, "artifact {name}"),
            Self::Names => f.write_str("names of all artifacts"),
            Self::Item(level) => write!(f, "item of foreach {level}"),
            Self::InputSteps => f.write_str("number and steps of the inputs"),
            Self::Input(name) => write!(f, "artifact {name} of all inputs"),
            Self::Inputs => f.write_str("all artifacts of all inputs"),
        }
    }
}

impl fmt::Display for Impurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(import) => write!(f, "it let the outside in through `{import}`"),
            Self::RunId => f.write_str("it asked for the id of its run"),
            Self::Refused => f.write_str("it was refused memory, and went on without"),
            Self::Untold => f.write_str("it read more than is kept track of"),
        }
    }
}

/// Where a task that was reused has been executed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The run. The step has the same name there and the task the same id.
    pub run: RunId,
    /// The component that was executed.
    pub component: Digest,
}

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RunStatus {
    /// It has begun and not ended, as far as the record goes: its process may be gone.
    Running,
    /// Its `end` finished.
    Done,
    /// A task failed.
    Failed,
    /// It was stopped from outside.
    Cancelled,
}

/// What is known of a run when it begins; the part of its record that never changes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The name of the flow.
    pub flow: Name,
    /// The graph, as the component described it.
    pub graph: String,
    /// The digest of the component.
    pub component: Digest,
    /// The values of the parameters, by artifact name.
    pub parameters: Artifacts,
    /// The seed of the random numbers of its tasks.
    pub seed: u64,
    /// The logical time at which every task begins: nanoseconds since 1970.
    pub logical_time: u64,
    /// The version of wflow that runs it.
    pub host_version: String,
    /// What it resumes, if it does not begin anew.
    pub resumes: Option<Resumed>,
    /// What it was granted.
    pub grants: Grants,
    /// What each of its tasks may use: the names of the limits and their values. One that is not
    /// here had no limit.
    pub limits: BTreeMap<String, u64>,
    /// The engine that executes its tasks, with the version of what guests observe of it.
    pub engine: String,
    /// Whether it reuses tasks of other runs where it can.
    pub reuse: bool,
    /// The component itself, so that the run can be verified wherever its store is.
    pub code: Option<Artifact>,
}

impl RunRecord {
    /// Whether every run with the same component, parameters and seed leaves the same behind: it
    /// was granted nothing that lets the outside in.
    pub fn is_reproducible(&self) -> bool {
        self.grants.letting_in().next().is_none()
    }
}

/// What a run resumes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resumed {
    /// The run whose finished tasks it took over.
    pub run: RunId,
    /// The step that was to be executed again, whether it had finished or not.
    pub from: Option<Name>,
}

/// The summary of a run's end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunEnd {
    /// How it ended.
    pub status: RunStatus,
    /// When.
    pub finished: Timestamp,
    /// The task that failed first, if one did.
    pub failed: Option<TaskRef>,
}

/// The version byte of the encoding that this program writes. It reads this and all before it:
///
/// 1. the first;
/// 2. tasks and runs say what they were resumed from;
/// 3. tasks say what they read, runs what they were granted, and more that reproducing them needs.
const VERSION: u8 = 3;

/// A record that is kept.
pub trait Record: Serialize + DeserializeOwned {
    /// How the fields are written, where they are empty, that version 2 added, and version 3. They
    /// stand behind those of the version before.
    const ADDED: [&'static [u8]; 2];
}

impl Record for TaskRecord {
    const ADDED: [&'static [u8]; 2] = [&[0], &[0]];
}

impl Record for RunRecord {
    const ADDED: [&'static [u8]; 2] = [&[0], &[0; 5]];
}

impl Record for RunEnd {
    const ADDED: [&'static [u8]; 2] = [&[], &[]];
}

/// A record could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It was written by a program that is newer than this one, or is no record at all.
    #[error("the record has encoding {0}, this wflow reads encoding {VERSION}: use a newer wflow")]
    Version(u8),
    /// The bytes are damaged.
    #[error("the record is damaged: {0}")]
    Damaged(postcard::Error),
    /// There are no bytes.
    #[error("the record is empty")]
    Empty,
}

/// Encodes a record.
///
/// # Errors
///
/// If the record cannot be written down, which no record of this module runs into.
pub fn encode<T: Record>(record: &T) -> Result<Vec<u8>, postcard::Error> {
    // Most records fit into this, and so are not moved while they grow.
    let mut bytes = Vec::with_capacity(256);
    bytes.push(VERSION);
    postcard::to_extend(record, bytes)
}

/// Decodes a record that [`encode`] wrote, in this or an older version of this program.
///
/// # Errors
///
/// If the bytes are damaged or of a newer version.
pub fn decode<T: Record>(bytes: &[u8]) -> Result<T, DecodeError> {
    let body = body(bytes)?;
    match bytes.first() {
        Some(version @ 1..VERSION) => {
            let added = T::ADDED[usize::from(*version) - 1..].concat();
            whole(&[body, &added].concat())
        }
        _ => whole(body),
    }
}

/// The bytes of a record behind its version, if that is one which this program reads.
pub(crate) fn body(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    match bytes.split_first() {
        None => Err(DecodeError::Empty),
        Some((1..=VERSION, body)) => Ok(body),
        Some((&version, _)) => Err(DecodeError::Version(version)),
    }
}

/// Reads a record that takes up all of the bytes.
fn whole<T: Record>(body: &[u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok(_) => Err(DecodeError::Damaged(postcard::Error::SerdeDeCustom)),
        Err(error) => Err(DecodeError::Damaged(error)),
    }
}

impl TaskRecord {
    /// The failure of the task, if it failed.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Done => None,
            Outcome::Failed(failure) => Some(failure),
        }
    }

    /// The step that this is a task of.
    pub fn step(&self) -> StepIndex {
        self.id.step
    }

    /// Which task of the step.
    pub fn task(&self) -> &TaskId {
        &self.id.task
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a run and a run, as version 1 of this program wrote them.
    const END: &[u8] = &[1, 2, 14, 1, 3, 1, 5, 1];
    const RUN: &[u8] =
        b"\x01\x01F\x02{}\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\
        \x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x00\x2a\x09\x050.1.0";

    #[test]
    fn records_of_version_1_are_read() {
        let end: RunEnd = decode(END).unwrap();
        assert_eq!((end.status, end.finished), (RunStatus::Failed, Timestamp(7)));
        let run: RunRecord = decode(RUN).unwrap();
        assert_eq!((run.flow.as_str(), run.seed, run.resumes), ("F", 42, None));
        assert_eq!(run.component, Digest::from_bytes([7; 32]));
    }

    #[test]
    fn records_of_version_2_are_read() {
        let mut bytes = [RUN, &[1, 5, 0]].concat();
        bytes[0] = 2;
        let run: RunRecord = decode(&bytes).unwrap();
        assert_eq!(run.resumes.as_ref().map(|resumed| resumed.run), Some(RunId(5)));
        assert!(run.grants.is_empty() && run.limits.is_empty() && run.code.is_none());
    }

    #[test]
    fn other_versions_are_refused() {
        let mut bytes = END.to_vec();
        bytes[0] = VERSION + 1;
        assert_eq!(decode::<RunEnd>(&bytes), Err(DecodeError::Version(VERSION + 1)));
        assert_eq!(decode::<RunEnd>(&[]), Err(DecodeError::Empty));
    }
}
