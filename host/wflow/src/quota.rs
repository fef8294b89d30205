//! What one task may leave behind, and hold open.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use wflow_sandbox::Exceeded;
use wflow_sandbox::Limits;
use wflow_sandbox::Problem;

/// The most readers and writers that a task may have open: each may hold a file of the host's, of
/// which a process has a thousand or so.
const MAX_OPEN: usize = 128;

/// Counts what a task puts. It gets to see a refusal, so that it can say where that was; if it goes
/// on regardless, the task fails when it returns.
#[derive(Debug)]
pub(crate) struct Quota {
    artifacts: u64,
    bytes: u64,
    put: AtomicU64,
    exceeded: OnceLock<Exceeded>,
    open: Arc<()>,
}

/// Room for one reader or writer, until it is dropped.
pub(crate) struct Open(#[expect(dead_code, reason = "its clones are counted")] Arc<()>);

impl Quota {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            artifacts: limits.artifacts,
            bytes: limits.artifact_bytes,
            put: AtomicU64::new(0),
            exceeded: OnceLock::new(),
            open: Arc::default(),
        }
    }

    /// The limit that the task went past first.
    pub(crate) fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded.get().copied()
    }

    /// How many artifacts there may be.
    pub(crate) fn artifacts(&self) -> usize {
        usize::try_from(self.artifacts).unwrap_or(usize::MAX)
    }

    /// Counts bytes that are put.
    pub(crate) fn put(&self, bytes: usize) -> Result<(), Problem> {
        // Nothing is taken back: what was hashed and written has cost what it cost.
        let before = self.put.fetch_add(bytes as u64, Ordering::Relaxed);
        if before.saturating_add(bytes as u64) > self.bytes {
            // Stays above the limit, however much follows.
            self.put.store(self.bytes, Ordering::Relaxed);
            return Err(self.refuse(Exceeded::ArtifactBytes(self.bytes)));
        }
        Ok(())
    }

    /// Whether there may be so many artifacts.
    pub(crate) fn count(&self, artifacts: usize) -> Result<(), Problem> {
        if artifacts as u64 > self.artifacts {
            return Err(self.refuse(Exceeded::Artifacts(self.artifacts)));
        }
        Ok(())
    }

    /// Makes room for one more reader or writer.
    pub(crate) fn open(&self) -> Result<Open, Problem> {
        let one_more = Arc::clone(&self.open);
        if Arc::strong_count(&self.open) > MAX_OPEN + 1 {
            return Err(Problem::Refused(format!(
                "a task may have {MAX_OPEN} readers and writers open at once: drop what is no \
                 longer needed"
            )));
        }
        Ok(Open(one_more))
    }

    fn refuse(&self, limit: Exceeded) -> Problem {
        self.exceeded.get_or_init(|| limit);
        Problem::Refused(format!("{limit}: {}", limit.hint()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(artifacts: u64, artifact_bytes: u64) -> Quota {
        Quota::new(&Limits { artifacts, artifact_bytes, ..Limits::default() })
    }

    #[test]
    fn bytes_are_counted_up_to_the_limit() {
        let quota = quota(1, 10);
        assert_eq!((quota.put(4), quota.put(6), quota.exceeded()), (Ok(()), Ok(()), None));
        assert!(quota.put(1).is_err());
        assert!(quota.put(usize::MAX).is_err() && quota.put(1).is_err(), "it does not wrap");
        assert_eq!(quota.exceeded(), Some(Exceeded::ArtifactBytes(10)));
    }

    #[test]
    fn what_is_closed_makes_room() {
        let quota = quota(1, 1);
        let mut open: Vec<_> = (0..MAX_OPEN).map(|_| quota.open().unwrap()).collect();
        assert!(quota.open().is_err());
        open.pop();
        assert!(quota.open().is_ok());
        assert_eq!(quota.exceeded(), None);
    }
}
