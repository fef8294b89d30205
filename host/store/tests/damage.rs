//! What a damaged store says.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;

use common::*;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::params;
use wflow_model::record::Artifact;
use wflow_model::record::RunStatus;
use wflow_model::record::TaskRecord;
use wflow_store::ROW_MAX;
use wflow_store::Store;
use wflow_store::StoreError;

fn catalog(store: &Store) -> Connection {
    Connection::open(store.path().join("catalog.sqlite")).unwrap()
}

#[test]
fn a_damaged_task_is_named() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Damage")).unwrap();
    for index in 0..3 {
        writer.append(&done(at(5, index))).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let run = writer.run();
    let id = at(5, 1);
    let good: Vec<u8> = catalog(&store)
        .query_row("SELECT record FROM tasks WHERE key = ?1", [id.task.sort_key()], |row| {
            row.get(0)
        })
        .unwrap();
    let other = wflow_model::record::encode(&done(at(5, 2))).unwrap();
    // With whether the damage is in the part that is read to look up a name.
    for (bytes, head) in [
        (&[][..], true),
        (&[1], true),
        (&[9, 9], true),
        (&good[..good.len() - 1], false),
        (&[&good[..], &[0]].concat(), false),
        (&other, true),
    ] {
        catalog(&store)
            .execute(
                "UPDATE tasks SET record = ?1 WHERE key = ?2",
                params![bytes, id.task.sort_key()],
            )
            .unwrap();
        let looked_up = store.resolve_many(run, &[at(5, 0), id.clone()], "x");
        assert_eq!(looked_up.is_err(), head, "{looked_up:?}");
        for error in
            [store.task(run, &id).unwrap_err(), store.tasks(run, id.step, None, 9).unwrap_err()]
                .into_iter()
                .chain(looked_up.err())
        {
            let text = error.to_string();
            assert!(text.contains("task 1 of step 5"), "{text}");
            assert!(matches!(error, StoreError::DamagedTask { .. }), "{error:?}");
        }
        // The others are still to be had.
        assert!(store.task(run, &at(5, 2)).unwrap().is_some());
    }
}

#[test]
fn a_damaged_run_is_named() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Damage")).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    for change in [
        r#"UPDATE runs SET "end" = x'0102'"#,
        "UPDATE runs SET record = x''",
        "UPDATE runs SET status = 77",
        "UPDATE runs SET flow = 'no name'",
    ] {
        catalog(&store).execute(change, []).unwrap();
        let error = store.run(writer.run()).unwrap_err();
        assert!(matches!(error, StoreError::DamagedRun { .. }), "{error:?}");
    }
    assert!(store.runs(None, None, 9).is_err());
    assert!(matches!(store.run_record(wflow_model::record::RunId(1)), Err(StoreError::NoRun(_))));
}

#[test]
fn damaged_blobs_are_named() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Damage")).unwrap();
    let row = writer.put(FORMAT, &[1; ROW_MAX]).unwrap();
    let file = writer.put(FORMAT, &noise(1, ROW_MAX + 1)).unwrap();
    writer.flush().unwrap();
    let damaged = |artifact: &Artifact| {
        let verified = store.verify(artifact).unwrap_err();
        let error = store.read_verified(artifact).unwrap_err();
        assert_eq!(verified.to_string(), error.to_string());
        assert!(error.to_string().contains(&artifact.digest.to_string()), "{error}");
        error
    };

    let mut bytes = fs::read(file_of(&store, &file)).unwrap();
    bytes[70] = 2;
    fs::write(file_of(&store, &file), &bytes).unwrap();
    assert!(store.read(&file).is_ok(), "not asked to verify");
    assert!(matches!(damaged(&file), StoreError::DamagedBlob { .. }));
    fs::write(file_of(&store, &file), &bytes[1..]).unwrap();
    assert!(matches!(store.read(&file), Err(StoreError::DamagedBlob { .. })));
    // The next one who writes the same repairs it.
    writer.put(FORMAT, &noise(1, ROW_MAX + 1)).unwrap();
    writer.flush().unwrap();
    store.verify(&file).unwrap();
    fs::remove_file(file_of(&store, &file)).unwrap();
    assert!(matches!(damaged(&file), StoreError::MissingBlob(_)));

    for (change, missing) in [
        ("UPDATE blobs SET bytes = zeroblob(65536)", false),
        ("UPDATE blobs SET bytes = x'01'", false),
        ("UPDATE blobs SET coding = 9", false),
        ("DELETE FROM blobs", true),
    ] {
        catalog(&store).execute(change, []).unwrap();
        assert_eq!(matches!(damaged(&row), StoreError::MissingBlob(_)), missing, "{change}");
    }
}

#[test]
fn an_artifact_that_lies_about_its_size_takes_no_memory() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Damage")).unwrap();
    let mut artifact = writer.put(FORMAT, &noise(1, ROW_MAX + 1)).unwrap();
    writer.flush().unwrap();
    artifact.size = u64::MAX;
    assert!(matches!(store.read(&artifact), Err(StoreError::DamagedBlob { .. })));
}

#[test]
fn a_catalog_of_rubbish_is_an_error() {
    let (_folder, store) = store();
    let path = store.path().to_path_buf();
    let writer = store.begin(&flow("Damage")).unwrap();
    for index in 0..5000 {
        writer.append(&done(at(1, index))).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let run = writer.run();
    drop((writer, store));
    let mut bytes = fs::read(path.join("catalog.sqlite")).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..64].fill(0xa5);
    }
    fs::write(path.join("catalog.sqlite"), bytes).unwrap();
    drop(fs::remove_file(path.join("catalog.sqlite-wal")));
    let error = Store::open(&path)
        .and_then(|store| store.tasks(run, wflow_model::task::StepIndex(1), None, 9))
        .unwrap_err();
    assert!(matches!(error, StoreError::DamagedCatalog { .. }), "{error:?}");
}

proptest! {
    /// Whatever stands in a record, reading it ends in a record or in an error.
    #[test]
    fn rubbish_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut with_version = vec![1];
        with_version.extend(&bytes);
        drop(wflow_model::record::decode::<TaskRecord>(&with_version));
        drop(wflow_model::record::decode::<wflow_model::record::RunRecord>(&with_version));
        drop(wflow_model::record::decode::<wflow_model::record::RunEnd>(&with_version));
    }

    #[test]
    fn records_read_as_they_are_written(
        indices in prop::collection::vec(any::<u32>(), 0..3),
        round in 1u32..,
        attempt in any::<u32>(),
        times in any::<(i64, i64)>(),
        values in prop::collection::btree_map("[a-z]{1,8}", prop::collection::vec(any::<u8>(), 0..40), 0..5),
        dropped in any::<u64>(),
    ) {
        let mut record = done(wflow_model::task::TaskRef {
            step: wflow_model::task::StepIndex(attempt),
            task: wflow_model::TaskId { indices, round },
        });
        record.attempt = attempt;
        record.started.0 = times.0;
        record.finished.0 = times.1;
        record.stderr.dropped = dropped;
        for (text, bytes) in values {
            record.removed.push(name(&text));
            record.inherited.insert(name(&text), Artifact {
                format: "text/plain".into(),
                digest: wflow_model::Digest::of(&bytes),
                size: bytes.len() as u64,
                body: wflow_model::record::Body::Inline(bytes.into()),
            });
        }
        let bytes = wflow_model::record::encode(&record).unwrap();
        prop_assert_eq!(wflow_model::record::decode::<TaskRecord>(&bytes), Ok(record));
    }
}
