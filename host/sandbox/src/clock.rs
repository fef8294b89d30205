//! The time of a task: virtual, so that it is the same in every run and nobody waits for it; or
//! real, where that is granted.

use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// By how much the clock moves at each look: 1 us. A guest that spins until some time has
/// passed gets there; a frozen clock would hang it.
const TICK: u64 = 1_000;

/// One clock for everything a task can ask the time: `task.now`, the wall clock and the
/// monotonic clock of WASI.
#[derive(Debug, Clone)]
pub(crate) enum Clock {
    /// It moves with looks and waits alone.
    Virtual(VirtualClock),
    /// The host's; the moment is that of the task's start.
    Real(Instant),
}

impl Clock {
    /// Looks at the monotonic clock.
    pub(crate) fn monotonic(&mut self) -> u64 {
        match self {
            Self::Virtual(clock) => clock.monotonic(),
            Self::Real(start) => nanoseconds(start.elapsed()),
        }
    }

    /// Looks at the wall clock: nanoseconds since 1970.
    pub(crate) fn wall(&mut self) -> u64 {
        match self {
            Self::Virtual(clock) => clock.wall(),
            Self::Real(_) => {
                nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
            }
        }
    }

    /// Says that the monotonic clock shows `deadline` now, or more. A real one does so by itself.
    pub(crate) fn wait_until(&mut self, deadline: u64) {
        if let Self::Virtual(clock) = self {
            clock.wait_until(deadline);
        }
    }

    /// The smallest difference that two looks can show.
    pub(crate) fn resolution(&self) -> u64 {
        match self {
            Self::Virtual(_) => TICK,
            Self::Real(_) => 1,
        }
    }
}

fn nanoseconds(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that is the same in every run.
#[derive(Debug, Clone)]
pub(crate) struct VirtualClock {
    /// The wall clock's time at the start, in nanoseconds since 1970.
    start: u64,
    /// Nanoseconds since the start, as the task experienced them.
    elapsed: u64,
}

impl VirtualClock {
    /// A clock that starts at a moment given in nanoseconds since 1970.
    pub(crate) fn new(start: u64) -> Self {
        Self { start, elapsed: 0 }
    }

    /// Looks at the monotonic clock.
    pub(crate) fn monotonic(&mut self) -> u64 {
        self.elapsed = self.elapsed.saturating_add(TICK);
        self.elapsed
    }

    /// Looks at the wall clock: nanoseconds since 1970.
    pub(crate) fn wall(&mut self) -> u64 {
        let elapsed = self.monotonic();
        self.start.saturating_add(elapsed)
    }

    /// Waits until the monotonic clock shows `deadline`: jumps there. Never goes back.
    pub(crate) fn wait_until(&mut self, deadline: u64) {
        self.elapsed = self.elapsed.max(deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_moves_the_clock() {
        let mut clock = VirtualClock::new(5_000_000);
        assert_eq!(clock.monotonic(), 1_000);
        assert_eq!(clock.wall(), 5_002_000);
    }

    #[test]
    fn waiting_jumps_and_never_goes_back() {
        let mut clock = VirtualClock::new(0);
        clock.wait_until(3_600_000_000_000);
        assert_eq!(clock.monotonic(), 3_600_000_001_000);
        clock.wait_until(7);
        assert_eq!(clock.monotonic(), 3_600_000_002_000);
        clock.wait_until(u64::MAX);
        assert_eq!(clock.wall(), u64::MAX);
    }
}
