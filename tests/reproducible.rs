//! Two runs of one flow leave the same, whatever the order of their tasks was.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::support::Place;
use crate::support::own;

/// All tasks of the latest run, with the digests of all their artifacts.
fn left(place: &Place) -> BTreeMap<String, Json> {
    let mut tasks = BTreeMap::new();
    for step in place.lines("list --json latest") {
        let step = step["step"].as_str().unwrap();
        for task in place.lines(&format!("dump --json latest/{step}")) {
            let pathspec = task["task"].as_str().unwrap();
            let id = pathspec.splitn(3, '/').nth(2).unwrap().to_owned();
            let artifacts = task["artifacts"].as_object().unwrap();
            let digests =
                artifacts.iter().map(|(name, artifact)| (name.clone(), artifact["digest"].clone()));
            tasks.insert(id, Json::Object(digests.collect()));
        }
    }
    tasks
}

fn run(place: &Place, flow: &str, words: &str) -> BTreeMap<String, Json> {
    place.run(&own(flow), words).done();
    left(place)
}

#[test]
fn two_runs_are_the_same() {
    let place = Place::new();
    // Random numbers, the order of hash maps, the time: all of them are artifacts there.
    let first = run(&place, "conformance", "--max-workers 1");
    assert_eq!(first.len(), 17);
    let draws: Vec<&Json> = (0..12).map(|i| &first[&format!("draw/{i}")]["drawn"]).collect();
    assert!((1..12).all(|i| draws[i] != draws[0]), "each task draws numbers of its own");
    for words in ["--max-workers 1", "--max-workers 8", "--max-workers 3"] {
        assert_eq!(run(&place, "conformance", words), first);
    }
    // In another store, too.
    assert_eq!(run(&Place::new(), "conformance", ""), first);
}

#[test]
fn another_seed_draws_other_numbers() {
    let place = Place::new();
    let first = run(&place, "conformance", "");
    let other = run(&place, "conformance", "--seed 1");
    assert_eq!(run(&place, "conformance", "--seed 1 --max-workers 1"), other);
    assert_ne!(first["draw/3"]["drawn"], other["draw/3"]["drawn"]);
    // What does not depend on it is the same.
    assert_eq!(first["draw/3"]["place"], other["draw/3"]["place"]);
    assert_eq!(first["draw/3"]["hashed"], other["draw/3"]["hashed"]);
    assert_eq!(first.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
}

#[test]
fn another_time_is_another_moment() {
    let place = Place::new();
    let first = run(&place, "conformance", "");
    let other = run(&place, "conformance", "--now 2030-01-01T00:00:00Z");
    assert_ne!(first["draw/0"]["moment"], other["draw/0"]["moment"]);
    assert_eq!(first["draw/0"]["drawn"], other["draw/0"]["drawn"]);
}

#[test]
fn loops_and_nested_foreach_are_the_same() {
    let place = Place::new();
    let first = run(&place, "nested", "--max-workers 1");
    assert_eq!(first.len(), 21);
    for _ in 0..2 {
        assert_eq!(run(&place, "nested", "--max-workers 8"), first);
    }
}

#[test]
fn where_and_how_a_flow_is_run_does_not_matter() {
    let first = run(&Place::new(), "conformance", "--max-workers 1");
    for (workers, time_zone) in [("2", "Asia/Tokyo"), ("8", "UTC")] {
        let place = Place::new();
        let folder = place.path().join("some where/else");
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = place.command(["run", "--max-workers", workers]);
        command.arg(own("conformance")).arg("--store").arg(place.path().join(".wflow"));
        command.current_dir(&folder).env("TZ", time_zone).env("HOME", &folder);
        command.env("LANG", "de_DE.UTF-8").env("RANDOM_THING", workers);
        crate::support::outcome(&mut command).done();
        assert_eq!(left(&place), first);
    }
}
