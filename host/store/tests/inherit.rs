//! What a task sees of the tasks before it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::*;
use wflow_model::TaskId;
use wflow_model::record::Artifact;
use wflow_model::record::RunId;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;
use wflow_store::RunWriter;
use wflow_store::Store;
use wflow_store::StoreError;

fn root(step: u32) -> TaskRef {
    TaskRef { step: StepIndex(step), task: TaskId::ROOT }
}

fn put(writer: &RunWriter, value: u8) -> Artifact {
    writer.put(FORMAT, &[value]).unwrap()
}

fn task(id: TaskRef, inherits: Option<TaskRef>, sets: &[(&str, &Artifact)]) -> TaskRecord {
    let mut record = done(id);
    record.inherits = inherits;
    record.artifacts =
        sets.iter().map(|(text, artifact)| (name(text), (*artifact).clone())).collect();
    record
}

/// Every way to look a name up agrees; returns what they say.
fn look_up(store: &Store, run: RunId, record: &TaskRecord, text: &str) -> Option<Artifact> {
    let resolved = store.resolve(run, record, text).unwrap();
    let many = store.resolve_many(run, std::slice::from_ref(&record.id), text).unwrap();
    assert_eq!(many, std::slice::from_ref(&resolved));
    assert_eq!(store.visible(run, record).unwrap().get(text), resolved.as_ref());
    resolved
}

#[test]
fn names_are_found_where_they_were_set_last() {
    let (_folder, store) = store();
    let mut record = flow("Inherit");
    let parameter = Artifact {
        format: FORMAT.into(),
        digest: wflow_model::Digest::of_artifact(FORMAT, b"p"),
        size: 1,
        body: wflow_model::record::Body::Inline(b"p".as_slice().into()),
    };
    record.parameters.insert(name("alpha"), parameter.clone());
    let writer = store.begin(&record).unwrap();
    let run = writer.run();
    let values: Vec<_> = (0..5).map(|value| put(&writer, value)).collect();
    let start = task(root(0), None, &[("a", &values[0]), ("b", &values[1])]);
    let mut middle = task(root(1), Some(root(0)), &[("a", &values[2])]);
    middle.removed.push(name("b"));
    let last = task(root(2), Some(root(1)), &[("c", &values[3])]);
    let mut complete = task(root(3), None, &[]);
    complete.inherited = store.visible(run, &start).unwrap();
    complete.removed.push(name("a"));
    for record in [&start, &middle, &last, &complete] {
        writer.append(record).unwrap();
    }
    writer.flush().unwrap();

    assert_eq!(look_up(&store, run, &last, "a"), Some(values[2].clone()));
    assert_eq!(look_up(&store, run, &last, "b"), None, "removed on the way");
    assert_eq!(look_up(&store, run, &last, "c"), Some(values[3].clone()));
    assert_eq!(look_up(&store, run, &middle, "c"), None);
    assert_eq!(look_up(&store, run, &start, "b"), Some(values[1].clone()));
    assert_eq!(look_up(&store, run, &last, "alpha"), Some(parameter));
    assert_eq!(look_up(&store, run, &complete, "a"), None, "removed from its own copies");
    assert_eq!(look_up(&store, run, &complete, "b"), Some(values[1].clone()));
}

#[test]
fn a_join_reads_its_inputs_at_once() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Join")).unwrap();
    let values: Vec<_> = (0..200).map(|value| put(&writer, value)).collect();
    writer.append(&task(root(0), None, &[("shared", &values[9])])).unwrap();
    for index in 0..200 {
        let own = [("x", &values[index as usize])];
        writer.append(&task(at(1, index), Some(root(0)), &own)).unwrap();
        writer.append(&task(at(2, index), Some(at(1, index)), &[])).unwrap();
    }
    writer.flush().unwrap();
    let tasks: Vec<_> = (0..200).map(|index| at(2, index)).collect();
    let found = |text| store.resolve_many(writer.run(), &tasks, text).unwrap();
    assert!(found("x").iter().zip(&values).all(|(found, value)| found.as_ref() == Some(value)));
    assert!(found("shared").iter().all(|found| found.as_ref() == Some(&values[9])));
    assert!(found("other").iter().all(Option::is_none));
}

#[test]
fn a_long_chain_is_followed_to_its_end() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Deep")).unwrap();
    let value = put(&writer, 1);
    writer.append(&task(root(0), None, &[("a", &value)])).unwrap();
    for step in 1..2000 {
        writer.append(&task(root(step), Some(root(step - 1)), &[])).unwrap();
    }
    writer.flush().unwrap();
    let last = store.task(writer.run(), &root(1999)).unwrap().unwrap();
    assert_eq!(look_up(&store, writer.run(), &last, "a"), Some(value));
}

#[test]
fn a_chain_without_end_is_an_error() {
    let (_folder, store) = store();
    let writer = store.begin(&flow("Broken")).unwrap();
    let records = [
        task(root(0), Some(root(0)), &[]),
        task(root(1), Some(root(2)), &[]),
        task(root(2), Some(root(3)), &[]),
        task(root(3), Some(root(4)), &[]),
        task(root(4), Some(root(2)), &[]),
        task(root(5), Some(root(9)), &[]),
    ];
    for record in &records {
        writer.append(record).unwrap();
    }
    writer.flush().unwrap();
    for record in &records {
        let run = writer.run();
        let broken = |error| matches!(error, Some(StoreError::BrokenChain { .. }));
        assert!(broken(store.resolve(run, record, "a").err()));
        assert!(broken(store.visible(run, record).err()));
    }
    let all: Vec<_> = records[..5].iter().map(|record| record.id.clone()).collect();
    for tasks in [&all[..], &all[..1], &all[1..2], &[root(5)], &[root(8)]] {
        let error = store.resolve_many(writer.run(), tasks, "a").err();
        assert!(matches!(error, Some(StoreError::BrokenChain { .. })), "{error:?}");
    }
}
