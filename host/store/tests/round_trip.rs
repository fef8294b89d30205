//! What is written is read again.

mod common;

use common::*;
use wflow_model::Digest;
use wflow_model::TaskId;
use wflow_model::record::Body;
use wflow_model::record::Cause;
use wflow_model::record::Failure;
use wflow_model::record::Outcome;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_store::INLINE_MAX;
use wflow_store::ROW_MAX;
use wflow_store::RunState;
use wflow_store::StepSummary;
use wflow_store::Store;
use wflow_store::StoreError;

fn failed(message: &str) -> Outcome {
    Outcome::Failed(Box::new(Failure {
        cause: Cause::Error,
        kind: String::new(),
        message: message.to_owned(),
        location: String::new(),
        trace: String::new(),
        hint: String::new(),
    }))
}

#[test]
fn a_run_and_its_tasks() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Wine")).unwrap();
    let mut task = done(at(1, 7));
    task.artifacts.insert(name("x"), writer.put(FORMAT, b"\x01").unwrap());
    writer.append(&task).unwrap();
    writer.flush().unwrap();
    assert_eq!(store.task(writer.run(), &task.id).unwrap(), Some(task.clone()));
    assert_eq!(store.task(writer.run(), &at(1, 8)).unwrap(), None);
    let end = ended(RunStatus::Done);
    writer.finish(&end).unwrap();
    assert!(matches!(writer.append(&task), Err(StoreError::Ended(_))));
    assert!(matches!(writer.finish(&end), Err(StoreError::Ended(_))));

    let run = store.run(writer.run()).unwrap().unwrap();
    assert_eq!(*run.record, flow("Wine"));
    assert_eq!(run.end, Some(end));
    assert_eq!(run.summary.state, RunState::Done);
    assert_eq!(run.summary.finished, Some(Timestamp(30)));
    assert_eq!(store.run(RunId(1)).unwrap(), None);
    assert_eq!(store.run(RunId(u64::MAX)).unwrap(), None);

    // The same from a store that is opened anew.
    let again = Store::open(store.path()).unwrap();
    assert_eq!(again.task(writer.run(), &task.id).unwrap(), Some(task));
}

#[test]
fn runs_are_listed_newest_first_and_in_pages() {
    let (_folder, store) = store();
    let mut ids = Vec::new();
    for text in ["A", "B", "A", "A"] {
        let writer = store.begin(&flow(text)).unwrap();
        writer.finish(&ended(RunStatus::Failed)).unwrap();
        ids.push(writer.run());
    }
    let list = |flow, before, limit| -> Vec<RunId> {
        store.runs(flow, before, limit).unwrap().into_iter().map(|run| run.id).collect()
    };
    assert_eq!(list(None, None, 9), [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(Some("A"), None, 2), [ids[3], ids[2]]);
    assert_eq!(list(Some("A"), Some(ids[2]), 2), [ids[0]]);
    assert_eq!(store.latest(None).unwrap(), Some(ids[3]));
    assert_eq!(store.latest(Some("B")).unwrap(), Some(ids[1]));
    assert_eq!(store.latest(Some("C")).unwrap(), None);
    let flows = store.flows().unwrap();
    let flows: Vec<_> = flows.iter().map(|flow| (&*flow.name, flow.runs, flow.latest)).collect();
    assert_eq!(flows, [("A", 3, ids[3]), ("B", 1, ids[1])]);
}

#[test]
fn run_ids_are_unique_and_grow() {
    let (_folder, store) = store();
    let begin = |now| {
        let writer = store.begin_at(&flow("Clock"), Timestamp(now)).unwrap();
        writer.finish(&ended(RunStatus::Done)).unwrap();
        writer.run()
    };
    assert_eq!(begin(1000), RunId(1000));
    assert_eq!(begin(1000), RunId(1001), "the same microsecond");
    assert_eq!(begin(-5), RunId(1002), "the clock went backwards");
    assert_eq!(begin(5000), RunId(5000));
    let run = store.run(RunId(1002)).unwrap().unwrap();
    assert_eq!(run.summary.created, Timestamp(-5));
}

#[test]
fn a_second_commit_is_harmless() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Again")).unwrap();
    let mut first = done(at(1, 0));
    first.outcome = failed("first");
    let mut later = first.clone();
    (later.attempt, later.outcome) = (1, failed("later"));
    let mut good = first.clone();
    (good.attempt, good.outcome) = (2, Outcome::Done);
    let mut late = good.clone();
    late.attempt = 3;
    let step = StepIndex(1);
    for (record, expected, done, failed) in [
        (&first, &first, 0, 1),
        (&first, &first, 0, 1),
        (&later, &later, 0, 1),
        (&first, &later, 0, 1),
        (&good, &good, 1, 0),
        (&later, &good, 1, 0),
        (&late, &good, 1, 0),
    ] {
        writer.append(record).unwrap();
        writer.flush().unwrap();
        assert_eq!(store.task(writer.run(), &first.id).unwrap().as_ref(), Some(expected));
        let failures = store.failed_tasks(writer.run(), 9).unwrap();
        assert_eq!(failures.len() as u64, failed);
        assert_eq!(store.steps(writer.run()).unwrap(), [StepSummary { step, done, failed }]);
    }
}

