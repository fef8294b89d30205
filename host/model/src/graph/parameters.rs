//! The rules for the parameters of a flow.

use std::collections::HashSet;

use super::document::ParameterEntry;
use super::problems::Problems;
use crate::Name;
use crate::name::excerpt;
use crate::parameter::Parameter;
use crate::parameter::RESERVED;

/// Checks the parameters; returns those that can be made out.
pub(super) fn check(entries: Vec<ParameterEntry>, problems: &mut Problems) -> Vec<Parameter> {
    let mut seen = HashSet::new();
    let mut artifacts = HashSet::new();
    let mut parameters = Vec::new();
    for entry in entries {
        let shown = excerpt(&entry.name);
        if !is_parameter_name(&entry.name) {
            problems.flow(
                format!("`{shown}` is no name for a parameter"),
                "a letter first, then letters, digits, hyphens and underscores, at most 64",
            );
            continue;
        }
        let folded = entry.name.to_ascii_lowercase().replace('-', "_");
        if RESERVED.contains(&folded.replace('_', "-").as_str()) {
            problems.flow(
                format!("parameter `{shown}` has the name of an option of `wflow run`"),
                "choose another name for it",
            );
        }
        if !seen.insert(folded) {
            problems.flow(
                format!("parameter `{shown}` is defined twice"),
                "names of parameters that differ only in capitals, hyphens and underscores are \
                 the same name; rename one",
            );
        }
        let artifact = entry.artifact.unwrap_or_else(|| entry.name.replace('-', "_"));
        let artifact = match Name::new(&artifact) {
            Ok(artifact) => artifact,
            Err(error) => {
                problems.flow(format!("the artifact of parameter `{shown}`: {error}"), "rename it");
                continue;
            }
        };
        if !artifacts.insert(artifact.clone()) {
            problems.flow(
                format!("two parameters are kept in artifact `{artifact}`"),
                "give each parameter an artifact of its own",
            );
        }
        let default = match entry.default {
            serde_json::Value::Null => None,
            value => entry.kind.read(&value).map(Some).unwrap_or_else(|error| {
                problems.flow(
                    format!("the default of parameter `{shown}`: {error}"),
                    format!(
                        "the parameter is of type {}: change its type or its default",
                        entry.kind
                    ),
                );
                None
            }),
        };
        let (name, kind, help, required) = (entry.name, entry.kind, entry.help, entry.required);
        parameters.push(Parameter { name, artifact, kind, help, required, default });
    }
    parameters
}

fn is_parameter_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
