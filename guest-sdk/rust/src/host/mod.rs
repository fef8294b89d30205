//! The imports of the contract, as the rest of this crate sees them.
//!
//! In a component they are the host. Elsewhere, in native unit tests, they are a task in
//! memory, [`fake`], that answers by the same rules and counts the calls.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod fake;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use fake::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;

pub(crate) use crate::bindings::wflow::flow::artifacts::{Artifact as Raw, Problem};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::bindings::wflow::flow::task::Frame;
pub(crate) use crate::bindings::wflow::flow::task::{Failure, Identity};

impl Problem {
    /// Whether there is no such artifact.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }

    /// In words, about the artifact `name`.
    pub(crate) fn about(&self, name: &str) -> String {
        match self {
            Self::Missing(why) if why.is_empty() => format!("artifact `{name}` is missing"),
            Self::Missing(why) => why.clone(),
            Self::Refused(why) => format!("artifact `{name}`: {why}"),
        }
    }
}
