//! Where what tasks produce goes: into the store, as part of a run; or nowhere, when a run that has
//! been is executed again to see whether it would produce the same.

use std::sync::Arc;

use wflow_model::Digest;
use wflow_model::digest::ArtifactHasher;
use wflow_model::record::Artifact;
use wflow_model::record::Body;
use wflow_store::BlobWriter;
use wflow_store::RunWriter;
use wflow_store::Store;
use wflow_store::StoreError;

/// Takes what tasks produce.
pub(crate) enum Output {
    /// Keeps it as part of a run.
    Run(Arc<RunWriter>),
    /// Looks what it is. What the store has already can be read back, and what is given at once.
    Nowhere(Store),
}

impl Output {
    /// Takes an artifact.
    pub(crate) fn put(&self, format: Arc<str>, bytes: &[u8]) -> Result<Artifact, StoreError> {
        match self {
            Self::Run(writer) => writer.put(format, bytes),
            Self::Nowhere(store) => {
                let digest = Digest::of_artifact(&format, bytes);
                let size = bytes.len() as u64;
                let stored = Artifact { format, digest, size, body: Body::Stored };
                if bytes.len() > wflow_store::INLINE_MAX && store.open_blob(&stored).is_ok() {
                    return Ok(stored);
                }
                Ok(Artifact { body: Body::Inline(bytes.into()), ..stored })
            }
        }
    }

    /// Takes an artifact in pieces.
    pub(crate) fn stream(&self, format: &str) -> Pieces {
        match self {
            Self::Run(writer) => Pieces::Run(Box::new(writer.stream(format))),
            Self::Nowhere(_) => Pieces::Nowhere {
                hasher: Box::new(ArtifactHasher::new(format)),
                format: format.into(),
                size: 0,
                small: Vec::new(),
            },
        }
    }

    /// Waits until all tasks before can be read.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        match self {
            Self::Run(writer) => writer.flush(),
            Self::Nowhere(_) => Ok(()),
        }
    }
}

/// Takes an artifact in pieces.
pub(crate) enum Pieces {
    Run(Box<BlobWriter>),
    Nowhere {
        hasher: Box<ArtifactHasher>,
        format: Arc<str>,
        size: u64,
        /// All of it, as long as it is small.
        small: Vec<u8>,
    },
}

impl Pieces {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        match self {
            Self::Run(blob) => blob.push(piece),
            Self::Nowhere { hasher, size, small, .. } => {
                hasher.update(piece);
                *size += piece.len() as u64;
                if *size <= wflow_store::INLINE_MAX as u64 {
                    small.extend_from_slice(piece);
                }
                Ok(())
            }
        }
    }

    /// The artifact that the pieces make.
    pub(crate) fn finish(self) -> Result<Artifact, StoreError> {
        match self {
            Self::Run(blob) => blob.finish(),
            Self::Nowhere { hasher, format, size, small } => {
                let body = match size <= wflow_store::INLINE_MAX as u64 {
                    true => Body::Inline(small.into()),
                    false => Body::Stored,
                };
                Ok(Artifact { format, digest: hasher.finish(), size, body })
            }
        }
    }
}
