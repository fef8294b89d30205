//! Where a guest was when it was stopped, as far as it tells something about the flow.

use wasmtime::FrameInfo;
use wasmtime::FrameSymbol;
use wasmtime::WasmBacktrace;

use crate::engine::BACKTRACE_FRAMES;

/// Lines of a backtrace that are worth keeping.
const MAX_LINES: usize = 40;

/// Where a guest was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    /// One line a function, innermost first.
    pub(crate) text: String,
    /// The innermost `file:line` of the flow's own source.
    pub(crate) location: String,
}

impl Trace {
    /// What an error carries.
    pub(crate) fn of(error: &wasmtime::Error) -> Self {
        let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
            return Self::default();
        };
        let lines = backtrace.frames().iter().filter(|frame| !is_glue(frame)).flat_map(lines);
        let cut = backtrace.frames().len() >= BACKTRACE_FRAMES.get();
        Self::through(&without_adapter(lines), cut)
    }

    /// Of all lines; `cut` if there were more.
    fn through(all: &[Line], cut: bool) -> Self {
        // The machinery of panics and of the calling convention says nothing about the flow,
        // and functions without a name nothing at all. If nothing else is there, they are
        // better than nothing.
        let own: Vec<&Line> = all.iter().filter(|line| line.named && !line.is_runtime()).collect();
        let places = || own.iter().filter_map(|line| line.place.as_deref());
        // Where the compiler merged the flow's lines with others, the export still tells in
        // which file the flow is.
        let any_place = || all.iter().filter_map(|line| line.place.as_deref());
        let location = places()
            .find(|place| !is_dependency(place))
            .or_else(|| places().next())
            .or_else(|| any_place().find(|place| !is_runtime_place(place)))
            .unwrap_or_default()
            .to_owned();

        let shown: Vec<&Line> = if own.is_empty() { all.iter().collect() } else { own };
        let folded: Vec<&[&Line]> = shown.chunk_by(|a, b| a == b).collect();
        let mut text = Vec::new();
        for group in folded.iter().take(MAX_LINES) {
            let Line { function, place, .. } = group[0];
            text.push(match place {
                Some(place) => format!("at {function} ({place})"),
                None => format!("at {function}"),
            });
            match group.len() {
                1 => {}
                2 => text.extend_from_within(text.len() - 1..),
                count => text.push(format!("... {} more of the same", count - 1)),
            }
        }
        let rest: usize = folded.iter().skip(MAX_LINES).map(|group| group.len()).sum();
        if cut {
            text.push("(and more)".to_owned());
        } else if rest > 0 {
            text.push(format!("({rest} more)"));
        }
        Self { text: text.join("\n"), location }
    }
}

/// One function of a backtrace.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    function: String,
    /// Whether the component carries its name.
    named: bool,
    /// `file:line`, where the component carries it.
    place: Option<String>,
}

