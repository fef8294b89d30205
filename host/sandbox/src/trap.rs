//! Finds out why a guest was stopped, and where.

use std::fmt::Write;

use wasmtime::FrameInfo;
use wasmtime::FrameSymbol;
use wasmtime::WasmBacktrace;

use crate::contract::Violation;
use crate::error::TaskError;
use crate::error::Trap;
use crate::limits::Limits;
use crate::limits::Stop;
use crate::state::State;
use crate::wasi::Exit;

/// Lines of a backtrace that are worth keeping.
const MAX_LINES: usize = 40;

/// Makes sense of the error with which a call into a guest ended.
pub(crate) fn explain(error: &wasmtime::Error, state: &State, limits: &Limits) -> TaskError {
    let trace = Trace::of(error);
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Cancelled => TaskError::Cancelled,
            Stop::TimedOut => TaskError::TimedOut {
                limit: limits.timeout.unwrap_or_default(),
                backtrace: trace.text,
            },
        };
    }
    if let Some(Exit(code)) = error.downcast_ref::<Exit>() {
        return TaskError::Exited { code: *code, stderr: state.stderr.text() };
    }
    if let Some(Violation(message)) = error.downcast_ref::<Violation>() {
        return TaskError::BrokeRule { message: message.clone(), backtrace: trace.text };
    }
    let reason = match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => in_words(*trap),
        None => {
            let reason = format!("{:#}", Brief(error));
            if reason.contains("too much data is being copied") {
                let limit = limits.hostcall_bytes;
                return TaskError::TooMuchAtOnce { limit, backtrace: trace.text };
            }
            // No instance was made, so it is not the guest who failed, unless it asked for
            // too much memory from the start.
            if trace.text.is_empty() && state.limiter.refused_memory().is_none() {
                return TaskError::Host(reason);
            }
            reason
        }
    };
    let trap = Box::new(Trap {
        reason,
        said: state.failure.clone(),
        stderr: state.stderr.text(),
        backtrace: trace.text,
        location: trace.location,
    });
    // A guest that is refused memory notices and gives up; the refusal is the cause.
    match state.limiter.refused_memory() {
        Some(asked) => TaskError::OutOfMemory { limit: limits.memory, asked, trap },
        None => TaskError::Trapped(trap),
    }
}

/// The chain of causes without the backtrace that the engine puts into it.
struct Brief<'a>(&'a wasmtime::Error);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        for cause in self.0.chain() {
            let text = cause.to_string();
            if text.starts_with("error while executing at wasm backtrace") {
                continue;
            }
            if !std::mem::take(&mut first) {
                f.write_str(": ")?;
            }
            f.write_str(&text)?;
        }
        Ok(())
    }
}

/// The traps that guests run into, in a programmer's words.
fn in_words(trap: wasmtime::Trap) -> String {
    use wasmtime::Trap as T;
    match trap {
        T::UnreachableCodeReached => "it gave up (`unreachable`: a panic, an abort, a failed \
                                      assertion)"
            .to_owned(),
        T::StackOverflow => "its call stack is exhausted (recursion without end?)".to_owned(),
        T::MemoryOutOfBounds => "it reached outside its memory".to_owned(),
        T::IntegerDivisionByZero => "it divided an integer by zero".to_owned(),
        T::IntegerOverflow => "an integer overflowed".to_owned(),
        T::IndirectCallToNull => "it called a null function pointer".to_owned(),
        T::BadSignature => "it called a function pointer of another type".to_owned(),
        other => {
            let text = other.to_string();
            text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
        }
    }
}

/// Where a guest was.
#[derive(Default)]
struct Trace {
    /// One line a function, innermost first.
    text: String,
    /// The innermost `file:line` of the guest's own.
    location: String,
}

impl Trace {
    fn of(error: &wasmtime::Error) -> Self {
        let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
            return Self::default();
        };
        let frames = backtrace.frames().iter().filter(|frame| !is_glue(frame));
        let all: Vec<Line> = frames.flat_map(lines).collect();
        // The machinery of panics and of the calling convention says nothing about the flow,
        // and functions without a name nothing at all. If nothing else is there, they are
        // better than nothing.
        let own: Vec<&Line> = all.iter().filter(|line| line.named && !line.is_runtime()).collect();
        let shown = if own.is_empty() { all.iter().collect() } else { own };

        let mut trace = Self::default();
        for line in shown.iter().take(MAX_LINES) {
            if !trace.text.is_empty() {
                trace.text.push('\n');
            }
            trace.text.push_str("at ");
            trace.text.push_str(&line.function);
            if let Some(place) = &line.place {
                let _ = write!(trace.text, " ({place})");
                if trace.location.is_empty() && !line.is_runtime() {
                    trace.location.clone_from(place);
                }
            }
        }
        if shown.len() > MAX_LINES {
            let _ = write!(trace.text, "\n({} more)", shown.len() - MAX_LINES);
        }
        trace
    }
}

/// One function of a backtrace.
struct Line {
    function: String,
    /// Whether the component carries its name.
    named: bool,
    /// `file:line`, where the component carries it.
    place: Option<String>,
}

impl Line {
    /// Whether it is part of a language's runtime and not of the flow.
    fn is_runtime(&self) -> bool {
        const FUNCTIONS: &[&str] = &[
            "std::",
            "core::",
            "alloc::",
            "<std::",
            "<core::",
            "<alloc::",
            "rust_",
            "__rust",
            "__rustc",
            "wit_bindgen",
            "cabi_",
            "export_run",
            "_export_run_cabi",
            "abort",
            "panic",
            "_start",
        ];
        const FILES: &[&str] = &["/rustc/", "/rust/deps/", "library/std/", "library/core/"];
        FUNCTIONS.iter().any(|prefix| self.function.starts_with(prefix))
            || self
                .place
                .as_ref()
                .is_some_and(|place| FILES.iter().any(|folder| place.contains(folder)))
    }
}

/// Whether a frame is of a module that was added when the component was put together.
fn is_glue(frame: &FrameInfo) -> bool {
    frame.module().name().is_some_and(|name| name.starts_with("wit-component:"))
}

/// The functions of one frame: several, where some were inlined.
fn lines(frame: &FrameInfo) -> Vec<Line> {
    let line = |name: Option<&str>, place| Line {
        function: name.map_or_else(|| format!("function {}", frame.func_index()), demangled),
        named: name.is_some(),
        place,
    };
    if frame.symbols().is_empty() {
        return vec![line(frame.func_name(), None)];
    }
    let of_symbol = |symbol: &FrameSymbol| {
        let place = symbol.file().map(|file| match symbol.line() {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        });
        line(symbol.name().or(frame.func_name()), place)
    };
    frame.symbols().iter().map(of_symbol).collect()
}

/// A name as its author wrote it, without the hash that rustc adds.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
