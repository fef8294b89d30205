//! Flows that do harm while they are asked what they are.

use crate::arena::Case;
use crate::guest::Guest;

fn describing(describe: &str) -> Guest {
    Guest { describe: describe.to_owned(), ..Guest::default() }
}

#[test]
fn it_has_to_come_to_an_end() {
    let told = &["the flow cannot be described: it ran longer than its limit of 1 s"];
    Case::of(describing("(loop (br 0)) unreachable")).refused(told);
    Case::of(describing("(loop (drop (call $now)) (br 0)) unreachable")).refused(told);
    Case::of(describing("(loop (call $random (i32.const 9) (i32.const 1024)) (br 0)) unreachable"))
        .refused(told);
}

#[test]
fn it_has_little_memory_and_says_little() {
    let grow = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    Case::of(describing(grow)).refused(&["it needs more memory than its limit of 256 MiB"]);
    // Everything that it has, as its answer.
    let all = "(drop (memory.grow (i32.const 1000))) (i32.store (i32.const 20)
        (i32.const 60000000)) (i32.const 16)";
    Case::of(describing(all)).refused(&["the flow describes itself in 16777217 bytes"]);
    let log = "(loop (call $log (i32.const 0) (i32.const 0) (i32.const 60000)) (br 0)) unreachable";
    Case::of(describing(log)).refused(&["it wrote more than 32 MiB to standard output"]);
}

#[test]
fn it_has_no_task() {
    let cases = [
        ("(call $identify (i32.const 1024))", "`task.identify`"),
        ("(call $run_id (i32.const 1024))", "`task.run-id`"),
        ("(call $get (i32.const 0) (i32.const 1) (i32.const 1024))", "`artifacts.get`"),
        (
            "(call $put (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0)
                (i32.const 1) (i32.const 1024))",
            "`artifacts.put`",
        ),
        ("(call $names (i32.const 1024))", "`artifacts.names`"),
        ("(call $item (i32.const 0) (i32.const 1024))", "`artifacts.item`"),
        ("(drop (call $count))", "`inputs.count`"),
    ];
    for (call, import) in cases {
        let told = &[import, "was called while the flow was being described"];
        Case::of(describing(&format!("{call} (i32.const 16)"))).refused(told);
        // The start of a module is no task either: it runs before there is anything to call.
        let starting = Guest::default().with(&format!("(func $begin {call}) (start $begin)"));
        Case::of(starting).refused(&["the flow cannot be described"]);
    }
}

#[test]
fn it_cannot_change_its_mind() {
    // Whatever could differ from call to call is in the name of the flow: the clock, random numbers,
    // what an earlier call left behind.
    let sources = [
        "(i32.wrap_i64 (call $now))",
        "(block (result i32) (call $random (i32.const 4) (i32.const 1024))
           (i32.load (i32.load (i32.const 1024))))",
        "(global.get $calls) (global.set $calls (i32.add (global.get $calls) (i32.const 1)))",
        "(i32.load (i32.const 60000)) (i32.store (i32.const 60000) (i32.const 12345))",
    ];
    for source in sources {
        let letter = format!(
            "(global.set $seen {source})
             (i32.store8 (i32.add (i32.load (i32.const 16)) (i32.const 30))
               (i32.add (i32.const 97) (i32.rem_u (global.get $seen) (i32.const 26))))
             (i32.const 16)"
        );
        let guest = describing(&letter)
            .with("(global $calls (mut i32) (i32.const 0)) (global $seen (mut i32) (i32.const 0))");
        // It answers the same, since everything that it can see is the same.
        Case::of(guest).passes();
    }
}

#[test]
fn its_answer_may_be_nonsense() {
    let cases = [
        ("(i32.const -4)", "what it returned breaks the contract"),
        ("(i32.const 17)", "what it returned breaks the contract"),
        ("(i32.store (i32.const 16) (i32.const -1)) (i32.const 16)", "out of bounds"),
        ("(i32.store (i32.const 20) (i32.const -1)) (i32.const 16)", "out of bounds"),
        ("(i32.store8 (i32.load (i32.const 16)) (i32.const 255)) (i32.const 16)", "utf-8"),
        ("unreachable", "it gave up"),
    ];
    for (answer, told) in cases {
        Case::of(describing(answer)).refused(&["the flow cannot be described", told]);
    }
}
