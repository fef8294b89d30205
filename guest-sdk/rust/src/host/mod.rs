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

/// The most bytes of an artifact that are asked for at once when it is read in pieces.
const PIECE: u32 = 4 << 20;

/// An artifact, whole. What is too large to cross at once is read in pieces.
pub(crate) fn load(name: &str) -> Result<Raw, Problem> {
    match get(name) {
        Err(Problem::Refused(why)) => match open(name) {
            Ok(reader) => load_from(&reader),
            Err(_) => Err(Problem::Refused(why)),
        },
        result => result,
    }
}

/// One artifact of some inputs of a join; those that are too large to cross at once, one by one.
pub(crate) fn load_inputs(name: &str, first: u32, max: u32) -> Result<Vec<Option<Raw>>, Problem> {
    match input_get(name, first, max) {
        Err(Problem::Refused(why)) => match input_open(first, name) {
            Ok(reader) => Ok(vec![Some(load_from(&reader)?)]),
            Err(_) => Err(Problem::Refused(why)),
        },
        result => result,
    }
}

fn load_from(reader: &Reader) -> Result<Raw, Problem> {
    let size = reader.size();
    let mut data = Vec::new();
    let room = usize::try_from(size).is_ok_and(|size| data.try_reserve_exact(size).is_ok());
    if !room {
        let why = format!("its {size} bytes do not fit into the memory of this task");
        return Err(Problem::Refused(why));
    }
    while (data.len() as u64) < size {
        let piece = reader.read(data.len() as u64, PIECE)?;
        if piece.is_empty() {
            return Err(Problem::Refused("it ends before it should".to_owned()));
        }
        data.extend_from_slice(&piece);
    }
    Ok(Raw { format: reader.format(), data })
}

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
