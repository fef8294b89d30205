//! What can go wrong, in words for the person who runs the flow.

use std::time::Duration;

use wflow_model::record::Cause;
use wflow_model::record::Failure;

use crate::contract::GuestFailure;

/// The engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine refused its configuration, or this machine.
    #[error("the WebAssembly engine cannot be set up on this machine: {0}")]
    Engine(String),
    /// The thread that interrupts guests could not be started.
    #[error("the thread that interrupts tasks cannot be started: {0}")]
    Thread(std::io::Error),
}

impl SandboxError {
    #[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
    pub(crate) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine(format!("{error:#}"))
    }
}

/// The bytes of a flow could not be made ready to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There are no bytes.
    #[error("the file is empty: build the flow again")]
    Empty,
    /// It is a program, but for a machine.
    #[error(
        "this is {0}, not WebAssembly: build the flow for a wasm target, such as wasm32-wasip2"
    )]
    Native(&'static str),
    /// It is something else altogether.
    #[error("this is not WebAssembly but looks like {0}: give the .wasm file that the build made")]
    NotWasm(String),
    /// It begins like WebAssembly and stops too early.
    #[error(
        "the file is cut off: it ends after {size} bytes, in the middle of a section; build or \
         copy it again"
    )]
    Truncated {
        /// How many bytes there are.
        size: usize,
    },
    /// The engine says that it is not valid.
    #[error("the file is damaged or uses what this host does not support: {0}")]
    Invalid(String),
    /// A core module that does not import and export what the contract says.
    #[error("the core module does not fit the world `wflow:flow/flow`: {0}")]
    Module(String),
    /// It is a component for another world. Every difference is listed.
    #[error("the component is not a flow that this host can run:\n- {}", .0.join("\n- "))]
    World(Vec<String>),
}

/// A flow could not say what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// `describe` did not return.
    #[error("the flow cannot be described: {0}")]
    Failed(TaskError),
    /// Two calls gave different answers.
    #[error(
        "`describe` gave two different answers, first {first} bytes and then {second}, which \
         differ from byte {offset} on: the graph must not depend on anything outside the flow"
    )]
    Changing {
        /// The length of the first answer.
        first: usize,
        /// The length of the second answer.
        second: usize,
        /// The first byte at which they differ.
        offset: usize,
    },
    /// The answer is too long.
    #[error("the flow describes itself in {size} bytes; at most {limit} are taken")]
    TooLarge {
        /// How long the answer is, at least.
        size: usize,
        /// How long it may be.
        limit: usize,
    },
}

/// A guest trapped: it was stopped by the engine, for what it did or because it gave up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trap {
    /// What sort of trap, in words: `unreachable instruction`, `call stack exhausted`.
    pub reason: String,
    /// What the guest said before, if it did: through `task.fail`.
    pub said: Option<GuestFailure>,
    /// The end of what it wrote to standard error, at most 4 KiB.
    pub stderr: String,
    /// The functions that it was in, innermost first, one a line, with file and line where the
    /// component carries them.
    pub backtrace: String,
    /// The innermost `file:line` of the guest's own source; or empty.
    pub location: String,
}

/// Why a task did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The guest returned an error.
    #[error("{}", said.summary())]
    Failed {
        /// What the guest says.
        said: Box<GuestFailure>,
        /// Whether it was refused memory before: then that may be why.
        refused_memory: bool,
    },
    /// The guest trapped.
    #[error("{}", .0.summary())]
    Trapped(Box<Trap>),
    /// The guest ran too long.
    #[error("it ran longer than its limit of {}", seconds(*limit))]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// The functions that it was in when it was stopped.
        backtrace: String,
    },
    /// The guest wanted more memory than it may have, and could not go on without.
    #[error(
        "it needs more memory than its limit of {}: it asked for {} in all",
        mebibytes(*limit),
        mebibytes(*asked)
    )]
    OutOfMemory {
        /// The limit.
        limit: u64,
        /// How much it wanted to have in all.
        asked: u64,
        /// The trap in which it ended.
        trap: Box<Trap>,
    },
    /// One call moved more bytes than it may.
    #[error("one host call moved more than {} at once", mebibytes(*limit))]
    TooMuchAtOnce {
        /// The limit.
        limit: u64,
        /// The functions that it was in.
        backtrace: String,
    },
    /// The guest broke a rule of the contract in a call that has no result.
    #[error("{message}")]
    BrokeRule {
        /// Which.
        message: String,
        /// The functions that it was in.
        backtrace: String,
    },
    /// The guest ended itself instead of returning.
    #[error("it exited with code {code} instead of returning")]
    Exited {
        /// The code.
        code: u8,
        /// The end of what it wrote to standard error, at most 4 KiB.
        stderr: String,
    },
    /// It was stopped from outside.
    #[error("it was cancelled")]
    Cancelled,
    /// The host could not do its part.
    #[error("the host failed: {0}")]
    Host(String),
}