#[test]
fn tasks_come_in_the_order_of_their_ids() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Order")).unwrap();
    for index in (0..300).rev() {
        writer.append(&done(at(1, index))).unwrap();
        writer.append(&done(at(2, index))).unwrap();
    }
    writer.flush().unwrap();
    let mut seen = Vec::new();
    loop {
        let after = seen.last();
        let page = store.tasks(writer.run(), StepIndex(1), after, 64).unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|task| task.id.task));
    }
    assert_eq!(seen, (0..300).map(|index| TaskId::ROOT.child(index)).collect::<Vec<_>>());
}

#[test]
fn many_tasks_are_looked_up_at_once() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Many")).unwrap();
    let id = |outer, index, round| TaskId { indices: vec![outer, index], round };
    for outer in 0..3 {
        for index in 0..40 {
            for round in 1..=(if index % 7 == 0 { 30 } else { 1 }) {
                let task = id(outer, index, round);
                writer
                    .append(&done(wflow_model::task::TaskRef { step: StepIndex(4), task }))
                    .unwrap();
            }
        }
    }
    writer.flush().unwrap();
    let mut ids: Vec<_> = (0..50).map(|index| id(1, index, 1)).collect();
    ids.extend([id(2, 7, 30), id(9, 9, 9), id(0, 39, 1), id(1, 3, 1), TaskId::ROOT]);
    ids.reverse();
    let found = store.tasks_by_id(writer.run(), StepIndex(4), &ids).unwrap();
    for (id, found) in ids.iter().zip(found) {
        let there = id.indices.first().is_some_and(|&outer| outer < 3) && id.indices[1] < 40;
        assert_eq!(found.map(|task| task.id.task), there.then(|| id.clone()));
    }
}

