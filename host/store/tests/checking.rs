//! A check finds what is wrong, and nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use common::*;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::params;
use wflow_model::record;
use wflow_model::record::Artifact;
use wflow_model::record::Body;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_store::By;
use wflow_store::Fault;
use wflow_store::INLINE_MAX;
use wflow_store::ROW_MAX;
use wflow_store::Referrer;
use wflow_store::Report;
use wflow_store::Selection;
use wflow_store::Store;
use wflow_store::Subject;

const RUN: RunId = RunId(1000);
const TASKS: u32 = 20;

/// A store with one run, of tasks that share an artifact in a row and one in a file.
fn written() -> (tempfile::TempDir, Store, Artifact, Artifact) {
    let (folder, store) = store();
    let writer = store.reserve(Timestamp(1000)).unwrap();
    let mut flow = flow("Checked");
    let row = writer.put(FORMAT, &[1; INLINE_MAX + 1]).unwrap();
    let file = writer.put(FORMAT, &noise(1, ROW_MAX + 1)).unwrap();
    flow.parameters.insert(name("parameter"), row.clone());
    writer.register(&flow, &BTreeSet::new()).unwrap();
    writer.append(&done(at(0, 0))).unwrap();
    for index in 0..TASKS {
        let mut task = done(at(1, index));
        task.inherits = Some(at(0, 0));
        task.artifacts.insert(name("inline"), writer.put(FORMAT, &index.to_le_bytes()).unwrap());
        task.artifacts.insert(name("row"), row.clone());
        task.inherited.insert(name("file"), file.clone());
        task.stdout.text = Some(writer.put("text/plain", &[b'x'; 600]).unwrap());
        writer.append(&task).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    (folder, store, row, file)
}

fn check(store: &Store) -> Report {
    store.check(&mut |_| {}).unwrap()
}

fn faults(store: &Store) -> Vec<Fault> {
    check(store).faults
}

/// The only fault.
fn fault(store: &Store) -> Fault {
    let mut faults = faults(store);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}

fn catalog(store: &Store) -> Connection {
    Connection::open(store.path().join("catalog.sqlite")).unwrap()
}

#[test]
fn a_good_store_is_clean() {
    let (_folder, store, ..) = written();
    let report = check(&store);
    let expected = Report {
        runs: 1,
        tasks: u64::from(TASKS) + 1,
        inline: u64::from(TASKS),
        blobs: 3,
        bytes: (INLINE_MAX + 1 + ROW_MAX + 1 + 600) as u64,
        ..Report::default()
    };
    assert_eq!(report, expected);
    // While a run is going on, with blobs that nothing refers to yet, as well.
    let writer = store.begin(&flow("Live")).unwrap();
    writer.put(FORMAT, &[9; 1000]).unwrap();
    writer.put(FORMAT, &noise(9, 100_000)).unwrap();
    writer.append(&done(at(0, 0))).unwrap();
    writer.flush().unwrap();
    let report = check(&store);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.runs, report.unreferenced, report.leftovers), (2, 2, 0));
}

#[test]
fn remains_and_leftovers_are_no_faults() {
    let (_folder, store, ..) = written();
    catalog(&store).execute("DELETE FROM runs", []).unwrap();
    catalog(&store).execute("DELETE FROM tasks WHERE step = 0", []).unwrap();
    fs::write(store.path().join("live/77"), "").unwrap();
    fs::write(store.path().join("live/78.hold"), "").unwrap();
    fs::write(store.path().join("tmp/77-1-1"), "").unwrap();
    let report = check(&store);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.remains, report.unreferenced, report.leftovers), (1, 3, 3));
    store.collect(&Selection::default(), false, &mut |_| {}).unwrap();
    assert_eq!(check(&store), Report::default());
}

#[test]
fn a_damaged_file_names_what_refers_to_it() {
    let (_folder, store, _, file) = written();
    let path = file_of(&store, &file);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[70] ^= 4;
    let mut longer = good.clone();
    longer.push(0);
    for (content, why) in [
        (Some(&good[..99]), "has not the size that its records say"),
        (Some(&longer), "has not the size that its records say"),
        (Some(&[]), "has not the size that its records say"),
        (Some(&flipped), "has a content that its digest does not fit"),
        (None, "is missing"),
    ] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let fault = fault(&store);
        assert_eq!((&fault.subject, &*fault.why), (&Subject::Blob(file.digest), why));
        assert_eq!(fault.referrers_in_all, u64::from(TASKS));
        assert_eq!(fault.referrers.len(), Fault::MAX_REFERRERS);
        let by = By::Artifact(name("file"));
        assert_eq!(fault.referrers[0], Referrer { run: RUN, task: Some(at(1, 0)), by });
    }
    fs::write(&path, good).unwrap();
    assert!(check(&store).is_clean());
}

