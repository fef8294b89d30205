//! What a task's record says of one name, found without taking the rest of the record apart.
//!
//! A join of a million inputs asks each of them for one artifact.

use std::sync::Arc;

use serde::Deserialize;

use crate::Digest;
use crate::TaskId;
use crate::record::Artifact;
use crate::record::Body;
use crate::record::Cause;
use crate::record::DecodeError;
use crate::record::TaskRecord;
use crate::record::body;
use crate::task::StepIndex;
use crate::task::TaskRef;

/// What one record says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The task set it, or holds a copy of what it inherited.
    Found(Artifact),
    /// The task removed it.
    Removed,
    /// The task inherits from this one, which may know.
    Ask(TaskRef),
    /// The task has it not, and inherits from nobody.
    Unknown,
}

impl TaskRecord {
    /// What the record says of a name.
    pub fn answer(&self, name: &str) -> Answer {
        if let Some(artifact) = self.artifacts.get(name) {
            Answer::Found(artifact.clone())
        } else if self.removed.iter().any(|removed| removed == name) {
            Answer::Removed
        } else if let Some(artifact) = self.inherited.get(name) {
            Answer::Found(artifact.clone())
        } else {
            self.inherits.clone().map_or(Answer::Unknown, Answer::Ask)
        }
    }
}

/// [`TaskRecord::answer`] for a record that is still encoded. Also returns whose record it is.
///
/// # Errors
///
/// If the bytes are damaged or of a newer version.
pub fn answer(record: &[u8], name: &str) -> Result<(TaskRef, Answer), DecodeError> {
    // What stands behind the fields that are read is of no interest, and so is the version, since
    // those fields are the same in all.
    let (head, _) = postcard::take_from_bytes(body(record)?).map_err(DecodeError::Damaged)?;
    let Head { step, task, artifacts, removed, inherited, inherits, .. } = head;
    let find = |artifacts: &[(&str, Entry<'_>)]| {
        // No record that was encoded has a name twice. In damaged ones the last counts, as it does
        // where the record is taken apart.
        let entry = artifacts.iter().rfind(|(found, _)| *found == name);
        entry.map(|(_, entry)| Answer::Found(entry.to_artifact()))
    };
    let answer = match find(&artifacts) {
        Some(found) => found,
        None if removed.contains(&name) => Answer::Removed,
        None => match find(&inherited) {
            Some(found) => found,
            None => inherits.map_or(Answer::Unknown, Answer::Ask),
        },
    };
    Ok((TaskRef { step, task }, answer))
}

/// The first fields of a [`TaskRecord`], as they lie in its bytes.
#[derive(Deserialize)]
#[expect(dead_code, reason = "fields are read past, to come to those behind them")]
struct Head<'a> {
    step: StepIndex,
    task: TaskId,
    attempt: u32,
    started: i64,
    finished: i64,
    #[serde(borrow)]
    outcome: Outcome<'a>,
    inherits: Option<TaskRef>,
    artifacts: Vec<(&'a str, Entry<'a>)>,
    removed: Vec<&'a str>,
    inherited: Vec<(&'a str, Entry<'a>)>,
}

/// A [`record::Outcome`](crate::record::Outcome).
#[derive(Deserialize)]
#[expect(dead_code, reason = "it is read past")]
enum Outcome<'a> {
    Done,
    #[serde(borrow)]
    Failed((Cause, [&'a str; 5])),
}

/// An [`Artifact`].
#[derive(Deserialize)]
struct Entry<'a> {
    format: &'a str,
    digest: Digest,
    size: u64,
    #[serde(borrow)]
    body: EntryBody<'a>,
}

/// A [`Body`].
#[derive(Deserialize)]
enum EntryBody<'a> {
    Inline(&'a [u8]),
    Stored,
}

impl Entry<'_> {
    fn to_artifact(&self) -> Artifact {
        let body = match self.body {
            EntryBody::Inline(bytes) => Body::Inline(Arc::from(bytes)),
            EntryBody::Stored => Body::Stored,
        };
        let (digest, size) = (self.digest, self.size);
        Artifact { format: Arc::from(self.format), digest, size, body }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Name;
    use crate::record::Failure;
    use crate::record::Log;
    use crate::record::Timestamp;
    use crate::record::decode;
    use crate::record::encode;

    fn name() -> impl Strategy<Value = Name> {
        prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(|text| Name::new(text).unwrap())
    }

    fn artifact() -> impl Strategy<Value = Artifact> {
        let bytes = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
        (bytes, "[a-z/]{1,9}").prop_map(|(bytes, format)| Artifact {
            digest: Digest::of(format.as_bytes()),
            format: format.into(),
            size: bytes.as_ref().map_or(1 << 40, |bytes| bytes.len() as u64),
            body: bytes.map_or(Body::Stored, |bytes| Body::Inline(bytes.into())),
        })
    }

    fn task() -> impl Strategy<Value = TaskRef> {
        (any::<u32>(), prop::collection::vec(any::<u32>(), 0..3), any::<u32>()).prop_map(
            |(step, indices, round)| TaskRef {
                step: StepIndex(step),
                task: TaskId { indices, round },
            },
        )
    }

    fn record() -> impl Strategy<Value = TaskRecord> {
        let artifacts = || prop::collection::btree_map(name(), artifact(), 0..3);
        let failure = prop::option::of("[a-z]{0,5}");
        (
            (task(), prop::option::of(task())),
            (any::<u32>(), any::<i64>(), any::<i64>(), failure),
            (artifacts(), prop::collection::vec(name(), 0..2), artifacts()),
        )
            .prop_map(|((id, inherits), (attempt, started, finished, failure), sets)| {
                let failed = |text: String| Failure {
                    cause: Cause::Limit,
                    kind: text.clone(),
                    message: text.clone(),
                    location: text.clone(),
                    trace: text.clone(),
                    hint: text,
                };
                let (artifacts, removed, inherited) = sets;
                TaskRecord {
                    id,
                    attempt,
                    started: Timestamp(started),
                    finished: Timestamp(finished),
                    outcome: failure.map_or(crate::record::Outcome::Done, |text| {
                        crate::record::Outcome::Failed(Box::new(failed(text)))
                    }),
                    inherits,
                    artifacts,
                    removed,
                    inherited,
                    stdout: Log::default(),
                    stderr: Log::default(),
                    origin: None,
                    trace: None,
                }
            })
    }

    #[test]
    fn of_a_name_that_stands_twice_the_last_counts() {
        // Two artifacts `a`, inline and stored, where a map has but one.
        let entry = |body: &[u8]| [b"\x01a\x01f", &[0; Digest::LENGTH][..], &[1], body].concat();
        let (first, second) = (entry(&[0, 1, 7]), entry(&[1]));
        let begin = [2, 0, 0, 1, 0, 0, 0, 0, 0, 2];
        let bytes = [&begin[..], &first, &second, &[0; 7]].concat();
        let record: TaskRecord = decode(&bytes).unwrap();
        assert!(matches!(record.answer("a"), Answer::Found(Artifact { body: Body::Stored, .. })));
        assert_eq!(answer(&bytes, "a"), Ok((record.id.clone(), record.answer("a"))));
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_the_whole_record(record in record(), name in name()) {
            let bytes = encode(&record).unwrap();
            prop_assert_eq!(answer(&bytes, &name), Ok((record.id.clone(), record.answer(&name))));
        }

        #[test]
        fn rubbish_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(answer(&[&[1], bytes.as_slice()].concat(), "a"));
        }
    }
}
