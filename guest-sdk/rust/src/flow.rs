//! What `#[flow]` and `#[steps]` implement, and how the exports of the component use it.

use crate::artifact::Slot;
use crate::describe::{Parameter, Step, Wish};
use crate::error::{Error, IntoError, Result};
use crate::host::{self, Failure};
use crate::source::{Joined, Source};
use crate::task::{self, Frame};
use std::any::Any;
use std::cell::Cell;
use std::panic::{self, Location};

/// A flow by its fields. `#[flow]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no flow: there is no `#[flow]` before its struct",
    label = "not a flow"
)]
pub trait Flow: Sized {
    /// Its name.
    const NAME: &'static str;
    /// Its doc comment.
    const DOC: &'static str;

    /// The flow as it is seen from somewhere. Nothing is read yet.
    fn bind(source: &Source) -> Self;

    /// Shows each artifact to `visit`, with its name.
    ///
    /// # Errors
    ///
    /// The first error of `visit`.
    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&'static str, &mut dyn Slot) -> Result<()>,
    ) -> Result<()>;

    /// Its parameters.
    fn parameters() -> Vec<Parameter>;

    /// What it would like to be granted.
    fn wishes() -> Vec<Wish> {
        Vec::new()
    }
}

/// A flow by its steps. `#[steps]` implements it.
pub trait Steps: Flow {
    /// The inputs of a join by the steps that they come from: a field for every step.
    type Branches;
    /// Its steps, in the order in which they are written.
    const STEPS: &'static [Step];

    /// The inputs by their steps.
    fn branches(joined: &Joined) -> Self::Branches;

    /// Calls the method that is that step.
    ///
    /// # Errors
    ///
    /// That of the method, or that an argument of it could not be read.
    fn call(&mut self, step: &str) -> Result<()>;
}

/// Writes what the step so far has changed.
pub(crate) fn commit<F: Flow>(flow: &mut F) -> Result<()> {
    flow.visit(&mut |name, slot| slot.settle(name))?;
    flow.visit(&mut |name, slot| slot.commit(name))
}

/// What a method that is a step returns. `Way` is that of its error.
#[diagnostic::on_unimplemented(
    message = "a step returns `()` or `Result<()>`, not `{Self}`",
    label = "not what a step returns",
    note = "what the steps that follow need is set in an artifact: `self.count = 1.into()`"
)]
pub trait Outcome<Way> {
    /// The error in it.
    ///
    /// # Errors
    ///
    /// The error in it.
    fn into_result(self) -> Result<()>;
}

impl Outcome<()> for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: IntoError<Way>, Way> Outcome<Way> for std::result::Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(|error| {
            let error = error.into_error();
            match error.location() {
                // It became one only here, so its place is not known.
                Some(location) if location.file() == file!() => error.nowhere(),
                _ => error,
            }
        })
    }
}

/// The error in what a step has returned.
///
/// # Errors
///
/// The error in it.
pub fn outcome<T: Outcome<Way>, Way>(outcome: T) -> Result<()> {
    outcome.into_result()
}

/// The export `run`: one task.
///
/// # Errors
///
/// Why the step failed.
pub fn run<F: Steps>(step: &str) -> std::result::Result<(), Failure> {
    let declared = F::STEPS.iter().find(|declared| declared.name == step);
    STEP.set(declared);
    if cfg!(target_arch = "wasm32") {
        panic::set_hook(Box::new(|info| {
            flush();
            host::fail(&panicked(info.payload(), info.location()));
        }));
    }
    let mut flow = F::bind(&Source::Task);
    let result = flow.call(step).and_then(|()| commit(&mut flow));
    flush();
    result.map_err(|error| Failure {
        kind: error.kind(),
        message: error.to_string(),
        location: error.location().map_or_else(declared_at, ToString::to_string),
        trace: error.chain(),
    })
}

/// What `print!` without an end of line has left in the buffer.
fn flush() {
    // Where standard output is closed there is nobody to tell.
    let _ = std::io::Write::flush(&mut std::io::stdout());
}

thread_local! {
    /// The step that runs.
    static STEP: Cell<Option<&'static Step>> = const { Cell::new(None) };
}

/// Where the step that runs is declared, as `file:line`.
fn declared_at() -> String {
    STEP.get().map_or_else(String::new, |step| format!("{}:{}", step.file, step.line))
}

/// What the host is told of a panic, with which the instance ends.
fn panicked(payload: &(dyn Any + Send), location: Option<&Location<'_>>) -> Failure {
    let failure = |message: &str, location| Failure {
        kind: "panic".to_owned(),
        message: message.to_owned(),
        location,
        trace: String::new(),
    };
    if let Some(Unshown(message)) = payload.downcast_ref() {
        // The host finds it in the backtrace.
        return failure(message, String::new());
    }
    let message = match payload.downcast_ref::<String>() {
        Some(message) => message,
        None => payload.downcast_ref::<&str>().copied().unwrap_or("a panic without a message"),
    };
    failure(message, location.map_or_else(String::new, ToString::to_string))
}

/// The payload of a panic amid formatting, where the line of the flow that prints is unknown.
struct Unshown(String);

/// The value to be shown, or a panic that says why it cannot be.
pub(crate) fn shown<T>(value: Result<&T>) -> &T {
    value.unwrap_or_else(|error| panic::panic_any(Unshown(error.to_string())))
}

/// What [`Steps::call`] answers to a step that is not there.
///
/// # Errors
///
/// Always.
pub fn no_such_step(flow: &str, step: &str) -> Result<()> {
    Err(Error::inner(format!("flow {flow} has no step `{step}`")))
}

/// The nearest foreach around the task.
///
/// # Errors
///
/// If there is none.
pub fn innermost() -> Result<Frame> {
    let mut identity = task::identity();
    match identity.frames.pop() {
        Some(frame) => Ok(frame),
        None => Err(Error::inner(format!("step `{}` runs in no foreach here", identity.step))),
    }
}

#[cfg(test)]
mod tests;
