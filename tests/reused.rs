//! What is read of tasks that were reused: artifacts of all sizes, logs, and what joins carry over.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use crate::script::Version;
use crate::script::latest;
use crate::script::left;
use crate::script::sorted;
use crate::script::started;
use crate::support::Place;
use crate::support::settled;

/// A join that merges what is small, what is in a row of its own, and what is in a file, and a step
/// behind it that reads all of that.
fn sizes() -> Version {
    Version::of(
        "start -> a, b
        a -> j
        b -> j
        j(inputs) -> use
        use -> end
        end",
    )
    .with("a fills small 3")
    .with("a fills medium 3000")
    .with("b fills large 40000")
    .with("b prints a line of b")
    .with("b warns a warning of b")
    .with("j merges")
    .with("use reads small")
    .with("use reads medium")
    .with("use reads large")
}

#[test]
fn artifacts_of_all_sizes_are_reused_and_so_are_logs() {
    let place = Place::new();
    sizes().with("use fails").run(&place, "").fails(1);
    sizes().resumes(&place, "", "use/1 end/1");
    sizes().resumes(&place, "use", "use/1 end/1");
    sizes().resumes(&place, "j", "j/1 use/1 end/1");
    let logs = place.wflow("logs latest/b").done();
    settled(&place, || insta::assert_snapshot!(logs.to_string()));
    assert_eq!(place.wflow("logs --stderr latest/b").done().stdout, "a warning of b\n");
}

#[test]
fn what_was_removed_stays_removed() {
    let place = Place::new();
    let flow = Version::of("start -> a\na -> b\nb -> c\nc -> end\nend")
        .with("start puts x 1")
        .with("a removes x")
        .with("c puts x 2");
    flow.clone().with("c fails").run(&place, "").fails(1);
    flow.resumes(&place, "", "c/1 end/1");
    place.wflow("dump latest/b/1/x").fails(1);
    assert_eq!(place.value("latest/end/1/x"), 2);
    let reading = flow.with("end reads x").without("c puts x 2");
    let refused = reading.resume(&place, "c").fails(1);
    assert!(refused.stderr.contains("artifact `x` was removed in step `a`"), "{refused}");
}

#[test]
fn what_a_join_has_lost_is_explained_in_a_resumed_run_too() {
    let place = Place::new();
    let flow = sizes().without("j merges");
    flow.clone().with("use fails").run(&place, "").fails(1);
    let refused = flow.resume(&place, "").fails(1);
    assert_eq!(started(&refused), sorted("use/1"));
    settled(&place, || insta::assert_snapshot!(refused.stderr));
}

#[test]
fn a_chain_of_many_steps_reads_what_the_first_has_set() {
    let place = Place::new();
    let chain = |reads: &str| {
        let steps: Vec<String> = (0..80).map(|n| format!("s{n} -> s{}", n + 1)).collect();
        Version::of(&format!("start -> s0\n{}\ns80 -> end\nend", steps.join("\n")))
            .with("start puts first 1")
            .with(reads)
    };
    chain("s70 fails").run(&place, "").fails(1);
    let executed: Vec<String> = (70..=80).map(|n| format!("s{n}/1")).collect();
    chain("s75 reads first").resumes(&place, "", &format!("{} end/1", executed.join(" ")));
}

/// The file of an artifact that is large.
fn blob(place: &Place, digest: &str) -> PathBuf {
    let found = files(&place.path().join(".wflow")).into_iter().find(|path| {
        // With an ending if it is compressed.
        path.file_stem().is_some_and(|name| name == digest)
    });
    found.unwrap_or_else(|| panic!("there is no file of {digest}"))
}

/// The files of a folder and all below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[test]
fn what_the_store_has_lost_is_executed_again() {
    let place = Place::new();
    sizes().run(&place, "").done();
    let (run, done) = (latest(&place), left(&place, "latest"));
    let digest = done["b/1"].0["large"]["digest"].as_str().unwrap();
    fs::remove_file(blob(&place, digest)).unwrap();
    let again = sizes().resume(&place, "").done();
    // What the join has merged is the same blob. It comes after, and so is executed anyway.
    assert_eq!(started(&again), sorted("b/1 j/1 use/1 end/1"));
    assert_eq!(left(&place, "latest"), done);
    // The store has it again, and so has the run that had lost it.
    assert_eq!(left(&place, &run), done);
    sizes().resumes(&place, "", "");
}

#[test]
fn what_is_damaged_is_executed_again() {
    let place = Place::new();
    sizes().run(&place, "").done();
    let done = left(&place, "latest");
    let digest = done["b/1"].0["large"]["digest"].as_str().unwrap();
    let blob = blob(&place, digest);
    fs::set_permissions(&blob, Permissions::from_mode(0o644)).unwrap();
    fs::write(&blob, "cut short").unwrap();
    let again = sizes().resume(&place, "").done();
    assert_eq!(started(&again), sorted("b/1 j/1 use/1 end/1"));
    assert_eq!(left(&place, "latest"), done);
}

#[test]
fn the_seed_and_the_time_are_those_of_the_origin() {
    let flow = sizes().with("a draws").with("use draws");
    let words = "--seed 5 --now 2024-02-29T12:00:00Z";
    let (place, whole) = (Place::new(), Place::new());
    flow.clone().with("use fails").run(&place, words).fails(1);
    let resumed = flow.resume(&place, "").done();
    assert_eq!(started(&resumed), sorted("use/1 end/1"));
    flow.run(&whole, words).done();
    assert_eq!(left(&place, "latest"), left(&whole, "latest"));
    // They do matter.
    let other = Place::new();
    flow.run(&other, "").done();
    assert_ne!(left(&place, "latest")["use/1"], left(&other, "latest")["use/1"]);
}

#[test]
fn machines_are_told_what_was_reused() {
    let place = Place::new();
    sizes().with("use fails").run(&place, "").fails(1);
    let resumed = sizes().resume(&place, "--json --quiet --run-id-file id").done().json();
    assert_eq!((&resumed["reused"], &resumed["tasks"]), (&json!(4), &json!(2)));
    assert_eq!(fs::read_to_string(place.path().join("id")).unwrap(), latest(&place));
    let runs = place.lines("list --json TestFlow");
    assert_eq!(runs[0]["resumes"], json!({"run": runs[1]["run"], "step": null}));
    assert_eq!(runs[1]["resumes"], json!(null));
    sizes().resume(&place, "j --quiet").done();
    assert_eq!(place.lines("list --json TestFlow")[0]["resumes"]["step"], "j");
}
