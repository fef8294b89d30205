//! The store under fire: processes that write, resume, remove and collect at the same time, and
//! are killed; a full disk; a clock that goes backwards.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::*;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_model::record::TaskRecord;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_store::INLINE_MAX;
use wflow_store::ROW_MAX;
use wflow_store::Report;
use wflow_store::RunWriter;
use wflow_store::Selection;
use wflow_store::Store;
use wflow_store::StoreError;

/// So many tasks has a run, and so many different contents have their artifacts. Every run has two
/// of them, so that blobs become garbage and are wanted again all the time.
const TASKS: u32 = 40;
const CONTENTS: u64 = 40;

fn task_of(writer: &RunWriter, index: u32) -> TaskRecord {
    let mut task = done(at(1, index));
    // Which contents a run has follows from its id, which nobody foresees.
    let content = (writer.run().0 * 17 + u64::from(index / 8 % 2)) % CONTENTS;
    for (text, size) in [("inline", 8), ("row", INLINE_MAX + 1), ("file", ROW_MAX + 1)] {
        if size <= ROW_MAX || index.is_multiple_of(8) {
            let bytes = vec![content as u8; size];
            task.artifacts.insert(name(text), writer.put(FORMAT, &bytes).unwrap());
        }
    }
    task
}

/// Reads every artifact of a run; returns how many tasks it has.
fn read_all(store: &Store, run: RunId) -> usize {
    let tasks = store.tasks(run, StepIndex(1), None, usize::MAX).unwrap();
    for task in &tasks {
        for artifact in task.artifacts.values() {
            store.read_verified(artifact).unwrap();
        }
    }
    tasks.len()
}

fn begin(store: &Store) -> RunWriter {
    // All of them ask for the same microsecond.
    store.begin_at(&flow("Fire"), Timestamp(5)).unwrap()
}

fn check(store: &Store) -> Report {
    store.check(&mut |_| {}).unwrap()
}

fn keep(keep: u64) -> Selection {
    Selection { keep: Some(keep), ..Selection::default() }
}

#[test]
fn child_writes_runs() {
    let Some(store) = store_of_parent() else { return };
    for _ in 0..12 {
        let writer = begin(&store);
        for index in 0..TASKS {
            writer.append(&task_of(&writer, index)).unwrap();
        }
        writer.flush().unwrap();
        // Nobody collects what a run at work has handed in.
        assert_eq!(read_all(&store, writer.run()), TASKS as usize);
        writer.finish(&ended(RunStatus::Done)).unwrap();
    }
}

#[test]
fn child_resumes_runs() {
    let Some(store) = store_of_parent() else { return };
    let mut resumed = 0;
    while resumed < 12 {
        let runs = store.runs(None, None, 9).unwrap();
        let held = runs.iter().find_map(|run| match store.hold(run.id) {
            Err(StoreError::NoRun(_) | StoreError::Live(_)) => None,
            hold => Some(hold.unwrap()),
        });
        let Some(hold) = held else { continue };
        let writer = store.reserve(Timestamp(5)).unwrap();
        let tasks = store.tasks(hold.run(), StepIndex(1), None, usize::MAX).unwrap();
        for task in &tasks {
            writer.append(task).unwrap();
        }
        writer.register(&flow("Fire"), &BTreeSet::new()).unwrap();
        drop(hold);
        assert_eq!(read_all(&store, writer.run()), tasks.len());
        writer.finish(&ended(RunStatus::Done)).unwrap();
        resumed += 1;
    }
}

#[test]
fn child_collects_for_ever() {
    let Some(store) = store_of_parent() else { return };
    loop {
        store.collect(&keep(2), false, &mut |_| {}).unwrap();
    }
}

