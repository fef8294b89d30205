//! Tasks that do not end well: what is said, what is kept, and how the command ends.

use std::process::Stdio;

use serde_json::json;

use crate::support::Outcome;
use crate::support::Place;
use crate::support::finished;
use crate::support::own;
use crate::support::settled;

/// Runs the flow that fails in some way. With one worker the good branch is done before.
fn fail(place: &Place, words: &str) -> Outcome {
    let run = place.run(&own("failures"), &format!("--max-workers 1 --how {words}")).fails(1);
    assert!(run.stdout.ends_with(" Workflow failed.\n"), "{run}");
    assert_eq!(run.printed("good"), ["the good branch is done"]);
    run
}

/// What every failure leaves behind.
fn check_what_is_left(place: &Place) {
    assert_eq!(place.value("latest/good/1/count"), 2);
    assert_eq!(place.wflow("logs latest/good/1").done().stdout, "the good branch is done\n");
    let flows = place.lines("list --json");
    assert_eq!(flows[0]["state"], "failed");
    let runs = place.lines("list --json FailingFlow");
    assert_eq!(runs[0]["state"], "failed");
    let steps = place.lines("list --json latest");
    let expected = [("start", 1, 0), ("good", 1, 0), ("bad", 0, 1), ("join", 0, 0), ("end", 0, 0)];
    for (step, (name, done, failed)) in steps.iter().zip(expected) {
        assert_eq!(*step, json!({"step": name, "done": done, "failed": failed}));
    }
    assert_eq!(steps.len(), expected.len());
    let tasks = place.lines("list --json latest/bad");
    assert_eq!(tasks[0]["state"], "failed");
    assert!(!tasks[0]["failure"]["message"].as_str().unwrap().is_empty());
    // What the failed task set is not kept; what it inherited is seen.
    assert_eq!(place.value("latest/bad/1/count"), 1);
    let dumped = place.wflow("dump latest/bad/1/note").fails(1);
    assert!(dumped.stderr.contains("has no artifact `note`"), "{dumped}");
}

#[test]
fn a_panic() {
    let place = Place::new();
    let run = fail(&place, "panic");
    settled(&place, || insta::assert_snapshot!(run.told()));
    check_what_is_left(&place);
    // The stack names the step in the flow's source.
    let stack = run.stderr.lines().any(|line| {
        line.starts_with("    at bad (") && line.ends_with("flows/failures/src/lib.rs:31)")
    });
    assert!(stack, "{run}");
    // The log tells the same.
    let logs = place.wflow("logs latest/bad/1").done();
    assert!(logs.stdout.starts_with("about to fail: panic\nthis goes to standard error\n"));
    assert!(
        logs.stdout.contains("the wine is corked\n    at failures/src/lib.rs:31:24\n"),
        "{logs}"
    );
    let json = place.wflow("logs --json latest/bad/1").done().json();
    assert_eq!(json["stdout"], "about to fail: panic\n");
    assert_eq!(json["stderr"], "this goes to standard error\n");
    assert_eq!(json["failure"]["message"], "the wine is corked");
}

#[test]
fn an_index_out_of_bounds() {
    let place = Place::new();
    let run = fail(&place, "index");
    settled(&place, || insta::assert_snapshot!(run.told()));
    check_what_is_left(&place);
}

#[test]
fn an_error_by_question_mark() {
    let place = Place::new();
    let run = fail(&place, "error");
    settled(&place, || insta::assert_snapshot!(run.told()));
    check_what_is_left(&place);
}

#[test]
fn an_error_that_is_a_message() {
    let place = Place::new();
    let run = fail(&place, "message");
    settled(&place, || insta::assert_snapshot!(run.told()));
    check_what_is_left(&place);
}

#[test]
fn an_artifact_that_nobody_set() {
    let place = Place::new();
    let run = fail(&place, "missing");
    settled(&place, || insta::assert_snapshot!(run.told()));
    check_what_is_left(&place);
}

#[test]
fn a_trap() {
    let place = Place::new();
    let run = fail(&place, "trap");
    settled(&place, || insta::assert_snapshot!(run.told()));
    check_what_is_left(&place);
}

#[test]
fn an_exit() {
    let place = Place::new();
    let run = fail(&place, "exit");
    assert!(run.stderr.contains("it exited instead of returning"), "{run}");
    assert!(run.stderr.contains("help: a step returns, it does not exit"), "{run}");
    check_what_is_left(&place);
}

#[test]
fn an_endless_loop_at_its_timeout() {
    let place = Place::new();
    let run = fail(&place, "loop --timeout 500ms");
    assert!(run.stderr.contains("it ran longer than its limit of 0.5 s"), "{run}");
    assert!(run.stderr.contains("flows/failures/src/lib.rs:"), "where it was: {run}");
    assert!(run.stderr.contains("--timeout"), "{run}");
    check_what_is_left(&place);
}

