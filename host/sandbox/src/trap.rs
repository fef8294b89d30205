//! Finds out why a guest was stopped.

use wasmtime::component::ResourceTableError;

use crate::backtrace::Trace;
use crate::contract::Violation;
use crate::error::TaskError;
use crate::error::Trap;
use crate::exceeded::Exceeded;
use crate::limits::Limits;
use crate::limits::Stop;
use crate::random::NoEntropy;
use crate::state::State;
use crate::wasi::Exit;
use crate::wasi::NoHttp;

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
    if let Some(Violation(message)) = error.downcast_ref::<Violation>() {
        return TaskError::BrokeRule { message: message.clone(), backtrace: trace.text };
    }
    if let Some(no_http) = error.downcast_ref::<NoHttp>() {
        state.denied.note_any_http();
        return TaskError::BrokeRule { message: no_http.to_string(), backtrace: trace.text };
    }
    if let Some(error) = error.downcast_ref::<NoEntropy>() {
        return TaskError::Host(error.to_string());
    }
    if let Some(limit) = exceeded(error, limits) {
        return TaskError::Exceeded { limit, backtrace: trace.text };
    }
    let trap = |reason: &str, trace: Trace| {
        Box::new(Trap {
            reason: reason.to_owned(),
            said: state.failure.clone(),
            stderr: state.stderr.text(),
            backtrace: trace.text,
            location: trace.location,
        })
    };
    if let Some(exit) = error.downcast_ref::<Exit>() {
        return TaskError::Exited(trap(exit.in_words(), trace));
    }
    // A guest that is refused memory notices and gives up; the refusal is the cause.
    let out_of_memory = |trap| {
        let asked = state.limiter.refused_memory()?;
        Some(TaskError::OutOfMemory { limit: limits.memory, asked, trap })
    };
    let out_of_elements = |trace: &Trace| {
        state.limiter.refused_table().then(|| TaskError::Exceeded {
            limit: Exceeded::Tables(limits.table_elements),
            backtrace: trace.text.clone(),
        })
    };
    if let Some(kind) = error.downcast_ref::<wasmtime::Trap>() {
        if let Some(error) = out_of_elements(&trace) {
            return error;
        }
        let trap = trap(in_words(*kind).as_ref(), trace);
        return out_of_memory(trap.clone()).unwrap_or(TaskError::Trapped(trap));
    }
    let reason = format!("{:#}", Brief(error));
    if let Some(error) = out_of_memory(trap(&reason, trace.clone())) {
        return error;
    }
    if let Some(error) = out_of_elements(&trace) {
        return error;
    }
    // What is left is what the engine says of the values that cross the border, and of an
    // instance that it could not make: then the host has no more to give.
    let rule = |words: &str| format!("{words}: {reason}");
    let message = if !trace.text.is_empty() {
        rule("what it passed to the host breaks the contract")
    } else if state.started {
        rule("what it returned breaks the contract")
    } else {
        return TaskError::Host(reason);
    };
    TaskError::BrokeRule { message, backtrace: trace.text }
}

/// The limit of which the engine, or a host call, says that the guest went past it.
fn exceeded(error: &wasmtime::Error, limits: &Limits) -> Option<Exceeded> {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return Some(*exceeded);
    }
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::OutOfFuel) => {
            return Some(Exceeded::Fuel(limits.fuel.unwrap_or(u64::MAX)));
        }
        Some(wasmtime::Trap::StackOverflow) => return Some(Exceeded::Stack(limits.stack)),
        _ => {}
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        return Some(Exceeded::Handles(limits.handles));
    }
    // The engine has no types for these.
    let says = |text: &str| error.chain().any(|cause| cause.to_string().contains(text));
    if says("too much data is being copied") {
        Some(Exceeded::Call(limits.call_bytes()))
    } else if says("store handle limit exceeded") {
        Some(Exceeded::Handles(limits.handles))
    } else {
        None
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
        // The stack of a Rust or C guest lies at the lower end of its memory.
        T::MemoryOutOfBounds => "it reached outside its memory (a stray pointer, or a stack used \
                                 up by endless recursion?)"
            .to_owned(),
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
