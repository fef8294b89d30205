//! Handles: too many, of the wrong kind, used when they are gone.

use wflow::Limits;

use crate::arena::Case;
use crate::arena::limits;
use crate::guest::Guest;

const BREAKS: &str = "what it passed to the host breaks the contract";
const TELL: &str = "(if (call $refused) (then (return (call $problem))))";

/// A task that has a reader in `$i` and a writer in `$j`, and does this with them.
fn holding(run: &str) -> Guest {
    let mut guest = Guest::default();
    let put = guest.put("a", "text/plain", b"hello");
    let (a, b, format) = (guest.text("a"), guest.text("b"), guest.text("text/plain"));
    guest.run = format!(
        "{put} (call $open {a} (i32.const 1024)) (local.set $i (i32.load (i32.const 1028)))
         (call $create {b} {format} (i32.const 1024)) (local.set $j (i32.load (i32.const 1028)))
         {run}"
    );
    guest
}

#[test]
fn what_is_open_at_the_end_is_closed() {
    Case::of(holding("")).passes();
    Case::of(holding("unreachable")).fails(&["it gave up"]);
}

#[test]
fn handles_that_are_none() {
    let write = "(i32.const 0) (i32.const 4) (i32.const 1024)";
    let cases = [
        // Used and dropped after it was dropped.
        "(call $close (local.get $i)) (drop (call $size (local.get $i)))".to_owned(),
        "(call $close (local.get $i)) (call $close (local.get $i))".to_owned(),
        "(call $discard (local.get $j)) (call $finish (local.get $j) (i32.const 1024))".to_owned(),
        // Never there.
        "(drop (call $size (i32.const 0)))".to_owned(),
        "(drop (call $size (i32.const 12345)))".to_owned(),
        "(drop (call $size (i32.const -1)))".to_owned(),
        "(call $close (i32.const 0x7fffffff))".to_owned(),
        // Of another kind.
        "(drop (call $size (local.get $j)))".to_owned(),
        format!("(call $write (local.get $i) {write})"),
        "(call $discard (local.get $i))".to_owned(),
        "(call $finish (local.get $i) (i32.const 1024))".to_owned(),
    ];
    for run in cases {
        Case::of(holding(&run)).fails(&[BREAKS, "handle"]);
    }
}

#[test]
fn a_writer_is_finished_once() {
    let finish = format!("(call $finish (local.get $j) (i32.const 1024)) {TELL}");
    let told = &["the writer is finished: nothing can be added"];
    Case::of(holding(&format!("{finish} {finish}"))).fails(told);
    let write = "(call $write (local.get $j) (i32.const 0) (i32.const 4) (i32.const 1024))";
    Case::of(holding(&format!("{finish} {write} {TELL}"))).fails(told);
    // Two for the same name are no harm: the last one counts.
    Case::of(holding(&format!("{finish} (call $discard (local.get $j))"))).passes();
}

#[test]
fn too_many_are_open() {
    let mut guest = Guest::default();
    let put = guest.put("a", "text/plain", b"hello");
    let (a, format) = (guest.text("a"), guest.text("text/plain"));
    let told = &["a task may have 128 readers and writers open at once"];
    guest.run = format!("{put} (loop (call $open {a} (i32.const 1024)) {TELL} (br 0))");
    Case::of(guest.clone()).fails(told);
    guest.run = format!("(loop (call $create {a} {format} (i32.const 1024)) {TELL} (br 0))");
    Case::of(guest.clone()).fails(told);
    // Whoever does not listen gets none all the same, until its time is over.
    guest.run = format!("{put} (loop (call $open {a} (i32.const 1024)) (br 0))");
    let limits = Limits { timeout: Some(std::time::Duration::from_millis(300)), ..limits() };
    Case::of(guest.clone()).limits(limits.clone()).fails(&["it ran longer than its limit"]);
    // Opened and dropped again, for as long as it likes.
    guest.run = format!(
        "{put} (loop (call $open {a} (i32.const 1024)) (call $close (i32.load (i32.const 1028)))
           (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
             (i32.const 100000))))"
    );
    Case::of(guest).passes();
}

/// A component whose task takes handles from WASI and keeps them.
fn hoarder(imports: &str, lowered: &str) -> String {
    format!(
        r#"(component
          {imports}
          (core func $take {lowered})
          (core module $m
            (import "host" "take" (func $take (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 1024) "{document}")
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
            (func (export "describe") (result i32)
              (i32.store (i32.const 16) (i32.const 1024))
              (i32.store (i32.const 20) (i32.const {length})) (i32.const 16))
            (func (export "run") (param i32 i32) (result i32)
              (loop (drop (call $take)) (br 0)) unreachable))
          (core instance $i (instantiate $m
            (with "host" (instance (export "take" (func $take))))))
          (alias core export $i "memory" (core memory $memory))
          (type $failure' (record (field "kind" string) (field "message" string)
            (field "location" string) (field "trace" string)))
          (import "failure" (type $failure (eq $failure')))
          (func $describe (result string)
            (canon lift (core func $i "describe") (memory $memory)))
          (func $run (param "step" string) (result (result (error $failure)))
            (canon lift (core func $i "run") (memory $memory) (realloc (core func $i "realloc"))))
          (export "describe" (func $describe))
          (export "run" (func $run)))"#,
        document = crate::guest::TWO_STEPS.replace('"', "\\22").replace('\n', " "),
        length = crate::guest::TWO_STEPS.len(),
    )
}

#[test]
fn handles_of_wasi_are_counted_as_well() {
    let told =
        &["it has more than 10000 readers, writers and timers open at once", "--max-handles"];
    let stdout = hoarder(
        r#"(import "wasi:io/streams@0.2.0" (instance $streams
             (export "output-stream" (type (sub resource)))))
           (alias export $streams "output-stream" (type $stream))
           (import "wasi:cli/stdout@0.2.0" (instance $host
             (alias outer 1 $stream (type $s)) (export "output-stream" (type $t (eq $s)))
             (export "get-stdout" (func (result (own $t))))))"#,
        r#"(canon lower (func $host "get-stdout"))"#,
    );
    Case::component(&stdout).fails(told);
    let network = hoarder(
        r#"(import "wasi:sockets/network@0.2.0" (instance $networks
             (export "network" (type (sub resource)))))
           (alias export $networks "network" (type $network))
           (import "wasi:sockets/instance-network@0.2.0" (instance $host
             (alias outer 1 $network (type $s)) (export "network" (type $t (eq $s)))
             (export "instance-network" (func (result (own $t))))))"#,
        r#"(canon lower (func $host "instance-network"))"#,
    );
    Case::component(&network).fails(told);
    let timers = hoarder(
        r#"(import "wasi:io/poll@0.2.0" (instance $poll
             (export "pollable" (type (sub resource)))))
           (alias export $poll "pollable" (type $pollable))
           (import "wasi:clocks/monotonic-clock@0.2.0" (instance $host
             (alias outer 1 $pollable (type $s)) (export "pollable" (type $t (eq $s)))
             (export "subscribe-duration" (func (param "when" u64) (result (own $t))))))"#,
        r#"(canon lower (func $host "subscribe-duration"))"#,
    );
    let timers = timers
        .replace("(func $take (result i32))", "(func $take (param i64) (result i32))")
        .replace("(call $take)", "(call $take (i64.const -1))");
    Case::component(&timers).fails(told);
}
