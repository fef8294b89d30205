//! Tasks that end well, and what they see of the world.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Instant;

use support::Guest;
use support::Map;
use support::run;
use support::run_with;
use support::sandbox;
use support::task;
use support::value;
use wflow_sandbox::Limits;
use wflow_sandbox::Sandbox;
use wflow_sandbox::SandboxOptions;
use wflow_sandbox::TaskContext;

const PUT: &str = r#"(import "wflow:flow/artifacts@0.1.0" "put"
    (func $put (param i32 i32 i32 i32 i32 i32 i32)))"#;
const NOW: &str = r#"(import "wflow:flow/task@0.1.0" "now" (func $now (result i64)))"#;
const RANDOM: &str = r#"(import "wflow:flow/task@0.1.0" "random" (func $random (param i32 i32)))"#;

/// Puts `length` bytes from `from` as artifact `x` of format `text/plain`.
fn put(from: &str, length: &str) -> String {
    format!(
        r#"(i32.store8 (i32.const 5000) (i32.const 120))
           (i64.store (i32.const 5008) (i64.const 0x616c702f74786574))
           (i32.store16 (i32.const 5016) (i32.const 0x6e69))
           (call $put (i32.const 5000) (i32.const 1) (i32.const 5008) (i32.const 10)
              {from} {length} (i32.const 5100))"#
    )
}

#[test]
fn a_task_returns_ok() {
    let (io, outcome) = run(&Guest::default().load(&sandbox()));
    assert_eq!(outcome, Ok(()));
    assert!(io.artifacts.is_empty());
}

#[test]
fn the_step_and_the_artifacts_cross() {
    let put_step = put("(local.get $step)", "(local.get $length)");
    let guest = Guest::importing(PUT, &format!("{put_step} (global.get $ok)"));
    let (io, outcome) = run(&guest.load(&sandbox()));
    assert_eq!(outcome, Ok(()));
    assert_eq!(io.artifacts["x"], value("text/plain", b"start"));
}

#[test]
fn a_value_goes_in_and_out() {
    let imports = format!(
        r#"{PUT} (import "wflow:flow/artifacts@0.1.0" "get" (func $get (param i32 i32 i32)))"#
    );
    // The result of `get`: 0 the case, 4 format, 12 data.
    let get = r#"(i32.store8 (i32.const 5000) (i32.const 105))
        (call $get (i32.const 5000) (i32.const 1) (i32.const 6000))
        (if (i32.load8_u (i32.const 6000)) (then unreachable))"#;
    let put = put("(i32.load (i32.const 6012))", "(i32.load (i32.const 6016))");
    let guest = Guest::importing(&imports, &format!("{get} {put} (global.get $ok)"));
    let component = guest.load(&sandbox());
    let big = vec![7; 3_000_000];
    let io = Map { artifacts: [("i".to_owned(), value("a/b", &big))].into(), ..Map::default() };
    let (io, outcome) = run_with(&component, task(), &Limits::default(), io);
    assert_eq!(outcome, Ok(()));
    assert!(*io.artifacts["x"].data == *big);
}

#[test]
fn both_ways_to_log_arrive_in_order() {
    let imports = r#"
        (import "wflow:flow/task@0.1.0" "log" (func $log (param i32 i32 i32)))
        (import "wasi_snapshot_preview1" "fd_write"
           (func $write (param i32 i32 i32 i32) (result i32)))"#;
    let run_body = r#"
        (call $log (i32.const 0) (i32.const 2) (i32.const 4))
        (i32.store (i32.const 4096) (i32.const 9))
        (i32.store (i32.const 4100) (i32.const 4))
        (drop (call $write (i32.const 1) (i32.const 4096) (i32.const 1) (i32.const 4200)))
        (drop (call $write (i32.const 2) (i32.const 4096) (i32.const 1) (i32.const 4200)))
        (global.get $ok)"#;
    let (io, outcome) = run(&Guest::importing(imports, run_body).load(&sandbox()));
    assert_eq!(outcome, Ok(()));
    assert_eq!(String::from_utf8(io.stdout).unwrap(), "nameTest");
    assert_eq!(String::from_utf8(io.stderr).unwrap(), "Test");
}

#[test]
fn time_is_virtual() {
    let body = put("(i32.const 4096)", "(i32.const 16)");
    let guest = Guest::importing(
        &format!("{PUT} {NOW}"),
        &format!(
            "(i64.store (i32.const 4096) (call $now)) (i64.store (i32.const 4104) (call $now))
             {body} (global.get $ok)"
        ),
    );
    let (io, outcome) = run(&guest.load(&sandbox()));
    assert_eq!(outcome, Ok(()));
    let data = &io.artifacts["x"].data;
    let at = |from: usize| u64::from_le_bytes(data[from..from + 8].try_into().unwrap());
    assert_eq!(at(0), 1_000_000_000_000_001_000);
    assert_eq!(at(8), 1_000_000_000_000_002_000);
}

