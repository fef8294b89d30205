//! Artifacts that are written in pieces.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use wflow_model::digest::ArtifactHasher;
use wflow_model::record::Artifact;
use wflow_model::record::Body;

use crate::artifact::ROW_MAX;
use crate::artifact::put_small;
use crate::content::NewFile;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::queue::Item;
use crate::queue::Pending;
use crate::writer::Sink;

/// Takes an artifact in pieces, of any size and number. Dropped without [`Self::finish`], it
/// leaves nothing behind.
pub struct BlobWriter {
    sink: Sink,
    format: Arc<str>,
    hasher: ArtifactHasher,
    /// What is neither hashed nor written yet: small pieces are gathered here.
    buffer: Vec<u8>,
    /// What is.
    written: u64,
    /// There from the moment on at which the artifact is too large for a row.
    file: Option<NewFile>,
    /// How long what is written took to be hashed.
    hashing: Duration,
}

impl BlobWriter {
    pub(crate) fn new(sink: Sink, format: Arc<str>) -> Self {
        let hasher = ArtifactHasher::new(&format);
        let (buffer, hashing) = (Vec::new(), Duration::ZERO);
        Self { sink, format, hasher, buffer, written: 0, file: None, hashing }
    }

    /// The number of bytes so far.
    pub fn size(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// If the disk refuses. The artifact is lost then.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        if self.buffer.len() + piece.len() <= ROW_MAX {
            self.buffer.extend_from_slice(piece);
            return Ok(());
        }
        let mut piece = piece;
        if !self.buffer.is_empty() {
            // Filled up first: by the beginning it is settled whether compression pays.
            let (first, rest) = piece.split_at(ROW_MAX - self.buffer.len());
            self.buffer.extend_from_slice(first);
            piece = rest;
            let buffer = std::mem::take(&mut self.buffer);
            self.spill(&buffer)?;
            self.buffer = buffer;
            self.buffer.clear();
        }
        // A large piece goes past the buffer, so that it is not copied.
        if piece.len() > ROW_MAX / 2 {
            self.spill(piece)?;
        } else {
            self.buffer.extend_from_slice(piece);
        }
        Ok(())
    }

    /// Hashes and writes.
    fn spill(&mut self, bytes: &[u8]) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let temp = self.sink.shared.files().temporary(self.sink.queue.run())?;
                none.insert(NewFile::new(temp))
            }
        };
        let begin = Instant::now();
        self.hasher.update(bytes);
        self.hashing += begin.elapsed();
        file.write(bytes, self.hashing).during(self.sink.shared.path(), "writing a blob")?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Ends the artifact. It can be read at once, and a record that is appended later may refer
    /// to it.
    ///
    /// # Errors
    ///
    /// If the store failed, now or at an earlier commit.
    pub fn finish(mut self) -> Result<Artifact> {
        let buffer = std::mem::take(&mut self.buffer);
        if self.file.is_none() {
            self.hasher.update(&buffer);
            return put_small(&self.sink, self.format, self.hasher.finish(), &buffer);
        }
        self.spill(&buffer)?;
        let digest = self.hasher.finish();
        let size = self.written;
        if self.sink.shared.files().has(&digest, size, self.sink.queue.run())? {
            self.sink.queue.push(Item::Present(digest))?;
        } else if let Some(file) = self.file {
            let complete = file.finish().during(self.sink.shared.path(), "writing a blob")?;
            // If the same blob is pending already, the queue lets go of this file.
            self.sink.queue.push(Item::Blob(digest, Pending::File(Arc::new(complete))))?;
        }
        Ok(Artifact { format: self.format, digest, size, body: Body::Stored })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(|error| match error {
            StoreError::DiskFull { .. } => io::Error::new(io::ErrorKind::StorageFull, error),
            error => io::Error::other(error),
        })?;
        Ok(bytes.len())
    }

    /// Nothing: the bytes are on disk when the task that refers to them is.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
