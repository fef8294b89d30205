//! Connections to the catalog, kept for the next who needs one.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rusqlite::Connection;

use crate::error::Result;
use crate::schema;

/// More than this are closed instead of kept.
const KEPT: usize = 8;

/// The connections of one store.
#[derive(Debug)]
pub(crate) struct Pool {
    store: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// The pool of a store; its first connection shows whether there is a catalog at all.
    pub(crate) fn open(store: PathBuf) -> Result<Self> {
        let first = schema::connect(&store)?;
        Ok(Self { store, idle: Mutex::new(vec![first]) })
    }

    /// Does something with a connection that reads.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let connection = self.take()?;
        let result = work(&connection);
        self.put_back(connection);
        result
    }

    /// Does something with a connection that writes.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let connection = self.take()?;
        schema::set_writable(&connection, &self.store, true)?;
        let result = work(&connection);
        if schema::set_writable(&connection, &self.store, false).is_ok() {
            self.put_back(connection);
        }
        result
    }

    /// A connection to keep for a while.
    pub(crate) fn take(&self) -> Result<Connection> {
        let idle = self.idle().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => schema::connect(&self.store),
        }
    }

    /// Takes back a connection that reads.
    pub(crate) fn put_back(&self, connection: Connection) {
        let mut idle = self.idle();
        // One that an error left within a transaction is not used again.
        if idle.len() < KEPT && connection.is_autocommit() {
            idle.push(connection);
        }
    }

    /// Lets the last connection that is closed, of all processes, move what is in the write-ahead
    /// log to the database.
    pub(crate) fn checkpoint_on_close(&self) {
        for connection in self.idle().iter() {
            schema::checkpoint_on_close(connection, true);
        }
    }

    /// The folder of the store.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
