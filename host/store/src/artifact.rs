//! The three tiers of artifacts, and reading them.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use wflow_model::Digest;
use wflow_model::digest::ArtifactHasher;
use wflow_model::record::Artifact;
use wflow_model::record::Body;

use crate::coded;
use crate::content::BlobFile;
use crate::content::NewFile;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::queue::Item;
use crate::queue::Pending;
use crate::schema::CODING_PLAIN;
use crate::schema::CODING_ZSTD;
use crate::store::Shared;
use crate::store::Store;
use crate::writer::Sink;

/// The greatest number of bytes that an artifact keeps in the record of its task.
pub const INLINE_MAX: usize = 512;

/// The greatest number of bytes that an artifact keeps in a row of the catalog.
pub const ROW_MAX: usize = 64 << 10;

/// Takes the bytes of an artifact. They are hashed where they lie and copied once.
pub(crate) fn put(sink: &Sink, format: Arc<str>, bytes: &[u8]) -> Result<Artifact> {
    if bytes.len() <= ROW_MAX {
        let digest = Digest::of_artifact(&format, bytes);
        return put_small(sink, format, digest, bytes);
    }
    let begin = Instant::now();
    let digest = Digest::of_artifact(&format, bytes);
    let (hashing, size) = (begin.elapsed(), bytes.len() as u64);
    if sink.queue.pending(&digest).is_some() {
        // It is in the queue, ahead of whatever refers to it from here on.
    } else if sink.shared.files().has(&digest, size, sink.queue.run())? {
        sink.queue.push(Item::Present(digest))?;
    } else {
        let mut file = NewFile::new(sink.shared.files().temporary(sink.queue.run())?);
        let complete = file.write(bytes, hashing).and_then(|()| file.finish());
        let complete = complete.during(sink.shared.path(), "writing a blob")?;
        sink.queue.push(Item::Blob(digest, Pending::File(Arc::new(complete))))?;
    }
    Ok(Artifact { format, digest, size, body: Body::Stored })
}

/// Takes the bytes of an artifact that is too small for a file.
pub(crate) fn put_small(
    sink: &Sink,
    format: Arc<str>,
    digest: Digest,
    bytes: &[u8],
) -> Result<Artifact> {
    let body = if bytes.len() <= INLINE_MAX {
        Body::Inline(bytes.into())
    } else {
        sink.queue.push(Item::Blob(digest, Pending::Row(bytes.into())))?;
        Body::Stored
    };
    Ok(Artifact { format, digest, size: bytes.len() as u64, body })
}

/// The bytes of an artifact, to be read at any place and in any order.
#[derive(Clone, Debug)]
pub struct BlobReader {
    digest: Digest,
    size: u64,
    source: Source,
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Arc<[u8]>),
    File(Arc<BlobFile>),
}

impl Store {
    /// The bytes of an artifact.
    ///
    /// # Errors
    ///
    /// If they are missing, or not as many as they should be.
    pub fn read(&self, artifact: &Artifact) -> Result<Arc<[u8]>> {
        self.open_blob(artifact)?.read_all()
    }

    /// The bytes of an artifact, checked against its digest.
    ///
    /// # Errors
    ///
    /// If they are missing or damaged.
    pub fn read_verified(&self, artifact: &Artifact) -> Result<Arc<[u8]>> {
        let bytes = self.read(artifact)?;
        if Digest::of_artifact(&artifact.format, &bytes) == artifact.digest {
            Ok(bytes)
        } else {
            Err(StoreError::DamagedBlob { digest: artifact.digest, why: OTHER_CONTENT })
        }
    }

    /// Checks the bytes of an artifact against its digest, holding only a piece of them in
    /// memory.
    ///
    /// # Errors
    ///
    /// If they are missing or damaged.
    pub fn verify(&self, artifact: &Artifact) -> Result<()> {
        let reader = self.open_blob(artifact)?;
        let mut hasher = ArtifactHasher::new(&artifact.format);
        let mut buffer = vec![0; 256 << 10];
        let mut offset = 0;
        loop {
            match reader.read_at(&mut buffer, offset)? {
                0 => break,
                count => {
                    hasher.update(&buffer[..count]);
                    offset += count as u64;
                }
            }
        }
        if hasher.finish() == artifact.digest {
            Ok(())
        } else {
            Err(StoreError::DamagedBlob { digest: artifact.digest, why: OTHER_CONTENT })
        }
    }

