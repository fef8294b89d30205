//! Flows that want all there is: time, memory, tables, stack, text, artifacts.

use std::time::Duration;

use wflow::HostOptions;
use wflow::Limits;

use crate::arena::Case;
use crate::arena::limits;
use crate::guest::Guest;

const SHORT: Duration = Duration::from_millis(300);
const OUT_OF_TIME: &[&str] = &["it ran longer than its limit of 0.3 s", "--timeout"];
const OUT_OF_MEMORY: &[&str] = &["it needs more memory than its limit of 64 MiB", "--memory"];

/// Beside its memory, what a flow needs that does nothing else than to fill that.
const LITTLE: u64 = 48 << 20;

fn soon() -> Limits {
    Limits { timeout: Some(SHORT), ..limits() }
}

#[test]
fn loops_without_end() {
    let poll = r#"(import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))"#;
    let cases = [
        Guest::running("(loop (br 0))"),
        Guest::running("(loop (drop (call $now)) (br 0))"),
        // All of the memory, again and again: no call of it may be endless.
        Guest::running(
            "(drop (memory.grow (i32.const 900))) (loop (memory.fill (i32.const 65536)
            (i32.const 255) (i32.const 50000000)) (br 0))",
        ),
        Guest::running(
            "(loop (call $fail (i32.const 0) (i32.const 60000) (i32.const 0)
            (i32.const 60000) (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 60000))
            (br 0))",
        ),
        Guest::running("(loop (call $random (i32.const 60000) (i32.const 1024)) (br 0))"),
        Guest::running("(loop (call $names (i32.const 1024)) (br 0))"),
        // Sleeps until the end of time, which costs no time, and then again.
        Guest::running(
            "(i32.store (i32.const 5016) (i32.const 1)) (i64.store (i32.const 5024)
            (i64.const -1)) (loop (drop (call $poll (i32.const 5000) (i32.const 5100) (i32.const 1)
            (i32.const 5200))) (br 0))",
        )
        .importing(poll),
    ];
    for guest in cases {
        Case::of(guest).limits(soon()).fails(OUT_OF_TIME);
    }
}

#[test]
fn an_artifact_that_is_set_and_removed_for_ever() {
    let mut guest = Guest::default();
    let (put, name) = (guest.put("a", "text/plain", b"x"), guest.text("a"));
    guest.run = format!("(loop {put} (call $remove {name} (i32.const 1024)) (br 0))");
    Case::of(guest).limits(soon()).fails(OUT_OF_TIME);
}

#[test]
fn a_start_function_that_loops() {
    let guest = Guest::default().with("(func $begin (loop (br 0))) (start $begin)");
    Case::of(guest).refused(&["the flow cannot be described", "its limit of 1 s"]);
}

#[test]
fn fuel_runs_out_exactly() {
    let limits = |fuel| Limits { fuel: Some(fuel), ..limits() };
    let on = || HostOptions::default().fit(&limits(1));
    Case::of(Guest::running("(loop (br 0))"))
        .limits(limits(100_000))
        .on(on())
        .fails(&["it used up its 100000 units of fuel", "--fuel"]);
    // The same computation takes the same, wherever and whenever: the least that is enough is found
    // twice.
    let counting = || {
        Guest::running(
            "(loop (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if 0 (i32.lt_u (local.get $i) (i32.const 1000))))",
        )
    };
    let enough = |fuel| Case::of(counting()).limits(limits(fuel)).on(on()).succeeds();
    let least = |mut low: u64, mut high: u64| {
        while low + 1 < high {
            let middle = u64::midpoint(low, high);
            if enough(middle) { high = middle } else { low = middle }
        }
        high
    };
    let found = least(0, 100_000);
    assert!(found > 1000 && !enough(found - 1) && enough(found), "{found}");
}

#[test]
fn memory_is_bounded_however_it_is_taken() {
    let grow = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    let fill = "(loop (if (i32.ne (memory.grow (i32.const 64)) (i32.const -1)) (then
          (memory.fill (i32.mul (i32.sub (memory.size) (i32.const 64)) (i32.const 65536))
            (i32.const 1) (i32.const 4194304)) (br 1)))) unreachable";
    let cases = [
        Guest::running(grow),
        Guest::running(fill),
        Guest::running(
            "(if (i32.eq (memory.grow (i32.const 65000)) (i32.const -1))
            (then unreachable))",
        ),
        // Several, each within the limit and filled, which are too much together.
        Guest::running(
            "(loop
              (if (i32.eq (memory.grow $b (i32.const 8)) (i32.const -1)) (then unreachable))
              (memory.fill $b (i32.const 0) (i32.const 1) (i32.mul (memory.size $b)
                (i32.const 65536)))
              (if (i32.eq (memory.grow $c (i32.const 8)) (i32.const -1)) (then unreachable))
              (br 0))",
        )
        .with("(memory $b 1) (memory $c 1) (memory $d 1)"),
    ];
    for guest in cases {
        Case::of(guest).beside(LITTLE).fails(OUT_OF_MEMORY);
    }
    // And from the beginning: `describe` has 256 MiB, a task of this flow 64.
    Case::of(Guest::default().with("(memory $b 1100)")).beside(LITTLE).fails(OUT_OF_MEMORY);
    Case::of(Guest::default().with("(memory $b 5000)"))
        .refused(&["more memory than its limit of 256 MiB"]);
}

