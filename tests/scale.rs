//! Many tasks, and many processes.

use std::process::Stdio;

use serde_json::json;

use crate::guest::Guest;
use crate::support::Place;
use crate::support::finished;
use crate::support::own;

/// The format of the artifacts that guests put.
const CBOR: &str = "application/cbor";

#[test]
fn ten_thousand_tasks_and_their_join() {
    let place = Place::new();
    let run = place.run(&own("wide"), "--max-num-splits 10000").done();
    // The sum of (2 i)^2 for i below 10,000.
    let total: i64 = (0..10_000_i64).map(|i| 4 * i * i).sum();
    assert_eq!(run.printed("join"), ["10000 inputs"]);
    assert_eq!(run.printed("end"), [format!("the total is {total}, in order: true")]);
    assert_eq!(place.value("latest/end/1/total"), total);
    let counts = place.lines("list --json latest");
    assert_eq!(counts[1], json!({"step": "square", "done": 10_000, "failed": 0}));
    let tasks = place.lines("list --json --limit 20000 latest/square");
    let ids = tasks.iter().map(|task| task["task"].as_str().unwrap().rsplit('/').next().unwrap());
    assert!(ids.eq((0..10_000).map(|i| i.to_string())), "tasks are in their order");
    assert_eq!(place.value("latest/square/9999/square"), 4 * 9999 * 9999);
    // Each is told of once.
    let log = run.log();
    let finished = log.iter().filter(|line| {
        line.starts_with("square/") && line.ends_with(" Task finished successfully.")
    });
    assert_eq!(finished.count(), 10_000);
}

#[test]
fn several_processes_share_a_store() {
    let place = Place::new();
    let flow = own("wide");
    let start = |width: usize| {
        let mut command = place.command(["run", "--max-num-splits", "10000", "--max-workers", "2"]);
        command.arg(&flow).args(["--width", &width.to_string()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let widths = [500, 600, 700, 800];
    let runs: Vec<_> = widths.map(start).into_iter().collect();
    // Meanwhile others read.
    place.until("list --json WideFlow", |list| list.code == Some(0) && list.lines().len() == 4);
    for (run, width) in runs.into_iter().zip(widths) {
        let run = finished(run.wait_with_output().unwrap()).done();
        assert_eq!(run.stderr, "");
        let total: usize = (0..width).map(|i| 4 * i * i).sum();
        assert_eq!(run.printed("end"), [format!("the total is {total}, in order: true")]);
    }
    let runs = place.lines("list --json WideFlow");
    assert!(runs.iter().all(|run| run["state"] == "done"), "{runs:?}");
    let mut ids: Vec<_> = runs.iter().map(|run| run["run"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    for run in &runs {
        let id = run["run"].as_str().unwrap();
        let width = place.value(&format!("{id}/end/1/width")).as_u64().unwrap();
        let counts = place.lines(&format!("list --json {id}"));
        assert_eq!(counts[1]["done"], width);
    }
}

#[test]
fn one_of_the_processes_fails() {
    let place = Place::new();
    let mut command = place.command(["run"]);
    command.arg(own("failures")).args(["--how", "panic"]);
    let failing = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    place.run(&own("wide"), "--width 50").done();
    finished(failing.wait_with_output().unwrap()).fails(1);
    let mut flows: Vec<_> = place
        .lines("list --json")
        .iter()
        .map(|flow| (flow["flow"].clone(), flow["state"].clone()))
        .collect();
    flows.sort_by_key(|flow| flow.0.to_string());
    assert_eq!(
        flows,
        [(json!("FailingFlow"), json!("failed")), (json!("WideFlow"), json!("done"))]
    );
}

#[test]
fn no_width_and_one() {
    let place = Place::new();
    let run = place.run(&own("wide"), "--width 0").done();
    assert_eq!(run.printed("end"), ["the total is 0, in order: true"]);
    let run = place.run(&own("wide"), "--width 1").done();
    assert_eq!(run.printed("join"), ["1 inputs"]);
    let run = place.run(&own("wide"), "--width 100").done();
    assert_eq!(run.printed("join"), ["100 inputs"]);
    place.run(&own("wide"), "--width 101").fails(1);
}

#[test]
fn a_chain_of_ten_thousand_steps() {
    let steps = (1..9_999).map(|step| format!("s{step} -> s{}\n", step + 1));
    let text = format!("start -> s1\n{}s9999 -> end\nend", steps.collect::<String>());
    let place = Place::new();
    let guest = Guest::of(&text).putting("x", CBOR, &[7]);
    let run = place.run(&guest.file(&place), "").done();
    let log = run.log();
    let finished = log.iter().filter(|line| line.ends_with("finished successfully."));
    assert_eq!(finished.count(), 10_001);
    assert_eq!(place.value("latest/end/1/x"), 7);
    assert_eq!(place.lines("list --json --limit 20000 latest").len(), 10_001);
}

#[test]
fn a_thousand_branches() {
    let branches: Vec<String> = (0..1_000).map(|branch| format!("b{branch}")).collect();
    let steps = branches.iter().map(|branch| format!("{branch} -> join\n"));
    let text = format!(
        "start -> {}\n{}join(inputs) -> end\nend",
        branches.join(", "),
        steps.collect::<String>()
    );
    let place = Place::new();
    place.run(&Guest::of(&text).file(&place), "").done();
    let steps = place.lines("list --json --limit 2000 latest");
    assert_eq!(steps.len(), 1_003);
    assert!(steps.iter().all(|step| step["done"] == 1), "{steps:?}");
}

#[test]
fn a_wide_foreach_in_a_wide_foreach() {
    let text = "start -> a for xs\na -> b for xs\nb -> j\nj(inputs) -> k\nk(inputs) -> end\nend";
    // An array of 200 nulls.
    let list = [&[0x98, 200][..], &[0xf6; 200]].concat();
    let guest = Guest::of(text).putting("xs", CBOR, &list);
    let place = Place::new();
    place.run(&guest.file(&place), "--quiet --max-num-splits 200").done();
    let steps = place.lines("list --json latest");
    let done: Vec<_> = steps.iter().map(|step| step["done"].as_u64().unwrap()).collect();
    assert_eq!(done, [1, 200, 40_000, 200, 1, 1]);
    assert_eq!(place.lines("list --json --limit 50000 latest/b").len(), 40_000);
}
