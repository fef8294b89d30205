//! The export `describe`: the graph of a flow as JSON.

use crate::flow::Steps;
use serde::Serialize;

/// The version of the contract that this crate speaks.
const CONTRACT: &str = "0.1";

/// A parameter.
#[derive(Debug, Serialize)]
pub struct Parameter {
    /// The name of its option.
    pub name: &'static str,
    /// The field.
    pub artifact: &'static str,
    /// The type as the contract calls it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Whether it has to be given.
    pub required: bool,
    /// What it is if it is not given.
    pub default: Option<serde_json::Value>,
}

/// Something that a flow would like to be granted.
#[derive(Debug, Serialize)]
pub struct Wish {
    /// What, as behind `--allow`.
    pub grant: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A step.
#[derive(Debug, Serialize)]
pub struct Step {
    /// The name of its method.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// Whether it reads inputs.
    pub join: bool,
    /// The source file.
    pub file: &'static str,
    /// The line of the method.
    pub line: u32,
    /// What follows.
    #[serde(skip_serializing_if = "Next::is_none")]
    pub next: Next,
}

/// What follows a step.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Next {
    /// Nothing: it is the end.
    None,
    /// A step.
    Step {
        /// Its name.
        step: &'static str,
    },
    /// Steps side by side.
    Split {
        /// Their names.
        split: &'static [&'static str],
    },
    /// A step for each item of a list.
    Foreach {
        /// The artifact that is the list.
        foreach: &'static str,
        /// The name of the step.
        step: &'static str,
    },
    /// One of several steps.
    Switch {
        /// The artifact that decides.
        switch: &'static str,
        /// The values that it may have.
        cases: &'static [Case],
        /// How often one may lead back.
        #[serde(skip_serializing_if = "Option::is_none")]
        rounds: Option<u32>,
    },
}

impl Next {
    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// A case of a switch.
#[derive(Debug, Serialize)]
pub struct Case {
    /// The value.
    pub value: CaseValue,
    /// The step that follows on it.
    pub step: &'static str,
}

/// The value of a case.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum CaseValue {
    /// A string.
    Text(&'static str),
    /// An integer.
    Int(i64),
    /// A bool.
    Bool(bool),
}

#[derive(Serialize)]
struct Document {
    contract: &'static str,
    name: &'static str,
    doc: &'static str,
    parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wants: Vec<Wish>,
    steps: &'static [Step],
}

/// The export `describe`.
pub fn describe<F: Steps>() -> String {
    let document = Document {
        contract: CONTRACT,
        name: F::NAME,
        doc: F::DOC,
        parameters: F::parameters(),
        wants: F::wishes(),
        steps: F::STEPS,
    };
    match serde_json::to_string(&document) {
        Ok(text) => text,
        Err(error) => unreachable!("names and numbers are JSON: {error}"),
    }
}

/// A default as JSON.
///
/// # Panics
///
/// If the value cannot be JSON, as a map whose keys are lists.
pub fn to_json<T: Serialize>(value: &T) -> serde_json::Value {
    match serde_json::to_value(value) {
        Ok(value) => value,
        Err(error) => panic!("the default of a parameter cannot be written as JSON: {error}"),
    }
}
