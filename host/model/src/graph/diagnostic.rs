//! What is wrong with a flow, in words.

use std::fmt;

use super::CONTRACT;
use super::MAX_DOCUMENT;
use super::Place;
use crate::name::excerpt;

/// One thing that is wrong with a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The step that it concerns, if it is one.
    pub step: Option<String>,
    /// Where that stands in the source, if it is known.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Diagnostic {
    /// Something wrong with the flow as a whole.
    pub(crate) fn flow(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { step: None, place: None, message: message.into(), help: help.into() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}: ", excerpt(&place.file), place.line)?;
        }
        if let Some(step) = &self.step {
            write!(f, "step `{}`: ", excerpt(step))?;
        }
        write!(f, "{}\n    help: {}", self.message, self.help)
    }
}

/// A flow that cannot run: what is wrong with its graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFlow {
    diagnostics: Vec<Diagnostic>,
    /// How many there are besides.
    more: usize,
}

/// More than this many problems are counted, not shown.
const SHOWN: usize = 50;

impl InvalidFlow {
    pub(super) fn new(diagnostics: Vec<Diagnostic>, more: usize) -> Self {
        Self { diagnostics, more }
    }

    fn one(diagnostic: Diagnostic) -> Self {
        Self::new(vec![diagnostic], 0)
    }

    pub(super) fn malformed(error: &serde_json::Error) -> Self {
        Self::one(Diagnostic::flow(
            format!("the description of the flow cannot be read: {}", excerpt_line(error)),
            "its form is documented at `describe` in wit/flow.wit; a guest SDK writes it for you",
        ))
    }

    pub(super) fn too_large(size: usize) -> Self {
        Self::one(Diagnostic::flow(
            format!(
                "the description of the flow has {size} bytes, at most {MAX_DOCUMENT} are read"
            ),
            "make the flow smaller: a foreach stands for many tasks with one step",
        ))
    }

    pub(super) fn other_contract(found: &str) -> Self {
        Self::one(Diagnostic::flow(
            format!("the flow speaks contract {found}, this wflow speaks {CONTRACT}"),
            "rebuild the flow with the SDK of this wflow, or use the wflow that it was built for",
        ))
    }

    /// What is wrong, in the order of the steps; never empty. The first thousand problems: of those
    /// that were found after them only the number is kept.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

/// An error of the JSON reader may quote the document at length.
fn excerpt_line(error: &serde_json::Error) -> String {
    let text: String = error.to_string().chars().filter(|c| !c.is_control()).collect();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl fmt::Display for InvalidFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, diagnostic) in self.diagnostics.iter().take(SHOWN).enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        match self.diagnostics.len().saturating_sub(SHOWN) + self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more problems"),
        }
    }
}

impl std::error::Error for InvalidFlow {}
