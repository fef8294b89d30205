//! Garbage collection: runs that are not wanted any more, and whatever no run refers to.
//!
//! It is safe while runs are going on. What no record refers to may be about to be referred to, in
//! two ways:
//!
//! - A run handed the blob in, and has not committed its task yet. Each blob, row or file, names
//!   the newest run that handed it in; those of the oldest run at work and of later ones stay
//!   (see `files.rs` for the files).
//! - A run that resumes another copies its records. It holds that other run meanwhile, so the
//!   records that it copies from stay, and with them what they refer to.
//!
//! The order matters: first it is settled which runs are at work, then the records are read as of
//! one moment, then what none of them refers to is removed, each after another look whether a run
//! has handed it in since.

mod mark;
mod select;
mod sweep;

use std::collections::HashSet;

use rusqlite::Connection;
use wflow_model::record::RunId;

use crate::columns;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::hold;
use crate::hold::RemovalLock;
use crate::live;
use crate::lockfile;
use crate::progress::Progress;
use crate::store::GC_LOCK;
use crate::store::Store;

pub use select::Selection;

/// What a garbage collection removed, or would remove.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Collected {
    /// The runs that were selected and removed.
    pub runs: Vec<RunId>,
    /// Those that were selected and stay, and why.
    pub spared: Vec<(RunId, Spared)>,
    /// How many runs there were of which only remains were left.
    pub remains: u64,
    /// How many tasks all of these had.
    pub tasks: u64,
    /// How many blobs nothing referred to any more.
    pub blobs: u64,
    /// How many bytes these had on disk.
    pub bytes: u64,
    /// How many files killed processes had left behind.
    pub leftovers: u64,
}

/// Why a run that was selected is not removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spared {
    /// It is being written.
    Live,
    /// Another run is just taking over its tasks.
    Held,
    /// Its tasks are those of another run as well, which reused all of them.
    Shared,
}

const REMOVING: &str = "removing tasks";

/// Where progress is told.
type Tell<'a> = &'a mut dyn FnMut(Progress);

impl Store {
    /// Removes the runs that are selected, what is left of runs whose removal was cut short, and
    /// whatever no run refers to. With `dry_run` nothing changes, and the answer is what would be
    /// removed now.
    ///
    /// Two collections at once take turns.
    ///
    /// # Errors
    ///
    /// If the record of a run that stays is damaged, since what it refers to is unknown then; or
    /// if the store cannot be read or written.
    pub fn collect(
        &self,
        selection: &Selection,
        dry_run: bool,
        tell: Tell<'_>,
    ) -> Result<Collected> {
        let mut collected = Collected::default();
        if dry_run {
            return self.shared().pool().with(|connection| {
                let mut gone = self.would_remove(connection, selection, &mut collected)?;
                gone.extend(&collected.runs);
                self.collect_garbage(connection, &gone, true, &mut collected, tell)?;
                Ok(collected)
            });
        }
        let _lock =
            lockfile::lock(self.shared().root(), GC_LOCK).during(self.path(), "taking its turn")?;
        // The newest first: a copy goes before that of which it is one.
        for run in self.selected(selection)?.into_iter().rev() {
            let before = collected.tasks;
            let removed = self.remove_telling(run, &mut |tasks| {
                tell(Progress { doing: REMOVING, done: before + tasks, of: 0 });
            });
            match removed {
                Ok(tasks) => {
                    collected.runs.push(run);
                    collected.tasks += tasks;
                }
                Err(StoreError::Live(run)) => collected.spared.push((run, Spared::Live)),
                Err(StoreError::Held(run)) => collected.spared.push((run, Spared::Held)),
                Err(StoreError::Shared { run, .. }) => {
                    collected.spared.push((run, Spared::Shared));
                }
                // Somebody else was faster.
                Err(StoreError::NoRun(_)) => {}
                Err(error) => return Err(error),
            }
        }
        collected.runs.reverse();
        collected.spared.reverse();
        self.shared().pool().write(|connection| {
            for run in self.remains(connection)? {
                let before = collected.tasks;
                collected.tasks += self.remove_remains(connection, run, &mut |tasks| {
                    tell(Progress { doing: REMOVING, done: before + tasks, of: 0 });
                })?;
                collected.remains += 1;
            }
            self.collect_garbage(connection, &HashSet::new(), false, &mut collected, tell)?;
            self.give_back(connection, tell)
        })?;
        Ok(collected)
    }

    /// Settles which runs would be removed; returns those of which there are only remains.
    fn would_remove(
        &self,
        connection: &Connection,
        selection: &Selection,
        collected: &mut Collected,
    ) -> Result<HashSet<RunId>> {
        for run in self.selected(selection)?.into_iter().rev() {
            if live::is_live(self.shared().live(), run, self.path())? {
                collected.spared.push((run, Spared::Live));
            } else if hold::is_held(self.shared().live(), run, self.path())? {
                collected.spared.push((run, Spared::Held));
            } else if self.stays_shared(connection, run, &collected.runs)? {
                collected.spared.push((run, Spared::Shared));
            } else {
                collected.runs.push(run);
            }
        }
        collected.runs.reverse();
        collected.spared.reverse();
        let remains = self.remains(connection)?;
        collected.remains = remains.len() as u64;
        for run in collected.runs.iter().chain(&remains) {
            if self.owner(*run)? != *run {
                // A copy has no tasks of its own.
                continue;
            }
            let steps = self.steps(*run)?;
            collected.tasks += steps.iter().map(|step| step.done + step.failed).sum::<u64>();
        }
        Ok(remains.into_iter().collect())
    }

    /// Whether a run has a copy that is not among those that go before it.
    fn stays_shared(&self, connection: &Connection, run: RunId, before: &[RunId]) -> Result<bool> {
        let read = || {
            connection
                .prepare_cached(
                    "SELECT copies.run FROM copies JOIN runs ON runs.id = copies.run
                     WHERE copies.source = ?1",
                )?
                .query_map([columns::run(run)], |row| row.get(0).map(columns::run_id))?
                .collect::<rusqlite::Result<Vec<RunId>>>()
        };
        let copies = read().during(self.path(), "looking for copies")?;
        Ok(copies.iter().any(|copy| !before.contains(copy)))
    }

    /// Removes whatever no run refers to, other than the runs that are gone.
    fn collect_garbage(
        &self,
        connection: &Connection,
        gone: &HashSet<RunId>,
        dry_run: bool,
        collected: &mut Collected,
        tell: Tell<'_>,
    ) -> Result<()> {
        let at_work = self.at_work(connection, dry_run)?;
        let marked = self.mark(connection, gone, tell)?;
        self.sweep_rows(connection, &marked, at_work.since, dry_run, collected, tell)?;
        self.sweep_files(&marked, at_work.since, dry_run, collected, tell)?;
        let mut leftovers = at_work.stale.len();
        for run in hold::marked(self.shared().live(), self.path())? {
            if !hold::is_held(self.shared().live(), run, self.path())? {
                leftovers += 1;
                if !dry_run {
                    drop(RemovalLock::take(self.shared().live(), run, self.path())?);
                }
            }
        }
        let temporary = self.shared().files().leftovers(self.shared().live())?;
        leftovers += temporary.len();
        if !dry_run {
            temporary.iter().try_for_each(|name| self.shared().files().remove_leftover(name))?;
        }
        collected.leftovers = leftovers as u64;
        Ok(())
    }
}
