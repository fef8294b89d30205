//! One after the other, very many of them: whoever runs strangers' flows does not want to start
//! anew every day.

use std::time::Duration;

use wflow::Limits;

use crate::arena::Memory;
use crate::arena::alone;
use crate::arena::limits;
use crate::guest::Guest;

/// How much more the process may have at the end than after it has warmed up.
const FLAT: u64 = 24 << 20;

/// Flows that are over soon.
fn guests() -> Vec<Vec<u8>> {
    let mut list = Guest::default();
    list.run =
        list.put("xs", "application/cbor", &[0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0]) + "unreachable";
    [
        Guest::running("unreachable"),
        Guest::running(
            "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
            (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536)))
            unreachable",
        ),
        Guest::running("(call $run (local.get $step) (local.get $length)) drop"),
        Guest::running("(loop (call $log (i32.const 1) (i32.const 0) (i32.const 60000)) (br 0))"),
        Guest::running(
            "(loop (call $create (i32.const 1024) (i32.const 1) (i32.const 1024)
            (i32.const 1) (i32.const 1024)) (br_if 0 (i32.eqz (call $refused)))) unreachable",
        ),
        Guest::running("(call $get (i32.const -1) (i32.const -1) (i32.const 1024))"),
        Guest::running("(drop (call $size (i32.const 77)))"),
        Guest::running(
            "(call $fail (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 60000)
            (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 60000)) unreachable",
        ),
        Guest {
            realloc: "(i32.const -1)".to_owned(),
            ..Guest::running("(call $identify (i32.const 1024))")
        },
        Guest { describe: "(i32.const -4)".to_owned(), ..Guest::default() },
        Guest::saying("[".repeat(10_000)),
        Guest::running("(return (i32.const 3073))"),
        list,
    ]
    .map(Guest::module)
    .into()
}

/// Runs so many, and gives back by how much the process has grown since the first part of them.
fn run(times: usize) -> u64 {
    let limits = Limits {
        memory: 8 << 20,
        timeout: Some(Duration::from_secs(5)),
        log_bytes: 256 << 10,
        ..limits()
    };
    let guests = guests();
    alone(|arena| {
        let mut warm = None;
        for turn in 0..times {
            let done = arena.try_out(&guests[turn % guests.len()], &limits);
            assert_ne!(done, Some(wflow::model::record::RunStatus::Done), "{turn}");
            if turn == times / 4 {
                warm = Memory::now();
            }
        }
        arena.good_flow_runs();
        match (warm, Memory::now()) {
            (Some(warm), Some(end)) => end.resident.saturating_sub(warm.resident),
            _ => 0,
        }
    })
}

#[test]
fn hundreds_of_hostile_flows_leave_nothing_behind() {
    let grown = run(600);
    assert!(grown <= FLAT, "{} KiB more", grown >> 10);
}

#[test]
#[ignore = "takes minutes: cargo test --release --locked --workspace --test hostile -- --ignored"]
fn ten_thousand_hostile_flows_leave_nothing_behind() {
    let grown = run(10_000);
    assert!(grown <= FLAT, "{} KiB more", grown >> 10);
}
