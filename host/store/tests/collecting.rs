//! Removing runs, and collecting what no run refers to.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::*;
use rusqlite::Connection;
use wflow_model::Tag;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_store::Collected;
use wflow_store::INLINE_MAX;
use wflow_store::ROW_MAX;
use wflow_store::Selection;
use wflow_store::Spared;
use wflow_store::Store;
use wflow_store::StoreError;

/// A finished run that began at a moment, of ten tasks with an artifact of each tier. Runs with
/// the same content share their blobs.
fn run(store: &Store, flow_name: &str, moment: i64, content: u8, tags: &[&str]) -> RunId {
    let tags = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
    let writer = store.reserve(Timestamp(moment)).unwrap();
    writer.register(&flow(flow_name), &tags).unwrap();
    for index in 0..10 {
        let mut task = done(at(1, index));
        for (text, size) in [("inline", 8), ("row", INLINE_MAX + 1), ("file", ROW_MAX + 1)] {
            task.artifacts.insert(name(text), writer.put(FORMAT, &noise(content, size)).unwrap());
        }
        task.stdout.text = Some(writer.put("text/plain", &noise(content, 600)).unwrap());
        writer.append(&task).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    writer.run()
}

fn collect(store: &Store, selection: &Selection) -> Collected {
    let before = store.collect(selection, true, &mut |_| {}).unwrap();
    let collected = store.collect(selection, false, &mut |_| {}).unwrap();
    assert_eq!(collected, before, "a dry run foretells it");
    collected
}

fn only(run: RunId) -> Selection {
    Selection { runs: BTreeSet::from([run]), ..Selection::default() }
}

fn all_read(store: &Store, run: RunId) {
    let tasks = store.tasks(run, StepIndex(1), None, 99).unwrap();
    assert_eq!(tasks.len(), 10);
    for task in tasks {
        for artifact in task.artifacts.values().chain(&task.stdout.text) {
            store.verify(artifact).unwrap();
        }
    }
}

fn count(store: &Store, table: &str) -> i64 {
    Connection::open(store.path().join("catalog.sqlite"))
        .unwrap()
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

fn files(store: &Store) -> usize {
    let shards = fs::read_dir(store.path().join("blobs")).unwrap();
    shards.map(|shard| fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn a_removed_run_leaves_nothing_behind() {
    let (_folder, store) = store();
    let first = run(&store, "Removed", 1000, 1, &["a", "b"]);
    let second = run(&store, "Stays", 2000, 2, &[]);
    // Nothing is garbage yet.
    assert_eq!(collect(&store, &Selection::default()), Collected::default());
    assert_eq!(store.remove(first).unwrap(), 10);
    assert!(store.run(first).unwrap().is_none());
    assert!(matches!(store.remove(first), Err(StoreError::NoRun(_))));
    let collected = collect(&store, &Selection::default());
    let bytes = (INLINE_MAX + 1 + ROW_MAX + 1 + 600) as u64;
    assert_eq!(collected, Collected { blobs: 3, bytes, ..Collected::default() });
    all_read(&store, second);
    assert_eq!(count(&store, "tasks"), 10);
    assert_eq!(count(&store, "steps"), 1);
    assert_eq!(count(&store, "tags"), 0);
    assert_eq!(count(&store, "blobs"), 2);
    assert_eq!(files(&store), 1);
    assert_eq!(fs::read_dir(store.path().join("live")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(store.path().join("tmp")).unwrap().count(), 1, "the lock of creation");
    // Its id does not come back.
    assert!(run(&store, "Later", 500, 1, &[]) > second);
}

#[test]
fn what_runs_share_stays_with_the_last_of_them() {
    let (_folder, store) = store();
    let runs = [run(&store, "Shared", 1000, 1, &[]), run(&store, "Shared", 2000, 1, &[])];
    let collected = collect(&store, &only(runs[0]));
    assert_eq!((collected.runs, collected.tasks, collected.blobs), (vec![runs[0]], 10, 0));
    all_read(&store, runs[1]);
    assert_eq!(collect(&store, &only(runs[1])).blobs, 3);
    assert_eq!((count(&store, "blobs"), files(&store)), (0, 0));
}

#[test]
fn parameters_and_copies_of_what_was_inherited_are_referred_to() {
    let (_folder, store) = store();
    let writer = store.reserve(Timestamp(1)).unwrap();
    let mut record = flow("Refers");
    let parameter = writer.put(FORMAT, &[1; 1000]).unwrap();
    record.parameters.insert(name("parameter"), parameter.clone());
    writer.register(&record, &BTreeSet::new()).unwrap();
    let mut task = done(at(1, 0));
    let copy = writer.put(FORMAT, &noise(2, 100_000)).unwrap();
    task.inherited.insert(name("copy"), copy.clone());
    let log = writer.put("text/plain", &[3; 1000]).unwrap();
    task.stderr.text = Some(log.clone());
    writer.append(&task).unwrap();
    let stray = writer.put(FORMAT, &noise(4, 100_000)).unwrap();
    drop(writer);
    assert_eq!(collect(&store, &Selection::default()).blobs, 1);
    for artifact in [&parameter, &copy, &log] {
        store.verify(artifact).unwrap();
    }
    assert!(matches!(store.verify(&stray), Err(StoreError::MissingBlob(_))));
}

#[test]
fn runs_are_selected_by_all_criteria() {
    let (_folder, store) = store();
    let a: Vec<_> = (1..=4).map(|n| run(&store, "A", n * 1000, 1, &["all", "a"])).collect();
    let b: Vec<_> = (5..=6).map(|n| run(&store, "B", n * 1000, 1, &["all"])).collect();
    let would = |selection: Selection| store.collect(&selection, true, &mut |_| {}).unwrap().runs;
    let none = Selection::default;
    let tags = |tags: &[&str]| tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
    assert_eq!(would(none()), []);
    assert_eq!(would(Selection { older_than: Some(Timestamp(3000)), ..none() }), a[..2]);
    assert_eq!(would(Selection { keep: Some(2), ..none() }), a[..2]);
    assert_eq!(would(Selection { keep: Some(1), ..none() }), [&a[..3], &b[..1]].concat());
    assert_eq!(would(Selection { tags: tags(&["a", "nosuch"]), ..none() }), a);
    assert_eq!(would(Selection { flow: Some(name("B")), ..none() }), b);
    let some = Selection { runs: BTreeSet::from([a[1], a[3], b[0]]), ..none() };
    assert_eq!(would(some.clone()), [a[1], a[3], b[0]]);
    assert_eq!(would(Selection { keep: Some(1), tags: tags(&["a"]), ..some }), [a[1]]);
    assert_eq!(store.runs(None, None, 99).unwrap().len(), 6, "dry runs change nothing");
}

#[test]
fn runs_in_use_are_spared() {
    let (_folder, store) = store();
    let held = run(&store, "Held", 1000, 1, &[]);
    let free = run(&store, "Free", 2000, 2, &[]);
    let live = store.begin_at(&flow("Live"), Timestamp(3000)).unwrap();
    let handed_in = live.put(FORMAT, &noise(9, 100_000)).unwrap();
    let small = live.put(FORMAT, &[9; 1000]).unwrap();
    live.flush().unwrap();
    let hold = store.hold(held).unwrap();
    assert!(matches!(store.remove(held), Err(StoreError::Held(_))));
    assert!(matches!(store.remove(live.run()), Err(StoreError::Live(_))));
    let everything = Selection { keep: Some(0), ..Selection::default() };
    let collected = collect(&store, &everything);
    assert_eq!(collected.runs, [free]);
    assert_eq!(collected.spared, [(held, Spared::Held), (live.run(), Spared::Live)]);
    all_read(&store, held);
    drop(hold);
    for artifact in [&handed_in, &small] {
        store.verify(artifact).unwrap();
    }
    drop(live);
    let collected = collect(&store, &everything);
    assert_eq!((collected.runs.len(), collected.blobs), (2, 5));
    assert!(store.verify(&handed_in).is_err());
}

#[test]
fn what_a_run_at_work_finds_there_stays() {
    let (_folder, store) = store();
    let first = run(&store, "First", 1000, 1, &[]);
    // An older run at work must not make the blobs look older again than the newest run does.
    let older = store.begin_at(&flow("Older"), Timestamp(2000)).unwrap();
    let newer = store.begin_at(&flow("Newer"), Timestamp(3000)).unwrap();
    let sizes = [INLINE_MAX + 1, ROW_MAX + 1];
    let put = |writer: &wflow_store::RunWriter| {
        sizes.map(|size| writer.put(FORMAT, &noise(1, size)).unwrap())
    };
    let found = put(&newer);
    assert_eq!(put(&older), found);
    newer.flush().unwrap();
    older.flush().unwrap();
    drop(older);
    let collected = collect(&store, &only(first));
    assert_eq!((collected.runs, collected.blobs), (vec![first], 1), "its log alone");
    let mut task = done(at(1, 0));
    for (text, artifact) in ["a", "b"].into_iter().zip(found) {
        task.artifacts.insert(name(text), artifact);
    }
    newer.append(&task).unwrap();
    newer.finish(&ended(RunStatus::Done)).unwrap();
    assert_eq!(collect(&store, &Selection::default()).blobs, 0);
    for artifact in task.artifacts.values() {
        store.verify(artifact).unwrap();
    }
}

#[test]
fn a_file_that_was_raced_for_is_as_young_as_the_newest_who_wrote_it() {
    let (_folder, store) = store();
    let other = Store::open(store.path()).unwrap();
    let older = store.begin_at(&flow("Older"), Timestamp(2000)).unwrap();
    let newer = other.begin_at(&flow("Newer"), Timestamp(3000)).unwrap();
    // Both find no file, and both write one; the older run is the last to give it its name.
    let mut slow = older.stream(FORMAT);
    slow.push(&noise(1, ROW_MAX + 1)).unwrap();
    let artifact = newer.put(FORMAT, &noise(1, ROW_MAX + 1)).unwrap();
    newer.flush().unwrap();
    assert_eq!(slow.finish().unwrap(), artifact);
    older.finish(&ended(RunStatus::Done)).unwrap();
    assert_eq!(collect(&store, &Selection::default()).blobs, 0);
    store.verify(&artifact).unwrap();
}

#[test]
fn remains_are_collected() {
    let (_folder, store) = store();
    let first = run(&store, "Cut", 1000, 1, &["tag"]);
    let second = run(&store, "Stays", 2000, 2, &[]);
    // A run that resumes another and is killed before it is registered.
    let writer = store.reserve(Timestamp(3000)).unwrap();
    for task in store.tasks(second, StepIndex(1), None, 99).unwrap() {
        writer.append(&task).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(collect(&store, &Selection::default()), Collected::default(), "it is at work");
    drop(writer);
    // A removal that is killed half way.
    let catalog = Connection::open(store.path().join("catalog.sqlite")).unwrap();
    catalog.execute("DELETE FROM runs WHERE id = ?1", [first.0 as i64]).unwrap();
    catalog
        .execute("DELETE FROM tasks WHERE run = ?1 AND key > x'00000003'", [first.0 as i64])
        .unwrap();
    catalog.execute("UPDATE steps SET done = 3 WHERE run = ?1", [first.0 as i64]).unwrap();
    assert_eq!(store.runs(None, None, 99).unwrap().len(), 1);
    let collected = collect(&store, &Selection::default());
    assert_eq!((collected.remains, collected.tasks, collected.blobs), (2, 13, 3));
    assert_eq!((count(&store, "tasks"), count(&store, "steps"), count(&store, "tags")), (10, 1, 0));
    all_read(&store, second);
}

#[test]
fn what_killed_processes_left_is_collected() {
    let (_folder, store) = store();
    let live = store.begin(&flow("Live")).unwrap();
    let mut stream = live.stream(FORMAT);
    stream.push(&noise(1, ROW_MAX + 1)).unwrap();
    for path in ["live/77", "live/78.hold", "tmp/77-1234-0", "tmp/77-1234-1"] {
        fs::write(store.path().join(path), "left").unwrap();
    }
    // Nobody knows whose this is.
    fs::write(store.path().join("tmp/notes.txt"), "x").unwrap();
    assert_eq!(collect(&store, &Selection::default()).leftovers, 4);
    assert!(store.path().join("tmp/notes.txt").exists());
    store.verify(&stream.finish().unwrap()).unwrap();
}

#[test]
fn nothing_is_collected_where_a_record_cannot_be_read() {
    let (_folder, store) = store();
    let damaged = run(&store, "Damaged", 1000, 1, &[]);
    let good = run(&store, "Good", 2000, 2, &[]);
    let catalog = Connection::open(store.path().join("catalog.sqlite")).unwrap();
    catalog
        .execute(
            "UPDATE tasks SET record = x'02' WHERE run = 1000 AND key = x'0000000500000001'",
            [],
        )
        .unwrap();
    let error = store.collect(&Selection::default(), false, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("task 5 of step 1 in run 1000"), "{error}");
    // The run can be removed, and then all is well.
    assert_eq!(collect(&store, &only(damaged)).blobs, 3);
    all_read(&store, good);
}

#[test]
fn the_catalog_shrinks_after_a_large_removal() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Large")).unwrap();
    for index in 0..20_000 {
        let mut task = done(at(1, index));
        task.artifacts.insert(name("x"), writer.put(FORMAT, &[1; 300]).unwrap());
        writer.append(&task).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let pages = || -> i64 {
        Connection::open(store.path().join("catalog.sqlite"))
            .unwrap()
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap()
    };
    let before = pages();
    let collected = collect(&store, &only(writer.run()));
    assert_eq!(collected.tasks, 20_000);
    assert!(pages() < 20, "{before} pages became {}", pages());
}

#[test]
fn two_collections_take_turns() {
    let (_folder, store) = store();
    let runs: Vec<_> = (1..9).map(|n| run(&store, "Turns", n * 1000, n as u8, &[])).collect();
    let all = Selection { keep: Some(0), ..Selection::default() };
    let removed: Vec<RunId> = std::thread::scope(|scope| {
        let collections: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| store.collect(&all, false, &mut |_| {}).unwrap().runs))
            .collect();
        collections.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(removed, runs, "each run is removed once");
    assert_eq!((count(&store, "blobs"), files(&store)), (0, 0));
}
