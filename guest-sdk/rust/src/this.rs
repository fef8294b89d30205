//! What a step can ask and do besides its fields.

use crate::error::{Error, Result};
use crate::flow::{self, Flow};
use crate::host;
use crate::inputs::Merge;
use crate::task::{self, Frame, Identity};
use serde::de::DeserializeOwned;
use std::panic::Location;

/// What every step can ask of its task: `self.index()`, `self.merge_artifacts(&inputs)`, ...
pub trait Task: Flow {
    /// The item of the nearest foreach. A step that is always the target of a foreach had better
    /// take it as its argument `input`, whose type is checked when the flow is compiled.
    ///
    /// # Errors
    ///
    /// If the task is in no foreach, or the item is no `T`.
    #[track_caller]
    fn input<T: DeserializeOwned>(&self) -> Result<T> {
        let location = Location::caller();
        flow::innermost().and_then(|frame| frame.item()).map_err(|error| error.at(location))
    }

    /// The position of that item.
    ///
    /// # Errors
    ///
    /// If the task is in no foreach.
    #[track_caller]
    fn index(&self) -> Result<usize> {
        let location = Location::caller();
        flow::innermost().map(|frame| frame.index).map_err(|error| error.at(location))
    }

    /// The foreach loops around this task, outermost first.
    fn foreach_stack(&self) -> Vec<Frame> {
        task::identity().frames
    }

    /// Who this task is.
    fn identity(&self) -> Identity {
        task::identity()
    }

    /// Carries over from the inputs of a join all artifacts that this step has not set:
    /// `&inputs`, or only some: `inputs.include(["a", "b"])`, `inputs.exclude(["c"])`.
    ///
    /// # Errors
    ///
    /// If inputs disagree about an artifact, which then must be set before or excluded; if one
    /// to include is in no input; if this step is no join. Nothing is carried over then.
    #[track_caller]
    fn merge_artifacts(&mut self, which: impl Into<Merge>) -> Result<()> {
        let location = Location::caller();
        let Merge { include, exclude } = which.into();
        // The host leaves alone what has been set, so it has to know.
        flow::commit(self).map_err(|error| error.at(location))?;
        host::merge(&include, &exclude).map_err(|problem| {
            let message = match problem {
                host::Problem::Missing(why) | host::Problem::Refused(why) => why,
            };
            Error::inner(message).at(location)
        })
    }
}

impl<F: Flow> Task for F {}
