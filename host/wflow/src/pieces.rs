//! Artifacts that a task reads and writes in pieces.

use std::sync::Arc;

use wflow_model::Name;
use wflow_model::record::Artifact;
use wflow_sandbox::ArtifactRead;
use wflow_sandbox::ArtifactWrite;
use wflow_sandbox::Problem;
use wflow_store::BlobReader;

use crate::context::RunContext;
use crate::output::Pieces;
use crate::quota::Open;
use crate::quota::Quota;

/// An artifact that is read in pieces.
pub(crate) struct PieceReader {
    format: Arc<str>,
    blob: BlobReader,
    run: Arc<RunContext>,
    _open: Open,
}

impl PieceReader {
    pub(crate) fn open(
        run: &Arc<RunContext>,
        artifact: &Artifact,
        open: Open,
    ) -> Result<Box<dyn ArtifactRead>, Problem> {
        let blob = run.store.open_blob(artifact).map_err(|error| run.refused(error))?;
        let (format, run) = (Arc::clone(&artifact.format), Arc::clone(run));
        Ok(Box::new(Self { format, blob, run, _open: open }))
    }
}

impl ArtifactRead for PieceReader {
    fn format(&self) -> Arc<str> {
        Arc::clone(&self.format)
    }

    fn size(&self) -> u64 {
        self.blob.size()
    }

    fn read(&mut self, offset: u64, count: u32) -> Result<Vec<u8>, Problem> {
        let left = self.blob.size().saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(count as usize)];
        let mut read = 0;
        while read < bytes.len() {
            let more = self.blob.read_at(&mut bytes[read..], offset + read as u64);
            match more.map_err(|error| self.run.refused(error))? {
                0 => break,
                more => read += more,
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// An artifact that is written in pieces.
pub(crate) struct PieceWriter {
    pub(crate) name: Name,
    pub(crate) pieces: Pieces,
    /// Why a piece is missing, and with it the artifact.
    pub(crate) refused: Option<Problem>,
    pub(crate) run: Arc<RunContext>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) _open: Open,
}

impl ArtifactWrite for PieceWriter {
    fn write(&mut self, data: &[u8]) -> Result<(), Problem> {
        if let Some(problem) = &self.refused {
            return Err(problem.clone());
        }
        let pushed = self
            .quota
            .put(data.len())
            .and_then(|()| self.pieces.push(data).map_err(|error| self.run.refused(error)));
        self.refused = pushed.clone().err();
        pushed
    }
}