    /// Opens the bytes of an artifact.
    ///
    /// # Errors
    ///
    /// If they are missing, or not as many as they should be.
    pub fn open_blob(&self, artifact: &Artifact) -> Result<BlobReader> {
        let source = match &artifact.body {
            Body::Inline(bytes) => Source::Memory(Arc::clone(bytes)),
            Body::Stored => self.find(artifact)?,
        };
        let size = match &source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File(file) => {
                file.size().during(self.path(), "looking at the size of a blob")?
            }
        };
        if size == artifact.size {
            let shared = Arc::clone(self.shared());
            Ok(BlobReader { digest: artifact.digest, size, source, shared })
        } else {
            Err(StoreError::DamagedBlob { digest: artifact.digest, why: "its size has changed" })
        }
    }

    /// Looks for bytes that are not in the record itself.
    fn find(&self, artifact: &Artifact) -> Result<Source> {
        let digest = &artifact.digest;
        // In this order: what is no longer pending is committed, so it is found after that.
        match self.shared().pending(digest) {
            Some(Pending::Row(bytes)) => return Ok(Source::Memory(bytes)),
            Some(Pending::File(complete)) => {
                let file = complete.open().during(self.path(), "opening a blob")?;
                return Ok(Source::File(Arc::new(file)));
            }
            None => {}
        }
        // The size tells the tier, unless the store was written with other limits.
        let row_first = artifact.size <= ROW_MAX as u64;
        for row in [row_first, !row_first] {
            if row {
                if let Some(bytes) = self.find_row(digest)? {
                    return Ok(Source::Memory(bytes));
                }
            } else if let Some(file) = self.shared().files().open(digest)? {
                return Ok(Source::File(Arc::new(file)));
            }
        }
        Err(StoreError::MissingBlob(*digest))
    }

    fn find_row(&self, digest: &Digest) -> Result<Option<Arc<[u8]>>> {
        const DOING: &str = "reading a blob";
        let found = self
            .shared()
            .pool()
            .with(|connection| row(connection, digest).during(self.path(), DOING))?;
        let Some((coding, bytes)) = found else { return Ok(None) };
        match plain_row(coding, bytes) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(fault) => {
                let why = match fault {
                    RowFault::Damaged => OTHER_CONTENT,
                    RowFault::Coding => "it is coded in a way that this wflow does not know",
                };
                Err(StoreError::DamagedBlob { digest: *digest, why })
            }
        }
    }
}

/// The coding and the bytes of a blob's row, if it has one.
pub(crate) fn row(
    connection: &Connection,
    digest: &Digest,
) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    connection
        .prepare_cached("SELECT coding, bytes FROM blobs WHERE digest = ?1")?
        .query_row([digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Why there are no plain bytes in a row.
pub(crate) enum RowFault {
    /// They are not what was written.
    Damaged,
    /// A newer wflow may read them.
    Coding,
}

/// The plain bytes of a row.
pub(crate) fn plain_row(coding: i64, bytes: Vec<u8>) -> std::result::Result<Vec<u8>, RowFault> {
    match coding {
        CODING_PLAIN => Ok(bytes),
        CODING_ZSTD => coded::expand(&bytes, ROW_MAX).map_err(|_| RowFault::Damaged),
        _ => Err(RowFault::Coding),
    }
}

const OTHER_CONTENT: &str = "its content has changed";

impl BlobReader {
    /// The number of bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads bytes from a place on; returns how many, which is none only at the end or for an
    /// empty buffer.
    ///
    /// # Errors
    ///
    /// If the disk refuses, or if bytes are missing.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let left = self.size.saturating_sub(offset);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..wanted];
        match &self.source {
            Source::Memory(bytes) => {
                // `wanted` is 0 if the offset is beyond the end.
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                buffer.copy_from_slice(&bytes[start..start + wanted]);
            }
            Source::File(file) => self.fill(file, buffer, offset)?,
        }
        Ok(wanted)
    }

    /// All bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::read_at`].
    pub fn read_all(&self) -> Result<Arc<[u8]>> {
        let file = match &self.source {
            Source::Memory(bytes) => return Ok(Arc::clone(bytes)),
            Source::File(file) => file,
        };
        let too_large = || StoreError::DamagedBlob {
            digest: self.digest,
            why: "it is larger than the memory of this machine can be",
        };
        let size = usize::try_from(self.size).map_err(|_| too_large())?;
        // Read where it stays: a vector would have to be copied.
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, size).collect();
        let buffer = Arc::get_mut(&mut bytes).ok_or_else(too_large)?;
        self.fill(file, buffer, 0)?;
        Ok(bytes)
    }

    fn fill(&self, file: &BlobFile, mut buffer: &mut [u8], mut offset: u64) -> Result<()> {
        while !buffer.is_empty() {
            match file.read_at(buffer, offset) {
                Ok(0) => {
                    return Err(StoreError::DamagedBlob {
                        digest: self.digest,
                        why: "its file was cut short",
                    });
                }
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let why = OTHER_CONTENT;
                    return Err(StoreError::DamagedBlob { digest: self.digest, why });
                }
                Err(error) => return Err(error).during(self.shared.path(), "reading a blob"),
            }
        }
        Ok(())
    }
}
