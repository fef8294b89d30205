//! A sample of things that come one after the other.

use std::hash::BuildHasher;
use std::hash::RandomState;

/// Chooses a share of things, each as likely as any other, and exactly so many.
pub(crate) struct Sample {
    /// How many are still to come.
    left: u64,
    /// How many of those are to be chosen.
    wanted: u64,
    numbers: blake3::OutputReader,
}

impl Sample {
    /// A share of so many; another one each time.
    pub(crate) fn new(of: u64, share: f64) -> Self {
        let numbers = blake3::Hasher::new_derive_key("wflow 2026-11-25 sample of tasks")
            .update(&RandomState::new().hash_one(of).to_le_bytes())
            .finalize_xof();
        Self { left: of, wanted: Self::size(of, share), numbers }
    }

    /// How many a share is: rounded up, so that it is none only of none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a number is between 0 and it"
    )]
    pub(crate) fn size(of: u64, share: f64) -> u64 {
        ((of as f64 * share.clamp(0.0, 1.0)).ceil() as u64).clamp(of.min(1), of)
    }

    /// Whether the next one is chosen: with the chance that makes it come out even (selection
    /// sampling, Knuth's algorithm S).
    pub(crate) fn takes_next(&mut self) -> bool {
        let taken = self.wanted >= self.left || self.below(self.left) < self.wanted;
        self.left = self.left.saturating_sub(1);
        self.wanted -= u64::from(taken && self.wanted > 0);
        taken
    }

    /// A number below a limit. That some are likelier by 2^-64 does not show.
    fn below(&mut self, limit: u64) -> u64 {
        let mut bytes = [0; 16];
        self.numbers.fill(&mut bytes);
        (u128::from_le_bytes(bytes) % u128::from(limit)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_so_many_are_chosen() {
        for (of, share, size) in
            [(0, 0.5, 0), (1, 0.01, 1), (10, 1.0, 10), (1000, 0.05, 50), (3, 0.5, 2), (7, 0.0, 1)]
        {
            let mut sample = Sample::new(of, share);
            let chosen = (0..of).filter(|_| sample.takes_next()).count();
            assert_eq!(chosen as u64, size, "{share} of {of}");
        }
    }

    #[test]
    fn every_place_may_be_chosen() {
        let mut counts = [0; 10];
        for _ in 0..1000 {
            let mut sample = Sample::new(10, 0.2);
            counts.iter_mut().for_each(|count| *count += u32::from(sample.takes_next()));
        }
        assert!(counts.iter().all(|count| (100..300).contains(count)), "{counts:?}");
    }
}
