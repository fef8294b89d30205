//! Runs that are executed again, to see whether they leave the same.

use std::fs;

use serde_json::Value as Json;

use crate::outside::Outside;
use crate::script::Version;
use crate::script::latest;
use crate::script::left;
use crate::support::Place;
use crate::support::own;
use crate::support::settled;

fn wide() -> Version {
    Version::of(
        "start -> left, right
         left -> body for xs
         right -> both
         body -> gather
         gather(inputs) -> both
         both(inputs) -> end
         end",
    )
    .with("left lists xs 50")
    .with("body draws")
    .with("body prints hello")
    .with("gather gathers trace")
    .with("right warns beware")
    .with("both gathers trace")
}

fn verified(place: &Place, words: &str) -> Json {
    place.wflow(&format!("verify --json {words}")).done().json()
}

#[test]
fn a_run_is_reproduced() {
    let place = Place::new();
    wide().run(&place, "").done();
    let before = left(&place, "latest");
    for words in ["latest", "--max-workers 1 latest", "--max-workers 8 latest"] {
        let report = verified(&place, words);
        assert_eq!((&report["verified"], &report["same"]), (&56.into(), &56.into()), "{report}");
        assert_eq!(report["reproduced"], true);
    }
    let told = place.wflow("verify latest").done();
    settled(&place, || insta::assert_snapshot!("reproduced", told.stdout));
    // Nothing has been written.
    assert_eq!(place.lines("list --json")[0]["runs"], 1);
    assert_eq!(left(&place, "latest"), before);
}

#[test]
fn every_sort_of_flow_is_reproduced() {
    for (flow, words) in [("conformance", ""), ("nested", ""), ("artifacts", ""), ("branches", "")]
    {
        let place = Place::new();
        let run = place.run(&own(flow), words);
        assert!(run.code == Some(0), "{flow}: {run}");
        assert_eq!(verified(&place, "latest")["reproduced"], true, "{flow}");
    }
}

#[test]
fn a_sample_is_a_part_of_it() {
    let place = Place::new();
    wide().run(&place, "").done();
    let report = verified(&place, "--sample 10% latest");
    assert_eq!((&report["tasks"], &report["verified"]), (&56.into(), &6.into()));
    assert_eq!(verified(&place, "--sample 0.1% latest")["verified"], 1);
    let wrong = place.wflow("verify --sample 200% latest").fails(2);
    assert!(wrong.stderr.contains("at most 100%"), "{wrong}");
}

#[test]
fn the_store_is_enough_on_another_machine() {
    let place = Place::new();
    let file = wide().file(&place);
    wide().run(&place, "--seed 5").done();
    let other = Place::new();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(place.path().join(".wflow"))
        .arg(other.path().join("theirs"))
        .status()
        .unwrap();
    assert!(copied.success());
    fs::remove_dir_all(place.path().join(".wflow")).unwrap();
    assert_eq!(verified(&other, "--store theirs latest")["reproduced"], true);
    // The same with the component from a file.
    let bytes = fs::read(&file).unwrap();
    other.file("flow.wasm", bytes);
    assert_eq!(verified(&other, "--store theirs latest flow.wasm")["same"], 56);
    // Another component is no substitute.
    wide().with("end prints more").file(&other);
    let refused = other.wflow("verify --store theirs latest flow.wasm").fails(2);
    assert!(refused.stderr.contains("this is not the component of run"), "{refused}");
}

#[test]
fn what_let_the_outside_in_is_named() {
    let place = Place::new();
    wide().run(&place, "--allow random --allow clock").done();
    let listed = place.wflow("list latest").done();
    assert!(listed.stderr.contains("not reproducible: granted clock, random"), "{listed}");
    let line = &place.lines("list --json latest/body")[0];
    assert_eq!(line["reproducible"], false);
    assert_eq!(place.lines("list --json latest/right")[0]["reproducible"], true);

    let told = place.wflow("verify latest").fails_quietly(1);
    for words in ["`wflow:flow/task.random` (50 tasks)", "`wflow:flow/task.now` (50 tasks)"] {
        assert!(told.stdout.contains(words), "{told}");
    }
    assert!(told.stdout.contains("body/0 differs\n    artifact `trace`: it was "), "{told}");
    assert!(told.stdout.contains("The run was granted clock, random"), "{told}");
    let report: Json = place.wflow("verify --json latest").fails_quietly(1).json();
    // Those that drew nothing leave the same, though they read what did.
    assert_eq!(report["same"], 6, "{report}");
    assert_eq!(report["findings"].as_array().unwrap().len(), 50);
    assert_eq!(report["findings"][7]["imports"][0], "wflow:flow/task.now");
    assert_eq!((&report["reproduced"], &report["reproducible"]), (&false.into(), &false.into()));
}

