//! The limits of tasks, as options.

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use wflow::Limits;

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

fn at_least_one() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..)
}

impl LimitArgs {
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
