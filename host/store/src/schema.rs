//! The tables of the catalog, their version, and how a connection is set up.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::config::DbConfig;

use crate::error::BUSY_TIMEOUT;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;

/// The file of the catalog within a store.
pub(crate) const CATALOG: &str = "catalog.sqlite";
/// The write-ahead log that SQLite keeps beside it.
pub(crate) const CATALOG_LOG: &str = "catalog.sqlite-wal";

/// The version of the tables below.
pub(crate) const VERSION: i64 = 3;
/// Marks an SQLite file as ours: `wflw`.
const APPLICATION: i64 = 0x7766_6c77;

/// `AUTOINCREMENT` remembers the greatest id ever given, so that a removed run's id does not
/// come back. Tasks are rows in the order of their commits: the greater part of a row is written
/// at the end of the file, and only the small entry of the index finds its place in order. `steps` counts them, so that nobody has to. A blob names the
/// newest run that handed it in: whoever removes blobs that no task refers to spares those of
/// the oldest run at work and later ones, whose tasks may be about to refer to them.
const TABLES: &str = r#"
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    flow TEXT NOT NULL,
    status INTEGER NOT NULL,
    created INTEGER NOT NULL,
    finished INTEGER,
    record BLOB NOT NULL,
    "end" BLOB
) STRICT;
CREATE INDEX runs_by_flow ON runs (flow, id);

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    key BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    status INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX tasks_by_key ON tasks (run, step, key);
CREATE INDEX tasks_failed ON tasks (run, step, key) WHERE status <> 0;

CREATE TABLE steps (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    newest_run INTEGER NOT NULL,
    coding INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX blobs_by_digest ON blobs (digest);
"#;

/// What version 2 added: words by which runs are found. The primary key finds the tags of a run,
/// the index the runs of a tag.
const TAGS: &str = "
CREATE TABLE tags (
    run INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (run, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_tag ON tags (tag, run);
";

/// What version 3 added: runs that have no tasks of their own, since all of theirs are those of
/// another run, which has none but its own.
const COPIES: &str = "
CREATE TABLE copies (
    run INTEGER PRIMARY KEY,
    source INTEGER NOT NULL
) STRICT;
CREATE INDEX copies_by_source ON copies (source, run);
";

/// The `coding` of a blob whose row holds its plain bytes.
pub(crate) const CODING_PLAIN: i64 = 0;
/// The `coding` of a blob whose row holds them as one zstd frame.
pub(crate) const CODING_ZSTD: i64 = 1;

/// Makes a catalog in a file that is not there yet. When this returns the file is complete, on
/// disk, and has no log beside it, so that it can be renamed.
pub(crate) fn create(file: &Path, store: &Path) -> Result<()> {
    const DOING: &str = "creating its catalog";
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).during(store, DOING)?;
    connection.pragma_update(None, "page_size", 4096).during(store, DOING)?;
    // Space can be given back a little at a time, while others write. It costs a page in 800, and
    // no time that could be measured.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").during(store, DOING)?;
    let transaction = connection.transaction().during(store, DOING)?;
    transaction.execute_batch(TABLES).during(store, DOING)?;
    transaction.execute_batch(TAGS).during(store, DOING)?;
    transaction.execute_batch(COPIES).during(store, DOING)?;
    transaction.pragma_update(None, "application_id", APPLICATION).during(store, DOING)?;
    transaction.pragma_update(None, "user_version", VERSION).during(store, DOING)?;
    transaction.commit().during(store, DOING)?;
    connection.pragma_update(None, "journal_mode", "WAL").during(store, DOING)?;
    connection.close().map_err(|(_, error)| error).during(store, DOING)
}

/// Opens a connection that reads; [`set_writable`] makes it one that writes as well.
pub(crate) fn connect(store: &Path) -> Result<Connection> {
    const DOING: &str = "opening its catalog";
    // A connection that may write, even where it only reads: the first one to come after a crash
    // replays the write-ahead log. On a file that cannot be written SQLite falls back to reading.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(store.join(CATALOG), flags).during(store, DOING)?;
    connection.busy_timeout(BUSY_TIMEOUT).during(store, DOING)?;
    connection.set_prepared_statement_cache_capacity(32);
    if version(&connection, store)? < VERSION {
        migrate(&connection, store)?;
    }
    connection.execute_batch(SETTINGS).during(store, DOING)?;
    checkpoint_on_close(&connection, false);
    Ok(connection)
}

/// Beyond what each says by itself: a checkpoint copies a page once however often it was written
/// since the last, so rare checkpoints (16 MiB) save work on the pages that grow; 8 MiB of page
/// cache hold the upper levels of the indices of some million tasks.
const SETTINGS: &str = "
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -8192;
PRAGMA wal_autocheckpoint = 4096;
PRAGMA journal_size_limit = 67108864;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
PRAGMA query_only = ON;
";

/// Says whether a connection writes or only reads.
pub(crate) fn set_writable(connection: &Connection, store: &Path, writable: bool) -> Result<()> {
    connection.pragma_update(None, "query_only", !writable).during(store, "opening its catalog")
}

/// Says whether a connection checkpoints when it is closed, if it is the last one.
pub(crate) fn checkpoint_on_close(connection: &Connection, wanted: bool) {
    let setting = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    if let Err(error) = connection.set_db_config(setting, !wanted) {
        tracing::debug!(%error, "closing the catalog will cost some milliseconds");
    }
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// The version of the catalog, which is one of ours that this program reads.
fn version(connection: &Connection, store: &Path) -> Result<i64> {
    const DOING: &str = "reading the version of its catalog";
    let foreign = |why| StoreError::NotAStore { path: store.to_path_buf(), why };
    if pragma(connection, "application_id").during(store, DOING)? != APPLICATION {
        return Err(foreign("its catalog.sqlite was made by another program"));
    }
    match pragma(connection, "user_version").during(store, DOING)? {
        found @ 1..=VERSION => Ok(found),
        found if found < 1 => Err(foreign("its catalog has a version that never was")),
        found => Err(StoreError::Newer { path: store.to_path_buf(), found, supported: VERSION }),
    }
}

/// Brings a catalog of an older version to that of this program, in one transaction. Records stay
/// as they are: they say themselves in which encoding they were written.
fn migrate(connection: &Connection, store: &Path) -> Result<()> {
    let work = || {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
            .during(store, MIGRATING)?;
        // Another process may have done it since we looked.
        let found = version(&transaction, store)?;
        for (version, added) in [(2, TAGS), (3, COPIES)] {
            if found < version {
                transaction.execute_batch(added).during(store, MIGRATING)?;
            }
        }
        if found < VERSION {
            transaction.pragma_update(None, "user_version", VERSION).during(store, MIGRATING)?;
        }
        transaction.commit().during(store, MIGRATING)
    };
    work().map_err(|error| match error {
        StoreError::ReadOnly { path, .. } => StoreError::Older { path, supported: VERSION },
        error => error,
    })
}

const MIGRATING: &str = "bringing its catalog to the format of this wflow";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_catalog_that_is_read_only_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CATALOG);
        Connection::open(&file)
            .unwrap()
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1;"
            ))
            .unwrap();
        let connection =
            Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let error = migrate(&connection, folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Older { supported: VERSION, .. }), "{error}");
        assert!(error.to_string().contains("read-only: make it writable"), "{error}");
    }
}