#[test]
fn a_grant_that_nobody_used_does_no_harm() {
    let place = Place::new();
    let quiet = wide().without("body draws");
    quiet.run(&place, "--allow random").done();
    let told = place.wflow("verify latest").done();
    assert!(told.stdout.contains("is reproduced"), "{told}");
    assert!(told.stdout.contains("The run was granted random"), "{told}");
}

#[test]
fn a_failure_is_reproduced_too() {
    let place = Place::new();
    wide().with("gather fails").run(&place, "").fails(1);
    let report = verified(&place, "latest");
    assert_eq!(report["reproduced"], true, "{report}");
    let tasks = report["tasks"].as_u64().unwrap();
    assert!(tasks >= 53, "{report}");
}

#[test]
fn what_ran_out_of_time_is_not_tried_again() {
    let place = Place::new();
    let hangs = Version::of("start -> end\nend").with("end hangs 1");
    hangs.run(&place, "--timeout 200ms").fails(1);
    let told = place.wflow("verify latest").fails_quietly(1);
    assert!(told.stdout.contains("end/1 was not executed: it had run out of time"), "{told}");
}

#[test]
fn tasks_of_another_component_are_verified_where_they_were_executed() {
    let place = Place::new();
    let broken = wide().with("both fails");
    broken.run(&place, "").fails(1);
    let origin = latest(&place);
    wide().resume(&place, "").done();
    let told = place.wflow("verify latest").fails_quietly(1);
    assert!(
        told.stdout.contains(&format!("was taken over from run {origin}, which had another")),
        "{told}"
    );
    let report: Json = place.wflow("verify --json latest").fails_quietly(1).json();
    assert_eq!(report["same"], 2, "{report}");
    assert_eq!(verified(&place, &origin)["reproduced"], true);
}

#[test]
fn what_is_not_there_is_told() {
    let place = Place::new();
    wide().run(&place, "").done();
    let told = place.wflow("verify 17").fails(1);
    assert!(told.stderr.contains("there is no run 17"), "{told}");
    place.wflow("verify").fails(2);
}

#[test]
fn a_folder_is_granted_again_only_by_a_person() {
    let outside = Outside::new();
    std::fs::create_dir(outside.place.path().join("data")).unwrap();
    outside.place.file("data/x", "one");
    let outside = outside.allow("read=data");
    assert_eq!(outside.act(&["read data x"]), ["one"]);
    let place = &outside.place;
    let refused = place.wflow("verify latest").fails_quietly(1);
    assert!(
        refused.stdout.contains("was not executed: it may have used what is not granted again"),
        "{refused}"
    );
    assert!(refused.stdout.contains("add --allow read=data"), "{refused}");
    let again = place.wflow("verify --allow read=data latest").fails_quietly(1);
    assert!(again.stdout.contains("act/1 left the same"), "{again}");
    assert!(again.stdout.contains("`wasi:filesystem/types` (1 task)"), "{again}");
    place.file("data/x", "two");
    let other = place.wflow("verify --allow read=data latest").fails_quietly(1);
    assert!(other.stdout.contains("act/1 differs\n    artifact `seen`: it was "), "{other}");
}

#[test]
fn ten_thousand_tasks_are_reproduced_and_reused() {
    let place = Place::new();
    let flow = Version::of("start -> body for xs\nbody -> gather\ngather(inputs) -> end\nend")
        .with("start lists xs 10000")
        .with("body draws");
    flow.run(&place, "-q --max-num-splits 10000").done();
    for workers in ["1", "8"] {
        let report = verified(&place, &format!("--max-workers {workers} latest"));
        assert_eq!((&report["same"], &report["reproduced"]), (&10_003.into(), &true.into()));
    }
    let again = flow.run(&place, "--json --reuse --max-num-splits 10000").done().json();
    assert_eq!((&again["tasks"], &again["reused"]), (&0.into(), &10_003.into()), "{again}");
}
