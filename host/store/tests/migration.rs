//! Stores that older versions made.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;

use common::*;
use rusqlite::Connection;
use rusqlite::params;
use wflow_model::Digest;
use wflow_model::Tag;
use wflow_model::record;
use wflow_model::record::Artifact;
use wflow_model::record::Body;
use wflow_model::record::Record;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_store::Store;

/// The tables of version 1, as it made them.
const VERSION_1: &str = r#"
PRAGMA page_size = 4096;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    flow TEXT NOT NULL,
    status INTEGER NOT NULL,
    created INTEGER NOT NULL,
    finished INTEGER,
    record BLOB NOT NULL,
    "end" BLOB
) STRICT;
CREATE INDEX runs_by_flow ON runs (flow, id);
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    key BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    status INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX tasks_by_key ON tasks (run, step, key);
CREATE INDEX tasks_failed ON tasks (run, step, key) WHERE status <> 0;
CREATE TABLE steps (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    newest_run INTEGER NOT NULL,
    coding INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX blobs_by_digest ON blobs (digest);
PRAGMA application_id = 0x77666c77;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"#;

const RUN: RunId = RunId(1_000_000);
const VALUE: [u8; 1000] = [7; 1000];

/// A record as version 1 wrote it: without what the later ones have at its end.
fn old<T: Record>(record: &T, new_since: usize) -> Vec<u8> {
    let mut bytes = record::encode(record).unwrap();
    bytes[0] = 1;
    bytes.truncate(bytes.len() - new_since);
    bytes
}

/// A store of version 1 with a run of three tasks.
fn version_1(path: &Path) {
    for folder in ["blobs", "tmp", "live"] {
        fs::create_dir_all(path.join(folder)).unwrap();
    }
    let catalog = Connection::open(path.join("catalog.sqlite")).unwrap();
    catalog.execute_batch(VERSION_1).unwrap();
    let digest = Digest::of_artifact(FORMAT, &VALUE);
    catalog
        .execute(
            r#"INSERT INTO runs (id, flow, status, created, finished, record, "end")
               VALUES (?1, 'Old', 1, 5, 30, ?2, ?3)"#,
            params![RUN.0 as i64, old(&flow("Old"), 6), old(&ended(RunStatus::Done), 0)],
        )
        .unwrap();
    catalog.execute("INSERT INTO steps VALUES (?1, 1, 3, 0)", [RUN.0 as i64]).unwrap();
    catalog
        .execute(
            "INSERT INTO blobs (digest, newest_run, coding, bytes) VALUES (?1, ?2, 0, ?3)",
            params![digest.as_bytes(), RUN.0 as i64, VALUE],
        )
        .unwrap();
    for index in 0..3 {
        let mut task = done(at(1, index));
        let artifact = Artifact { format: FORMAT.into(), digest, size: 1000, body: Body::Stored };
        task.artifacts.insert(name("x"), artifact);
        catalog
            .execute(
                "INSERT INTO tasks (run, step, key, attempt, status, record)
                 VALUES (?1, 1, ?2, 0, 0, ?3)",
                params![RUN.0 as i64, task.id.task.sort_key(), old(&task, 2)],
            )
            .unwrap();
    }
}

fn version(path: &Path) -> i64 {
    let catalog = Connection::open(path.join("catalog.sqlite")).unwrap();
    catalog.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_store_of_version_1_is_brought_to_this_version() {
    let folder = tempfile::tempdir().unwrap();
    version_1(folder.path());
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(version(folder.path()), 3);
    let run = store.run(RUN).unwrap().unwrap();
    assert_eq!(*run.record, flow("Old"));
    assert_eq!(run.end, Some(ended(RunStatus::Done)));
    assert!(store.tags(RUN).unwrap().is_empty());
    let tasks = store.tasks(RUN, StepIndex(1), None, 9).unwrap();
    assert_eq!(tasks.len(), 3);
    for task in &tasks {
        let artifact = store.resolve(RUN, task, "x").unwrap().unwrap();
        assert_eq!(*store.read_verified(&artifact).unwrap(), VALUE);
    }

    // It goes on as any other: ids above the old ones, tags, the same content not stored again.
    let tags = BTreeSet::from([Tag::new("new").unwrap()]);
    let writer = store.reserve(Timestamp(1)).unwrap();
    assert!(writer.run() > RUN);
    writer.register(&flow("Old"), &tags).unwrap();
    writer.put(FORMAT, &VALUE).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    assert_eq!(store.tags(writer.run()).unwrap(), tags);
}

#[test]
fn many_bring_a_store_forward_at_once() {
    let folder = tempfile::tempdir().unwrap();
    version_1(folder.path());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = Store::open(folder.path()).unwrap();
                assert_eq!(store.tasks(RUN, StepIndex(1), None, 9).unwrap().len(), 3);
            });
        }
    });
    assert_eq!(version(folder.path()), 3);
}

#[test]
fn a_migration_waits_for_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    version_1(folder.path());
    let writer = Connection::open(folder.path().join("catalog.sqlite")).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; DELETE FROM blobs").unwrap();
    thread::scope(|scope| {
        let opening = scope.spawn(|| Store::open(folder.path()).map(drop));
        // A writer of version 1 that dies, or goes back, leaves version 1 and all that was there.
        writer.execute_batch("ROLLBACK").unwrap();
        opening.join().unwrap().unwrap();
    });
    assert_eq!(version(folder.path()), 3);
    let store = Store::open(folder.path()).unwrap();
    let task = store.task(RUN, &at(1, 0)).unwrap().unwrap();
    store.verify(&task.artifacts["x"]).unwrap();
}

#[test]
fn a_run_has_its_tags() {
    let (_folder, store) = store();
    let tags: BTreeSet<Tag> =
        (0..Tag::MAX_PER_RUN).map(|number| Tag::new(&format!("n:{number}")).unwrap()).collect();
    let writer = store.reserve(Timestamp(5)).unwrap();
    writer.register(&flow("Tagged"), &tags).unwrap();
    assert_eq!(store.tags(writer.run()).unwrap(), tags);
    let mut more = tags;
    more.insert(Tag::new("one too many").unwrap());
    let writer = store.reserve(Timestamp(5)).unwrap();
    let error = writer.register(&flow("Tagged"), &more).unwrap_err();
    assert_eq!(error.to_string(), "51 tags are too many: a run has at most 50");
    assert!(store.run(writer.run()).unwrap().is_none());
}
