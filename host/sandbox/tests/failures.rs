//! Tasks that do not end well, and what is said about them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::thread;
use std::time::Duration;
use std::time::Instant;

use support::Guest;
use support::Map;
use support::failure;
use support::run;
use support::sandbox;
use support::task;
use wflow_model::record::Cause;
use wflow_sandbox::CancelToken;
use wflow_sandbox::Limits;
use wflow_sandbox::Sandbox;
use wflow_sandbox::SandboxOptions;
use wflow_sandbox::TaskError;

const FOREVER: &str = "(loop $l (br $l)) unreachable";

/// The message of the failure, and its hint.
fn told(error: &TaskError) -> (String, String) {
    let failure = error.failure().unwrap();
    assert_eq!(failure.message, error.to_string());
    (failure.message, failure.hint)
}

fn texts(at: u32, texts: &[&str]) -> String {
    // Bytes from 4096 on, and a record of strings at `at` that points to them.
    let mut code = String::new();
    let mut from = 4096;
    for (index, text) in texts.iter().enumerate() {
        for (offset, byte) in text.bytes().enumerate() {
            let to = from + offset;
            code += &format!("(i32.store8 (i32.const {to}) (i32.const {byte}))\n");
        }
        let field = at as usize + 8 * index;
        code += &format!("(i32.store (i32.const {field}) (i32.const {from}))\n");
        code += &format!("(i32.store (i32.const {}) (i32.const {}))\n", field + 4, text.len());
        from += text.len();
    }
    code
}

#[test]
fn an_error_that_the_guest_returns() {
    let body = texts(8004, &["ValueError", "no such wine", "flow.py:7", "Traceback"])
        + "(i32.store8 (i32.const 8000) (i32.const 1)) (i32.const 8000)";
    let error = failure(&Guest::running(&body), &Limits::default());
    assert!(matches!(error, TaskError::Failed { refused_memory: false, .. }));
    let failure = error.failure().unwrap();
    assert_eq!(failure.cause, Cause::Error);
    assert_eq!(failure.kind, "ValueError");
    assert_eq!(failure.message, "no such wine");
    assert_eq!(failure.location, "flow.py:7");
    assert_eq!(failure.trace, "Traceback");
}

#[test]
fn a_trap_names_the_functions() {
    let guest = Guest {
        functions: "(func $inner unreachable) (func $outer call $inner)".to_owned(),
        run: "call $outer (global.get $ok)".to_owned(),
        ..Guest::default()
    };
    let error = failure(&guest, &Limits::default());
    let failure = error.failure().unwrap();
    assert_eq!(failure.cause, Cause::Trap);
    assert_eq!(failure.kind, "trap");
    assert_eq!(
        failure.message,
        "it gave up (`unreachable`: a panic, an abort, a failed assertion)"
    );
    assert_eq!(failure.trace, "at inner\nat outer\nat run");
}

#[test]
fn kinds_of_traps_are_told_in_words() {
    let cases = [
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "it divided an integer by zero"),
        (
            "(drop (i32.load (i32.const -8)))",
            "it reached outside its memory (a stray pointer, or a stack used up by endless \
             recursion?)",
        ),
        ("(call_indirect (i32.const 0))", "it called a null function pointer"),
        ("(call_indirect (i32.const 9))", "undefined element: out of bounds table access"),
    ];
    for (body, reason) in cases {
        let guest = Guest {
            functions: "(table 1 funcref) (func $deep (call $deep) (call $deep))".to_owned(),
            run: format!("{body} (global.get $ok)"),
            ..Guest::default()
        };
        let error = failure(&guest, &Limits::default());
        assert_eq!(error.to_string(), format!("the guest trapped: {reason}"));
    }
}

#[test]
fn what_the_guest_said_with_fail_explains_the_trap() {
    let import = r#"(import "wflow:flow/task@0.1.0" "fail"
        (func $fail (param i32 i32 i32 i32 i32 i32 i32 i32)))"#;
    let mut body = texts(8000, &["panic", "index out of bounds", "src/lib.rs:7:5", ""]);
    body += "(call $fail";
    for field in 0..8 {
        body += &format!(" (i32.load (i32.const {}))", 8000 + 4 * field);
    }
    body += ")";

    let trapped = Guest::importing(import, &format!("{body} unreachable"));
    let failure = failure(&trapped, &Limits::default()).failure().unwrap();
    assert_eq!(failure.cause, Cause::Trap);
    assert_eq!(failure.kind, "panic");
    assert_eq!(failure.message, "index out of bounds");
    assert_eq!(failure.location, "src/lib.rs:7:5");
    assert_eq!(failure.trace, "at run");

    let fine = Guest::importing(import, &format!("{body} (global.get $ok)"));
    assert_eq!(run(&fine.load(&sandbox())).1, Ok(()));
}

