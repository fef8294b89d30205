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