#[test]
fn tables_are_bounded() {
    let grow = "(loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 1000))
        (i32.const -1)))) unreachable";
    let limits = Limits { table_elements: 50_000, ..limits() };
    let told = &["its function tables need more than 50000 elements", "--max-table-elements"];
    Case::of(Guest::running(grow).with("(table $t 1 funcref)")).limits(limits.clone()).fails(told);
    let many = "(table $t 1 funcref) (table 30000 funcref) (table 19000 funcref)";
    Case::of(Guest::running(grow).with(many)).limits(limits.clone()).fails(told);
    Case::of(Guest::default().with("(table 60000 funcref)")).limits(limits).fails(told);
    Case::of(Guest::default().with("(table 2000000 funcref)")).refused(&["table"]);
}

#[test]
fn recursion_ends_at_the_stack() {
    let told = &["its call stack of 1 MiB is exhausted", "--stack"];
    let deep = "(func $deep (param i64 i64) (result i64)
        (i64.add (call $deep (local.get 1) (local.get 0)) (local.get 0)))";
    let run = "(drop (call $deep (i64.const 1) (i64.const 2)))";
    Case::of(Guest::running(run).with(deep)).fails(told);
    // Through a table, and around host calls.
    let indirect = "(type $t (func)) (table 1 funcref) (elem (i32.const 0) $again)
        (func $again (drop (call $now)) (call_indirect (type $t) (i32.const 0))
          (drop (call $now)))";
    Case::of(Guest::running("(call $again)").with(indirect)).fails(told);
    let own = "(call $self (local.get $step) (local.get $length)) drop";
    let itself =
        "(func $self (param i32 i32) (result i32) (call $run (local.get 0) (local.get 1)))";
    Case::of(Guest::running(own).with(itself)).fails(told);
    // In the description, which runs on the caller's behalf.
    let describing =
        Guest { describe: format!("{run} (i32.const 16)"), ..Guest::default().with(deep) };
    Case::of(describing.clone()).refused(&["cannot be described", told[0]]);
    // The threads have what the limit says.
    let limits = Limits { stack: Limits::MAX_STACK, ..limits() };
    let on = || HostOptions::default().fit(&limits);
    Case::of(Guest::running(run).with(deep))
        .limits(limits.clone())
        .on(on())
        .fails(&["its call stack of 64 MiB is exhausted", "--stack"]);
    Case::of(describing).on(on()).refused(&["its call stack of 64 MiB is exhausted"]);
}

#[test]
fn text_is_bounded() {
    let told = &["it wrote more than 1 MiB to standard output", "--max-log-size"];
    let limits = Limits { log_bytes: 1 << 20, ..limits() };
    let cases = [
        // All at once, a little at a time, without an end of line, with nothing but those.
        "(drop (memory.grow (i32.const 200)))
         (call $log (i32.const 0) (i32.const 65536) (i32.const 10000000))",
        "(loop (call $log (i32.const 0) (i32.const 0) (i32.const 1)) (br 0))",
        "(loop (call $log (i32.const 0) (i32.const 0) (i32.const 60000)) (br 0))",
        "(memory.fill (i32.const 8192) (i32.const 10) (i32.const 50000))
         (loop (call $log (i32.const 0) (i32.const 8192) (i32.const 50000)) (br 0))",
    ];
    for run in cases {
        Case::of(Guest::running(run)).limits(limits.clone()).fails(told);
    }
    let stderr = "(loop (call $log (i32.const 1) (i32.const 0) (i32.const 60000)) (br 0))";
    Case::of(Guest::running(stderr))
        .limits(limits.clone())
        .fails(&["it wrote more than 1 MiB to standard error", "--max-log-size"]);
    let wasi = r#"(import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))"#;
    let print = "(i32.store (i32.const 5000) (i32.const 0)) (i32.store (i32.const 5004)
        (i32.const 60000)) (loop (drop (call $fd_write (i32.const 1) (i32.const 5000) (i32.const 1)
        (i32.const 5100))) (br 0))";
    Case::of(Guest::running(print).importing(wasi)).limits(limits).fails(told);
}

