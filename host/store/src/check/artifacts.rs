//! The content of artifacts.

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use wflow_model::Digest;
use wflow_model::digest::ArtifactHasher;
use wflow_model::record::Artifact;
use wflow_model::record::Body;

use super::Check;
use super::DOING;
use super::Referrer;
use super::Subject;
use crate::artifact::ROW_MAX;
use crate::artifact::RowFault;
use crate::artifact::plain_row;
use crate::artifact::row as row_of;
use crate::content::BlobFile;
use crate::error::Result;
use crate::error::StoreError;
use crate::error::While;
use crate::progress::Progress;

/// The blobs that are as they should be.
#[derive(Default)]
pub(super) struct Verified {
    /// With the format and the size that records must say.
    blobs: HashMap<Digest, (Arc<str>, u64)>,
    formats: HashSet<Arc<str>>,
}

/// Where the bytes of a blob are.
enum Found {
    Row(Vec<u8>),
    File(BlobFile),
    Damaged(&'static str),
    Nowhere,
}

const SIZE: &str = "has not the size that its records say";
const CODING: &str = "is coded in a way that this wflow does not know";
const CONTENT: &str = "has a content that its digest does not fit";

impl Verified {
    /// The content of a blob was verified before, for a record that says the same of it.
    fn knows(&self, artifact: &Artifact) -> bool {
        self.blobs
            .get(&artifact.digest)
            .is_some_and(|(format, size)| *format == artifact.format && *size == artifact.size)
    }

    fn add(&mut self, artifact: &Artifact) {
        let format = match self.formats.get(&artifact.format) {
            Some(format) => Arc::clone(format),
            None => {
                self.formats.insert(Arc::clone(&artifact.format));
                Arc::clone(&artifact.format)
            }
        };
        self.blobs.insert(artifact.digest, (format, artifact.size));
    }
}

impl Check<'_> {
    /// An artifact is what its record says.
    pub(super) fn artifact(&mut self, artifact: &Artifact, referrer: &Referrer) -> Result<()> {
        if let Body::Inline(bytes) = &artifact.body {
            self.report.inline += 1;
            let why = if bytes.len() as u64 != artifact.size {
                SIZE
            } else if Digest::of_artifact(&artifact.format, bytes) != artifact.digest {
                CONTENT
            } else {
                return Ok(());
            };
            self.faults.add(Subject::Inline(referrer.clone()), why.to_owned());
            return Ok(());
        }
        if self.verified.knows(artifact) || self.faults.refer_to_blob(&artifact.digest, referrer) {
            return Ok(());
        }
        let found = self.find(artifact)?;
        let fault = match &found {
            Found::Row(bytes) if bytes.len() as u64 != artifact.size => Some(SIZE),
            Found::Row(bytes)
                if Digest::of_artifact(&artifact.format, bytes) == artifact.digest =>
            {
                None
            }
            Found::Row(_) => Some(CONTENT),
            Found::File(file) => self.file(file, artifact)?,
            Found::Damaged(why) => Some(*why),
            // Unless the run, and then its blobs, were removed while we looked.
            Found::Nowhere if self.store.has_run(referrer.run)? => Some("is missing"),
            Found::Nowhere => return Ok(()),
        };
        self.report.blobs += 1;
        self.report.bytes = self.report.bytes.saturating_add(artifact.size);
        match fault {
            None => self.verified.add(artifact),
            // A record that says something else than those before it is itself the fault.
            Some(why) if self.verified.blobs.contains_key(&artifact.digest) => {
                self.faults.add(Subject::Inline(referrer.clone()), why.to_owned());
            }
            Some(why) => self.faults.blob(artifact.digest, why.to_owned(), referrer),
        }
        Ok(())
    }

    fn find(&self, artifact: &Artifact) -> Result<Found> {
        let files = self.store.shared().files();
        // The size tells the tier, unless the store was written with other limits.
        let row_first = artifact.size <= ROW_MAX as u64;
        for row in [row_first, !row_first] {
            if row {
                let row =
                    row_of(self.snapshot, &artifact.digest).during(self.store.path(), DOING)?;
                if let Some((coding, bytes)) = row {
                    return Ok(match plain_row(coding, bytes) {
                        Ok(bytes) => Found::Row(bytes),
                        Err(RowFault::Damaged) => Found::Damaged(CONTENT),
                        Err(RowFault::Coding) => Found::Damaged(CODING),
                    });
                }
            } else {
                match files.open(&artifact.digest) {
                    Ok(None) => {}
                    Ok(Some(file)) => return Ok(Found::File(file)),
                    Err(StoreError::DamagedBlob { .. }) => return Ok(Found::Damaged(CONTENT)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Found::Nowhere)
    }

    /// What is wrong with the file of a blob, if something is.
    fn file(&mut self, file: &BlobFile, artifact: &Artifact) -> Result<Option<&'static str>> {
        const DOING: &str = "reading a blob";
        const PIECE: usize = 256 << 10;
        let path = self.store.path();
        if file.size().during(path, DOING)? != artifact.size {
            return Ok(Some(SIZE));
        }
        let mut hasher = ArtifactHasher::new(&artifact.format);
        let mut buffer = vec![0; PIECE];
        let mut offset = 0;
        loop {
            match file.read_at(&mut buffer, offset) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    offset += count as u64;
                    let (doing, of) = ("reading a large blob, bytes", artifact.size);
                    (self.tell)(Progress { doing, done: offset, of });
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    return Ok(Some(CONTENT));
                }
                // A bad sector is what a check is for.
                Err(error) => {
                    tracing::debug!(digest = %artifact.digest, %error, "a blob cannot be read");
                    return Ok(Some("cannot be read: the disk refuses"));
                }
            }
        }
        Ok((hasher.finish() != artifact.digest).then_some(CONTENT))
    }

    /// The rows of blobs that nothing refers to.
    pub(super) fn rows(&mut self) -> Result<()> {
        let path = self.store.path();
        let mut statement =
            self.snapshot.prepare("SELECT digest FROM blobs").during(path, DOING)?;
        let digests = statement
            .query_map([], |row| row.get::<_, [u8; Digest::LENGTH]>(0))
            .during(path, DOING)?;
        for digest in digests {
            let digest = Digest::from_bytes(digest.during(path, DOING)?);
            self.unreferenced(&digest);
        }
        Ok(())
    }

    /// The files of blobs stand where they belong.
    pub(super) fn files(&mut self) -> Result<()> {
        self.store.shared().files().each(|blob, path| {
            match blob {
                Some((digest, _)) => self.unreferenced(&digest),
                None => {
                    let subject = Subject::File(Path::new("blobs").join(path));
                    let why = "is no blob: it has a wrong name, or is in a wrong folder";
                    self.faults.add(subject, why.to_owned());
                }
            }
            Ok(())
        })
    }

    fn unreferenced(&mut self, digest: &Digest) {
        let referred = self.verified.blobs.contains_key(digest) || self.faults.has_blob(digest);
        self.report.unreferenced += u64::from(!referred);
    }
}
