//! The identity of a task within its run.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// A step by its position in the graph of its run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StepIndex(pub u32);

impl StepIndex {
    /// The position as an index into the steps of a graph.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// Which task of a step: the foreach indices that lead to it, outermost first, and how often a
/// loop came by before.
///
/// It follows from the graph and the data alone, never from the order in which threads happened
/// to start, so it is the same in every run. Written `17`, `3.2` when nested, `1` outside any
/// foreach, and with `~2` behind it in the second round of a loop.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TaskId {
    /// Positions of the items in the foreach loops around the task, outermost first.
    pub indices: Vec<u32>,
    /// 1 at the first visit of a step in a loop, 2 at the second, and so on.
    pub round: u32,
}

/// The text is no task id, or not one of a step at that depth of foreach loops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", match depth {
    0 => "the task of a step outside any foreach is `1`".to_owned(),
    1 => "the task of a step in a foreach is the position of its item, such as `17`".to_owned(),
    n => format!("the task of a step in {n} nested foreach has {n} positions, such as `{}`",
        vec!["3"; *n].join(".")),
})]
pub struct InvalidTaskId {
    depth: usize,
}

impl TaskId {
    /// The only task of a step outside any foreach.
    pub const ROOT: Self = Self { indices: Vec::new(), round: 1 };

    /// The id of the task for one item of a foreach that this task started.
    pub fn child(&self, index: u32) -> Self {
        let mut indices = Vec::with_capacity(self.indices.len() + 1);
        indices.extend_from_slice(&self.indices);
        indices.push(index);
        Self { indices, round: self.round }
    }

    /// Reads the id of a task whose step stands inside `depth` foreach loops, in its one spelling:
    /// the first round is not written.
    ///
    /// # Errors
    ///
    /// If the text is not such an id.
    pub fn parse(text: &str, depth: usize) -> Result<Self, InvalidTaskId> {
        let invalid = InvalidTaskId { depth };
        let (indices, round) = match text.split_once('~') {
            Some((indices, round)) => (indices, number(round).filter(|&r| r > 1)),
            None => (text, Some(1)),
        };
        let round = round.ok_or(invalid.clone())?;
        if depth == 0 {
            return if indices == "1" {
                Ok(Self { indices: Vec::new(), round })
            } else {
                Err(invalid)
            };
        }
        let indices: Vec<u32> =
            indices.split('.').map(number).collect::<Option<_>>().ok_or(invalid.clone())?;
        if indices.len() == depth { Ok(Self { indices, round }) } else { Err(invalid) }
    }

    /// A key that orders the tasks of one step as a person would: by position, then by round.
    /// All tasks of a step have as many indices, so big-endian bytes compare in that order.
    pub fn sort_key(&self) -> Vec<u8> {
        let parts = self.indices.iter().chain(std::iter::once(&self.round));
        parts.flat_map(|part| part.to_be_bytes()).collect()
    }

    /// Whether this is its [`Self::sort_key`].
    pub fn has_sort_key(&self, key: &[u8]) -> bool {
        let parts = self.indices.iter().chain(std::iter::once(&self.round));
        match key.as_chunks::<4>() {
            (chunks, []) => parts.map(|part| part.to_be_bytes()).eq(chunks.iter().copied()),
            _ => false,
        }
    }

    /// The id whose [`Self::sort_key`] this is.
    ///
    /// Returns none if the bytes are no such key.
    pub fn from_sort_key(key: &[u8]) -> Option<Self> {
        let (parts, []) = key.as_chunks::<4>() else { return None };
        let mut parts: Vec<u32> = parts.iter().map(|part| u32::from_be_bytes(*part)).collect();
        let round = parts.pop()?;
        Some(Self { indices: parts, round })
    }
}

/// A decimal number without sign, spaces or leading zeros, so that every id has one spelling.
fn number(text: &str) -> Option<u32> {
    let canonical = text == "0" || (!text.starts_with('0') && !text.starts_with('+'));
    text.parse().ok().filter(|_| canonical)
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.indices.split_first() {
            None => f.write_str("1")?,
            Some((first, rest)) => {
                write!(f, "{first}")?;
                for index in rest {
                    write!(f, ".{index}")?;
                }
            }
        }
        if self.round > 1 {
            write!(f, "~{}", self.round)?;
        }
        Ok(())
    }
}

/// A task of the run at hand.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TaskRef {
    /// Its step.
    pub step: StepIndex,
    /// Which task of the step.
    pub task: TaskId,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_read_as_they_are_written() {
        let nested = TaskId { indices: vec![3, 2], round: 1 };
        assert_eq!(nested.to_string(), "3.2");
        assert_eq!(TaskId::ROOT.to_string(), "1");
        assert_eq!(TaskId { indices: vec![], round: 2 }.to_string(), "1~2");
        for (bad, depth) in
            [("2", 0), ("", 1), ("03", 1), ("+3", 1), ("3.2", 1), ("3", 2), ("3~0", 1), ("3~1", 1)]
        {
            assert!(TaskId::parse(bad, depth).is_err(), "{bad} at depth {depth}");
        }
    }

    proptest! {
        #[test]
        fn text_and_key_round_trip(indices in prop::collection::vec(any::<u32>(), 0..4), round in 1u32..) {
            let id = TaskId { indices, round };
            prop_assert_eq!(TaskId::parse(&id.to_string(), id.indices.len()), Ok(id.clone()));
            let mut key = id.sort_key();
            prop_assert!(id.has_sort_key(&key));
            prop_assert_eq!(TaskId::from_sort_key(&key), Some(id.clone()));
            key.push(0);
            prop_assert!(!id.has_sort_key(&key) && !id.has_sort_key(&key[..4]) | id.indices.is_empty());
        }

        #[test]
        fn keys_order_as_ids(a in prop::array::uniform3(any::<u32>()), b in prop::array::uniform3(any::<u32>())) {
            let id = |[i, j, round]: [u32; 3]| TaskId { indices: vec![i, j], round };
            prop_assert_eq!(id(a).cmp(&id(b)), id(a).sort_key().cmp(&id(b).sort_key()));
        }
    }
}
