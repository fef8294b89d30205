//! Runs that must stay while others need them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::thread;

use common::*;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_store::RunState;
use wflow_store::Store;
use wflow_store::StoreError;

fn marks(store: &Store) -> usize {
    fs::read_dir(store.path().join("live")).unwrap().count()
}

#[test]
fn a_run_that_is_written_cannot_be_held() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Live")).unwrap();
    let run = writer.run();
    let error = store.hold(run).unwrap_err();
    assert!(matches!(error, StoreError::Live(live) if live == run), "{error}");
    assert!(error.to_string().contains("still being written"), "{error}");
    writer.finish(&ended(RunStatus::Done)).unwrap();
    assert_eq!(store.hold(run).unwrap().run(), run);
}

#[test]
fn a_run_that_is_not_there_cannot_be_held() {
    let (_folder, store) = store();
    assert!(matches!(store.hold(RunId(7)), Err(StoreError::NoRun(RunId(7)))));
    // Nor one that has an id and is not registered.
    let writer = store.reserve(wflow_model::record::Timestamp(9)).unwrap();
    assert!(matches!(store.hold(writer.run()), Err(StoreError::NoRun(_))));
    drop(writer);
    assert_eq!(marks(&store), 0);
}

#[test]
fn many_hold_a_run_and_the_last_one_clears_up() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Held")).unwrap();
    let run = writer.run();
    drop(writer);
    let other = Store::open(store.path()).unwrap();
    let (first, second) = (store.hold(run).unwrap(), other.hold(run).unwrap());
    // Holding is not writing.
    assert_eq!(store.run(run).unwrap().unwrap().summary.state, RunState::Interrupted);
    drop(first);
    assert_eq!(marks(&store), 1);
    drop(second);
    assert_eq!(marks(&store), 0);
}

#[test]
fn holds_come_and_go_at_once() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Held")).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let run = writer.run();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    assert_eq!(store.hold(run).unwrap().run(), run);
                }
            });
        }
    });
    assert_eq!(store.hold(run).unwrap().run(), run);
}
