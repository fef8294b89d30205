//! Limits of tasks: memory, logs, time.

use crate::support::Place;
use crate::support::own;

#[test]
fn a_log_is_kept_up_to_its_limit() {
    let place = Place::new();
    let flow = own("failures");
    place.run(&flow, "--how log --quiet").done();
    let whole = place.wflow("logs --stdout latest/bad").done();
    assert_eq!(whole.stdout.lines().count(), 40_001);
    assert!(whole.stdout.contains("\nline 039999 "), "the end is there");

    // 40,000 lines of 61 bytes are more than a megabyte.
    let run = place.run(&flow, "--how log --max-log-size 1").fails(1);
    assert!(run.stderr.contains("it wrote more than 1 MiB to standard output"), "{run}");
    assert!(run.stderr.contains("--max-log-size"), "{run}");
    let cut = place.wflow("logs --stdout latest/bad").done();
    assert!(cut.stdout.len() <= (1 << 20) + 1, "{} bytes", cut.stdout.len());
    assert!(cut.stdout.len() > 1 << 19, "{} bytes", cut.stdout.len());
    assert!(whole.stdout.starts_with(cut.stdout.trim_end()));
}

/// Each limit has a flag, and the error names it.
#[test]
fn limits_are_named_with_their_flags() {
    let place = Place::new();
    let flow = own("failures");
    let cases = [
        ("--how loop --fuel 1000000", "it used up its 1000000 units of fuel", "--fuel"),
        ("--how memory --memory 32M", "its limit of 32 MiB", "--memory"),
        ("--how loop --timeout 300ms", "its limit of 0.3 s", "--timeout"),
        ("--how log --max-artifacts 1", "it has more than 1 artifacts", "--max-artifacts"),
        ("--how log --max-artifact-size 1", "more than 1 byte in all", "--max-artifact-size"),
        ("--how log --max-table-elements 1", "need more than 1 elements", "--max-table-elements"),
    ];
    for (words, told, flag) in cases {
        let run = place.run(&flow, words).fails(1);
        assert!(run.stderr.contains(told) && run.stderr.contains(flag), "{words}: {run}");
    }
}

#[test]
fn limits_come_from_the_environment_too() {
    let place = Place::new();
    let flow = own("failures");
    let run = place.run_with(&flow, &[("WFLOW_RUN_TIMEOUT", "300ms")], "--how loop").fails(1);
    assert!(run.stderr.contains("its limit of 0.3 s"), "{run}");
    let run = place.run_with(&flow, &[("WFLOW_RUN_MEMORY", "32M")], "--how memory").fails(1);
    assert!(run.stderr.contains("its limit of 32 MiB"), "{run}");
    // The command line wins.
    let env = [("WFLOW_RUN_MEMORY", "32M")];
    let run = place.run_with(&flow, &env, "--how memory --memory 48M").fails(1);
    assert!(run.stderr.contains("its limit of 48 MiB"), "{run}");
}