#[test]
fn artifacts_are_bounded_and_who_ignores_it_fails_in_the_end() {
    let told = &["it has more than 1000 artifacts", "--max-artifacts"];
    let limits = Limits { artifacts: 1000, artifact_bytes: 1 << 20, ..limits() };
    // Names of eight letters, counted upwards.
    let name = "(i64.store (i32.const 5000) (i64.const 0x6161616161616161))
        (i32.store8 (i32.const 5000) (i32.add (i32.const 97) (i32.rem_u (local.get $i)
          (i32.const 26))))
        (i32.store8 (i32.const 5001) (i32.add (i32.const 97) (i32.rem_u (i32.div_u (local.get $i)
          (i32.const 26)) (i32.const 26))))
        (i32.store8 (i32.const 5002) (i32.add (i32.const 97) (i32.div_u (local.get $i)
          (i32.const 676))))";
    let next = "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
        (i32.const 3000)))";
    let mut guest = Guest::default();
    let format = guest.text("text/plain");
    let put = format!(
        "(call $put (i32.const 5000) (i32.const 8) {format} (i32.const 0) (i32.const 1)
           (i32.const 1024))"
    );
    guest.run = format!("(loop {name} {put} {next})");
    Case::of(guest.clone()).limits(limits.clone()).fails(told);
    // Who gives up at the refusal says what it was told.
    guest.run =
        format!("(loop {name} {put} (if (call $refused) (then (return (call $problem)))) {next})");
    Case::of(guest).limits(limits.clone()).fails(told);

    let told = &["the artifacts that it put have more than 1 MiB in all", "--max-artifact-size"];
    let mut guest = Guest::default();
    let (name, format) = (guest.text("a"), guest.text("text/plain"));
    guest.run = format!(
        "(loop (call $put {name} {format} (i32.const 0) (i32.const 60000) (i32.const 1024)) {next})"
    );
    Case::of(guest.clone()).limits(limits.clone()).fails(told);
    // In pieces, and the piece that is too many is missing in what is finished.
    guest.run = format!(
        "(call $create {name} {format} (i32.const 1024))
         (local.set $j (i32.load (i32.const 1028)))
         (loop (call $write (local.get $j) (i32.const 0) (i32.const 60000) (i32.const 1024)) {next})
         (call $finish (local.get $j) (i32.const 1024))
         (if (call $refused) (then (return (call $problem))))"
    );
    Case::of(guest.clone()).limits(limits.clone()).fails(told);
    // Pieces for what is thrown away count as well: they were written.
    guest.run = format!(
        "(loop (call $create {name} {format} (i32.const 1024))
           (local.set $j (i32.load (i32.const 1028)))
           (call $write (local.get $j) (i32.const 0) (i32.const 60000) (i32.const 1024))
           (call $discard (local.get $j)) {next})"
    );
    Case::of(guest).limits(limits).fails(told);
}

#[test]
fn what_a_flow_gathers_from_round_to_round_is_bounded() {
    // Each round sets ten names that no round before has set.
    let mut guest = Guest::saying(
        r#"{"contract": "0.1", "name": "GatheringFlow", "steps": [
            {"name": "start", "next": {"step": "turn"}},
            {"name": "turn", "next": {"switch": "go", "rounds": 4000000000,
                "cases": [{"value": 1, "step": "turn"}, {"value": 2, "step": "end"}]}},
            {"name": "end"}]}"#,
    );
    let (go, format) = (guest.put("go", "application/cbor", &[1]), guest.text("text/plain"));
    guest.run = format!(
        "{go} (call $identify (i32.const 6000))
         (memory.fill (i32.const 5000) (i32.const 95) (i32.const 100))
         (memory.copy (i32.const 5000) (i32.const 4096) (i32.const 8))
         (loop
           (call $random (i32.const 8) (i32.const 1024))
           (local.set $l (i64.load (i32.load (i32.const 1024))))
           (i64.store (i32.const 5000) (i64.or (i64.const 0x6161616161616161)
             (i64.and (local.get $l) (i64.const 0x0707070707070707))))
           (call $put (i32.const 5000) (i32.const 8) {format} (i32.const 0) (i32.const 1)
             (i32.const 1024))
           (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
             (i32.const 10))))"
    );
    let limits = Limits { artifacts: 1000, ..limits() };
    Case::of(guest).limits(limits).fails(&["it has more than 1000 artifacts", "--max-artifacts"]);
}
