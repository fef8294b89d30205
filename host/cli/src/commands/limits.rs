//! The limits of tasks, as options.

use std::time::Duration;

use clap::Args;
use clap::Command;
use clap::FromArgMatches;
use clap::builder::RangedU64ValueParser;
use wflow::Limits;
use wflow::model::name::nearest;

use crate::quantity;

/// What a task may use. What is not given has its default.
#[derive(Debug, Default, Args)]
pub(crate) struct LimitArgs {
    /// Stop a task that runs longer than this: seconds, or with a unit as in 500ms, 10s, 5m; or none
    /// [default: 5d]
    #[arg(long, value_name = "TIME", env = "WFLOW_RUN_TIMEOUT", hide_env = true, value_parser = quantity::deadline)]
    pub(crate) timeout: Option<Deadline>,
    /// Let a task use at most this much memory: bytes, or with a unit as in 512M, 2G [default: 1G]
    #[arg(long, value_name = "SIZE", env = "WFLOW_RUN_MEMORY", hide_env = true, value_parser = quantity::size)]
    pub(crate) memory: Option<u64>,
    /// Let a task compute at most this much: about one for each instruction, exactly the same on
    /// every machine [default: no limit]
    #[arg(long, value_name = "COUNT", env = "WFLOW_RUN_FUEL", hide_env = true, value_parser = at_least_one())]
    pub(crate) fuel: Option<u64>,
    /// Let calls in a task nest until their stack has this size, at most 64M [default: 1M]
    #[arg(long, value_name = "SIZE", env = "WFLOW_RUN_STACK", hide_env = true, value_parser = quantity::stack)]
    pub(crate) stack: Option<u64>,
    /// Let a task write at most this many megabytes to each of its two streams [default: 32]
    #[arg(long, value_name = "MB", env = "WFLOW_RUN_MAX_LOG_SIZE", hide_env = true, value_parser = quantity::megabytes)]
    pub(crate) max_log_size: Option<u64>,
    /// Let a task have at most this many artifacts, those that it inherits included [default: 100000]
    #[arg(long, value_name = "COUNT", env = "WFLOW_RUN_MAX_ARTIFACTS", hide_env = true, value_parser = at_least_one())]
    pub(crate) max_artifacts: Option<u64>,
    /// Let all artifacts that a task puts have at most this size [default: 1T]
    #[arg(long, value_name = "SIZE", env = "WFLOW_RUN_MAX_ARTIFACT_SIZE", hide_env = true, value_parser = quantity::size)]
    pub(crate) max_artifact_size: Option<u64>,
    /// Let one host call of a task move at most this much, such as one artifact [default: 1G]
    #[arg(long, value_name = "SIZE", env = "WFLOW_RUN_MAX_CALL_SIZE", hide_env = true, value_parser = quantity::size)]
    pub(crate) max_call_size: Option<u64>,
    /// Let the function tables of a task have at most this many elements [default: 1000000]
    #[arg(long, value_name = "COUNT", env = "WFLOW_RUN_MAX_TABLE_ELEMENTS", hide_env = true, value_parser = at_least_one())]
    pub(crate) max_table_elements: Option<u64>,
    /// Let a task have at most this many readers, writers and timers open [default: 10000]
    #[arg(long, value_name = "COUNT", env = "WFLOW_RUN_MAX_HANDLES", hide_env = true, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_handles: Option<u32>,
}

/// How long a task may run; none is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline(pub(crate) Option<Duration>);

/// The first line of what clap says, which is all there is to say here.
fn brief(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn at_least_one() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..)
}

impl LimitArgs {
    /// Takes from others what is not given.
    pub(crate) fn fill(&mut self, others: &Self) {
        self.timeout = self.timeout.or(others.timeout);
        self.memory = self.memory.or(others.memory);
        self.fuel = self.fuel.or(others.fuel);
        self.stack = self.stack.or(others.stack);
        self.max_log_size = self.max_log_size.or(others.max_log_size);
        self.max_artifacts = self.max_artifacts.or(others.max_artifacts);
        self.max_artifact_size = self.max_artifact_size.or(others.max_artifact_size);
        self.max_call_size = self.max_call_size.or(others.max_call_size);
        self.max_table_elements = self.max_table_elements.or(others.max_table_elements);
        self.max_handles = self.max_handles.or(others.max_handles);
    }

    /// Reads limits that are given by the names of their options, each with its value.
    ///
    /// # Errors
    ///
    /// If there is no limit of that name, or the value is none for it.
    pub(crate) fn of(
        values: impl IntoIterator<Item = (String, String)>,
    ) -> std::result::Result<Self, String> {
        let command = Self::augment_args(Command::new("limits")).no_binary_name(true);
        // The environment has its say on the command line, which wins over these.
        let command = command.mut_args(|arg| arg.env(None::<&str>));
        let mut words = Vec::new();
        for (name, value) in values {
            if command.get_arguments().all(|arg| arg.get_long() != Some(&name)) {
                let names = command.get_arguments().filter_map(|arg| arg.get_long());
                let meant = nearest(&name, names).map(|meant| format!("; did you mean `{meant}`?"));
                return Err(format!("there is no limit `{name}`{}", meant.unwrap_or_default()));
            }
            words.push(format!("--{name}={value}"));
        }
        let matches = command.try_get_matches_from(words).map_err(|error| brief(&error))?;
        Self::from_arg_matches(&matches).map_err(|error| brief(&error))
    }

    /// The limits that this asks for.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            memory: self.memory.unwrap_or(usual.memory),
            timeout: self.timeout.map_or(usual.timeout, |deadline| deadline.0),
            fuel: self.fuel.or(usual.fuel),
            stack: self.stack.unwrap_or(usual.stack),
            log_bytes: self.max_log_size.unwrap_or(usual.log_bytes),
            artifacts: self.max_artifacts.unwrap_or(usual.artifacts),
            artifact_bytes: self.max_artifact_size.unwrap_or(usual.artifact_bytes),
            hostcall_bytes: self.max_call_size.unwrap_or(usual.hostcall_bytes),
            table_elements: self.max_table_elements.unwrap_or(usual.table_elements),
            handles: self.max_handles.unwrap_or(usual.handles),
        }
    }
}
