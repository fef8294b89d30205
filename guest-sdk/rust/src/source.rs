//! Where the fields of a flow read from.

use crate::codec;
use crate::error::{Error, Result};
use crate::host::{self, Raw};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What the fields of one flow are bound to: the task that runs, or one input of a join.
#[derive(Clone)]
pub enum Source {
    /// The task that runs.
    Task,
    /// Input number so and so of a join.
    Input(Joined, u32),
}

/// One artifact by where it is.
#[derive(Clone)]
pub(crate) enum Place {
    /// It has no place, only a value, or none at all.
    Nowhere,
    /// The artifact of that name of the task that runs.
    Task(&'static str),
    /// The artifact of that name of an input, which nothing can change any more.
    Input(Joined, u32, &'static str),
    /// Bytes that have been read already.
    Held(Rc<Raw>),
}

impl Place {
    /// Its bytes, for as long as `read` looks at them.
    pub(crate) fn with<T>(&self, read: impl FnOnce(Cow<'_, Raw>) -> Result<T>) -> Result<T> {
        match self {
            Self::Nowhere => {
                Err(missing("an artifact that was taken away, or never set, is looked at".into()))
            }
            Self::Task(name) => match host::load(name) {
                Ok(raw) => read(Cow::Owned(raw)),
                Err(problem) => Err(missing(problem.about(name))),
            },
            Self::Input(joined, index, name) => {
                joined.with(name, *index, |raw| read(Cow::Borrowed(raw)))
            }
            Self::Held(raw) => read(Cow::Borrowed(raw)),
        }
    }

    /// Its value.
    pub(crate) fn load<T: DeserializeOwned>(&self) -> Result<T> {
        self.with(|raw| {
            let value = match raw {
                Cow::Owned(raw) => codec::decode(&raw.format, Cow::Owned(raw.data)),
                Cow::Borrowed(raw) => codec::decode(&raw.format, Cow::Borrowed(&raw.data)),
            };
            value.map_err(|error| self.unreadable::<T>(error))
        })
    }

    fn unreadable<T>(&self, error: codec::CodecError) -> Error {
        let what = match self {
            Self::Task(name) | Self::Input(_, _, name) => format!("artifact `{name}`"),
            Self::Nowhere | Self::Held(_) => "an artifact".to_owned(),
        };
        let wanted = std::any::type_name::<T>();
        Error::inner(error).context(format_args!("{what} cannot be read as {wanted}"))
    }
}

fn missing(message: String) -> Error {
    Error::inner(Missing(message))
}

/// There is no such artifact, or it cannot be read.
#[derive(Debug)]
struct Missing(String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// The tasks that a join joins, and what has been read of them.
///
/// Reads go to the host in batches. Of each artifact name only the last batch is kept, so a
/// pass over all inputs makes few calls and needs little memory, whatever their number.
#[derive(Clone)]
pub struct Joined(Rc<JoinedState>);

struct JoinedState {
    count: u32,
    batches: RefCell<Vec<Batch>>,
    /// The steps of the first inputs, as far as somebody asked.
    steps: RefCell<Vec<String>>,
}

/// Consecutive inputs' artifacts of one name.
struct Batch {
    name: &'static str,
    first: u32,
    items: Vec<Option<Raw>>,
    /// How many to ask for the next time.
    ask: Cell<u32>,
}

/// The first batch is small, as a join may want to look at one input only.
const FIRST_BATCH: u32 = 16;
/// The host bounds the bytes of a batch, this its number of items.
const LARGEST_BATCH: u32 = 4096;

impl Joined {
    /// The inputs of the task that runs.
    pub(crate) fn open() -> Self {
        Self(Rc::new(JoinedState {
            count: host::input_count(),
            batches: RefCell::default(),
            steps: RefCell::default(),
        }))
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.count
    }

    /// The step that an input is a task of.
    pub(crate) fn step(&self, index: u32) -> Result<String> {
        let mut steps = self.0.steps.borrow_mut();
        while steps.len() <= index as usize {
            let next = steps.len() as u32;
            steps.push(host::input_step(next).map_err(|problem| missing(problem.to_string()))?);
        }
        Ok(steps[index as usize].clone())
    }

    /// The first input that is a task of that step.
    pub(crate) fn find(&self, step: &str) -> Result<Option<u32>> {
        for index in 0..self.count() {
            if self.step(index)? == step {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// The bytes of an artifact of an input.
    fn with<T>(
        &self,
        name: &'static str,
        index: u32,
        read: impl FnOnce(&Raw) -> Result<T>,
    ) -> Result<T> {
        let mut batches = self.0.batches.borrow_mut();
        let at = match batches.iter().position(|batch| batch.name == name) {
            Some(at) => at,
            None => {
                batches.push(Batch {
                    name,
                    first: 0,
                    items: Vec::new(),
                    ask: Cell::new(FIRST_BATCH),
                });
                batches.len() - 1
            }
        };
        match batches[at].item(index)? {
            Some(raw) => read(raw),
            None => {
                drop(batches);
                let step = self.step(index).unwrap_or_default();
                Err(missing(format!("artifact `{name}` is missing in input {index} (step {step})")))
            }
        }
    }
}

impl Batch {
    fn item(&mut self, index: u32) -> Result<Option<&Raw>> {
        let end = self.first + self.items.len() as u32;
        if !(self.first..end).contains(&index) {
            if index == end && end > 0 {
                self.ask.set((self.ask.get() * 2).min(LARGEST_BATCH));
            } else {
                self.ask.set(FIRST_BATCH);
            }
            // Freed first, so that there is never more than one.
            self.items = Vec::new();
            self.items = host::load_inputs(self.name, index, self.ask.get())
                .map_err(|problem| missing(problem.about(self.name)))?;
            self.first = index;
        }
        Ok(self.items.get((index - self.first) as usize).and_then(Option::as_ref))
    }
}
