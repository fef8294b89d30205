//! Descriptions of flows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::Guest;
use support::sandbox;

fn describe(body: &str) -> Result<String, String> {
    describe_importing("", body)
}

fn describe_importing(imports: &str, body: &str) -> Result<String, String> {
    let guest =
        Guest { describe: body.to_owned(), imports: imports.to_owned(), ..Guest::default() };
    guest.load(&sandbox()).describe().map_err(|error| error.to_string())
}

#[test]
fn a_flow_says_what_it_is() {
    assert_eq!(describe("(i32.const 1024)").unwrap(), r#"{"name":"Test"}"#);
}

#[test]
fn clock_and_random_numbers_are_the_same_in_every_call() {
    let imports = r#"
        (import "wflow:flow/task@0.1.0" "now" (func $now (result i64)))
        (import "wflow:flow/task@0.1.0" "random" (func $random (param i32 i32)))"#;
    // Seven bits of each byte, so that it is text.
    let body = r#"
        (call $random (i32.const 7) (i32.const 4096))
        (i64.store (i32.const 0) (i64.and (i64.const 0x7f7f7f7f7f7f7f7f)
          (i64.add (call $now) (i64.load (i32.load (i32.const 4096))))))
        (i32.const 1024)"#;
    assert_eq!(describe_importing(imports, body), describe_importing(imports, body));
    assert!(describe_importing(imports, body).is_ok());
}

#[test]
fn an_endless_description_is_stopped() {
    let error = describe("(loop $l (br $l)) unreachable").unwrap_err();
    assert_eq!(error, "the flow cannot be described: it ran longer than its limit of 1 s");
}

#[test]
fn a_huge_description_is_refused() {
    let body = r#"
        (drop (memory.grow (i32.const 300)))
        (memory.fill (i32.const 0) (i32.const 120) (i32.const 16777300))
        (i32.store (i32.const 4096) (i32.const 0))
        (i32.store (i32.const 4100) (i32.const 16777217))
        (i32.const 4096)"#;
    let error = describe(body).unwrap_err();
    assert_eq!(error, "the flow describes itself in 16777217 bytes; at most 16777216 are taken");
}

#[test]
fn memory_is_bounded() {
    let body = r#"
        (if (i32.eq (memory.grow (i32.const 4096)) (i32.const -1)) (then unreachable))
        (i32.const 1024)"#;
    let error = describe(body).unwrap_err();
    assert_eq!(
        error,
        "the flow cannot be described: it needs more memory than its limit of 256 MiB: it asked \
         for 256.12 MiB in all"
    );
}

#[test]
fn what_belongs_to_a_task_is_not_there() {
    let cases = [
        (r#"(import "wflow:flow/task@0.1.0" "identify" (func $f (param i32)))"#, "task.identify"),
        (r#"(import "wflow:flow/task@0.1.0" "run-id" (func $f (param i32)))"#, "task.run-id"),
        (
            r#"(import "wflow:flow/artifacts@0.1.0" "names" (func $f (param i32)))"#,
            "artifacts.names",
        ),
    ];
    for (import, name) in cases {
        let error =
            describe_importing(import, "(call $f (i32.const 4096)) (i32.const 1024)").unwrap_err();
        assert_eq!(
            error,
            format!(
                "the flow cannot be described: `{name}` was called while the flow was being \
                 described, which is before any task runs: build the graph without it"
            )
        );
    }
}

#[test]
fn a_trap_says_what_was_said_before() {
    let imports = r#"(import "wflow:flow/task@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let body = "(call $log (i32.const 1) (i32.const 0) (i32.const 15)) unreachable";
    let error = describe_importing(imports, body).unwrap_err();
    assert_eq!(
        error,
        "the flow cannot be described: the guest trapped: it gave up (`unreachable`: a panic, an \
         abort, a failed assertion); it had written:\n{\"name\":\"Test\"}"
    );
}

#[test]
fn an_answer_that_is_no_text_is_the_flows_failure() {
    let cases = [
        ("(i32.store8 (i32.const 0) (i32.const 255)) (i32.const 1024)", "invalid utf-8 sequence"),
        ("(i32.store (i32.const 1024) (i32.const -2)) (i32.const 1024)", "out of bounds"),
        ("(i32.const -4)", "out of bounds"),
    ];
    for (body, reason) in cases {
        let error = describe(body).unwrap_err();
        let start = "the flow cannot be described: what it returned breaks the contract: ";
        assert!(error.starts_with(start) && error.contains(reason), "{error}");
    }
}