#[test]
fn a_damaged_row_names_what_refers_to_it() {
    let (_folder, store, row, _) = written();
    for (change, why) in [
        ("UPDATE blobs SET bytes = zeroblob(513) WHERE digest = ?1", "has a content that its"),
        ("UPDATE blobs SET bytes = x'01' WHERE digest = ?1", "has not the size that its"),
        ("UPDATE blobs SET coding = 9 WHERE digest = ?1", "is coded in a way that this wflow"),
        ("DELETE FROM blobs WHERE digest = ?1", "is missing"),
    ] {
        catalog(&store).execute(change, [row.digest.as_bytes()]).unwrap();
        let fault = fault(&store);
        assert_eq!(fault.subject, Subject::Blob(row.digest));
        assert!(fault.why.starts_with(why), "{fault:?}");
        assert_eq!(fault.referrers_in_all, u64::from(TASKS) + 1);
        let by = By::Artifact(name("parameter"));
        assert_eq!(fault.referrers[0], Referrer { run: RUN, task: None, by });
    }
}

#[test]
fn files_in_a_wrong_place_are_named() {
    let (_folder, store, _, file) = written();
    let blobs = store.path().join("blobs");
    fs::create_dir_all(blobs.join("zz")).unwrap();
    fs::write(blobs.join("zz/notes.txt"), "x").unwrap();
    fs::copy(file_of(&store, &file), blobs.join(format!("zz/{}", file.digest))).unwrap();
    fs::write(blobs.join("stray"), "x").unwrap();
    let mut wrong: Vec<_> = faults(&store).into_iter().map(|fault| fault.subject).collect();
    wrong.sort_by_key(|subject| format!("{subject:?}"));
    let path = |path: &str| Subject::File(PathBuf::from(path));
    let copy = path(&format!("blobs/zz/{}", file.digest));
    assert_eq!(wrong, [path("blobs/stray"), copy, path("blobs/zz/notes.txt")]);
}

#[test]
fn damaged_records_are_named() {
    let (_folder, store, ..) = written();
    let key = at(1, 7).task.sort_key();
    let good: Vec<u8> = catalog(&store)
        .query_row("SELECT record FROM tasks WHERE key = ?1 AND step = 1", [&key], |row| row.get(0))
        .unwrap();
    let other = record::encode(&done(at(1, 8))).unwrap();
    let (mut version, cut) = (good.clone(), &good[..good.len() - 1]);
    version[0] = 77;
    for (bytes, why) in [
        (&[][..], "the record is empty"),
        (&version, "the record has encoding 77, this wflow reads encoding 3: use a newer wflow"),
        (cut, "the record is damaged"),
        (&other, "has the record of another task"),
    ] {
        catalog(&store)
            .execute(
                "UPDATE tasks SET record = ?1 WHERE key = ?2 AND step = 1",
                params![bytes, key],
            )
            .unwrap();
        let fault = fault(&store);
        assert_eq!(fault.subject, Subject::Task(RUN, at(1, 7)));
        assert!(fault.why.contains(why), "{fault:?}");
    }
    let restore = "UPDATE tasks SET record = ?1 WHERE key = ?2 AND step = 1";
    catalog(&store).execute(restore, params![good, key]).unwrap();
    for (change, back, why) in [
        (
            "UPDATE tasks SET attempt = 3 WHERE step = 0",
            "UPDATE tasks SET attempt = 0",
            "`attempt`",
        ),
        ("UPDATE runs SET flow = 'Other'", "UPDATE runs SET flow = 'Checked'", "`flow`"),
        ("UPDATE runs SET status = 2", "UPDATE runs SET status = 1", "`status`"),
        ("UPDATE runs SET finished = 31", "UPDATE runs SET finished = 30", "`finished`"),
        ("INSERT INTO tags VALUES (1000, '')", "DELETE FROM tags", "cannot be empty"),
    ] {
        catalog(&store).execute(change, []).unwrap();
        let fault = fault(&store);
        assert!(fault.why.contains(why), "{fault:?}");
        catalog(&store).execute(back, []).unwrap();
    }
    assert!(check(&store).is_clean());
    catalog(&store).execute("UPDATE runs SET record = x'0201'", []).unwrap();
    assert_eq!(fault(&store).subject, Subject::Run(RUN));
}

