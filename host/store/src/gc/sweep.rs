//! Removing what need not stay.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;
use wflow_model::Digest;
use wflow_model::record::RunId;

use super::Collected;
use super::Tell;
use crate::columns;
use crate::error::Result;
use crate::error::While;
use crate::files;
use crate::progress::Progress;
use crate::remove::BATCH;
use crate::remove::gently;
use crate::store::Store;

impl Store {
    /// Removes the rows of blobs that are not marked and not of a run since the given one.
    pub(super) fn sweep_rows(
        &self,
        connection: &Connection,
        marked: &HashSet<Digest>,
        since: RunId,
        dry_run: bool,
        collected: &mut Collected,
        tell: Tell<'_>,
    ) -> Result<()> {
        const DOING: &str = "removing blobs";
        let since = columns::run(since);
        let mut last = i64::MIN;
        loop {
            let page = || {
                connection
                    .prepare_cached(
                        "SELECT id, digest, length(bytes) FROM blobs
                         WHERE id > ?1 AND newest_run < ?2 ORDER BY id LIMIT ?3",
                    )?
                    .query_map(params![last, since, BATCH], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })?
                    .collect::<rusqlite::Result<Vec<(i64, [u8; Digest::LENGTH], i64)>>>()
            };
            let page = page().during(self.path(), DOING)?;
            let Some((id, ..)) = page.last() else { return Ok(()) };
            last = *id;
            let garbage: Vec<_> = page
                .iter()
                .filter(|(_, digest, _)| !marked.contains(&Digest::from_bytes(*digest)))
                .collect();
            let remove = || {
                let transaction =
                    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
                for (id, _, size) in &garbage {
                    // Unless a run at work has handed it in since we looked.
                    let gone = transaction
                        .prepare_cached("DELETE FROM blobs WHERE id = ?1 AND newest_run < ?2")?
                        .execute([*id, since])?;
                    collected.blobs += gone as u64;
                    collected.bytes += gone as u64 * size.cast_unsigned();
                }
                transaction.commit()
            };
            if dry_run {
                collected.blobs += garbage.len() as u64;
                collected.bytes +=
                    garbage.iter().map(|(.., size)| size.cast_unsigned()).sum::<u64>();
            } else if !garbage.is_empty() {
                gently(remove).during(self.path(), DOING)?;
            }
            tell(Progress { doing: DOING, done: collected.blobs, of: 0 });
        }
    }

    /// The same for their files.
    pub(super) fn sweep_files(
        &self,
        marked: &HashSet<Digest>,
        since: RunId,
        dry_run: bool,
        collected: &mut Collected,
        tell: Tell<'_>,
    ) -> Result<()> {
        let files = self.shared().files();
        // Nothing is written to find out what would be removed.
        let since = if dry_run { files::moment(since) } else { files.moment_on_disk(since)? };
        files.each(|blob, _| {
            if let Some((digest, coded)) = blob.filter(|(digest, _)| !marked.contains(digest))
                && let Some(size) = files.remove_before(&digest, coded, since, !dry_run)?
            {
                collected.blobs += 1;
                collected.bytes += size;
                tell(Progress { doing: "removing blobs", done: collected.blobs, of: 0 });
            }
            Ok(())
        })
    }

    /// Gives the space of removed rows back to the file system, unless it is so little that the
    /// next runs will soon use it again. A little at a time, for nobody can write meanwhile; a
    /// `VACUUM` would hold up others for as long as it takes to copy the whole catalog.
    pub(super) fn give_back(&self, connection: &Connection, tell: Tell<'_>) -> Result<()> {
        const DOING: &str = "giving space back";
        const PAGES: i64 = 1000;
        let count = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let free = count("freelist_count").during(self.path(), DOING)?;
        let pages = count("page_count").during(self.path(), DOING)?;
        // Catalogs that version 1 made cannot do this; their space is used again.
        let able = count("auto_vacuum").during(self.path(), DOING)? == 2;
        if !able || free < pages / 4 {
            return Ok(());
        }
        let mut left = free;
        while left > 0 {
            let step = || -> rusqlite::Result<i64> {
                let mut statement =
                    connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
                let mut rows = statement.query([])?;
                while rows.next()?.is_some() {}
                count("freelist_count")
            };
            let now = gently(step).during(self.path(), DOING)?;
            tell(Progress {
                doing: DOING,
                done: (free - now).max(0).cast_unsigned(),
                of: free.cast_unsigned(),
            });
            // Others may fill pages or free more of them at the same time.
            if now >= left {
                break;
            }
            left = now;
        }
        connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .during(self.path(), DOING)
    }
}
