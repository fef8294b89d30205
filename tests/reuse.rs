//! Tasks that an earlier run has executed, and that need not be executed again.

use std::fs;

use serde_json::Value as Json;
use serde_json::json;

use crate::script::Version;
use crate::script::latest;
use crate::script::left;
use crate::script::sorted;
use crate::script::started;
use crate::script::told;
use crate::support::Outcome;
use crate::support::Place;
use crate::support::own;
use crate::support::settled;

/// Two branches, of which one reads a parameter and has a foreach.
fn flow() -> Version {
    Version::of(
        "start -> left, right
         left -> body for xs
         right -> both
         body -> gather
         gather(inputs) -> both
         both(inputs) -> end
         end",
    )
    .parameters(json!([
        {"name": "size", "type": "int", "default": 1},
        {"name": "other", "type": "int", "default": 1}
    ]))
    .with("left lists xs 3")
    .with("left reads size")
    .with("body draws")
    .with("body prints hello")
    .with("gather gathers trace")
    .with("right warns beware")
    .with("both gathers trace")
}

const ALL: &str = "start/1 left/1 right/1 body/0 body/1 body/2 gather/1 both/1 end/1";

#[track_caller]
fn reuses(outcome: &Outcome, executed: &str) {
    assert_eq!(started(outcome), sorted(executed), "{outcome}");
    let all = ALL.split_whitespace().filter(|task| !executed.contains(task));
    let reused = told_reused(outcome);
    assert_eq!(reused, sorted(&all.collect::<Vec<_>>().join(" ")), "{outcome}");
}