#[test]
fn wrong_counters_are_named() {
    let (_folder, store, ..) = written();
    for change in [
        "UPDATE steps SET done = 3 WHERE step = 1",
        "UPDATE steps SET done = 20, failed = 1 WHERE step = 1",
        "DELETE FROM steps WHERE step = 1",
        "INSERT INTO steps VALUES (1000, 1, 20, 0), (1000, 9, 1, 0)",
    ] {
        catalog(&store).execute(change, []).unwrap();
        assert!(matches!(fault(&store).subject, Subject::Step(RUN, StepIndex(1 | 9))));
    }
}

#[test]
fn a_task_whose_status_is_wrong_is_named() {
    let (_folder, store, ..) = written();
    catalog(&store).execute("UPDATE tasks SET status = 1 WHERE step = 0", []).unwrap();
    let subjects: Vec<_> = faults(&store).into_iter().map(|fault| fault.subject).collect();
    assert_eq!(subjects, [Subject::Task(RUN, at(0, 0)), Subject::Step(RUN, StepIndex(0))]);
}

#[test]
fn broken_chains_are_named() {
    let (_folder, store, ..) = written();
    catalog(&store).execute("DELETE FROM tasks WHERE step = 0", []).unwrap();
    catalog(&store).execute("DELETE FROM steps WHERE step = 0", []).unwrap();
    let fault = fault(&store);
    assert_eq!((&fault.subject, &*fault.why), (&Subject::Task(RUN, at(0, 0)), "is missing"));
    assert_eq!(fault.referrers_in_all, u64::from(TASKS));
    assert_eq!(
        fault.referrers[3],
        Referrer { run: RUN, task: Some(at(1, 3)), by: By::Inheritance }
    );

    let (_folder, store) = common::store();
    let writer = store.begin(&flow("Circle")).unwrap();
    for (step, parent) in [(0, 0), (1, 2), (2, 3), (3, 1), (4, 1), (5, 6), (6, 7), (7, 8)] {
        let mut task = done(at(step, 0));
        task.inherits = Some(at(parent, 0));
        writer.append(&task).unwrap();
    }
    // A parent that was committed after its child is unusual and no fault.
    writer.append(&done(at(8, 0))).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let wrong: Vec<_> = faults(&store)
        .into_iter()
        .map(|fault| match fault.subject {
            Subject::Task(_, task) => task.step.0,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(wrong, [0, 1, 2], "each circle at least once, and what only leads into one not");
}

#[test]
fn inline_artifacts_are_verified() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Inline")).unwrap();
    let good = writer.put(FORMAT, b"12345678").unwrap();
    let mut task = done(at(1, 0));
    let mut flipped = good.clone();
    flipped.body = Body::Inline(b"12345679".as_slice().into());
    let mut size = good.clone();
    size.size = 9;
    let mut format = good.clone();
    format.format = "text/plain".into();
    for (text, artifact) in [("a", good), ("b", flipped), ("c", size), ("d", format)] {
        task.artifacts.insert(name(text), artifact);
    }
    writer.append(&task).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let wrong: Vec<_> = faults(&store)
        .into_iter()
        .map(|fault| match fault.subject {
            Subject::Inline(Referrer { by: By::Artifact(name), .. }) => name,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(wrong, [name("b"), name("c"), name("d")]);
}

#[test]
fn lost_folders() {
    let (_folder, store, _, file) = written();
    let path = store.path().to_path_buf();
    drop(store);
    for folder in ["tmp", "live"] {
        fs::remove_dir_all(path.join(folder)).unwrap();
        let store = Store::open(&path).unwrap();
        assert!(check(&store).is_clean());
        store.collect(&Selection::default(), false, &mut |_| {}).unwrap();
        assert!(check(&store).is_clean());
    }
    fs::remove_dir_all(path.join("blobs")).unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(fault(&store).subject, Subject::Blob(file.digest));
    // Whoever runs the flow again repairs it.
    let writer = store.begin(&flow("Again")).unwrap();
    writer.put(FORMAT, &noise(1, ROW_MAX + 1)).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    assert!(check(&store).is_clean());
}

#[test]
fn too_many_faults_are_counted() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Many")).unwrap();
    for index in 0..1500 {
        writer.append(&done(at(1, index))).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    catalog(&store).execute("UPDATE tasks SET record = x''", []).unwrap();
    let report = check(&store);
    assert_eq!((report.faults.len(), report.more_faults), (Report::MAX_FAULTS, 500));
}

/// What a check says of a catalog in which some pages are overwritten.
fn check_overwritten(path: &std::path::Path, good: &[u8], pages: &[(usize, u8)]) -> Report {
    let mut bytes = good.to_vec();
    let count = bytes.len() / 4096;
    for (page, byte) in pages {
        bytes[page % count * 4096..][..4096].fill(*byte);
    }
    fs::write(path.join("catalog.sqlite"), bytes).unwrap();
    for log in ["catalog.sqlite-wal", "catalog.sqlite-shm"] {
        drop(fs::remove_file(path.join(log)));
    }
    match Store::open(path) {
        Ok(store) => {
            // Whatever else is done with it ends in an answer or an error.
            drop(store.runs(None, None, 9));
            drop(store.tasks(RUN, StepIndex(1), None, 99));
            drop(store.collect(&Selection::default(), true, &mut |_| {}));
            check(&store)
        }
        Err(error) => Report::unreadable(&error).unwrap_or_else(|| {
            assert!(matches!(error, wflow_store::StoreError::NotAStore { .. }), "{error:?}");
            let fault = Fault {
                subject: Subject::Catalog,
                why: error.to_string(),
                referrers: Vec::new(),
                referrers_in_all: 0,
            };
            Report { faults: vec![fault], ..Report::default() }
        }),
    }
}

/// A store, its folder, and its whole catalog in one file.
fn catalog_in_one_file() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let (folder, store, ..) = written();
    let path = store.path().to_path_buf();
    drop(store);
    let connection = Connection::open(path.join("catalog.sqlite")).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let good = fs::read(path.join("catalog.sqlite")).unwrap();
    (folder, path, good)
}

#[test]
fn every_page_of_the_catalog_counts() {
    let (_folder, path, good) = catalog_in_one_file();
    assert!(check_overwritten(&path, &good, &[]).is_clean());
    for page in 0..good.len() / 4096 {
        let report = check_overwritten(&path, &good, &[(page, 0xa5)]);
        assert!(!report.is_clean(), "page {page} was overwritten");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in the catalog, a check ends in a report.
    #[test]
    fn a_corrupt_catalog_does_not_panic(
        pages in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let (_folder, path, good) = catalog_in_one_file();
        check_overwritten(&path, &good, &pages);
    }

    #[test]
    fn any_flipped_bit_of_a_stored_artifact_is_found(
        size in INLINE_MAX + 1..2 * ROW_MAX,
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
        noisy in any::<bool>(),
    ) {
        let (_folder, store) = store();
        let writer = store.begin(&flow("Flipped")).unwrap();
        let bytes = match noisy {
            true => noise(1, size),
            // It is stored compressed.
            false => (0..size).map(|place| (place / 90) as u8).collect(),
        };
        let artifact = writer.put(FORMAT, &bytes).unwrap();
        let mut task = done(at(1, 0));
        task.artifacts.insert(name("x"), artifact.clone());
        writer.append(&task).unwrap();
        writer.finish(&ended(RunStatus::Done)).unwrap();
        prop_assert!(check(&store).is_clean());
        let flip = |mut bytes: Vec<u8>| {
            let place = place.index(bytes.len());
            bytes[place] ^= 1u8 << bit;
            bytes
        };
        if size > ROW_MAX {
            let file = file_of(&store, &artifact);
            prop_assert_eq!(file.extension().is_none(), noisy);
            fs::write(&file, flip(fs::read(&file).unwrap())).unwrap();
        } else {
            let catalog = catalog(&store);
            let row = "SELECT bytes FROM blobs";
            let stored: Vec<u8> = catalog.query_row(row, [], |row| row.get(0)).unwrap();
            catalog.execute("UPDATE blobs SET bytes = ?1", [flip(stored)]).unwrap();
        }
        // A few bits of compressed content mean nothing.
        if noisy || !check(&store).is_clean() {
            prop_assert_eq!(fault(&store).subject, Subject::Blob(artifact.digest));
            prop_assert!(store.read_verified(&artifact).is_err());
        } else {
            prop_assert_eq!(&*store.read_verified(&artifact).unwrap(), &*bytes);
        }
    }
}
