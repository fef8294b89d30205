//! What a task may use, and what happens when it wants more.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use serde::Serialize;
use wasmtime::ResourceLimiter;

use crate::engine::CORE_INSTANCES_PER_COMPONENT;
use crate::engine::MEMORIES_PER_COMPONENT;
use crate::engine::TABLES_PER_COMPONENT;

/// What one task may use. A task that wants more of something ends, or is refused, with an error
/// that names the limit; the others go on.
///
/// Beside its memory, the host holds for a task at most a copy of what one call moves (no more than
/// the smaller of `hostcall_bytes` and `memory`), its log, and some 64 MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of linear memory, summed over all memories of the task.
    pub memory: u64,
    /// How long it may run by the host's real clock.
    pub timeout: Option<Duration>,
    /// How much it may compute, in the engine's units: about one for each instruction. Exact, and
    /// the same on every machine. Needs an engine that counts: see [`crate::SandboxOptions`].
    pub fuel: Option<u64>,
    /// Bytes of its call stack, at most [`Limits::MAX_STACK`]. The engine's, for all tasks: see
    /// [`crate::SandboxOptions`].
    pub stack: u64,
    /// Bytes that it may write to standard output, and as many again to standard error.
    pub log_bytes: u64,
    /// Artifacts that it may leave behind, those that it inherits included.
    pub artifacts: u64,
    /// Bytes of all artifacts that it puts, pieces included as they are written.
    pub artifact_bytes: u64,
    /// Bytes that may cross the border in one call, such as one `put`.
    pub hostcall_bytes: u64,
    /// Elements of function tables, summed over all tables of the task.
    pub table_elements: u64,
    /// Readers, writers and timers that are open at once.
    pub handles: u32,
}

impl Limits {
    /// The deepest stack that a task may have: the threads that run tasks set it aside.
    pub const MAX_STACK: u64 = 64 << 20;

    /// Bytes that one call moves at most. What a guest passes lies in its memory, so more than that
    /// comes only of telling the host to take the same bytes many times over.
    pub(crate) fn call_bytes(&self) -> u64 {
        self.hostcall_bytes.min(self.memory.max(Self::SMALL_CALL))
    }

    /// What one call may always move.
    const SMALL_CALL: u64 = 16 << 20;
}

impl Default for Limits {
    /// Room for real data work on a small machine.
    fn default() -> Self {
        Self {
            memory: 1 << 30,
            timeout: Some(Duration::from_secs(5 * 24 * 3600)),
            fuel: None,
            stack: 1 << 20,
            log_bytes: 32 << 20,
            artifacts: 100_000,
            artifact_bytes: 1 << 40,
            hostcall_bytes: 1 << 30,
            table_elements: 1_000_000,
            handles: 10_000,
        }
    }
}

/// Stops tasks from outside: all that were given a clone of it.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels. A guest that runs is stopped within some 10 ms; one in a host call, when the
    /// call returns.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why the host stopped a guest that was still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// From outside.
    #[error("the task was cancelled")]
    Cancelled,
    /// It ran too long.
    #[error("the task ran too long")]
    TimedOut,
}

/// Looks, at every tick of the epoch, whether a guest has to stop.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    deadline: Option<Instant>,
    cancel: CancelToken,
}

impl Watch {
    /// Starts to watch now.
    pub(crate) fn start(timeout: Option<Duration>, cancel: &CancelToken) -> Self {
        // A timeout too far away to be a moment is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { deadline, cancel: cancel.clone() }
    }

    /// # Errors
    ///
    /// If the guest has to stop.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            Err(Stop::Cancelled)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Err(Stop::TimedOut)
        } else {
            Ok(())
        }
    }

    /// Waits until the guest has to stop; for host calls that wait for something else.
    pub(crate) async fn stopped(&self) -> Stop {
        loop {
            if let Err(stop) = self.check() {
                return stop;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// How often a host call that waits looks whether the guest has to stop.
const LOOK: Duration = Duration::from_millis(10);

/// Counts what a task's instances allocate. wasmtime's own limiter bounds each memory alone;
/// this one bounds their sum, which is what the machine feels.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: Budget,
    table_elements: Budget,
    /// A growth that was granted failed for a reason of the engine. It stays counted.
    failed: bool,
}

/// An amount that may grow up to a limit.
#[derive(Debug)]
struct Budget {
    limit: u64,
    used: u64,
    /// The total that would have been reached by the first growth that was refused.
    refused: Option<u64>,
}

impl Budget {
    fn new(limit: u64) -> Self {
        Self { limit, used: 0, refused: None }
    }

    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The guest's own limit, not ours.
            return false;
        }
        let delta = desired.saturating_sub(current) as u64;
        let total = self.used.saturating_add(delta);
        if total > self.limit {
            self.refused.get_or_insert(total);
            return false;
        }
        self.used = total;
        true
    }
}

impl Limiter {
    /// Nothing used yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Budget::new(limits.memory),
            table_elements: Budget::new(limits.table_elements),
            failed: false,
        }
    }

    /// Whether a growth failed, be it for a limit or because the machine has no more to give.
    pub(crate) fn refused_any(&self) -> bool {
        self.failed || self.memory.refused.is_some() || self.table_elements.refused.is_some()
    }

    /// How many bytes of memory the task wanted to have in all when it was refused.
    pub(crate) fn refused_memory(&self) -> Option<u64> {
        self.memory.refused
    }

    /// Whether the task was refused a larger table.
    pub(crate) fn refused_table(&self) -> bool {
        self.table_elements.refused.is_some()
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.memory.grow(current, desired, maximum))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.table_elements.grow(current, desired, maximum))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed = true;
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_COMPONENT as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_COMPONENT as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_summed() {
        let mut budget = Budget::new(100);
        assert!(budget.grow(0, 60, None));
        assert!(budget.grow(0, 40, None));
        assert!(!budget.grow(40, 41, None));
        assert_eq!(budget.refused, Some(101));
    }

    #[test]
    fn the_guests_own_maximum_is_not_our_refusal() {
        let mut budget = Budget::new(100);
        assert!(!budget.grow(0, 60, Some(50)));
        assert_eq!(budget.refused, None);
    }
}