#[test]
fn sleeping_takes_no_time() {
    // An hour, through preview 1: a subscription to the monotonic clock.
    let imports = r#"(import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))"#;
    let body = r#"
        (i32.store8 (i32.const 4104) (i32.const 0))
        (i32.store (i32.const 4112) (i32.const 1))
        (i64.store (i32.const 4120) (i64.const 3600000000000))
        (if (call $poll (i32.const 4096) (i32.const 4200) (i32.const 1) (i32.const 4300))
          (then unreachable))
        (global.get $ok)"#;
    let component = Guest::importing(imports, body).load(&sandbox());
    let start = Instant::now();
    assert_eq!(run(&component).1, Ok(()));
    assert!(start.elapsed().as_secs() < 60);
}

#[test]
fn of_several_timers_the_earliest_rings() {
    // Two subscriptions of 48 bytes, of an hour and of a minute; user data 1 and 2.
    let imports = r#"(import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))"#;
    let body = r#"
        (i64.store (i32.const 4096) (i64.const 1))
        (i32.store (i32.const 4112) (i32.const 1))
        (i64.store (i32.const 4120) (i64.const 3600000000000))
        (i64.store (i32.const 4144) (i64.const 2))
        (i32.store (i32.const 4160) (i32.const 1))
        (i64.store (i32.const 4168) (i64.const 60000000000))
        (if (call $poll (i32.const 4096) (i32.const 4200) (i32.const 2) (i32.const 4300))
          (then unreachable))
        (if (i32.ne (i32.load (i32.const 4300)) (i32.const 1)) (then unreachable))
        (if (i64.ne (i64.load (i32.const 4200)) (i64.const 2)) (then unreachable))
        (global.get $ok)"#;
    assert_eq!(run(&Guest::importing(imports, body).load(&sandbox())).1, Ok(()));
}

#[test]
fn there_is_nothing_outside() {
    let imports = r#"
        (import "wasi_snapshot_preview1" "environ_sizes_get"
          (func $environment (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get"
          (func $arguments (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get"
          (func $folder (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read"
          (func $read (param i32 i32 i32 i32) (result i32)))"#;
    // No variable, no argument, no open folder (8: bad descriptor), no input.
    let body = r#"
        (i32.store (i32.const 4096) (i32.const 9))
        (if (call $environment (i32.const 4096) (i32.const 4100)) (then unreachable))
        (if (i32.load (i32.const 4096)) (then unreachable))
        (i32.store (i32.const 4096) (i32.const 9))
        (if (call $arguments (i32.const 4096) (i32.const 4100)) (then unreachable))
        (if (i32.load (i32.const 4096)) (then unreachable))
        (if (i32.ne (call $folder (i32.const 3) (i32.const 4096)) (i32.const 8))
          (then unreachable))
        (i32.store (i32.const 4096) (i32.const 8192))
        (i32.store (i32.const 4100) (i32.const 100))
        (if (call $read (i32.const 0) (i32.const 4096) (i32.const 1) (i32.const 4200))
          (then unreachable))
        (if (i32.load (i32.const 4200)) (then unreachable))
        (global.get $ok)"#;
    assert_eq!(run(&Guest::importing(imports, body).load(&sandbox())).1, Ok(()));
}

#[test]
fn random_numbers_follow_from_the_seed() {
    let imports = format!("{PUT} {RANDOM}");
    let body = put("(i32.load (i32.const 4096))", "(i32.load (i32.const 4100))");
    let guest = Guest::importing(
        &imports,
        &format!("(call $random (i32.const 32) (i32.const 4096)) {body} (global.get $ok)"),
    );
    let component = guest.load(&sandbox());
    let draw = |task: TaskContext| {
        let (io, outcome) = run_with(&component, task, &Limits::default(), Map::default());
        assert_eq!(outcome, Ok(()));
        io.artifacts["x"].data.clone()
    };
    let first = draw(task());
    assert_eq!(first.len(), 32);
    assert_eq!(first, draw(TaskContext { run_id: "another".into(), ..task() }));
    assert_ne!(first, draw(TaskContext { seed: 43, ..task() }));
    assert_ne!(first, draw(TaskContext { task: "2".into(), ..task() }));
}

#[test]
fn the_random_numbers_of_wasi_are_the_same_ones() {
    let imports = format!(
        r#"{PUT} (import "wasi_snapshot_preview1" "random_get"
             (func $get (param i32 i32) (result i32)))"#
    );
    let body = put("(i32.const 4096)", "(i32.const 32)");
    let guest = Guest::importing(
        &imports,
        &format!("(drop (call $get (i32.const 4096) (i32.const 32))) {body} (global.get $ok)"),
    );
    let sandbox = sandbox();
    let component = guest.load(&sandbox);
    assert_eq!(run(&component).0.artifacts, run(&component).0.artifacts);
}

#[test]
fn too_many_slots_for_the_address_space_are_done_without() {
    let options = SandboxOptions { slots: 1_000_000, ..SandboxOptions::default() };
    let component = Guest::default().load(&Sandbox::new(&options).unwrap());
    assert_eq!(run(&component).1, Ok(()));
}

#[test]
fn instances_share_nothing() {
    let guest = Guest::running(
        "(if (i32.load (i32.const 60000)) (then unreachable))
         (i32.store (i32.const 60000) (i32.const 1))
         (global.get $ok)",
    );
    let component = guest.load(&sandbox());
    for _ in 0..50 {
        assert_eq!(run(&component).1, Ok(()));
    }
}
