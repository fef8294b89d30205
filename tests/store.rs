//! The store in the long run: `fsck`, `gc` and `rm`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value as Json;
use serde_json::json;

use crate::support::Outcome;
use crate::support::Place;
use crate::support::example;
use crate::support::own;
use crate::support::settled;

/// Runs a flow; returns the id of the run.
fn ran(place: &Place, flow: &Path, words: &str) -> String {
    let json = place.run(flow, &format!("--json {words}")).done().json();
    json["run"].as_str().unwrap().to_owned()
}

/// A run of a few small tasks.
fn small_run(place: &Place, words: &str) -> String {
    ran(place, &own("wide"), &format!("--width 12 {words}"))
}

/// A run with a parameter so large that it has a file of its own.
fn large_run(place: &Place) -> String {
    let name = "x".repeat(100_000);
    ran(place, &example("parameters"), &format!("--creature {name}"))
}

/// The files of the blobs.
fn blobs(place: &Place) -> Vec<PathBuf> {
    let shards = fs::read_dir(place.path().join(".wflow/blobs")).unwrap();
    let files = shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// What a command told, without sizes: a component has another one with every compiler.
fn told(outcome: &Outcome) -> String {
    let line = |line: &str| -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let units = ["KiB", "MiB"].map(|unit| move |word: &str| word.starts_with(unit));
        let sizes = |at: usize| words.get(at + 1).is_some_and(|w| units.iter().any(|is| is(w)));
        let words = (0..words.len()).map(|at| if sizes(at) { "[size]" } else { words[at] });
        words.collect::<Vec<_>>().join(" ")
    };
    let text = format!("{}---\n{}", outcome.stdout, outcome.stderr);
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn a_store_in_order() {
    let place = Place::new();
    small_run(&place, "");
    let fsck = place.wflow("fsck").done();
    settled(&place, || insta::assert_snapshot!(told(&fsck)));
    let json = place.wflow("fsck --json").done().json();
    assert_eq!((&json["clean"], &json["faults"]), (&json!(true), &json!([])));
    assert_eq!((&json["runs"], &json["tasks"]), (&json!(1), &json!(15)));
    place.wflow("fsck --store nosuch").fails(1);
}

#[test]
fn damage_is_named_with_what_refers_to_it() {
    let place = Place::new();
    let run = large_run(&place);
    let files = blobs(&place);
    assert!(!files.is_empty(), "the flow leaves no large artifact");
    for file in &files {
        fs::remove_file(file).unwrap();
    }
    let fsck = place.wflow("fsck").fails(1);
    settled(&place, || insta::assert_snapshot!(told(&fsck)));
    let json = place.wflow("fsck --json").fails_quietly(1).json();
    let faults = json["faults"].as_array().unwrap();
    assert_eq!(faults.len(), files.len());
    let referrer = format!("ParameterFlow/{run} parameter `animal`");
    assert_eq!(faults[0]["referrers"][0], referrer);
    // The run goes, and with it what is wrong.
    place.wflow(&format!("rm {run}")).done();
    place.wflow("fsck").done();
}

#[test]
fn a_catalog_that_cannot_be_read_is_a_fault() {
    let place = Place::new();
    small_run(&place, "");
    let store = place.path().join(".wflow");
    fs::write(store.join("catalog.sqlite"), vec![0xa5; 8192]).unwrap();
    for log in ["catalog.sqlite-wal", "catalog.sqlite-shm"] {
        drop(fs::remove_file(store.join(log)));
    }
    let fsck = place.wflow("fsck").fails(1);
    settled(&place, || insta::assert_snapshot!(told(&fsck)));
    place.wflow("gc").fails(1);
}

#[test]
fn runs_are_removed_with_what_only_they_refer_to() {
    let place = Place::new();
    let first = large_run(&place);
    let second = large_run(&place);
    let wide = small_run(&place, "");
    let before = blobs(&place).len();

    let dry = place.wflow(&format!("rm --dry-run {first} WideFlow/{wide}")).done();
    settled(&place, || insta::assert_snapshot!("rm_dry_run", told(&dry)));
    assert_eq!(place.lines("list --json ParameterFlow").len(), 2);
    let removed = place.wflow(&format!("rm {first} WideFlow/{wide}")).done();
    assert_eq!(removed.stdout, dry.stdout);
    assert_eq!(removed.stderr, dry.stderr.replace("Would remove", "Removed"));

    assert_eq!(place.lines("list --json ParameterFlow").len(), 1);
    // But for the component of the other flow.
    assert_eq!(blobs(&place).len(), before - 1, "the second run has the same ones");
    let gone = place.wflow(&format!("dump {first}/start")).fails(1);
    assert!(gone.stderr.contains(&format!("there is no run {first}")), "{gone}");
    place.wflow(&format!("rm {second}")).done();
    assert!(blobs(&place).is_empty());
    assert_eq!(place.lines("list --json"), [] as [Json; 0]);
}

#[test]
fn what_cannot_be_removed() {
    let place = Place::new();
    let run = small_run(&place, "");
    let mut texts = Vec::new();
    for (words, code) in [
        ("rm", 2),
        ("rm latest", 2),
        ("rm WideFlow/latest", 2),
        ("rm WideFlow", 2),
        (&*format!("rm {run}/start"), 2),
        (&*format!("rm {run} 17"), 1),
        (&*format!("rm CounterFlow/{run}"), 1),
        ("gc --run latest", 2),
        ("gc --flow CounterFlow", 1),
        ("gc --older-than 3y", 2),
        ("gc --tag=", 2),
    ] {
        let told = place.wflow(words).fails(code);
        texts.push(format!("$ wflow {words}\n{}", told.stderr));
    }
    settled(&place, || insta::assert_snapshot!(texts.join("\n")));
    assert_eq!(place.lines("list --json WideFlow").len(), 1, "nothing was removed");
}

#[test]
fn garbage_is_collected_by_age_count_tag_and_run() {
    let place = Place::new();
    let wide: Vec<String> =
        ["--tag a", "--tag a --tag b", "--tag b"].map(|tags| small_run(&place, tags)).into();
    let other = large_run(&place);
    let would = |words: &str| -> Vec<String> {
        let json = place.wflow(&format!("gc --dry-run --json {words}")).done().json();
        let runs = json["runs"].as_array().unwrap();
        runs.iter().map(|run| run.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(would(""), [] as [&str; 0]);
    assert_eq!(would("--older-than 1d"), [] as [&str; 0]);
    assert_eq!(would("--older-than 1ms").len(), 4);
    assert_eq!(would("--keep 1"), wide[..2]);
    assert_eq!(would("--tag a"), wide[..2]);
    assert_eq!(would("--tag a --tag b"), wide);
    assert_eq!(would("--tag b --keep 2"), [] as [&str; 0]);
    assert_eq!(would("--flow ParameterFlow"), [&*other]);
    assert_eq!(would(&format!("--run WideFlow/{} --run {other}", wide[0])), [&*wide[0], &*other]);

    let collected = place.wflow("gc --keep 1").done();
    settled(&place, || insta::assert_snapshot!(told(&collected)));
    assert_eq!(place.lines("list --json WideFlow").len(), 1);
    let json = place.wflow("gc --json").done().json();
    assert_eq!((&json["runs"], &json["tasks"], &json["blobs"]), (&json!([]), &json!(0), &json!(0)));
    place.wflow("fsck").done();
}

#[test]
fn a_run_that_goes_on_stays() {
    let place = Place::new();
    let flow = example("counter");
    place.run(&flow, "").done();
    // A run that has begun, and whose process does not come to an end: nobody reads what it says.
    let mut child = place
        .command(["run"])
        .arg(own("wide"))
        .args(["--width", "100000", "--max-num-splits", "100000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    place.until("list --json WideFlow", |listed| listed.code == Some(0));
    let live = place.lines("list --json WideFlow")[0]["run"].as_str().unwrap().to_owned();
    let refused = place.wflow(&format!("rm {live}")).fails(1);
    assert_eq!(refused.stdout, "");
    let stays = format!("Run {live} stays: it is still being written.");
    assert!(refused.stderr.starts_with(&stays), "{refused}");
    let collected = place.wflow("gc --keep 0").done();
    assert!(collected.stderr.contains(&stays), "{collected}");
    place.wflow("fsck").done();
    child.kill().unwrap();
    child.wait().unwrap();
    place.wflow(&format!("rm {live}")).done();
    place.wflow("fsck").done();
    assert_eq!(place.lines("list --json"), [] as [Json; 0]);
}
