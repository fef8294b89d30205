//! Runs that cannot be resumed: nothing begins, and the words say why.

use std::process::Stdio;

use serde_json::Value as Json;
use serde_json::json;

use crate::script::Version;
use crate::script::latest;
use crate::script::sorted;
use crate::script::started;
use crate::support::Outcome;
use crate::support::Place;
use crate::support::settled;

const LINE: &str = "start -> fit\nfit -> end\nend";

/// A flow with one parameter.
fn with_parameter(parameter: &Json) -> Version {
    Version::of(LINE).parameters(json!([parameter]))
}

fn alpha() -> Json {
    json!({"name": "alpha", "type": "int", "default": 1})
}

/// What `wflow resume` answers, which registers no run.
fn refused(place: &Place, flow: &Version, words: &str, code: i32) -> Outcome {
    let before = place.wflow("list --json").stdout;
    let refused = flow.resume(place, words).fails(code);
    assert_eq!(refused.stdout, "");
    assert_eq!(place.wflow("list --json").stdout, before);
    refused
}

/// What users read, a block for each command.
fn tell(place: &Place, flow: &Version, commands: &[(&str, i32)]) -> String {
    let block = |(words, code): &(&str, i32)| {
        let refused = refused(place, flow, words, *code);
        format!("$ wflow resume flow.wasm {words}\n{}", refused.stderr)
    };
    commands.iter().map(block).collect::<Vec<_>>().join("\n")
}

#[test]
fn there_is_no_such_run_or_step() {
    let place = Place::new();
    with_parameter(&alpha()).run(&place, "").done();
    let run = latest(&place);
    let near = format!("{}{}", &run[..15], (run[15..].parse::<u8>().unwrap() + 1) % 10);
    let told = tell(
        &place,
        &with_parameter(&alpha()),
        &[
            ("--origin 111", 1),
            (&format!("--origin {near}"), 1),
            ("--origin OtherFlow/111", 1),
            ("--origin TestFlow", 2),
            (&format!("--origin {run}/fit"), 2),
            ("--origin first", 2),
            ("fits", 2),
            ("nosuch", 2),
            ("--alpha 9", 2),
            ("--alpha=9 fit", 2),
            ("--seed 1", 2),
            ("--orign 1", 2),
        ],
    );
    settled(&place, || insta::assert_snapshot!(told.replace(&near, "[near]")));
}

#[test]
fn there_are_no_runs() {
    let place = Place::new();
    let flow = Version::of(LINE);
    let told = refused(&place, &flow, "", 1);
    settled(&place, || insta::assert_snapshot!("no_store", told.stderr));
    flow.clone().named("OtherFlow").run(&place, "").done();
    let other = latest(&place);
    let told = tell(&place, &flow, &[("", 1), (&format!("--origin {other}"), 1)]);
    settled(&place, || insta::assert_snapshot!("no_runs_of_the_flow", told));
}

#[test]
fn parameters_are_those_of_the_origin() {
    let place = Place::new();
    let flow = with_parameter(&alpha()).with("fit reads alpha").with("end reads alpha");
    flow.clone().with("end fails").run(&place, "--alpha 7").fails(1);
    // The variable is for `wflow run`: here it changes nothing.
    let resumed = flow.resuming(&place, "").env("WFLOW_RUN_ALPHA", "9").output().unwrap();
    assert_eq!(resumed.status.code(), Some(0));
    assert_eq!(place.value("latest/end/1/alpha"), 7);
    flow.resumes(&place, "fit", "fit/1 end/1");
    assert_eq!(place.value("latest/end/1/alpha"), 7);
}