#[test]
fn child_removes_for_ever() {
    let Some(store) = store_of_parent() else { return };
    loop {
        for run in store.runs(None, None, 99).unwrap().iter().skip(1) {
            match store.remove(run.id) {
                Ok(_) | Err(StoreError::NoRun(_) | StoreError::Live(_) | StoreError::Held(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn collections_while_six_processes_write() {
    let (_folder, store) = store();
    let mut children: Vec<_> = ["child_writes_runs", "child_resumes_runs"]
        .repeat(3)
        .into_iter()
        .map(|test| start(test, &store, None))
        .collect();
    let (mut collected, mut blobs) = (0, 0);
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        let removed = store.collect(&keep(3), false, &mut |_| {}).unwrap();
        collected += removed.runs.len();
        blobs += removed.blobs;
        let report = check(&store);
        assert!(report.is_clean(), "{report:#?}");
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert!(collected > 20 && blobs > 0, "{collected} runs and {blobs} blobs were collected");
    store.collect(&keep(3), false, &mut |_| {}).unwrap();
    let report = check(&store);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.runs, report.remains, report.unreferenced, report.leftovers), (3, 0, 0, 0));
    for run in store.runs(None, None, 99).unwrap() {
        assert_eq!(read_all(&store, run.id), TASKS as usize);
    }
}

#[test]
fn removals_and_collections_that_are_killed() {
    let (_folder, store) = store();
    for round in 0..30 {
        for _ in 0..4 {
            let writer = begin(&store);
            for index in 0..TASKS {
                writer.append(&task_of(&writer, index)).unwrap();
            }
            writer.finish(&ended(RunStatus::Done)).unwrap();
        }
        let latest = store.latest(None).unwrap().unwrap();
        let test = ["child_collects_for_ever", "child_removes_for_ever"][round % 2];
        let mut child = start(test, &store, None);
        // Killed at any moment from the first removal on, or some time after.
        let begun = Instant::now();
        while store.runs(None, None, 99).unwrap().len() > 5 && round > 1 {
            assert!(begun.elapsed() < Duration::from_secs(60), "the child removes nothing");
        }
        thread::sleep(Duration::from_micros(round as u64 * 1371 % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let report = check(&store);
        assert!(report.is_clean(), "round {round}: {report:#?}");
        assert_eq!(read_all(&store, latest), TASKS as usize);
    }
    store.collect(&keep(1), false, &mut |_| {}).unwrap();
    let report = check(&store);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.runs, report.tasks), (1, u64::from(TASKS)));
    assert_eq!((report.remains, report.unreferenced, report.leftovers), (0, 0, 0));
}

#[test]
fn child_takes_ids() {
    let Some(store) = store_of_parent() else { return };
    for _ in 0..50 {
        println!("id={}", store.reserve(Timestamp(5)).unwrap().run());
    }
}

#[test]
fn the_same_microsecond() {
    let (_folder, store) = store();
    let mut children: Vec<_> = (0..4).map(|_| start("child_takes_ids", &store, None)).collect();
    let mut ids: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let id = || store.reserve(Timestamp(5)).unwrap().run().0;
                    (0..50).map(|_| id()).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for child in &mut children {
        let mut told = String::new();
        child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(child.wait().unwrap().success());
        let id = |line: &str| line.split_once("id=")?.1.parse::<u64>().ok();
        ids.extend(told.lines().filter_map(id));
    }
    ids.sort_unstable();
    assert_eq!(ids, (5..405).collect::<Vec<_>>(), "each once, from the microsecond on");
}

#[test]
fn a_clock_that_goes_backwards() {
    let (_folder, store) = store();
    let put = |writer: &RunWriter| {
        [INLINE_MAX + 1, ROW_MAX + 1].map(|size| writer.put(FORMAT, &vec![3; size]).unwrap())
    };
    // In the year 2262, beyond what many file systems know; then in 1970; then before it.
    let far = i64::MAX / 1000;
    let mut last = None;
    for moment in [far, 7, -9, far - 1] {
        let writer = store.begin_at(&flow("Clock"), Timestamp(moment)).unwrap();
        assert!(last < Some(writer.run()), "ids grow");
        last = Some(writer.run());
        let artifacts = put(&writer);
        writer.flush().unwrap();
        // The runs before it are gone, and what they left, but not what is in use.
        let collected = store.collect(&keep(1), false, &mut |_| {}).unwrap();
        assert_eq!((collected.spared.len(), collected.blobs), (0, 0));
        let mut task = done(at(1, 0));
        for (text, artifact) in ["a", "b"].into_iter().zip(artifacts) {
            store.verify(&artifact).unwrap();
            task.artifacts.insert(name(text), artifact);
        }
        writer.append(&task).unwrap();
        writer.finish(&ended(RunStatus::Done)).unwrap();
        assert!(check(&store).is_clean());
    }
    let collected = store.collect(&keep(0), false, &mut |_| {}).unwrap();
    assert_eq!((collected.runs, collected.blobs), (vec![last.unwrap()], 2));
}

#[test]
fn child_fills_the_disk() {
    let Some(store) = store_of_parent() else { return };
    // What is lost when the disk is full is what was not committed, and nothing else.
    let kept = begin(&store);
    for index in 0..TASKS {
        kept.append(&task_of(&kept, index)).unwrap();
    }
    kept.finish(&ended(RunStatus::Done)).unwrap();
    for size in [300, ROW_MAX, 4 * ROW_MAX] {
        // Half of the disk is somebody else's.
        let filler = store.path().join("filler");
        fs::write(&filler, vec![0; 24 << 20]).unwrap();
        let writer = begin(&store);
        let append = |index: u32| {
            let mut bytes = vec![1; size];
            bytes[..4].copy_from_slice(&index.to_le_bytes());
            let mut task = done(at(1, index));
            task.artifacts.insert(name("x"), writer.put(FORMAT, &bytes)?);
            writer.append(&task)
        };
        let error = (0..).find_map(|index| append(index).err());
        let error = error.unwrap();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
        assert!(error.to_string().contains("no space left for the store"), "{error}");
        let run = writer.run();
        drop(writer);
        let report = check(&store);
        assert!(report.is_clean(), "{report:#?}");
        assert_eq!(read_all(&store, kept.run()), TASKS as usize);
        // The way out: free some, then remove what is not needed.
        fs::remove_file(&filler).unwrap();
        let selection = Selection { runs: BTreeSet::from([run]), ..Selection::default() };
        let collected = store.collect(&selection, false, &mut |_| {}).unwrap();
        assert_eq!(collected.runs, [run]);
        assert!(check(&store).is_clean());
    }
    let after = begin(&store);
    after.append(&task_of(&after, 1)).unwrap();
    after.finish(&ended(RunStatus::Done)).unwrap();
    println!("the disk was full");
}

#[test]
fn child_may_only_read() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let path = std::path::PathBuf::from(path);
    let store = match Store::open(&path) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
            println!("refused: {error}");
            return;
        }
    };
    let run = store.latest(None).unwrap().unwrap();
    assert_eq!(read_all(&store, run), TASKS as usize);
    assert!(check(&store).is_clean());
    assert_eq!(store.collect(&keep(0), true, &mut |_| {}).unwrap().runs, [run]);
    for error in [
        store.begin(&flow("ReadOnly")).map(drop).unwrap_err(),
        store.hold(run).map(drop).unwrap_err(),
        store.remove(run).map(drop).unwrap_err(),
        store.collect(&keep(0), false, &mut |_| {}).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
    println!("only read");
}

/// Runs a test of this program in a namespace of its own, where a script may mount what it wants;
/// returns what it prints. None where that is not possible.
#[cfg(target_os = "linux")]
fn in_namespace(script: &str, test: &str, store: &std::path::Path) -> Option<String> {
    let unshare = || {
        let mut command = std::process::Command::new("unshare");
        command.arg("-rm");
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        return None;
    }
    let output = unshare()
        .args(["sh", "-ec", &format!("{script}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(STORE, store)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{errors}");
    Some(told)
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let (_folder, store) = store();
    let small = tempfile::tempdir().unwrap();
    // The store is copied to a small disk, which lasts as long as the namespace.
    let script = format!(
        "mount -t tmpfs -o size=48m none {small}; cp -r {path}/. {small}",
        small = small.path().display(),
        path = store.path().display(),
    );
    let Some(told) = in_namespace(&script, "child_fills_the_disk", small.path()) else { return };
    assert!(told.contains("the disk was full"), "{told}");
    assert!(fs::read_dir(small.path()).unwrap().next().is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder() {
    let (_folder, store) = store();
    let writer = begin(&store);
    for index in 0..TASKS {
        writer.append(&task_of(&writer, index)).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    drop(writer);
    let path = store.path().to_path_buf();
    let script = format!("mount --bind {0} {0}; mount -o remount,bind,ro {0}", path.display());
    // While somebody who may write has it open, and when nobody has.
    let Some(told) = in_namespace(&script, "child_may_only_read", &path) else { return };
    assert!(told.contains("only read"), "{told}");
    drop(store);
    in_namespace(&script, "child_may_only_read", &path).unwrap();
    // An old one cannot be brought forward.
    let catalog = rusqlite::Connection::open(path.join("catalog.sqlite")).unwrap();
    catalog.execute_batch("DROP TABLE copies; DROP TABLE tags; PRAGMA user_version = 1").unwrap();
    let told = in_namespace(&script, "child_may_only_read_an_old_one", &path).unwrap();
    assert!(told.contains("it is read-only: make it writable"), "{told}");
}

#[test]
fn child_may_only_read_an_old_one() {
    let Some(path) = std::env::var_os(STORE) else { return };
    println!("{}", Store::open(std::path::Path::new(&path)).unwrap_err());
}