#[test]
fn recursion_without_end() {
    let place = Place::new();
    let run = fail(&place, "stack");
    assert!(
        run.stderr.contains("its call stack of 1 MiB is exhausted (recursion without end?)"),
        "{run}"
    );
    assert!(run.stderr.contains("flows/failures/src/lib.rs:"), "where it was: {run}");
    assert!(run.stderr.lines().count() < 150, "{run}");
    check_what_is_left(&place);
}

#[test]
fn too_much_memory() {
    let place = Place::new();
    let run = fail(&place, "memory --memory 64M");
    assert!(run.stderr.contains("it needs more memory than its limit of 64 MiB"), "{run}");
    assert!(run.stderr.contains("--memory"), "{run}");
    check_what_is_left(&place);
}

#[test]
fn a_message_does_not_take_over_the_terminal() {
    let place = Place::new();
    let run = fail(&place, "escape");
    assert!(run.stderr.contains("cleared"), "{run}");
    assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\u{7}'), "{run}");
}

#[test]
fn a_flow_that_does_not_fail() {
    let place = Place::new();
    let run = place.run(&own("failures"), "").done();
    assert_eq!(run.printed("end"), ["nothing failed, the count is 2"]);
    assert_eq!(run.stderr, "");
    assert_eq!(place.lines("list --json")[0]["state"], "done");
}

#[test]
fn one_failure_of_many_tasks_ends_the_run() {
    // The others are endless: without the end of the run they would never come back.
    let place = Place::new();
    let run = place.run(&own("herd"), "--max-workers 4 --max-num-splits 64").fails(1);
    assert!(run.stderr.contains("number 3 is lame"), "{run}");
    let steps = place.lines("list --json latest");
    assert_eq!(steps[0], json!({"step": "start", "done": 1, "failed": 0}));
    assert_eq!(steps[1], json!({"step": "walk", "done": 0, "failed": 1}));
    // Those that were stopped are told of, and leave nothing.
    let cancelled = run.log().iter().filter(|line| line.ends_with(" Task was cancelled.")).count();
    assert_eq!(cancelled, 3, "{run}");
}

#[test]
fn an_interrupted_run_keeps_what_was_finished_and_is_readable_while_it_goes() {
    let place = Place::new();
    let words = ["--how", "loop", "--max-workers", "1", "--run-id-file", "id.txt"];
    let mut command = place.command(["run"]);
    command.arg(own("failures")).args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = command.spawn().unwrap();

    // Other processes see the run as far as it is.
    let good = place
        .until("list --json latest", |list| list.code == Some(0) && list.lines()[1]["done"] == 1);
    assert_eq!(good.lines()[0], json!({"step": "start", "done": 1, "failed": 0}));
    assert_eq!(good.lines()[2], json!({"step": "bad", "done": 0, "failed": 0}));
    let flow = place.lines("list --json").remove(0);
    assert_eq!(flow["state"], "running");
    // Who started it knows its id.
    let id = std::fs::read_to_string(place.path().join("id.txt")).unwrap();
    assert_eq!(flow["latest"], id.as_str());
    assert_eq!(place.value("latest/good/1/count"), 2);
    let none = place.wflow("dump latest/bad/1").fails(1);
    assert!(none.stderr.contains("no task of this step has finished"), "{none}");

    let kill = format!("kill -INT {}", run.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let run = finished(run.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{run}");
    assert!(run.log().contains(&"bad/1 Task was cancelled.".to_owned()), "{run}");
    settled(&place, || insta::assert_snapshot!(run.told()));
    assert_eq!(place.lines("list --json")[0]["state"], "cancelled");
    assert_eq!(place.value("latest/good/1/count"), 2);
}

#[test]
fn a_killed_run_is_told_from_one_that_goes_on() {
    let place = Place::new();
    let mut command = place.command(["run"]);
    command.arg(own("failures")).args(["--how", "loop", "--max-workers", "1"]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    place.until("list --json latest", |list| list.code == Some(0) && list.lines()[1]["done"] == 1);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(place.lines("list --json")[0]["state"], "interrupted");
    assert_eq!(place.value("latest/good/1/count"), 2);
    // The store goes on as if nothing had been.
    place.run(&own("failures"), "").done();
    let states: Vec<_> =
        place.lines("list --json FailingFlow").iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states, ["done", "interrupted"]);
}

#[test]
fn a_run_that_is_asked_to_end_ends_in_order() {
    let place = Place::new();
    let mut command = place.command(["run", "--json"]);
    command.arg(own("failures")).args(["--how", "loop", "--max-workers", "2"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    place.until("list --json latest", |list| list.code == Some(0) && list.lines()[1]["done"] == 1);
    let kill = format!("kill -TERM {}", run.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let run = finished(run.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{run}");
    assert_eq!(run.json()["status"], "cancelled");
    assert_eq!(place.lines("list --json")[0]["state"], "cancelled");
}
