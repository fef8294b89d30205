//! What a task sees of the world when nothing was granted: nothing.

use crate::arena::Case;
use crate::arena::arena;
use crate::guest::Guest;

/// Calls a function of WASI preview 1, and puts what it answered, a number, as the artifact `answer`.
fn asking(import: &str, call: &str) -> Guest {
    let mut guest = Guest::default().importing(import);
    let (name, format) = (guest.text("answer"), guest.text("application/octet-stream"));
    guest.run = format!(
        "(memory.fill (i32.const 5000) (i32.const 0) (i32.const 256))
         (i32.store (i32.const 5000) {call})
         (call $put {name} {format} (i32.const 5000) (i32.const 64) (i32.const 1024))"
    );
    guest
}

/// The answer, and the 60 bytes behind it that the call may have written.
#[track_caller]
fn seen(guest: Guest) -> (u32, Vec<u8>) {
    let report = Case::of(guest).passes();
    let bytes = arena(u64::MAX, |arena| arena.bytes(&report, "end", "answer"));
    let (answer, rest) = bytes.split_at(4);
    (u32::from_le_bytes(answer.try_into().unwrap()), rest.to_vec())
}

fn import(name: &str, params: &str) -> String {
    format!(r#"(import "wasi_snapshot_preview1" "{name}" (func $ask {params}))"#)
}

/// The error numbers of WASI preview 1.
const SUCCESS: u32 = 0;
const BAD_HANDLE: u32 = 8;

#[test]
fn no_environment_and_no_arguments() {
    let sizes = import("environ_sizes_get", "(param i32 i32) (result i32)");
    let (answer, seen_there) =
        seen(asking(&sizes, "(call $ask (i32.const 5004) (i32.const 5008))"));
    assert_eq!((answer, &seen_there[..8]), (SUCCESS, &[0; 8][..]));
    let sizes = import("args_sizes_get", "(param i32 i32) (result i32)");
    let (answer, seen_there) =
        seen(asking(&sizes, "(call $ask (i32.const 5004) (i32.const 5008))"));
    assert_eq!((answer, &seen_there[..8]), (SUCCESS, &[0; 8][..]));
}

#[test]
fn standard_input_is_at_its_end() {
    let read = import("fd_read", "(param i32 i32 i32 i32) (result i32)");
    let call = "(block (result i32) (i32.store (i32.const 5100) (i32.const 5200))
        (i32.store (i32.const 5104) (i32.const 50))
        (call $ask (i32.const 0) (i32.const 5100) (i32.const 1) (i32.const 5004)))";
    let (answer, seen_there) = seen(asking(&read, call));
    assert_eq!((answer, &seen_there[..4]), (SUCCESS, &[0; 4][..]));
}

#[test]
fn no_files_under_whatever_path() {
    let prestat = import("fd_prestat_get", "(param i32 i32) (result i32)");
    for folder in 3..8 {
        let call = format!("(call $ask (i32.const {folder}) (i32.const 5004))");
        assert_eq!(seen(asking(&prestat, &call)).0, BAD_HANDLE);
    }
    let open = r#"(import "wasi_snapshot_preview1" "path_open" (func $ask
        (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#;
    for path in
        ["/etc/passwd", "../../../../etc/passwd", ".", "", "a/../..", "/proc/self/environ", "x/"]
    {
        for folder in [0, 1, 3, 4] {
            let mut guest = Guest::default();
            let at = guest.text(path);
            let call = format!(
                "(call $ask (i32.const {folder}) (i32.const 1) {at} (i32.const 0) (i64.const -1)
                   (i64.const -1) (i32.const 0) (i32.const 5004))"
            );
            let run = asking(open, &call).run;
            // The texts of both stand in the same place: the one with the path goes first.
            let (name, format) = (guest.text("answer"), guest.text("application/octet-stream"));
            let put = run.split("(call $put").next().unwrap();
            guest.run = format!(
                "{put} (call $put {name} {format} (i32.const 5000) (i32.const 64) (i32.const 1024))"
            );
            let (answer, _) = seen(guest.importing(open));
            assert_ne!(answer, SUCCESS, "{path} in {folder}");
        }
    }
}

#[test]
fn the_clock_and_chance_are_those_of_the_run() {
    let clock = import("clock_time_get", "(param i32 i64 i32) (result i32)");
    let time = || seen(asking(&clock, "(call $ask (i32.const 0) (i64.const 1) (i32.const 5004))"));
    let (answer, shown) = time();
    let nanoseconds = u64::from_le_bytes(shown[..8].try_into().unwrap());
    let start = wflow::DEFAULT_LOGICAL_TIME;
    assert_eq!(answer, SUCCESS);
    assert!((start..start + 1_000_000_000).contains(&nanoseconds), "{nanoseconds}");
    assert_eq!(time().1, shown, "another run sees the same");

    let random = import("random_get", "(param i32 i32) (result i32)");
    let chance = || seen(asking(&random, "(call $ask (i32.const 5004) (i32.const 32))"));
    let (answer, drawn) = chance();
    assert_eq!(answer, SUCCESS);
    assert_ne!(&drawn[..32], &[0; 32]);
    assert_eq!(chance().1, drawn, "another run draws the same");
}

#[test]
fn no_sockets() {
    // What adapts preview 1 to components has none at all.
    let accept = r#"(import "wasi_snapshot_preview1" "sock_accept"
        (func $accept (param i32 i32 i32) (result i32)))"#;
    let call = "(drop (call $accept (i32.const 3) (i32.const 0) (i32.const 5004)))";
    Case::of(Guest::running(call).importing(accept)).fails(&["it gave up"]);
}

#[test]
fn a_step_returns_and_does_not_exit() {
    let exit = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    for (code, told) in [("0", "it exited instead"), ("1", "it exited with a failure instead")] {
        let run = format!("(call $exit (i32.const {code}))");
        Case::of(Guest::running(run).importing(exit)).fails(&[told, "a step returns"]);
    }
}
