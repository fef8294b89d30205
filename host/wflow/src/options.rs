//! How a flow is to be run.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use wflow_model::Grants;
use wflow_model::Tag;
use wflow_model::record::RunRecord;
use wflow_sandbox::CancelToken;
use wflow_sandbox::Limits;

use crate::bind::Arguments;
use crate::event::Observer;

/// The moment at which the logical clock of every run starts unless another is given: the
/// first second of 2020, in nanoseconds since 1970. Fixed, so that two runs agree.
pub const DEFAULT_LOGICAL_TIME: u64 = 1_577_836_800_000_000_000;

/// The most tasks that one foreach may yield unless more are allowed: the book's guard against
/// a list that is longer than was thought.
pub const DEFAULT_MAX_NUM_SPLITS: u32 = 100;

/// How a flow is to be run. What is not set has the default that a person would expect.
#[derive(Clone)]
pub struct RunOptions {
    pub(crate) parameters: Vec<ParameterInput>,
    pub(crate) arguments: Option<Arguments>,
    pub(crate) policy: Policy,
    pub(crate) max_workers: usize,
    pub(crate) tags: BTreeSet<Tag>,
    pub(crate) grants: Grants,
    pub(crate) reuse: bool,
    pub(crate) observer: Arc<dyn Observer + Send + Sync>,
    pub(crate) cancel: CancelToken,
}

/// The rules that every task of a run is under.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) max_num_splits: u32,
    pub(crate) limits: Limits,
    pub(crate) seed: u64,
    pub(crate) logical_time: u64,
}

impl Policy {
    /// The rules that the tasks of a run were under.
    pub(crate) fn of(record: &RunRecord) -> Self {
        let told = |name: &str| record.limits.get(name).copied();
        let usual = Limits::default();
        let at_most = |name: &str, usual: u64| told(name).unwrap_or(usual);
        Self {
            max_num_splits: told("max-num-splits")
                .and_then(|splits| splits.try_into().ok())
                .unwrap_or(u32::MAX),
            limits: Limits {
                memory: at_most("memory", usual.memory),
                timeout: told("timeout").map(Duration::from_millis),
                fuel: told("fuel"),
                stack: at_most("stack", usual.stack),
                log_bytes: at_most("max-log-size", usual.log_bytes),
                artifacts: at_most("max-artifacts", usual.artifacts),
                artifact_bytes: at_most("max-artifact-size", usual.artifact_bytes),
                hostcall_bytes: at_most("max-call-size", usual.hostcall_bytes),
                table_elements: at_most("max-table-elements", usual.table_elements),
                handles: told("max-handles")
                    .and_then(|handles| handles.try_into().ok())
                    .unwrap_or(usual.handles),
            },
            seed: record.seed,
            logical_time: record.logical_time,
        }
    }

    /// The limits as the record of a run tells them: each by the name of its option.
    pub(crate) fn told(&self) -> BTreeMap<String, u64> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let limits = &self.limits;
        let limits = [
            ("memory", Some(limits.memory)),
            ("timeout", limits.timeout.map(milliseconds)),
            ("fuel", limits.fuel),
            ("stack", Some(limits.stack)),
            ("max-log-size", Some(limits.log_bytes)),
            ("max-artifacts", Some(limits.artifacts)),
            ("max-artifact-size", Some(limits.artifact_bytes)),
            ("max-call-size", Some(limits.hostcall_bytes)),
            ("max-table-elements", Some(limits.table_elements)),
            ("max-handles", Some(limits.handles.into())),
            ("max-num-splits", Some(self.max_num_splits.into())),
        ];
        let told = limits.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        told.collect()
    }
}

/// A value that is given for a parameter, as text, and where that text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInput {
    /// The name of the parameter.
    pub name: String,
    /// The value as a person writes it; for a file, its path.
    pub text: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where the value of a parameter comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line or the program.
    Given,
    /// This environment variable.
    Environment(String),
    /// The default in the flow.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("as given"),
            Self::Environment(variable) => write!(f, "from the environment variable {variable}"),
            Self::Default => f.write_str("the default in the flow"),
        }
    }
}

/// How many cores this process may use. The answer takes three files, so it is asked once.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            parameters: Vec::new(),
            arguments: None,
            policy: Policy {
                max_num_splits: DEFAULT_MAX_NUM_SPLITS,
                limits: Limits::default(),
                seed: 0,
                logical_time: DEFAULT_LOGICAL_TIME,
            },
            tags: BTreeSet::new(),
            grants: Grants::NONE,
            reuse: false,
            max_workers: cores(),
            observer: Arc::new(()),
            cancel: CancelToken::new(),
        }
    }
}

impl RunOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a parameter its value, written as on the command line; for a file, its path.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        let (name, text) = (name.into(), text.into());
        self.parameters.push(ParameterInput { name, text, source: Source::Given });
        self
    }

    /// Gives several parameters, each with its source. Of two values for one parameter the one
    /// that is given wins over the environment, and the later over the earlier.
    #[must_use]
    pub fn parameters(mut self, inputs: impl IntoIterator<Item = ParameterInput>) -> Self {
        self.parameters.extend(inputs);
        self
    }

    /// Gives all parameters their values, as [`crate::Flow::arguments`] of the same flow found
    /// them; others that are given are not looked at.
    #[must_use]
    pub fn arguments(mut self, arguments: Arguments) -> Self {
        self.arguments = Some(arguments);
        self
    }

    /// How many tasks run at once, at most; by default as many as the machine has cores.
    #[must_use]
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = workers.max(1);
        self
    }

    /// Marks the run with a tag, by which it can be found later.
    #[must_use]
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tags.insert(tag);
        self
    }

    /// What of the outside the tasks may see or touch; by default nothing.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    /// Whether tasks that an earlier run of this store has executed, and that would leave the same,
    /// are taken over from there. By default all are executed: that is what to run a flow means,
    /// and a person who measures or tests one counts on it. A run that resumes another takes over
    /// what that has done, and nothing else.
    #[must_use]
    pub fn reuse(mut self, reuse: bool) -> Self {
        self.reuse = reuse;
        self
    }

    /// How many tasks one foreach may yield; by default [`DEFAULT_MAX_NUM_SPLITS`].
    #[must_use]
    pub fn max_num_splits(mut self, splits: u32) -> Self {
        self.policy.max_num_splits = splits;
        self
    }

    /// What each task may use. Fuel, and another stack than the usual, need a host that was set up
    /// for them: see [`crate::HostOptions::fit`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.policy.limits = limits;
        self
    }

    /// The seed of the random numbers that tasks draw; by default 0, so that runs agree.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.policy.seed = seed;
        self
    }

    /// The moment at which tasks find themselves: nanoseconds since 1970.
    #[must_use]
    pub fn logical_time(mut self, nanoseconds: u64) -> Self {
        self.policy.logical_time = nanoseconds;
        self
    }

    /// Who watches the run; by default nobody.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer + Send + Sync>) -> Self {
        self.observer = observer;
        self
    }

    /// What stops the run from outside. A token serves one run: it is cancelled as well when a
    /// task fails.
    #[must_use]
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = token;
        self
    }
}
