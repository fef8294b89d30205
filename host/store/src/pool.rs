//! Connections to the catalog, kept for the next who needs one.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
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
        // One that an error left within a transaction is not used again.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && connection.is_autocommit() {
            idle.push(connection);
        }
        result
    }

    /// A connection to keep.
    pub(crate) fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => schema::connect(&self.store),
        }
    }

    /// The folder of the store.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }
}
