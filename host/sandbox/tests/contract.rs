//! The whole contract, call by call, from a guest's side.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::Guest;
use support::Map;
use support::run_with;
use support::sandbox;
use support::task;
use support::value;
use wflow_sandbox::Limits;

/// Every function of the contract, by its type in core WebAssembly.
const ALL: &str = r#"
    (import "wflow:flow/task@0.1.0" "identify" (func $identify (param i32)))
    (import "wflow:flow/task@0.1.0" "run-id" (func $run_id (param i32)))
    (import "wflow:flow/task@0.1.0" "now" (func $now (result i64)))
    (import "wflow:flow/task@0.1.0" "random" (func $random (param i32 i32)))
    (import "wflow:flow/task@0.1.0" "log" (func $log (param i32 i32 i32)))
    (import "wflow:flow/task@0.1.0" "fail"
      (func $fail (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "put"
      (func $put (param i32 i32 i32 i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "remove" (func $remove (param i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "names" (func $names (param i32)))
    (import "wflow:flow/artifacts@0.1.0" "open" (func $open (param i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "create" (func $create (param i32 i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "item" (func $item (param i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[method]reader.format"
      (func $format (param i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[method]reader.size"
      (func $size (param i32) (result i64)))
    (import "wflow:flow/artifacts@0.1.0" "[method]reader.read"
      (func $read (param i32 i64 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[resource-drop]reader" (func $close (param i32)))
    (import "wflow:flow/artifacts@0.1.0" "[method]writer.write"
      (func $write (param i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[method]writer.finish"
      (func $finish (param i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[resource-drop]writer" (func $discard (param i32)))
    (import "wflow:flow/inputs@0.1.0" "count" (func $count (result i32)))
    (import "wflow:flow/inputs@0.1.0" "step" (func $step_of (param i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "get" (func $get_all (param i32 i32 i32 i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "names" (func $names_of (param i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "open" (func $open_of (param i32 i32 i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "merge" (func $merge (param i32 i32 i32 i32 i32)))"#;

/// Short names for what the tests do again and again.
const HELPERS: &str = r#"
    ;; A name of one letter, at 4096, and a format, at 4104.
    (func $name (param $letter i32) (i32.store8 (i32.const 4096) (local.get $letter))
      (i64.store (i32.const 4104) (i64.const 0x79782f6261)))
    ;; Ends the task unless the value is what is expected.
    (func $expect (param $value i32) (param $expected i32)
      (if (i32.ne (local.get $value) (local.get $expected)) (then unreachable)))
    ;; Puts bytes as the artifact of a letter.
    (func $keep (param $letter i32) (param $from i32) (param $length i32)
      (call $name (local.get $letter))
      (call $put (i32.const 4096) (i32.const 1) (i32.const 4104) (i32.const 5)
        (local.get $from) (local.get $length) (i32.const 4200))
      (call $expect (i32.load8_u (i32.const 4200)) (i32.const 0)))
    ;; Puts the text of the problem in the result at 6000, if it is one of that case.
    (func $keep_problem (param $letter i32) (param $case i32)
      (call $expect (i32.load8_u (i32.const 6000)) (i32.const 1))
      (call $expect (i32.load8_u (i32.const 6004)) (local.get $case))
      (call $keep (local.get $letter) (i32.load (i32.const 6008)) (i32.load (i32.const 6012))))"#;

/// Runs calls against artifacts `a` ("hello") and `z` (empty); gives back what is there then.
fn calls(body: &str) -> Map {
    let guest = Guest {
        imports: ALL.to_owned(),
        functions: HELPERS.to_owned(),
        run: format!("{body} (global.get $ok)"),
        ..Guest::default()
    };
    let io = Map {
        artifacts: [
            ("a".to_owned(), value("ab/xy", b"hello")),
            ("z".to_owned(), value("ab/xy", b"")),
        ]
        .into(),
        ..Map::default()
    };
    let component = guest.load(&sandbox());
    let (io, outcome) = run_with(&component, task(), &Limits::default(), io);
    assert_eq!(outcome, Ok(()));
    io
}

fn text(io: &Map, name: &str) -> String {
    String::from_utf8(io.artifacts[name].data.to_vec()).unwrap()
}

#[test]
fn a_task_knows_who_it_is() {
    // flow, step, task, attempt, and a list of one frame: step, artifact, index, width.
    let io = calls(
        "(call $identify (i32.const 6000))
         (call $keep (i32.const 98) (i32.load (i32.const 6000)) (i32.load (i32.const 6004)))
         (call $keep (i32.const 99) (i32.load (i32.const 6008)) (i32.load (i32.const 6012)))
         (call $keep (i32.const 100) (i32.load (i32.const 6016)) (i32.load (i32.const 6020)))
         (call $expect (i32.load (i32.const 6024)) (i32.const 0))
         (call $expect (i32.load (i32.const 6032)) (i32.const 1))
         (call $expect (i32.load offset=16 (i32.load (i32.const 6028))) (i32.const 3))
         (call $expect (i32.load offset=20 (i32.load (i32.const 6028))) (i32.const 9))
         (call $run_id (i32.const 6000))
         (call $keep (i32.const 101) (i32.load (i32.const 6000)) (i32.load (i32.const 6004)))",
    );
    assert_eq!(text(&io, "b"), "Test");
    assert_eq!(text(&io, "c"), "start");
    assert_eq!(text(&io, "d"), "1");
    assert_eq!(text(&io, "e"), "1700000000000000");
}

#[test]
fn artifacts_are_put_removed_and_listed() {
    let io = calls(
        "(call $keep (i32.const 98) (i32.const 0) (i32.const 3))
         (call $name (i32.const 97))
         (call $remove (i32.const 4096) (i32.const 1) (i32.const 6000))
         (call $expect (i32.load8_u (i32.const 6000)) (i32.const 0))
         (call $names (i32.const 6000))
         (call $expect (i32.load (i32.const 6004)) (i32.const 2))
         (call $get (i32.const 4096) (i32.const 1) (i32.const 6000))
         (call $keep_problem (i32.const 99) (i32.const 0))",
    );
    assert_eq!(io.artifacts.keys().collect::<Vec<_>>(), ["b", "c", "z"]);
    assert_eq!(io.artifacts["b"], value("ab/xy", b"{\"n"));
    assert_eq!(text(&io, "c"), "no artifact `a`");
}

#[test]
fn an_artifact_is_read_in_pieces() {
    let io = calls(
        "(call $name (i32.const 97))
         (call $open (i32.const 4096) (i32.const 1) (i32.const 6000))
         (call $expect (i32.load8_u (i32.const 6000)) (i32.const 0))
         (i32.store (i32.const 7000) (i32.load (i32.const 6004)))
         (call $expect (i32.wrap_i64 (call $size (i32.load (i32.const 7000)))) (i32.const 5))
         (call $format (i32.load (i32.const 7000)) (i32.const 6000))
         (call $keep (i32.const 98) (i32.load (i32.const 6000)) (i32.load (i32.const 6004)))
         (call $read (i32.load (i32.const 7000)) (i64.const 3) (i32.const 100) (i32.const 6000))
         (call $expect (i32.load8_u (i32.const 6000)) (i32.const 0))
         (call $keep (i32.const 99) (i32.load (i32.const 6004)) (i32.load (i32.const 6008)))
         (call $read (i32.load (i32.const 7000)) (i64.const 0) (i32.const 16777217)
           (i32.const 6000))
         (call $keep_problem (i32.const 100) (i32.const 1))
         (call $close (i32.load (i32.const 7000)))",
    );
    assert_eq!(text(&io, "b"), "ab/xy");
    assert_eq!(text(&io, "c"), "lo");
    assert_eq!(text(&io, "d"), "16777217 bytes were asked for at once; at most 16777216");
}

#[test]
fn an_artifact_is_written_in_pieces() {
    let create = "(call $name (i32.const 98))
         (call $create (i32.const 4096) (i32.const 1) (i32.const 4104) (i32.const 5)
           (i32.const 6000))
         (call $expect (i32.load8_u (i32.const 6000)) (i32.const 0))
         (i32.store (i32.const 7000) (i32.load (i32.const 6004)))
         (call $write (i32.load (i32.const 7000)) (i32.const 2) (i32.const 4) (i32.const 6000))
         (call $expect (i32.load8_u (i32.const 6000)) (i32.const 0))";
    let finish = "(call $finish (i32.load (i32.const 7000)) (i32.const 6000))";
    let write = "(call $write (i32.load (i32.const 7000)) (i32.const 9) (i32.const 4)
         (i32.const 6000))";
    let discard = "(call $discard (i32.load (i32.const 7000)))";

    let io = calls(&format!(
        "{create} {write} {finish} (call $expect (i32.load8_u (i32.const 6000)) (i32.const 0))
         {write} (call $keep_problem (i32.const 99) (i32.const 1))
         {finish} (call $keep_problem (i32.const 100) (i32.const 1)) {discard}"
    ));
    assert_eq!(io.artifacts["b"], value("ab/xy", b"nameTest"));
    assert_eq!(text(&io, "c"), "the writer is finished: nothing can be added");
    assert_eq!(text(&io, "d"), text(&io, "c"));

    let io = calls(&format!("{create} {discard}"));
    assert!(!io.artifacts.contains_key("b"));
}

#[test]
fn a_join_reads_its_inputs() {
    // The list of `inputs.get`: of each element, 0 whether there is one, 4 format, 12 data.
    let io = calls(
        "(call $expect (call $count) (i32.const 2))
         (call $step_of (i32.const 1) (i32.const 6000))
         (call $keep (i32.const 98) (i32.load (i32.const 6004)) (i32.load (i32.const 6008)))
         (call $name (i32.const 97))
         (call $get_all (i32.const 4096) (i32.const 1) (i32.const 0) (i32.const 10)
           (i32.const 6000))
         (call $expect (i32.load8_u (i32.const 6000)) (i32.const 0))
         (call $expect (i32.load (i32.const 6008)) (i32.const 2))
         (call $expect (i32.load8_u (i32.load (i32.const 6004))) (i32.const 0))
         (call $expect (i32.load8_u offset=20 (i32.load (i32.const 6004))) (i32.const 1))
         (call $names_of (i32.const 0) (i32.const 6000))
         (call $expect (i32.load (i32.const 6008)) (i32.const 3))
         (call $name (i32.const 97))
         (call $open_of (i32.const 0) (i32.const 4096) (i32.const 1) (i32.const 6000))
         (call $expect (i32.wrap_i64 (call $size (i32.load (i32.const 6004)))) (i32.const 5))
         (i32.store (i32.const 5000) (i32.const 4096)) (i32.store (i32.const 5004) (i32.const 1))
         (call $merge (i32.const 5000) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 6000))
         (call $keep_problem (i32.const 99) (i32.const 1))
         (call $item (i32.const 4) (i32.const 6000))
         (call $keep_problem (i32.const 100) (i32.const 0))",
    );
    assert_eq!(text(&io, "b"), "step1");
    assert_eq!(text(&io, "c"), "[\"a\"] []");
    assert_eq!(text(&io, "d"), "no foreach at level 4");
}

#[test]
fn handles_are_bounded() {
    let guest = Guest {
        imports: ALL.to_owned(),
        functions: HELPERS.to_owned(),
        run: "(call $name (i32.const 97))
              (loop $more
                (call $open (i32.const 4096) (i32.const 1) (i32.const 6000))
                (br_if $more (i32.eqz (i32.load8_u (i32.const 6000)))))
              (global.get $ok)"
            .to_owned(),
        ..Guest::default()
    };
    let limits = Limits { handles: 100, ..Limits::default() };
    let io = Map { artifacts: [("a".to_owned(), value("ab/xy", b""))].into(), ..Map::default() };
    let (_, outcome) = run_with(&guest.load(&sandbox()), task(), &limits, io);
    let failure = outcome.unwrap_err().failure().unwrap();
    assert_eq!(failure.message, "it has more than 100 readers, writers and timers open at once");
    assert!(failure.hint.contains("--max-handles"));
}
