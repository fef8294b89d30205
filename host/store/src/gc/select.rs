//! Which runs are not wanted any more.

use std::collections::BTreeSet;
use std::collections::HashSet;

use wflow_model::Name;
use wflow_model::Tag;
use wflow_model::record::RunId;
use wflow_model::record::Timestamp;

use crate::columns;
use crate::error::Result;
use crate::error::While;
use crate::store::Store;

/// Which runs to remove: those that meet all of the criteria that are given. Without any, none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// Runs that began before this moment.
    pub older_than: Option<Timestamp>,
    /// Runs that are not among so many newest ones of their flow.
    pub keep: Option<u64>,
    /// Runs with at least one of these tags.
    pub tags: BTreeSet<Tag>,
    /// These runs.
    pub runs: BTreeSet<RunId>,
    /// Runs of this flow.
    pub flow: Option<Name>,
}

impl Selection {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Store {
    /// The runs that meet all criteria.
    pub(super) fn selected(&self, selection: &Selection) -> Result<Vec<RunId>> {
        if selection.is_empty() {
            return Ok(Vec::new());
        }
        self.shared().pool().with(|connection| {
            let read = || -> rusqlite::Result<_> {
                let mut tagged = HashSet::new();
                for tag in &selection.tags {
                    let mut runs = connection.prepare("SELECT run FROM tags WHERE tag = ?1")?;
                    for run in runs.query_map([tag.as_str()], |row| row.get::<_, i64>(0))? {
                        tagged.insert(run?);
                    }
                }
                let mut selected = Vec::new();
                let mut newer = (String::new(), 0);
                let mut runs = connection
                    .prepare("SELECT id, flow, created FROM runs ORDER BY flow, id DESC")?;
                let mut rows = runs.query([])?;
                while let Some(row) = rows.next()? {
                    let (id, flow): (i64, String) = (row.get(0)?, row.get(1)?);
                    if newer.0 != flow {
                        newer = (flow, 0);
                    }
                    newer.1 += 1;
                    let created = Timestamp(row.get(2)?);
                    let run = columns::run_id(id);
                    if selection.older_than.is_none_or(|moment| created < moment)
                        && selection.keep.is_none_or(|keep| newer.1 > keep)
                        && (selection.tags.is_empty() || tagged.contains(&id))
                        && (selection.runs.is_empty() || selection.runs.contains(&run))
                        && selection.flow.as_ref().is_none_or(|flow| **flow == *newer.0)
                    {
                        selected.push(run);
                    }
                }
                selected.sort_unstable();
                Ok(selected)
            };
            read().during(self.path(), "selecting runs")
        })
    }
}