impl Line {
    /// Whether it is part of a language's runtime, or of the SDK, and not of the flow.
    fn is_runtime(&self) -> bool {
        const FUNCTIONS: &[&str] = &[
            "std::",
            "core::",
            "alloc::",
            "<std::",
            "<core::",
            "<alloc::",
            "wflow_sdk::",
            "<wflow_sdk::",
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
        FUNCTIONS.iter().any(|prefix| self.function.starts_with(prefix))
            || self.place.as_deref().is_some_and(is_runtime_place)
    }
}

/// Whether a place in a source is part of a language's runtime, or of the SDK.
pub(crate) fn is_runtime_place(place: &str) -> bool {
    const FOLDERS: &[&str] = &[
        "/rustc/",
        "/rust/deps/",
        "/rustlib/src/",
        "library/std/",
        "library/core/",
        "library/alloc/",
        "wasi-libc/",
        "guest-sdk/rust/src/",
        "/wflow-sdk-",
    ];
    FOLDERS.iter().any(|folder| place.contains(folder))
}

/// Whether a place in a source is of a library that was fetched to build the flow.
fn is_dependency(place: &str) -> bool {
    ["/registry/src/", "/git/checkouts/"].iter().any(|folder| place.contains(folder))
}

/// Whether a frame is of a module that was added when the component was put together.
fn is_glue(frame: &FrameInfo) -> bool {
    frame.module().name().is_some_and(|name| name.starts_with("wit-component:"))
}

/// Leaves out the adapter of preview 1, a module that lost its name: its functions down to the
/// one that it exports, which is called like the import of the guest.
fn without_adapter(lines: impl Iterator<Item = Line>) -> Vec<Line> {
    let mut inside = false;
    lines
        .filter(|line| {
            let export = std::mem::replace(
                &mut inside,
                line.function.starts_with("wasi_snapshot_preview1::"),
            );
            !inside && !export
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(function: &str, place: &str) -> Line {
        let place = (!place.is_empty()).then(|| place.to_owned());
        Line { function: function.to_owned(), named: true, place }
    }

    #[test]
    fn the_flow_is_shown_and_not_what_it_is_built_on() {
        let lines = [
            line("exit", "wasisdk://v30.0/src/wasi-libc/libc-top-half/musl/src/exit/exit.c:50"),
            line("core::option::expect_failed", "/rustc/0a1b/library/core/src/option.rs:3"),
            line("<T as wflow_sdk::Get>::get", "/w/guest-sdk/rust/src/get.rs:5"),
            line("wflow_sdk::flow::run", ""),
            line("csv::read", "/c/registry/src/index/csv-1.0.0/src/lib.rs:8"),
            line("wine::taste", "/w/src/lib.rs:7"),
            line("<wflow_sdk::Flow>::call", ""),
            line("wine::run", "/w/src/lib.rs:1"),
        ];
        let trace = Trace::through(&lines, false);
        assert_eq!(trace.location, "/w/src/lib.rs:7");
        assert_eq!(
            trace.text,
            "at csv::read (/c/registry/src/index/csv-1.0.0/src/lib.rs:8)\n\
             at wine::taste (/w/src/lib.rs:7)\n\
             at wine::run (/w/src/lib.rs:1)"
        );

        // If there is nothing else, the runtime is better than nothing, but no location.
        let trace = Trace::through(&lines[1..2], false);
        assert_eq!(trace.location, "");
        assert!(trace.text.starts_with("at core::option::expect_failed"));
        let merged = [line("run", "/w/guest-sdk/rust/src/lib.rs:5"), line("export_run", "a.rs:3")];
        assert_eq!(Trace::through(&merged, false).location, "a.rs:3");
    }

    #[test]
    fn recursion_is_folded() {
        let mut lines = vec![line("deep", "a.rs:1")];
        lines.extend((0..39).map(|_| line("deep", "a.rs:2")));
        lines.extend([line("twice", ""), line("twice", ""), line("run", "a.rs:9")]);
        assert_eq!(
            Trace::through(&lines, false).text,
            "at deep (a.rs:1)\nat deep (a.rs:2)\n... 38 more of the same\nat twice\nat twice\n\
             at run (a.rs:9)"
        );
        let trace = Trace::through(&lines[..40], true);
        assert!(trace.text.ends_with("\n... 38 more of the same\n(and more)"), "{}", trace.text);
    }

    #[test]
    fn a_long_trace_is_cut() {
        let lines: Vec<_> = (0..50).map(|n| line(&format!("f{n}"), "")).collect();
        let text = Trace::through(&lines, false).text;
        assert!(text.ends_with("\nat f39\n(10 more)"), "{text}");
    }

    #[test]
    fn the_adapter_is_left_out() {
        let names = ["wasi_snapshot_preview1::cli::exit", "proc_exit", "leave", "run"];
        let lines = without_adapter(names.iter().map(|name| line(name, "")));
        assert_eq!(Trace::through(&lines, false).text, "at leave\nat run");
    }
}
