//! The random numbers of a task.

use crate::TaskContext;

/// Names the purpose of the derived keys. Another text gives every task other numbers, so it
/// never changes; a better derivation gets a new one.
const PURPOSE: &str = "wflow 2026-11-24 random numbers of a task";

/// Where a task has its random numbers from.
pub(crate) enum Source {
    /// A generator of its own.
    Seeded(Random),
    /// The host, where that is granted.
    Host,
}

impl Source {
    /// Draws bytes.
    ///
    /// # Errors
    ///
    /// If the host has none to give.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<Vec<u8>, NoEntropy> {
        let mut bytes = vec![0; count];
        match self {
            Self::Seeded(random) => random.fill(&mut bytes),
            Self::Host => getrandom::fill(&mut bytes).map_err(NoEntropy)?,
        }
        Ok(bytes)
    }

    /// Draws a number.
    ///
    /// # Errors
    ///
    /// If the host has none to give.
    pub(crate) fn number(&mut self) -> Result<u64, NoEntropy> {
        Ok(match self {
            Self::Seeded(random) => random.number(),
            Self::Host => getrandom::u64().map_err(NoEntropy)?,
        })
    }
}

/// The host has no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the host has no random numbers to give: {0}")]
pub(crate) struct NoEntropy(getrandom::Error);

/// A generator whose numbers follow from the run's seed and the identity of the task alone:
/// the extendable output of BLAKE3, which is a stream cipher in all but name, so siblings
/// share nothing and a second run draws the same.
pub(crate) struct Random(blake3::OutputReader);

impl Random {
    /// The generator of one task. The run's id is no part of it.
    pub(crate) fn of(task: &TaskContext) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(PURPOSE);
        hasher.update(&task.seed.to_le_bytes());
        for text in [&*task.step, &*task.task] {
            // The length goes first, so that ("a", "bc") and ("ab", "c") differ.
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.update(&task.attempt.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    /// The generator that `describe` sees: the same for every flow.
    pub(crate) fn of_describe() -> Self {
        Self(blake3::Hasher::new_derive_key(PURPOSE).finalize_xof())
    }

    /// Draws bytes.
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// Draws a number.
    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> TaskContext {
        TaskContext {
            flow: "F".into(),
            run_id: "1".into(),
            step: "a".into(),
            task: "bc".into(),
            attempt: 0,
            frames: Vec::new(),
            seed: 7,
            logical_time: 0,
            access: crate::Access::none(),
        }
    }

    fn bytes(random: &mut Random, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        random.fill(&mut bytes);
        bytes
    }

    #[test]
    fn numbers_follow_from_seed_and_identity() {
        let first = Random::of(&task()).number();
        assert_eq!(first, Random::of(&task()).number());
        assert_eq!(first, Random::of(&TaskContext { run_id: "2".into(), ..task() }).number());

        let others = [
            TaskContext { seed: 8, ..task() },
            TaskContext { attempt: 1, ..task() },
            TaskContext { step: "ab".into(), task: "c".into(), ..task() },
        ];
        for other in others {
            assert_ne!(first, Random::of(&other).number());
        }
    }

    #[test]
    fn the_numbers_never_change() {
        // Golden: runs recorded by earlier versions must reproduce.
        assert_eq!(bytes(&mut Random::of(&task()), 4), GOLDEN);
    }

    const GOLDEN: [u8; 4] = [169, 92, 166, 201];

    #[test]
    fn pieces_join_to_the_whole() {
        let mut pieces = Random::of_describe();
        let joined = [bytes(&mut pieces, 3), bytes(&mut pieces, 100)].concat();
        assert_eq!(joined, bytes(&mut Random::of_describe(), 103));
    }
}