#[test]
fn artifacts_of_every_tier() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Tiers")).unwrap();
    let sizes = [0, 1, INLINE_MAX, INLINE_MAX + 1, ROW_MAX, ROW_MAX + 1, 5 * ROW_MAX + 3];
    let mut kept = Vec::new();
    for size in sizes {
        let bytes: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
        let artifact = writer.put(FORMAT, &bytes).unwrap();
        assert_eq!(matches!(artifact.body, Body::Inline(_)), size <= INLINE_MAX);
        for pieces in [1, 1000, 70_000] {
            if size / pieces > 100_000 {
                continue;
            }
            let mut stream = writer.stream(FORMAT);
            for piece in bytes.chunks(pieces) {
                stream.push(piece).unwrap();
            }
            assert_eq!(stream.size(), size as u64);
            assert_eq!(stream.finish().unwrap(), artifact);
        }
        // Not committed yet.
        assert_eq!(&*store.read_verified(&artifact).unwrap(), &*bytes);
        kept.push((artifact, bytes));
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let again = Store::open(store.path()).unwrap();
    for (artifact, bytes) in &kept {
        assert_eq!(&*again.read_verified(artifact).unwrap(), &**bytes);
        again.verify(artifact).unwrap();
        let reader = again.open_blob(artifact).unwrap();
        let mut buffer = [0; 100];
        for offset in [0, bytes.len() / 2, bytes.len().saturating_sub(3), bytes.len(), usize::MAX] {
            let count = reader.read_at(&mut buffer, offset as u64).unwrap();
            let rest = bytes.get(offset..).unwrap_or_default();
            assert_eq!(&buffer[..count], &rest[..rest.len().min(100)]);
        }
    }
    let left: Vec<_> = std::fs::read_dir(store.path().join("tmp")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the lock of the creators is left: {left:?}");
}

#[test]
fn equal_content_is_stored_once() {
    let (_folder, store) = store();
    for text in ["A", "B"] {
        let writer = store.begin(&flow(text)).unwrap();
        for size in [ROW_MAX, ROW_MAX + 1] {
            let first = writer.put(FORMAT, &vec![1; size]).unwrap();
            assert_eq!(writer.put(FORMAT, &vec![1; size]).unwrap(), first);
            assert_ne!(writer.put("text/plain", &vec![1; size]).unwrap().digest, first.digest);
        }
        writer.finish(&ended(RunStatus::Done)).unwrap();
    }
    let files = std::fs::read_dir(store.path().join("blobs"))
        .unwrap()
        .flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap())
        .count();
    assert_eq!(files, 2);
    let catalog = rusqlite::Connection::open(store.path().join("catalog.sqlite")).unwrap();
    let rows: i64 = catalog.query_row("SELECT count(*) FROM blobs", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2);
    // For whoever collects garbage: the newest run that handed them in.
    let newest: i64 =
        catalog.query_row("SELECT min(newest_run) FROM blobs", [], |row| row.get(0)).unwrap();
    assert_eq!(store.latest(None).unwrap(), Some(RunId(newest as u64)));
}

#[test]
fn handles_go_to_other_threads() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Store>();
    shared::<wflow_store::RunWriter>();
    shared::<wflow_store::BlobReader>();
    shared::<StoreError>();
    sent::<wflow_store::BlobWriter>();
}

#[test]
fn content_that_shrinks_is_stored_compressed() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Shrinks")).unwrap();
    let text =
        |size| b"the wine is corked; ".iter().copied().cycle().take(size).collect::<Vec<_>>();
    let row = writer.put(FORMAT, &text(ROW_MAX)).unwrap();
    let file = writer.put(FORMAT, &text(3 << 20)).unwrap();
    for first in [0, 1, 100_000] {
        let content = text(3 << 20);
        let (first, rest) = content.split_at(first);
        let mut stream = writer.stream("text/plain");
        stream.push(first).unwrap();
        stream.push(rest).unwrap();
        let stream = stream.finish().unwrap();
        writer.flush().unwrap();
        assert!(file_of(&store, &stream).extension().is_some(), "{}", first.len());
    }
    let noisy = writer.put(FORMAT, &noise(1, 1 << 20)).unwrap();
    // It is known by its plain content.
    assert_eq!(file.digest, Digest::of_artifact(FORMAT, &text(3 << 20)));
    assert_eq!((file.size, &*store.read_verified(&file).unwrap()), (3 << 20, &*text(3 << 20)));
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let on_disk = |artifact| std::fs::metadata(file_of(&store, artifact)).unwrap().len();
    assert!(on_disk(&file) < 3 << 17, "{}", on_disk(&file));
    assert_eq!(on_disk(&noisy), 1 << 20);
    let catalog = rusqlite::Connection::open(store.path().join("catalog.sqlite")).unwrap();
    let length: i64 =
        catalog.query_row("SELECT length(bytes) FROM blobs", [], |row| row.get(0)).unwrap();
    assert!(length < 1000, "{length}");
    for (artifact, content) in [(row, text(ROW_MAX)), (file, text(3 << 20))] {
        assert_eq!(&*store.read_verified(&artifact).unwrap(), &*content);
        // Handed in again, it is not written again.
        let writer = store.begin(&flow("Shrinks")).unwrap();
        assert_eq!(writer.put(FORMAT, &content).unwrap(), artifact);
        writer.finish(&ended(RunStatus::Done)).unwrap();
    }
    let files = std::fs::read_dir(store.path().join("blobs"))
        .unwrap()
        .flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
    assert_eq!(files.count(), 3);
}
