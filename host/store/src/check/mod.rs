//! Checking a store: every record and every blob.
//!
//! The records are read as of one moment, so a run that goes on meanwhile is seen as it was then:
//! whole transactions, each with the blobs that it refers to. Rows of blobs are read as of the same
//! moment. Files are not, so where one is missing it is asked once more whether the run that
//! refers to it is still there.

mod artifacts;
mod records;
mod report;

use std::collections::HashSet;

use rusqlite::Connection;
use wflow_model::record::RunId;

pub use report::By;
pub use report::Fault;
pub use report::Referrer;
pub use report::Report;
pub use report::Subject;

use crate::error::Result;
use crate::error::While;
use crate::hold;
use crate::live;
use crate::progress::Progress;
use crate::store::Store;
use artifacts::Verified;
use report::Faults;
use report::damage;

const DOING: &str = "checking its catalog";

/// A check that is going on.
struct Check<'a> {
    store: &'a Store,
    /// In a transaction that sees one moment.
    snapshot: &'a Connection,
    /// The runs of which there are only remains: nothing of them needs to hold together.
    remains: HashSet<RunId>,
    verified: Verified,
    faults: Faults,
    report: Report,
    tell: &'a mut dyn FnMut(Progress),
}

impl Store {
    /// Checks everything: the database, the records of all runs and tasks, every artifact against
    /// its digest, each blob once. Memory grows with the number of blobs, by some hundred bytes
    /// each, and not with that of tasks.
    ///
    /// Runs may go on meanwhile, and be removed.
    ///
    /// # Errors
    ///
    /// If something other than the content of the store keeps it from being read.
    pub fn check(&self, tell: &mut dyn FnMut(Progress)) -> Result<Report> {
        self.shared().pool().with(|connection| {
            let snapshot = connection.unchecked_transaction().during(self.path(), DOING)?;
            let mut check = Check {
                store: self,
                snapshot: &snapshot,
                remains: HashSet::new(),
                verified: Verified::default(),
                faults: Faults::default(),
                report: Report::default(),
                tell,
            };
            check.everything()?;
            let Check { faults, mut report, .. } = check;
            faults.into_report(&mut report);
            Ok(report)
        })
    }
}

impl Check<'_> {
    fn everything(&mut self) -> Result<()> {
        let parts: [fn(&mut Self) -> Result<()>; 9] = [
            Self::database,
            Self::remains,
            Self::runs,
            Self::copies,
            Self::tasks,
            Self::counters,
            Self::rows,
            Self::files,
            Self::leftovers,
        ];
        for part in parts {
            // Each looks at something else, so damage that ends one must not end the others.
            if let Err(error) = part(self) {
                let why = damage(&error).ok_or(error)?;
                self.faults.add(Subject::Catalog, format!("cannot be read to its end: {why}"));
            }
        }
        Ok(())
    }

    /// The database as SQLite sees it: its pages, its indices, its constraints.
    fn database(&mut self) -> Result<()> {
        (self.tell)(Progress { doing: "checking the catalog", done: 0, of: 0 });
        let read = || {
            self.snapshot
                .prepare("PRAGMA integrity_check")?
                .query_map([], |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        for line in read().during(self.store.path(), DOING)? {
            if line != "ok" {
                self.faults.add(Subject::Catalog, format!("is damaged: {line}"));
            }
        }
        Ok(())
    }

    fn remains(&mut self) -> Result<()> {
        self.remains = self.store.remains(self.snapshot)?.into_iter().collect();
        self.report.remains = self.remains.len() as u64;
        Ok(())
    }

    /// What killed processes left behind.
    fn leftovers(&mut self) -> Result<()> {
        let (store, live) = (self.store, self.store.shared().live());
        for run in live::marked(live, store.path())? {
            self.report.leftovers += u64::from(!live::is_live(live, run, store.path())?);
        }
        for run in hold::marked(live, store.path())? {
            self.report.leftovers += u64::from(!hold::is_held(live, run, store.path())?);
        }
        self.report.leftovers += store.shared().files().leftovers(live)?.len() as u64;
        Ok(())
    }
}
