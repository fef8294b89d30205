//! A task in memory.

use crate::host::{Channel, Failure, Frame, Identity, Problem, Raw};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// All that the host would know of a task, and what it has heard from it.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) artifacts: BTreeMap<String, Raw>,
    pub(crate) inputs: Vec<(String, BTreeMap<String, Raw>)>,
    pub(crate) frames: Vec<(Frame, Raw)>,
    pub(crate) set: BTreeSet<String>,
    pub(crate) output: Vec<u8>,
    pub(crate) failure: Option<Failure>,
    /// The calls so far, as `get count` or `input-get count 0 16`.
    pub(crate) calls: Vec<String>,
}
