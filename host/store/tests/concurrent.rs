//! Many threads and many processes on one store.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::*;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_store::INLINE_MAX;
use wflow_store::ROW_MAX;
use wflow_store::RunState;
use wflow_store::RunWriter;
use wflow_store::Store;
use wflow_store::StoreError;

/// A task with an artifact of each tier.
fn task_of(writer: &RunWriter, step: u32, index: u32) -> TaskRecord {
    let mut task = done(at(step, index));
    for (text, size) in [("inline", 8), ("row", INLINE_MAX + 1), ("file", ROW_MAX + 1)] {
        // Files are dear, and rows not cheap: one in a while.
        let every = if size > ROW_MAX { 128 } else { 16 };
        if size > INLINE_MAX && !index.is_multiple_of(every) {
            continue;
        }
        let mut bytes = vec![step as u8; size];
        bytes[..4].copy_from_slice(&index.to_le_bytes());
        task.artifacts.insert(name(text), writer.put(FORMAT, &bytes).unwrap());
    }
    task
}

/// Everything that is in the store of a run hangs together; returns how many tasks there are.
fn check(store: &Store, run: RunId) -> u64 {
    let mut counted = BTreeMap::new();
    let steps = store.steps(run).unwrap();
    for step in &steps {
        let mut last = None;
        loop {
            let page = store.tasks(run, step.step, last.as_ref(), 500).unwrap();
            let Some(task) = page.last() else { break };
            last = Some(task.id.task.clone());
            for task in &page {
                *counted.entry(step.step).or_insert(0) += 1;
                for artifact in task.artifacts.values() {
                    store.read_verified(artifact).unwrap();
                }
            }
        }
    }
    // The counts were read first: the run may have gone on since.
    for step in &steps {
        assert!(counted[&step.step] >= step.done);
    }
    counted.values().sum()
}

#[test]
fn eight_threads_commit_together() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Threads")).unwrap();
    thread::scope(|scope| {
        for step in 0..8 {
            let writer = &writer;
            scope.spawn(move || {
                for index in 0..2500 {
                    writer.append(&task_of(writer, step, index)).unwrap();
                    if index == 1000 {
                        writer.flush().unwrap();
                    }
                }
            });
        }
    });
    writer.flush().unwrap();
    assert_eq!(check(&store, writer.run()), 8 * 2500);
    assert!(store.steps(writer.run()).unwrap().iter().all(|step| step.done == 2500));
}

#[test]
fn what_is_flushed_is_seen_by_every_reader() {
    let (_folder, store) = store();
    let other = Store::open(store.path()).unwrap();
    let writer = store.begin(&flow("Flush")).unwrap();
    for index in 0..200 {
        let task = task_of(&writer, 0, index);
        writer.append(&task).unwrap();
        writer.flush().unwrap();
        assert_eq!(other.task(writer.run(), &task.id).unwrap(), Some(task));
    }
}

#[test]
fn readers_see_a_consistent_run_while_it_is_written() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Readers")).unwrap();
    let ended_yet = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let store = Store::open(store.path()).unwrap();
                let mut last = 0;
                while !ended_yet.load(Ordering::Relaxed) {
                    let now = check(&store, writer.run());
                    assert!(now >= last, "a task was there and is not any more");
                    last = now;
                    let run = store.run(writer.run()).unwrap().unwrap();
                    assert_ne!(run.summary.state, RunState::Interrupted);
                }
            });
        }
        for index in 0..20_000 {
            writer.append(&task_of(&writer, 0, index)).unwrap();
        }
        writer.finish(&ended(RunStatus::Done)).unwrap();
        ended_yet.store(true, Ordering::Relaxed);
    });
    assert_eq!(check(&store, writer.run()), 20_000);
}

#[test]
fn a_run_without_end_is_interrupted() {
    let (_folder, store) = store();
    let other = Store::open(store.path()).unwrap();
    let writer = store.begin(&flow("Live")).unwrap();
    let run = writer.run();
    let state = |store: &Store| store.run(run).unwrap().unwrap().summary.state;
    assert_eq!(state(&store), RunState::Running);
    assert_eq!(state(&other), RunState::Running);
    writer.append(&done(at(0, 0))).unwrap();
    drop(writer);
    assert_eq!(state(&store), RunState::Interrupted);
    assert_eq!(state(&other), RunState::Interrupted);
    assert_eq!(other.runs(None, None, 9).unwrap()[0].state, RunState::Interrupted);
    // What it was given is there.
    assert_eq!(check(&other, run), 1);
    assert_eq!(std::fs::read_dir(store.path().join("live")).unwrap().count(), 0);
}

