//! Who this task is, what time it is for it, and what it says.
//!
//! All but [`run_id`] is the same in every run with the same seed, so what a task makes of it
//! is reproducible.

use crate::codec;
use crate::error::{Error, Result};
use crate::host;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

pub use crate::bindings::wflow::flow::task::Channel;

/// What a task knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the flow.
    pub flow: String,
    /// The step that this is a task of.
    pub step: String,
    /// The task's id within its step, such as `1` or `3.2`.
    pub task: String,
    /// 0 for the first attempt, 1 for the first retry, and so on.
    pub attempt: u32,
    /// The foreach loops around this task, outermost first.
    pub frames: Vec<Frame>,
}

/// One foreach that a task is inside of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The step whose foreach it is.
    pub step: String,
    /// The artifact that it iterates over.
    pub artifact: String,
    /// The position of this task's item, from 0.
    pub index: usize,
    /// How many items there are.
    pub width: usize,
    level: u32,
}

impl Frame {
    /// The item of this foreach that the task is for.
    ///
    /// # Errors
    ///
    /// If it is no `T`.
    #[track_caller]
    pub fn item<T: DeserializeOwned>(&self) -> Result<T> {
        let location = std::panic::Location::caller();
        let item = host::item(self.level)
            .map_err(|problem| Error::inner(problem.about(&self.artifact)).at(location))?;
        codec::decode(&item.format, Cow::Owned(item.data)).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            let what =
                format!("item {} of `{}` cannot be read as {wanted}", self.index, self.artifact);
            Error::inner(error).context(what).at(location)
        })
    }
}

/// The identity of this task.
pub fn identity() -> Identity {
    let host::Identity { flow, step, task, attempt, frames } = host::identify();
    let frames = frames.into_iter().zip(0..).map(|(frame, level)| Frame {
        step: frame.step,
        artifact: frame.artifact,
        index: frame.index as usize,
        width: frame.width as usize,
        level,
    });
    Identity { flow, step, task, attempt, frames: frames.collect() }
}

/// The id of the run. What depends on it is not reproducible.
pub fn run_id() -> String {
    host::run_id()
}

/// The time by the run's logical clock, as `SystemTime::now()` gives it, too.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(host::now())
}

/// Fills `buffer` with random bytes, which are the same for this task in every run with the
/// same seed. Crates that ask the system for randomness get such ones, too.
pub fn random(buffer: &mut [u8]) {
    for piece in buffer.chunks_mut(65_536) {
        let bytes = host::random(piece.len() as u32);
        piece.copy_from_slice(&bytes);
    }
}

/// Appends text to one of the task's streams, as `print!` and `eprint!` do.
pub fn log(channel: Channel, text: &str) {
    host::log(channel, text.as_bytes());
}