fn told_reused(outcome: &Outcome) -> Vec<String> {
    let log = outcome.log();
    let tasks = log.iter().filter_map(|line| {
        let (task, text) = line.split_once(' ')?;
        text.starts_with("Task is reused from run ").then_some(task)
    });
    sorted(&tasks.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_second_run_executes_nothing() {
    let place = Place::new();
    flow().run(&place, "").done();
    let (first, before) = (latest(&place), left(&place, "latest"));
    let second = flow().run(&place, "--reuse").done();
    reuses(&second, "");
    assert!(second.stdout.contains("is done: 0 tasks and 9 reused from earlier runs"), "{second}");
    // What the tasks had printed is told again.
    assert_eq!(second.printed("body").iter().filter(|line| *line == "hello").count(), 3);
    assert!(second.log().contains(&"right/1 beware".to_owned()), "{second}");
    assert_eq!(left(&place, "latest"), before);
    for line in place.lines("list --json latest/body") {
        let origin = line["origin"].as_str().unwrap();
        assert!(origin.contains(&format!("/{first}/body/")), "{origin}");
    }
    // What is reused can be reused, resumed, verified.
    reuses(&flow().run(&place, "--reuse").done(), "");
    let resumed = flow().resume(&place, "both").done();
    assert_eq!(started(&resumed), sorted("both/1 end/1"));
    assert_eq!(left(&place, "latest"), before);
    place.wflow("verify latest").done();
    place.wflow("fsck").done();
    // Nobody has asked for it: then everything is executed.
    assert_eq!(started(&flow().run(&place, "").done()), sorted(ALL));
}

#[test]
fn what_was_not_read_may_change() {
    let place = Place::new();
    flow().run(&place, "").done();
    // A parameter that nobody reads, and one that a branch reads.
    reuses(&flow().run(&place, "--reuse --other 2").done(), "");
    let second = flow().run(&place, "--reuse --size 2").done();
    reuses(&second, "left/1 body/0 body/1 body/2 gather/1 both/1 end/1");
    let fresh = Place::new();
    flow().run(&fresh, "--size 2").done();
    assert_eq!(left(&place, "latest"), left(&fresh, "latest"));
    // Back again: an older run has it.
    reuses(&flow().run(&place, "--reuse").done(), "");
}

#[test]
fn what_everything_follows_from_may_not() {
    let place = Place::new();
    flow().run(&place, "").done();
    for words in ["--seed 1", "--now 2024-01-01T00:00:00Z", "--allow env=A=b"] {
        reuses(&flow().run(&place, &format!("--reuse {words}")).done(), ALL);
    }
    let changed = flow().with("end prints done");
    assert_eq!(started(&changed.run(&place, "--reuse").done()), sorted(ALL));
    // How it is run is of no matter.
    let words = "--reuse --max-workers 1 --memory 2G --timeout 1h --max-num-splits 7 --tag x";
    reuses(&flow().run(&place, words).done(), "");
}

#[test]
fn what_let_the_outside_in_is_executed_again() {
    let place = Place::new();
    flow().run(&place, "--allow random").done();
    let second = flow().run(&place, "--allow random --reuse").done();
    reuses(&second, "body/0 body/1 body/2 gather/1 both/1 end/1");
    let why = place.wflow("explain latest/body/1").done();
    assert!(
        why.stdout.contains("since it let the outside in through `wflow:flow/task.random`"),
        "{why}"
    );
}

#[test]
fn what_a_failed_run_has_done_is_reused() {
    let place = Place::new();
    let broken = flow().with("both fails");
    broken.run(&place, "").fails(1);
    let second = broken.run(&place, "--reuse").fails(1);
    assert_eq!(started(&second), ["both/1"]);
    assert_eq!(told_reused(&second).len(), 7);
}

#[test]
fn what_a_resumed_run_took_on_trust_is_executed() {
    let place = Place::new();
    let first = flow().with("right puts kind \"old\"").with("both fails");
    first.run(&place, "").fails(1);
    let fixed = flow().with("right puts kind \"new\"");
    fixed.resume(&place, "").done();
    // The resumed run has what the old code left, and is done.
    let again = fixed.run(&place, "--reuse").done();
    assert!(started(&again).contains(&"right/1".to_owned()), "{again}");
    let fresh = Place::new();
    fixed.run(&fresh, "").done();
    assert_eq!(left(&place, "latest"), left(&fresh, "latest"));
}

#[test]
fn a_limit_of_the_new_run_holds() {
    let place = Place::new();
    flow().run(&place, "").done();
    let refused = flow().run(&place, "--reuse --max-num-splits 2").fails(1);
    assert!(refused.stderr.contains("it yields 3 tasks, and at most 2 are allowed"), "{refused}");
}

#[test]
fn every_sort_of_flow_is_reused() {
    for flow in ["conformance", "nested", "artifacts", "branches"] {
        let place = Place::new();
        place.run(&own(flow), "").done();
        let before = left(&place, "latest");
        let again = place.run(&own(flow), "--reuse").done();
        assert_eq!(left(&place, "latest"), before, "{flow}");
        let executed: Vec<Json> = place
            .lines("list --json latest")
            .iter()
            .flat_map(|step| {
                place.lines(&format!("list --json latest/{}", step["step"].as_str().unwrap()))
            })
            .filter(|line| line["origin"].is_null())
            .collect();
        let impure = |line: &Json| line["reproducible"] == false;
        // What asked for the id of its run is executed again, and what reads of it.
        assert!(executed.is_empty() || executed.iter().any(impure), "{flow}: {again}");
        place.wflow("fsck").done();
    }
}

#[test]
fn what_is_lost_is_executed_again() {
    let place = Place::new();
    let flow = || flow().with("body fills big 200000");
    flow().run(&place, "").done();
    let before = left(&place, "latest");
    let blobs = place.path().join(".wflow/blobs");
    let big = place.lines("dump --json latest/body/1");
    let digest = big[0]["artifacts"]["big"]["digest"].as_str().unwrap();
    let folder = blobs.join(&digest[..2]);
    let lost = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with(digest))
        .unwrap();
    fs::remove_file(lost).unwrap();
    reuses(&flow().run(&place, "--reuse").done(), "body/1");
    assert_eq!(left(&place, "latest"), before);
    place.wflow("fsck").done();
}

#[test]
fn a_run_that_others_share_stays() {
    let place = Place::new();
    flow().run(&place, "").done();
    let first = latest(&place);
    flow().run(&place, "--reuse").done();
    let before = left(&place, "latest");
    let refused = place.wflow(&format!("rm {first}")).fails(1);
    assert!(refused.stderr.contains("another run has reused all of its tasks"), "{refused}");
    let kept = place.wflow("gc --keep 1").done();
    assert!(format!("{}{}", kept.stdout, kept.stderr).contains("needs them"), "{kept}");
    assert_eq!(left(&place, "latest"), before);
    place.wflow("gc --flow TestFlow").done();
    assert!(place.lines("list --json").is_empty());
}

#[test]
fn a_key_is_explained() {
    let place = Place::new();
    flow().run(&place, "").done();
    let first = latest(&place);
    flow().run(&place, "--reuse --size 2").done();
    for (name, words) in [
        ("explain_read", "explain latest/left/1".to_owned()),
        ("explain_reused", "explain latest/right/1".to_owned()),
        ("explain_first", format!("explain {first}/body/1")),
        ("explain_join", format!("explain latest/gather/1 {first}/both/1")),
    ] {
        let told = place.wflow(&words).done();
        settled(&place, || insta::assert_snapshot!(name, told.stdout));
    }
    let json = place.wflow("explain --json latest/left/1").done().json();
    let difference = &json["differences"][0];
    assert_eq!(
        difference,
        &json!({"name": "parameter size", "ours": "2", "theirs": "1"}),
        "{json}"
    );
    assert_ne!(json["key"], json["other_key"]);
    place.wflow("explain latest/body").fails(2);
    place.wflow("explain latest/body/77").fails(1);
}

#[test]
fn a_run_is_attested() {
    let place = Place::new();
    flow().run(&place, "--seed 3 --allow random").done();
    let first = latest(&place);
    flow().run(&place, "--seed 3 --allow random --reuse --tag t").done();
    let statement = place.wflow("attest latest").done().json();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let trace =
        &statement["subject"].as_array().unwrap().iter().find(|s| s["name"] == "end/1/trace");
    assert_eq!(trace.unwrap()["digest"]["blake3"].as_str().unwrap().len(), 64);
    let definition = &statement["predicate"]["buildDefinition"];
    let external = &definition["externalParameters"];
    assert_eq!(
        (&external["seed"], &external["parameters"]["size"]["value"]),
        (&3.into(), &1.into())
    );
    assert_eq!(external["grants"], json!(["random"]));
    assert!(definition["internalParameters"]["limits"]["memory"].is_number());
    let read = definition["resolvedDependencies"].as_array().unwrap();
    assert!(read.iter().any(|from| from["name"] == format!("TestFlow/{first}")), "{statement}");
    let details = &statement["predicate"]["runDetails"];
    assert!(details["builder"]["version"]["engine"].as_str().unwrap().starts_with("wasmtime "));
    let outcome = &details["byproducts"][0]["annotations"];
    assert_eq!(outcome["reproducible"], false);
    assert_eq!(outcome["imports"]["wflow:flow/task.random"], 3);
    assert_eq!(told(&flow().run(&place, "").done(), "Task is starting.").len(), 9);
}