#[test]
fn child_runs_to_the_end() {
    let Some(store) = store_of_parent() else { return };
    for _ in 0..3 {
        let writer = store.begin(&flow("Child")).unwrap();
        for index in 0..2000 {
            writer.append(&task_of(&writer, index % 3, index)).unwrap();
        }
        writer.finish(&ended(RunStatus::Done)).unwrap();
    }
}

#[test]
fn child_runs_for_ever() {
    let Some(store) = store_of_parent() else { return };
    let writer = store.begin(&flow("Child")).unwrap();
    for index in 0.. {
        writer.append(&task_of(&writer, index % 3, index)).unwrap();
    }
}

#[test]
fn child_meets_a_full_disk() {
    let Some(store) = store_of_parent() else { return };
    let writer = store.begin(&flow("Child")).unwrap();
    let mut index = 0;
    let error = loop {
        match writer.append(&task_of(&writer, 0, index)) {
            Ok(()) => index += 1,
            Err(error) => break error,
        }
        assert!(index < 1_000_000, "no write failed");
    };
    assert!(matches!(error, StoreError::Io { .. } | StoreError::Catalog { .. }), "{error:?}");
    // From then on everything says so.
    assert_eq!(writer.flush().unwrap_err().to_string(), error.to_string());
    assert_eq!(writer.sync().unwrap_err().to_string(), error.to_string());
    assert_eq!(writer.finish(&ended(RunStatus::Done)).unwrap_err().to_string(), error.to_string());
}

#[test]
fn six_processes_write_to_one_store() {
    let (_folder, store) = store();
    let mut children: Vec<_> =
        (0..6).map(|_| start("child_runs_to_the_end", &store, None)).collect();
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        for run in store.runs(None, None, 99).unwrap() {
            assert_ne!(run.state, RunState::Interrupted);
        }
        thread::sleep(Duration::from_millis(5));
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let runs = store.runs(None, None, 99).unwrap();
    assert_eq!(runs.len(), 18);
    for run in runs {
        assert_eq!(run.state, RunState::Done);
        assert_eq!(check(&store, run.id), 2000);
    }
}

#[test]
fn a_killed_process_leaves_whole_tasks() {
    let (_folder, store) = store();
    let mut most = 0;
    for round in 0..20 {
        let mut child = start("child_runs_for_ever", &store, None);
        let begun = Instant::now();
        let run = loop {
            match store.runs(None, None, 1).unwrap().first() {
                Some(run) if run.state == RunState::Running => break run.id,
                _ => assert!(begun.elapsed() < Duration::from_secs(60), "the child does nothing"),
            }
        };
        thread::sleep(Duration::from_micros(round * 3571));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(store.run(run).unwrap().unwrap().summary.state, RunState::Interrupted);
        let tasks = check(&store, run);
        assert_eq!(store.steps(run).unwrap().iter().map(|step| step.done).sum::<u64>(), tasks);
        most = most.max(tasks);
    }
    assert!(most > 0, "no child came to commit anything");
}

#[cfg(unix)]
#[test]
fn a_failed_write_is_reported_and_does_no_harm() {
    let (_folder, store) = store();
    // A limit on the size of files makes writes fail as a full disk does.
    let limit = "trap '' XFSZ; ulimit -f 3000";
    let mut child = start("child_meets_a_full_disk", &store, Some(limit));
    assert!(child.wait().unwrap().success());
    let run = store.latest(None).unwrap().unwrap();
    assert_eq!(store.run(run).unwrap().unwrap().summary.state, RunState::Interrupted);
    assert!(check(&store, run) > 0);
    let mut after = start("child_runs_to_the_end", &store, None);
    assert!(after.wait().unwrap().success());
}

#[test]
fn runs_of_one_process_share_a_store() {
    let (_folder, store) = store();
    thread::scope(|scope| {
        for step in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                let writer = store.begin(&flow("Shared")).unwrap();
                for index in 0..1000 {
                    // The same blobs in all of them, pending at the same time.
                    let task = task_of(&writer, 0, index);
                    for artifact in task.artifacts.values() {
                        store.read_verified(artifact).unwrap();
                    }
                    writer.append(&task).unwrap();
                }
                writer.finish(&ended(RunStatus::Done)).unwrap();
                assert_eq!(check(&store, writer.run()), 1000, "writer {step}");
                assert_eq!(store.steps(writer.run()).unwrap()[0].step, StepIndex(0));
            });
        }
    });
}
