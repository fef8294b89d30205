//! The tasks of a run, looked up one by one and read by the page.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use wflow_model::TaskId;
use wflow_model::record::RunId;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;
use wflow_store::Store;
use wflow_store::StoreError;

/// How many tasks are read at once.
const PAGE: usize = 512;

/// Finds tasks of a run. Each is asked for once, and about in the order of its id: a page of each
/// step is held.
pub(crate) struct Shelf {
    store: Store,
    run: RunId,
    pages: Mutex<HashMap<StepIndex, Page>>,
}

/// The tasks of a step from one id on.
struct Page {
    first: TaskId,
    /// In the order of their ids; those that were asked for are gone.
    records: Vec<Option<TaskRecord>>,
    ids: Vec<TaskId>,
}

impl Page {
    /// Whether the page says of a task if it is there. A page that is not full is the last one.
    fn covers(&self, task: &TaskId) -> bool {
        *task >= self.first
            && (self.ids.len() < PAGE || self.ids.last().is_some_and(|last| task <= last))
    }
}

impl Shelf {
    pub(crate) fn new(store: Store, run: RunId) -> Self {
        Self { store, run, pages: Mutex::default() }
    }

    /// A committed task; none if there is no such task.
    pub(crate) fn find(
        &self,
        step: StepIndex,
        task: &TaskId,
    ) -> Result<Option<TaskRecord>, StoreError> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = match pages.get_mut(&step) {
            Some(page) if page.covers(task) => page,
            // One that stayed behind: to turn back the page would cost all others.
            Some(page) if *task < page.first => {
                drop(pages);
                let task = TaskRef { step, task: task.clone() };
                return self.store.task(self.run, &task);
            }
            _ => {
                let records = self.store.tasks_from(self.run, step, task, PAGE)?;
                let ids = records.iter().map(|record| record.id.task.clone()).collect();
                let records = records.into_iter().map(Some).collect();
                let page = Page { first: task.clone(), records, ids };
                pages.entry(step).insert_entry(page).into_mut()
            }
        };
        Ok(page.ids.binary_search(task).ok().and_then(|place| page.records[place].take()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;

    use wflow_model::Digest;
    use wflow_model::Grants;
    use wflow_model::Name;
    use wflow_model::record::Artifacts;
    use wflow_model::record::Log;
    use wflow_model::record::Outcome;
    use wflow_model::record::RunRecord;
    use wflow_model::record::Timestamp;

    use super::*;

    fn record(task: TaskId) -> TaskRecord {
        TaskRecord {
            id: TaskRef { step: StepIndex(1), task },
            attempt: 0,
            started: Timestamp(0),
            finished: Timestamp(0),
            outcome: Outcome::Done,
            inherits: None,
            artifacts: Artifacts::new(),
            removed: Vec::new(),
            inherited: Artifacts::new(),
            stdout: Log::default(),
            stderr: Log::default(),
            origin: None,
            trace: None,
        }
    }

    /// Three pages and some of tasks, every third of which is missing.
    fn shelf() -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create_or_open(&folder.path().join("store")).unwrap();
        let writer = store.reserve(Timestamp(1)).unwrap();
        let run = RunRecord {
            flow: Name::new("F").unwrap(),
            graph: String::new(),
            component: Digest::of(b""),
            parameters: Artifacts::new(),
            seed: 0,
            logical_time: 0,
            host_version: String::new(),
            resumes: None,
            grants: Grants::NONE,
            limits: BTreeMap::new(),
            engine: String::new(),
            reuse: false,
            code: None,
        };
        writer.register(&run, &BTreeSet::new()).unwrap();
        for index in (0..ALL).filter(|index| is_there(*index)) {
            writer.append(&record(TaskId::ROOT.child(index))).unwrap();
        }
        writer.flush().unwrap();
        let shelf = Shelf::new(store, writer.run());
        (folder, shelf)
    }

    const ALL: u32 = 3000;

    fn is_there(index: u32) -> bool {
        !index.is_multiple_of(3)
    }

    #[track_caller]
    fn check(shelf: &Shelf, index: u32) {
        let task = TaskId::ROOT.child(index);
        let found = shelf.find(StepIndex(1), &task).unwrap();
        assert_eq!(found.map(|record| record.id.task), is_there(index).then_some(task));
    }

    #[test]
    fn in_order() {
        let (_folder, shelf) = shelf();
        (0..ALL).for_each(|index| check(&shelf, index));
        let after = TaskId::ROOT.child(ALL + 1);
        assert!(shelf.find(StepIndex(1), &after).unwrap().is_none());
    }

    #[test]
    fn backwards() {
        let (_folder, shelf) = shelf();
        (0..ALL).rev().for_each(|index| check(&shelf, index));
    }

    #[test]
    fn in_leaps_and_by_some_who_stay_behind() {
        let (_folder, shelf) = shelf();
        // The end is looked at before the middle, and 7 has nothing in common with the number.
        (0..ALL).for_each(|index| check(&shelf, index * 7 % ALL));
    }

    #[test]
    fn other_steps_have_other_tasks() {
        let (_folder, shelf) = shelf();
        assert!(shelf.find(StepIndex(0), &TaskId::ROOT.child(1)).unwrap().is_none());
        assert!(shelf.find(StepIndex(2), &TaskId::ROOT.child(1)).unwrap().is_none());
        check(&shelf, 1);
    }

    #[test]
    fn what_is_committed_behind_a_full_page_is_found() {
        let (_folder, shelf) = shelf();
        check(&shelf, 0);
        check(&shelf, 1000);
        check(&shelf, 1);
        check(&shelf, ALL - 1);
        check(&shelf, 1001);
    }
}
