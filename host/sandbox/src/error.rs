//! What can go wrong, in words for the person who runs the flow.

use std::time::Duration;

use wflow_model::record::Cause;
use wflow_model::record::Failure;

use crate::backtrace::is_runtime_place;
use crate::contract::GuestFailure;
use crate::exceeded::Exceeded;
use crate::exceeded::seconds;
use crate::exceeded::size;

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
    /// There is more of something than is compiled.
    #[error(
        "it has {count} {what}, and at most {limit} are compiled: split the flow, or build it for \
         size"
    )]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much there is, at least.
        count: u64,
        /// How much there may be.
        limit: u64,
    },
    /// It takes too long to compile.
    #[error(
        "it is not compiled after {}, and not waited for any longer: split the flow, or build it \
         for size",
        seconds(*.0)
    )]
    TooSlow(Duration),
    /// No thread could be started to compile it, or it broke.
    #[error("the compiler cannot work: {0}")]
    Compiler(String),
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
    /// The innermost `file:line` of the flow's own source; or empty.
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
        size(*limit),
        size(*asked)
    )]
    OutOfMemory {
        /// The limit.
        limit: u64,
        /// How much it wanted to have in all.
        asked: u64,
        /// The trap in which it ended.
        trap: Box<Trap>,
    },
    /// The guest went past another limit.
    #[error("{limit}")]
    Exceeded {
        /// Which.
        limit: Exceeded,
        /// The functions that it was in.
        backtrace: String,
    },
    /// The guest broke a rule of the contract: in a call that has no result, or in what it
    /// passed or returned.
    #[error("{message}")]
    BrokeRule {
        /// Which.
        message: String,
        /// The functions that it was in.
        backtrace: String,
    },
    /// The guest ended itself instead of returning.
    #[error("{}", .0.in_words())]
    Exited(Box<Trap>),
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
            Self::Exceeded { limit, backtrace } => {
                Failure { trace: backtrace.clone(), ..limit.failure() }
            }
            Self::BrokeRule { backtrace, .. } => {
                Failure { trace: backtrace.clone(), ..failure(Cause::Trap, "") }
            }
            Self::Exited(trap) => Failure {
                kind: trap.said.as_ref().map_or_else(String::new, |said| said.kind.clone()),
                hint: "a step returns, it does not exit".to_owned(),
                ..trap.failure()
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
    /// What happened, for a text that does not give the kind.
    fn summary(&self) -> String {
        self.message().unwrap_or_else(|| format!("the guest trapped: {}", self.unsaid()))
    }

    /// What happened, whether the guest said something or not.
    fn in_words(&self) -> String {
        self.message().unwrap_or_else(|| self.unsaid())
    }

    /// What the guest said.
    fn message(&self) -> Option<String> {
        match self.said.as_ref()? {
            said if !said.message.is_empty() => Some(said.message.clone()),
            said if said.kind == "panic" => Some("a panic without a message".to_owned()),
            _ => None,
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
        failure.message = self.in_words();
        if failure.kind.is_empty() {
            failure.kind = "trap".to_owned();
        }
        // A place in the runtime does not help whoever wrote the flow, if there is a better.
        let useless = failure.location.is_empty() || is_runtime_place(&failure.location);
        if useless && !self.location.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str, location: &str) -> Failure {
        let said = GuestFailure {
            kind: "panic".to_owned(),
            message: message.to_owned(),
            location: location.to_owned(),
            trace: String::new(),
        };
        let location = "src/lib.rs:7".to_owned();
        TaskError::Trapped(Box::new(Trap { said: Some(said), location, ..Trap::default() }))
            .failure()
            .unwrap_or_else(|| unreachable!("it was not cancelled"))
    }

    #[test]
    fn the_place_is_one_in_the_flow() {
        assert_eq!(said("no", "src/lib.rs:5:9").location, "src/lib.rs:5:9");
        assert_eq!(said("no", "").location, "src/lib.rs:7");
        let std = "/rustc/0a1b/library/alloc/src/slice.rs:1:2";
        assert_eq!(said("no", std).location, "src/lib.rs:7");
    }

    #[test]
    fn a_panic_says_at_least_that() {
        assert_eq!(said("", "").message, "a panic without a message");
        assert_eq!(said("no", "").message, "no");
    }
}
