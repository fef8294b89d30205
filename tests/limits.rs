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
    let run = place.run(&flow, "--how log --max-log-size 1").done();
    assert_eq!(run.printed("end"), ["nothing failed, the count is 2"]);
    let cut = place.wflow("logs --stdout latest/bad").done();
    assert!(cut.stdout.len() <= (1 << 20) + 1, "{} bytes", cut.stdout.len());
    assert!(cut.stdout.len() > 1 << 19, "{} bytes", cut.stdout.len());
    assert!(cut.stderr.contains("past the limit of --max-log-size"), "{}", cut.stderr);
    let json = place.wflow("logs --json latest/bad").done().json();
    let dropped = json["dropped"].as_u64().unwrap();
    let kept = json["stdout"].as_str().unwrap();
    assert_eq!(kept.len() as u64 + dropped, whole.stdout.len() as u64);
    assert!(whole.stdout.starts_with(kept));
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
