//! Pathspecs: how people name flows, runs, steps, tasks and artifacts.

use std::fmt;
use std::str::FromStr;

use crate::Name;
use crate::name::excerpt;
use crate::record::RunId;

/// The name of something in a store: `Flow/run/step/task/artifact`, cut off anywhere.
///
/// The flow may be left out where a run is named, and the run may be `latest`. A task is kept as
/// it was written: what it means depends on the step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pathspec {
    /// The flow, if it was named.
    pub flow: Option<Name>,
    /// The run.
    pub run: Option<RunSelector>,
    /// The step.
    pub step: Option<Name>,
    /// The task, as it was written.
    pub task: Option<String>,
    /// The artifact.
    pub artifact: Option<Name>,
}

/// Which run of a flow, or of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunSelector {
    /// The one that began last.
    Latest,
    /// The one with this id.
    Id(RunId),
}

impl FromStr for RunSelector {
    type Err = InvalidPathspec;

    fn from_str(text: &str) -> Result<Self, InvalidPathspec> {
        match text {
            "latest" => Ok(Self::Latest),
            _ => text.parse().map(Self::Id).map_err(|_| InvalidPathspec::Run(excerpt(text))),
        }
    }
}

impl fmt::Display for RunSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// The text is no pathspec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPathspec {
    /// A part between two slashes is empty.
    #[error("a part of the pathspec is empty; its form is [FLOW/]RUN/STEP/TASK")]
    Empty,
    /// There are too many parts.
    #[error("the pathspec has too many parts; its form is [FLOW/]RUN/STEP/TASK/ARTIFACT")]
    TooLong,
    /// The name of a flow, step or artifact breaks the rule for names.
    #[error(transparent)]
    Name(#[from] crate::name::InvalidName),
    /// What should name a run does not.
    #[error("`{0}` names no run: a run is its id, a number, or `latest`")]
    Run(String),
}

impl FromStr for Pathspec {
    type Err = InvalidPathspec;

    fn from_str(text: &str) -> Result<Self, InvalidPathspec> {
        let mut parts = text.split('/').peekable();
        if text.split('/').any(str::is_empty) {
            return Err(InvalidPathspec::Empty);
        }
        let names_run = |part: &str| part == "latest" || part.bytes().all(|b| b.is_ascii_digit());
        let flow = parts.next_if(|part| !names_run(part)).map(Name::new).transpose()?;
        let run = parts.next().map(str::parse).transpose()?;
        let step = parts.next().map(Name::new).transpose()?;
        let task = parts.next().map(str::to_owned);
        let artifact = parts.next().map(Name::new).transpose()?;
        match parts.next() {
            None => Ok(Self { flow, run, step, task, artifact }),
            Some(_) => Err(InvalidPathspec::TooLong),
        }
    }
}

impl fmt::Display for Pathspec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.flow.as_ref().map(ToString::to_string),
            self.run.as_ref().map(ToString::to_string),
            self.step.as_ref().map(ToString::to_string),
            self.task.clone(),
            self.artifact.as_ref().map(ToString::to_string),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_and_short_forms_are_read() {
        for text in [
            "CounterFlow",
            "CounterFlow/latest",
            "CounterFlow/1795474177058711/start/1/count",
            "1795474177058711/multiply/3.2",
            "latest/end",
        ] {
            assert_eq!(text.parse::<Pathspec>().unwrap().to_string(), text);
        }
        let short: Pathspec = "latest/end".parse().unwrap();
        assert_eq!(short.run, Some(RunSelector::Latest));
        assert_eq!(short.flow, None);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, error) in [
            ("", InvalidPathspec::Empty),
            ("1//start", InvalidPathspec::Empty),
            ("/1/start", InvalidPathspec::Empty),
            ("F/start/1", InvalidPathspec::Run("start".to_owned())),
            ("F/1/start/1/x/y", InvalidPathspec::TooLong),
            ("99999999999999999999/start", InvalidPathspec::Run("99999999999999999999".to_owned())),
        ] {
            assert_eq!(text.parse::<Pathspec>(), Err(error), "{text}");
        }
        assert!("1/st-art".parse::<Pathspec>().is_err());
    }
}