/// What to do when memory was refused.
const MORE_MEMORY: &str = "raise the limit with --memory, or read large artifacts in pieces";

impl TaskError {
    /// The failure as it is kept with the task. None for a task that was cancelled, which is
    /// not the task's doing.
    pub fn failure(&self) -> Option<Failure> {
        let failure = |cause, hint: &str| Failure {
            cause,
            kind: String::new(),
            message: self.to_string(),
            location: String::new(),
            trace: String::new(),
            hint: hint.to_owned(),
        };
        Some(match self {
            Self::Cancelled => return None,
            Self::Failed { said, refused_memory } => Failure {
                message: self.to_string(),
                hint: if *refused_memory { MORE_MEMORY.to_owned() } else { String::new() },
                ..said_failure(Cause::Error, said)
            },
            Self::Trapped(trap) => trap.failure(),
            Self::TimedOut { backtrace, .. } => Failure {
                trace: backtrace.clone(),
                ..failure(
                    Cause::Timeout,
                    "give it more time with --timeout, or none to wait for ever",
                )
            },
            Self::OutOfMemory { trap, .. } => Failure {
                cause: Cause::Limit,
                kind: String::new(),
                message: self.to_string(),
                // Which trap it was is the consequence, and kept with the details.
                trace: format!("{}\n{}", trap.summary(), trap.backtrace).trim_end().to_owned(),
                hint: MORE_MEMORY.to_owned(),
                ..trap.failure()
            },
            Self::TooMuchAtOnce { backtrace, .. } => Failure {
                trace: backtrace.clone(),
                ..failure(Cause::Limit, "read and write large artifacts in pieces")
            },
            Self::BrokeRule { backtrace, .. } => {
                Failure { trace: backtrace.clone(), ..failure(Cause::Trap, "") }
            }
            Self::Exited { stderr, .. } => Failure {
                trace: stderr.clone(),
                ..failure(Cause::Trap, "a step returns, it does not exit")
            },
            Self::Host(_) => failure(Cause::Host, ""),
        })
    }
}

impl GuestFailure {
    /// What happened, even if the guest did not say.
    fn summary(&self) -> &str {
        if self.message.is_empty() { "the step failed and did not say why" } else { &self.message }
    }
}

impl Trap {
    /// What happened, in the guest's words if it said any.
    fn summary(&self) -> String {
        match &self.said {
            Some(said) if !said.message.is_empty() => said.message.clone(),
            _ => format!("the guest trapped: {}", self.unsaid()),
        }
    }

    /// What happened, if the guest said nothing.
    fn unsaid(&self) -> String {
        if self.stderr.is_empty() {
            self.reason.clone()
        } else {
            format!("{}; it had written:\n{}", self.reason, self.stderr)
        }
    }

    fn failure(&self) -> Failure {
        let said = self.said.clone().unwrap_or_default();
        let mut failure = said_failure(Cause::Trap, &said);
        if failure.message.is_empty() {
            failure.message = self.unsaid();
        }
        if failure.kind.is_empty() {
            failure.kind = "trap".to_owned();
        }
        if failure.location.is_empty() {
            failure.location.clone_from(&self.location);
        }
        if !failure.trace.is_empty() && !self.backtrace.is_empty() {
            failure.trace.push('\n');
        }
        failure.trace.push_str(&self.backtrace);
        failure
    }
}

fn said_failure(cause: Cause, said: &GuestFailure) -> Failure {
    Failure {
        cause,
        kind: said.kind.clone(),
        message: said.message.clone(),
        location: said.location.clone(),
        trace: said.trace.clone(),
        hint: String::new(),
    }
}

/// A duration as a person reads it: `2 s`, `0.5 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// A number of bytes as a person reads it: `64 MiB`, `0.06 MiB`.
fn mebibytes(bytes: u64) -> String {
    const MEBI: u64 = 1 << 20;
    if bytes.is_multiple_of(MEBI) {
        format!("{} MiB", bytes / MEBI)
    } else {
        format!("{:.2} MiB", bytes as f64 / MEBI as f64)
    }
}