#[test]
fn a_loop_is_stopped_at_the_timeout() {
    let limits = Limits { timeout: Some(Duration::from_millis(100)), ..Limits::default() };
    let start = Instant::now();
    let error = failure(&Guest::running(FOREVER), &limits);
    assert!(start.elapsed() < Duration::from_secs(30));
    let (message, hint) = told(&error);
    assert_eq!(message, "it ran longer than its limit of 0.1 s");
    assert!(hint.contains("--timeout"));
    assert_eq!(error.failure().unwrap().cause, Cause::Timeout);
    assert_eq!(error.failure().unwrap().trace, "at run");
}

#[test]
fn a_guest_that_sleeps_for_ever_is_stopped_too() {
    let import = r#"(import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))"#;
    let body =
        "(i32.store (i32.const 4112) (i32.const 1)) (i64.store (i32.const 4120) (i64.const -1))
        (loop $l (drop (call $poll (i32.const 4096) (i32.const 4200) (i32.const 1)
          (i32.const 4300))) (br $l)) unreachable";
    let limits = Limits { timeout: Some(Duration::from_millis(100)), ..Limits::default() };
    let error = failure(&Guest::importing(import, body), &limits);
    assert!(matches!(error, TaskError::TimedOut { .. }), "{error:?}");
}

#[test]
fn a_task_is_cancelled_from_another_thread() {
    let component = Guest::running(FOREVER).load(&sandbox());
    let cancel = CancelToken::new();
    let canceller = cancel.clone();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        canceller.cancel();
    });
    let io = Box::new(Map::default());
    let outcome = component.run(task(), &Limits::default(), &cancel, io).outcome;
    thread.join().unwrap();
    assert_eq!(outcome, Err(TaskError::Cancelled));

    // And does not even begin once it is.
    let io = Box::new(Map::default());
    let outcome = component.run(task(), &Limits::default(), &cancel, io).outcome;
    assert_eq!(outcome, Err(TaskError::Cancelled));
    assert_eq!(TaskError::Cancelled.failure(), None);
}

#[test]
fn memory_is_bounded_over_all_memories() {
    let limits = Limits { memory: 4 << 20, ..Limits::default() };
    let guest = Guest {
        functions: "(memory $other 31)".to_owned(),
        run: "(if (i32.eq (memory.grow $other (i32.const 32)) (i32.const -1)) (then unreachable))
              (global.get $ok)"
            .to_owned(),
        ..Guest::default()
    };
    let error = failure(&guest, &limits);
    let (message, hint) = told(&error);
    assert_eq!(
        message,
        "it needs more memory than its limit of 4 MiB: it asked for 4.06 MiB in all"
    );
    assert!(hint.contains("--memory"));
    assert_eq!(error.failure().unwrap().cause, Cause::Limit);
    assert_eq!(
        error.failure().unwrap().trace,
        "the guest trapped: it gave up (`unreachable`: a panic, an abort, a failed assertion)\n\
         at run"
    );

    let enough = Limits { memory: 5 << 20, ..Limits::default() };
    let component = guest.load(&sandbox());
    assert_eq!(support::run_with(&component, task(), &enough, Map::default()).1, Ok(()));
}

#[test]
fn a_guest_too_large_from_the_start() {
    let limits = Limits { memory: 64 << 10, ..Limits::default() };
    let error = failure(&Guest::default(), &limits);
    assert_eq!(
        error.to_string(),
        "it needs more memory than its limit of 64 KiB: it asked for 128 KiB in all"
    );
}

#[test]
fn a_guest_that_copes_without_more_memory_is_fine() {
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    let guest = Guest::running("(drop (memory.grow (i32.const 1000))) (global.get $ok)");
    let component = guest.load(&sandbox());
    assert_eq!(support::run_with(&component, task(), &limits, Map::default()).1, Ok(()));
}

#[test]
fn an_error_after_memory_was_refused_hints_at_the_limit() {
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    let body = "(drop (memory.grow (i32.const 1000)))
        (i32.store8 (i32.const 8000) (i32.const 1)) (i32.const 8000)";
    let (message, hint) = told(&failure(&Guest::running(body), &limits));
    assert_eq!(message, "the step failed and did not say why");
    assert!(hint.contains("--memory"));
}

#[test]
fn what_a_guest_says_at_length_is_cut() {
    let body = "(memory.fill (i32.const 8192) (i32.const 120) (i32.const 100000))
        (i32.store (i32.const 8012) (i32.const 8192)) (i32.store (i32.const 8016) (i32.const 100000))
        (i32.store8 (i32.const 8000) (i32.const 1)) (i32.const 8000)";
    let message = failure(&Guest::running(body), &Limits::default()).to_string();
    assert_eq!(message, format!("{}…", "x".repeat(65_536)));
}