#[test]
fn parameters_that_have_changed() {
    let place = Place::new();
    with_parameter(&alpha()).with("fit fails").run(&place, "--alpha 7").fails(1);
    let failed = latest(&place);
    let words = format!("--origin {failed}");

    // Another default does not matter, nor that there is a help.
    let flow = with_parameter(&json!({"name": "alpha", "type": "int", "default": 2, "help": "x"}));
    flow.resumes(&place, &words, "fit/1 end/1");
    assert_eq!(place.value("latest/end/1/alpha"), 7);

    let beta = json!({"name": "beta", "type": "int", "default": 5});
    let both = Version::of(LINE).parameters(json!([alpha(), beta])).with("end reads beta");
    both.resumes(&place, &words, "fit/1 end/1");
    assert_eq!(place.value("latest/end/1/beta"), 5);

    let without = Version::of(LINE);
    without.resumes(&place, &words, "fit/1 end/1");
    place.wflow("dump latest/end/1/alpha").fails(1);

    let gamma = json!({"name": "gamma", "type": "int", "required": true});
    let required = Version::of(LINE).parameters(json!([alpha(), gamma]));
    let other_type = with_parameter(&json!({"name": "alpha", "type": "string", "default": ""}));
    let told = [required, other_type].map(|flow| refused(&place, &flow, &words, 1).stderr);
    let optional = with_parameter(&json!({"name": "alpha", "type": "int"}));
    optional.clone().with("fit fails").run(&place, "").fails(1);
    let needed = [json!({"required": true}), json!({"default": 3})].map(|need| {
        let mut alpha = json!({"name": "alpha", "type": "int"});
        alpha.as_object_mut().unwrap().extend(need.as_object().unwrap().clone());
        refused(&place, &with_parameter(&alpha), "", 1).stderr
    });
    assert_eq!(needed[0], needed[1]);
    optional.resumes(&place, "", "fit/1 end/1");
    let told = [&told[..], &needed[..1]].concat();
    settled(&place, || insta::assert_snapshot!(told.join("\n")));
}

#[test]
fn a_parameter_takes_the_name_of_an_artifact() {
    let place = Place::new();
    let flow = Version::of(LINE).with("start puts alpha 1");
    flow.clone().with("end fails").run(&place, "").fails(1);
    // What sets it is not reused: such a task cannot be, in this version.
    let refused = flow.parameters(json!([alpha()])).resume(&place, "").fails(1);
    assert_eq!(started(&refused), sorted("start/1"));
    settled(&place, || insta::assert_snapshot!(refused.stderr));
    Version::of(LINE).parameters(json!([alpha()])).resumes(&place, "", "start/1 fit/1 end/1");
}

#[test]
fn parameters_that_are_files() {
    let place = Place::new();
    let file = |name: &str| json!({"name": name, "type": "text", "required": true});
    let flow = Version::of(LINE)
        .parameters(json!([file("table"), file("list")]))
        .with("fit reads table")
        .with("end reads list");
    place.file("table.csv", "a,b\n".repeat(50_000));
    place.file("list.txt", "a b c");
    flow.clone().with("fit fails").run(&place, "--table table.csv --list list.txt").fails(1);
    let parameters = |place: &Place| {
        let dumped = place.wflow("dump --json latest/start").done().json();
        (dumped["artifacts"]["table"].clone(), dumped["artifacts"]["list"].clone())
    };
    let given = parameters(&place);
    std::fs::remove_file(place.path().join("table.csv")).unwrap();
    std::fs::remove_file(place.path().join("list.txt")).unwrap();
    let resumed = flow.resume(&place, "").done();
    assert_eq!(started(&resumed), sorted("fit/1 end/1"));
    assert_eq!(parameters(&place), given);
}

#[test]
fn a_run_that_is_going_on_has_to_end_first() {
    let place = Place::new();
    let flow = Version::of(LINE);
    let hanging = flow.clone().with("fit hangs 1").file(&place);
    let mut running = place.command(["run"]).arg(hanging).stdout(Stdio::null()).spawn().unwrap();
    place.until("list latest/start", |list| list.stdout.contains("done"));
    let told = flow.resume(&place, "");
    let runs = place.lines("list --json TestFlow").len();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(runs, 1);
    settled(&place, || insta::assert_snapshot!(told.fails(1).stderr));
    flow.resumes(&place, "", "fit/1 end/1");
}
