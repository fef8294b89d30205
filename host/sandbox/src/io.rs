//! The seam to whoever holds the artifacts: what a task reads and writes through its host
//! calls, as a trait. The sandbox knows no store.

use std::any::Any;
use std::sync::Arc;

use wasmtime::component::ComponentType;
use wasmtime::component::Lift;
use wasmtime::component::Lower;

use crate::Access;

/// What a task may know of itself. One is made for each task; the texts that are the same for
/// a million of them are shared.
#[derive(Debug, Clone)]
pub struct TaskContext {
    /// The name of the flow.
    pub flow: Arc<str>,
    /// The id of the run.
    pub run_id: Arc<str>,
    /// The step that this is a task of.
    pub step: Arc<str>,
    /// The task's id within its step.
    pub task: String,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// The foreach loops around the task, outermost first.
    pub frames: Vec<Frame>,
    /// The seed of the run's random numbers.
    pub seed: u64,
    /// The time at which the task begins, as it sees it: nanoseconds since 1970.
    pub logical_time: u64,
    /// What of the outside it may see or touch.
    pub access: Access,
}

/// One foreach that a task is inside of.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Frame {
    /// The step whose foreach it is.
    pub step: Arc<str>,
    /// The artifact that it iterates over.
    pub artifact: Arc<str>,
    /// The position of this task's item, from 0.
    pub index: u32,
    /// How many items there are.
    pub width: u32,
}

/// An artifact by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Value {
    /// The media type of the bytes.
    pub format: Arc<str>,
    /// The bytes, copied once: into the guest.
    pub data: Arc<[u8]>,
}

/// Why an artifact could not be read or written; the guest gets to see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, ComponentType, Lower)]
#[component(variant)]
pub enum Problem {
    /// There is no such artifact.
    #[error("{0}")]
    #[component(name = "missing")]
    Missing(String),
    /// A rule or a limit forbids it, or the store failed.
    #[error("{0}")]
    #[component(name = "refused")]
    Refused(String),
}

/// The two streams of text that a task leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum Channel {
    /// Standard output.
    #[component(name = "stdout")]
    Stdout,
    /// Standard error.
    #[component(name = "stderr")]
    Stderr,
}

/// The artifacts, inputs and logs of one task; one method for each import of the contract.
///
/// Names and formats are as the guest gave them: the implementation checks them. A call
/// blocks the guest, and no timeout or cancellation reaches into it.
pub trait TaskIo: Any + Send {
    /// Reads an artifact.
    ///
    /// # Errors
    ///
    /// If there is none or it cannot be read.
    fn get(&mut self, name: &str) -> Result<Value, Problem>;

    /// Sets an artifact. `data` lies in the guest's own memory: no copy was made of it.
    ///
    /// # Errors
    ///
    /// If a rule or a limit forbids it.
    fn put(&mut self, name: &str, format: &str, data: &[u8]) -> Result<(), Problem>;

    /// Takes an artifact away.
    ///
    /// # Errors
    ///
    /// If there is none or it cannot be taken away.
    fn remove(&mut self, name: &str) -> Result<(), Problem>;

    /// The names of all artifacts that [`get`](Self::get) would find, sorted.
    fn names(&mut self) -> Vec<Arc<str>>;

    /// Opens an artifact to read it in pieces.
    ///
    /// # Errors
    ///
    /// If there is none or it cannot be read.
    fn open(&mut self, name: &str) -> Result<Box<dyn ArtifactRead>, Problem>;

    /// Starts an artifact that is written in pieces. One that is dropped was not finished and
    /// leaves nothing.
    ///
    /// # Errors
    ///
    /// If a rule or a limit forbids it.
    fn create(&mut self, name: &str, format: &str) -> Result<Box<dyn ArtifactWrite>, Problem>;

    /// Makes an artifact visible that [`create`](Self::create) of this same object started.
    ///
    /// # Errors
    ///
    /// If a rule or a limit forbids it.
    fn finish(&mut self, writer: Box<dyn ArtifactWrite>) -> Result<(), Problem>;

    /// The item of the foreach at `level` of the task's frames.
    ///
    /// # Errors
    ///
    /// If there is no such frame or the item cannot be read.
    fn item(&mut self, level: u32) -> Result<Value, Problem>;

    /// How many tasks are joined.
    fn input_count(&mut self) -> u32;

    /// The step that an input is a task of.
    ///
    /// # Errors
    ///
    /// If there is no such input.
    fn input_step(&mut self, index: u32) -> Result<Arc<str>, Problem>;

    /// One artifact of the inputs from `first` on, at most `max` of them. The answer may be
    /// shorter, but not empty while inputs remain.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read.
    fn input_get(
        &mut self,
        name: &str,
        first: u32,
        max: u32,
    ) -> Result<Vec<Option<Value>>, Problem>;

    /// The names of all artifacts of one input, sorted.
    ///
    /// # Errors
    ///
    /// If there is no such input.
    fn input_names(&mut self, index: u32) -> Result<Vec<Arc<str>>, Problem>;

    /// Opens an artifact of one input to read it in pieces.
    ///
    /// # Errors
    ///
    /// If there is none or it cannot be read.
    fn input_open(&mut self, index: u32, name: &str) -> Result<Box<dyn ArtifactRead>, Problem>;

    /// Carries artifacts over from the inputs.
    ///
    /// # Errors
    ///
    /// If inputs disagree, or a name is in none of them; then nothing is carried over.
    fn merge(&mut self, include: &[String], exclude: &[String]) -> Result<(), Problem>;

    /// Takes text that the task wrote to one of its streams, not split into lines.
    fn log(&mut self, channel: Channel, text: &[u8]);
}

/// An artifact that is read in pieces.
pub trait ArtifactRead: Send {
    /// The media type of the bytes.
    fn format(&self) -> Arc<str>;

    /// The number of bytes in all.
    fn size(&self) -> u64;

    /// Up to `count` bytes from `offset` on; fewer only at the end. `count` was checked to be
    /// at most [`MAX_READ`].
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn read(&mut self, offset: u64, count: u32) -> Result<Vec<u8>, Problem>;
}

/// An artifact that is written in pieces; see [`TaskIo::create`].
pub trait ArtifactWrite: Any + Send {
    /// Appends. `data` lies in the guest's own memory: no copy was made of it.
    ///
    /// # Errors
    ///
    /// If a limit forbids it or the store fails.
    fn write(&mut self, data: &[u8]) -> Result<(), Problem>;
}

/// The most bytes that one `reader.read` may ask for.
pub const MAX_READ: u32 = 16 << 20;
