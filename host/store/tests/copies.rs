//! Runs whose tasks are those of another.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::FORMAT;
use common::at;
use common::done;
use common::ended;
use common::flow;
use common::name;
use common::noise;
use common::store;
use rusqlite::Connection;
use wflow_model::record::Origin;
use wflow_model::record::RunId;
use wflow_model::record::RunStatus;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_store::Collected;
use wflow_store::ROW_MAX;
use wflow_store::Selection;
use wflow_store::Spared;
use wflow_store::Store;
use wflow_store::StoreError;

const STEP: StepIndex = StepIndex(1);

fn run(store: &Store) -> RunId {
    let writer = store.reserve(Timestamp(1)).unwrap();
    writer.register(&flow("F"), &BTreeSet::new()).unwrap();
    for index in 0..10 {
        let mut task = done(at(1, index));
        task.artifacts.insert(name("x"), writer.put(FORMAT, &noise(1, ROW_MAX + 1)).unwrap());
        task.inherits = (index > 0).then(|| at(1, index - 1));
        writer.append(&task).unwrap();
    }
    writer.finish(&ended(RunStatus::Done)).unwrap();
    writer.run()
}

fn copy(store: &Store, source: RunId) -> RunId {
    let _hold = store.hold(source).unwrap();
    let writer = store.reserve(Timestamp(1)).unwrap();
    writer.register_copy(&flow("F"), &BTreeSet::new(), source).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    writer.run()
}

fn collect(store: &Store, selection: &Selection) -> Collected {
    let before = store.collect(selection, true, &mut |_| {}).unwrap();
    let collected = store.collect(selection, false, &mut |_| {}).unwrap();
    assert_eq!(collected, before, "a dry run foretells it");
    collected
}

#[test]
fn a_copy_has_the_tasks_of_its_source() {
    let (_folder, store) = store();
    let source = run(&store);
    let copies = [copy(&store, source), copy(&store, source)];
    // What is a copy of a copy leads to the source.
    let last = copy(&store, copies[0]);
    let origin = Origin { run: source, component: flow("F").component };
    for copy in [copies[0], copies[1], last] {
        assert_eq!(store.steps(copy).unwrap(), store.steps(source).unwrap());
        let mut expected = store.tasks(source, STEP, None, 99).unwrap();
        expected.iter_mut().for_each(|task| task.origin = Some(origin.clone()));
        assert_eq!(store.tasks(copy, STEP, None, 99).unwrap(), expected);
        assert_eq!(store.tasks_from(copy, STEP, &at(1, 3).task, 2).unwrap(), expected[3..5]);
        assert_eq!(store.task(copy, &at(1, 7)).unwrap().as_ref(), Some(&expected[7]));
        let found = store.resolve_many(copy, &[at(1, 2), at(1, 9)], "x").unwrap();
        assert_eq!(found, [2, 9].map(|index| expected[index].artifacts.get("x").cloned()));
        assert_eq!(store.failed_tasks(copy, 9).unwrap(), []);
        assert_eq!(store.visible(copy, &expected[9]).unwrap().len(), 1);
    }
    assert_eq!(store.steps(source).unwrap()[0].done, 10);
}

#[test]
fn a_source_stays_as_long_as_it_has_copies() {
    let (_folder, store) = store();
    let source = run(&store);
    let (first, second) = (copy(&store, source), copy(&store, source));
    let error = store.remove(source).unwrap_err();
    assert!(matches!(error, StoreError::Shared { run, by } if (run, by) == (source, first)));
    assert_eq!(store.remove(first).unwrap(), 0);

    let keep_one = Selection { keep: Some(1), ..Selection::default() };
    let collected = collect(&store, &keep_one);
    assert_eq!((collected.runs, collected.spared), (vec![], vec![(source, Spared::Shared)]));
    assert_eq!(store.tasks(second, STEP, None, 99).unwrap().len(), 10);
    let task = store.task(second, &at(1, 0)).unwrap().unwrap();
    store.verify(&task.artifacts["x"]).unwrap();

    // Together with its copies it goes.
    let all = Selection { runs: BTreeSet::from([source, second]), ..Selection::default() };
    let collected = collect(&store, &all);
    assert_eq!((collected.runs, collected.tasks), (vec![source, second], 10));
    assert_eq!(collected.remains, 0);
    assert!(store.flows().unwrap().is_empty());
}

#[test]
fn a_copy_without_its_source_is_a_fault() {
    let (folder, store) = store();
    let source = run(&store);
    let copy = copy(&store, source);
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
    let catalog = Connection::open(folder.path().join(".wflow/catalog.sqlite")).unwrap();
    catalog.execute("DELETE FROM runs WHERE id = ?1", [source.0 as i64]).unwrap();
    let report = store.check(&mut |_| {}).unwrap();
    let fault = report.faults.iter().find(|fault| fault.why.contains("has the tasks of run"));
    assert!(format!("{:?}", fault.unwrap().subject).contains(&copy.to_string()));
}

#[test]
fn a_copy_that_was_cut_short_leaves_nothing() {
    let (folder, store) = store();
    let source = run(&store);
    let gone = copy(&store, source);
    // As a removal leaves it that was killed after its first step.
    let catalog = Connection::open(folder.path().join(".wflow/catalog.sqlite")).unwrap();
    catalog.execute("DELETE FROM runs WHERE id = ?1", [gone.0 as i64]).unwrap();
    let collected = collect(&store, &Selection::default());
    assert_eq!((collected.remains, collected.tasks), (1, 0));
    assert_eq!(store.remove(source).unwrap(), 10);
}
