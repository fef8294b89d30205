//! The description of a flow as a component writes it, before any rule is checked.

use serde::Deserialize;

use super::CONTRACT;
use super::CaseValue;
use super::InvalidFlow;
use super::MAX_DOCUMENT;
use crate::name::excerpt;
use crate::parameter::ParameterType;

/// The whole description. The keys are explained in `wit/flow.wit`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "the description of a flow, an object")]
pub(super) struct Document {
    #[serde(rename = "contract")]
    _contract: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) doc: String,
    #[serde(default)]
    pub(super) parameters: Vec<ParameterEntry>,
    #[serde(default)]
    pub(super) wants: Vec<WishEntry>,
    #[serde(default)]
    pub(super) steps: Vec<StepEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a parameter, an object")]
pub(super) struct ParameterEntry {
    pub(super) name: String,
    pub(super) artifact: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: ParameterType,
    #[serde(default)]
    pub(super) help: String,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) default: serde_json::Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a wish for a grant, an object")]
pub(super) struct WishEntry {
    pub(super) grant: String,
    #[serde(default)]
    pub(super) why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a step, an object")]
pub(super) struct StepEntry {
    pub(super) name: String,
    #[serde(default)]
    pub(super) doc: String,
    #[serde(default)]
    pub(super) join: bool,
    #[serde(default)]
    pub(super) file: String,
    #[serde(default)]
    pub(super) line: u32,
    #[serde(default)]
    pub(super) next: Option<NextEntry>,
}

/// A transition. One struct for all forms, so that a mixture of them gets a message that says
/// what is wrong with it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a transition, an object")]
pub(super) struct NextEntry {
    pub(super) step: Option<String>,
    pub(super) split: Option<Vec<String>>,
    pub(super) foreach: Option<String>,
    pub(super) switch: Option<String>,
    pub(super) cases: Option<Vec<CaseEntry>>,
    pub(super) rounds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a case, an object")]
pub(super) struct CaseEntry {
    pub(super) value: CaseValue,
    pub(super) step: String,
}

/// Reads the description, checking no more than its form.
pub(super) fn parse(text: &str) -> Result<Document, InvalidFlow> {
    if text.len() > MAX_DOCUMENT {
        return Err(InvalidFlow::too_large(text.len()));
    }
    // The version is read by itself first: a flow of another version may differ in everything.
    #[derive(Deserialize)]
    #[serde(expecting = "the description of a flow, an object with the key `contract`")]
    struct Version {
        contract: String,
    }
    match serde_json::from_str(text) {
        Ok(Version { contract }) if contract == CONTRACT => {}
        Ok(Version { contract }) => return Err(InvalidFlow::other_contract(&excerpt(&contract))),
        Err(error) => return Err(InvalidFlow::malformed(&error)),
    }
    serde_json::from_str(text).map_err(|error| InvalidFlow::malformed(&error))
}