#[test]
fn an_exit_is_a_failure() {
    let import = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    // Which code it was does not arrive.
    let cases = [
        ("0", "it exited instead of returning"),
        ("3", "it exited with a failure instead of returning"),
    ];
    for (code, told) in cases {
        let guest = Guest {
            functions: format!("(func $leave (call $exit (i32.const {code})))"),
            ..Guest::importing(import, "(call $leave) unreachable")
        };
        let error = failure(&guest, &Limits::default());
        assert_eq!(error.to_string(), told);
        let failure = error.failure().unwrap();
        assert_eq!(failure.cause, Cause::Trap);
        assert_eq!((&*failure.kind, &*failure.message), ("", told));
        assert_eq!(failure.trace, "at leave\nat run");
        assert_eq!(failure.hint, "a step returns, it does not exit");
    }
}

#[test]
fn recursion_is_folded_in_the_trace() {
    let guest = Guest {
        functions: "(func $deep (call $deep) (call $deep))".to_owned(),
        run: "(call $deep) (global.get $ok)".to_owned(),
        ..Guest::default()
    };
    let error = failure(&guest, &Limits::default());
    let (message, hint) = told(&error);
    assert_eq!(message, "its call stack of 1 MiB is exhausted (recursion without end?)");
    assert!(hint.contains("--stack"));
    let trace = error.failure().unwrap().trace;
    assert_eq!(trace, "at deep\n... 63 more of the same\n(and more)");
}

#[test]
fn what_breaks_the_contract_is_the_guests_failure() {
    let failed = "(i32.store8 (i32.const 8000) (i32.const 1))";
    let not_utf8 = "(i32.store8 (i32.const 4096) (i32.const 255))
        (i32.store (i32.const 8012) (i32.const 4096)) (i32.store (i32.const 8016) (i32.const 1))";
    let outside = "(i32.store (i32.const 8016) (i32.const -1))";
    let cases = [
        (format!("{failed} {not_utf8} (i32.const 8000)"), "invalid utf-8 sequence"),
        (format!("{failed} {outside} (i32.const 8000)"), "out of bounds"),
        ("(i32.const -4)".to_owned(), "out of bounds"),
        ("(i32.const 2049)".to_owned(), "not aligned"),
        ("(i32.store8 (i32.const 8000) (i32.const 7)) (i32.const 8000)".to_owned(), "invalid"),
    ];
    for (body, reason) in cases {
        let error = failure(&Guest::running(&body), &Limits::default());
        let (message, _) = told(&error);
        assert!(message.starts_with("what it returned breaks the contract: "), "{message}");
        assert!(message.contains(reason), "{message}");
        assert_eq!(error.failure().unwrap().cause, Cause::Trap);
    }

    let import = r#"(import "wflow:flow/task@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let body = "(call $log (i32.const 0) (i32.const 0) (i32.const -1)) (global.get $ok)";
    let error = failure(&Guest::importing(import, body), &Limits::default());
    let (message, _) = told(&error);
    assert!(message.starts_with("what it passed to the host breaks the contract: "), "{message}");
    assert_eq!(error.failure().unwrap().trace, "at run");
}

#[test]
fn a_guest_that_cannot_be_started_is_not_the_hosts_failure() {
    let guest = Guest { functions: "(table 20 funcref)".to_owned(), ..Guest::default() };
    let limits = Limits { table_elements: 10, ..Limits::default() };
    let (message, _) = told(&failure(&guest, &limits));
    assert_eq!(message, "its function tables need more than 10 elements");
}

#[test]
fn too_many_random_numbers_at_once() {
    let import = r#"(import "wflow:flow/task@0.1.0" "random" (func $random (param i32 i32)))"#;
    let body = "(call $random (i32.const 65537) (i32.const 4096)) (global.get $ok)";
    let error = failure(&Guest::importing(import, body), &Limits::default());
    assert_eq!(error.to_string(), "`task.random` was asked for 65537 bytes; at most 65536");
    assert_eq!(error.failure().unwrap().trace, "at run");
}

#[test]
fn too_many_bytes_at_once() {
    let import = r#"(import "wflow:flow/task@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let body = "(call $log (i32.const 0) (i32.const 0) (i32.const 100000)) (global.get $ok)";
    let limits = Limits { hostcall_bytes: 65_536, ..Limits::default() };
    let error = failure(&Guest::importing(import, body), &limits);
    let (message, hint) = told(&error);
    assert_eq!(message, "one host call moved more than 64 KiB at once");
    assert!(hint.contains("--max-call-size"));
}

#[test]
fn more_tasks_than_slots_is_the_hosts_failure() {
    let options = SandboxOptions { slots: 1, ..SandboxOptions::default() };
    let sandbox = Sandbox::new(&options).unwrap();
    let component = Guest::running(FOREVER).load(&sandbox);
    let cancel = CancelToken::new();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let run = || {
            let io = Box::new(Map::default());
            component.run(task(), &Limits::default(), &cancel, io).outcome
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        thread::sleep(Duration::from_millis(300));
        cancel.cancel();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused = outcomes.iter().filter(|o| matches!(o, Err(TaskError::Host(_)))).count();
    assert!(refused > 0, "{outcomes:?}");
    assert!(refused < 8, "{outcomes:?}");
}
