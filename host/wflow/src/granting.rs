//! Whether a flow has what it wishes for.

use std::fmt;

use wflow_model::Grants;
use wflow_model::Name;
use wflow_model::grant::Wish;
use wflow_model::graph::Graph;
use wflow_model::name::is_harmful;

/// A flow wishes for something that it is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Ungranted {
    /// The flow.
    pub flow: Name,
    /// What it wishes for and has not.
    pub wishes: Vec<Wish>,
}

impl fmt::Display for Ungranted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flow, wishes } = self;
        write!(f, "flow {flow} asks for access to what is outside, and has not been granted it:")?;
        let grants: Vec<String> = wishes.iter().map(|wish| wish.grant.to_string()).collect();
        let width = grants.iter().map(String::len).filter(|width| *width <= 40).max().unwrap_or(0);
        for (grant, Wish { why, .. }) in grants.iter().zip(wishes) {
            // The words are the guest's own, and go to a terminal.
            let why: String = why.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect();
            write!(f, "\n    {}", format!("{grant:width$}    {}", why.trim()).trim_end())?;
        }
        Ok(())
    }
}

/// Looks whether a flow has all that it wishes for.
pub(crate) fn check(graph: &Graph, grants: &Grants) -> Result<(), Ungranted> {
    let missing = graph.wishes().iter().filter(|wish| !grants.satisfy(&wish.grant));
    let wishes: Vec<Wish> = missing.cloned().collect();
    match wishes.is_empty() {
        true => Ok(()),
        false => Err(Ungranted { flow: graph.name().clone(), wishes }),
    }
}
