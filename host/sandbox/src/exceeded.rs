//! The limits that a task can go past, in words that name the flag of each.

use std::time::Duration;

use wflow_model::record::Cause;
use wflow_model::record::Failure;

use crate::Channel;

/// A limit that a task went past, and what it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// It computed too much.
    #[error("it used up its {0} units of fuel")]
    Fuel(u64),
    /// It called itself too deeply.
    #[error("its call stack of {} is exhausted (recursion without end?)", size(*.0))]
    Stack(u64),
    /// It wrote too much.
    #[error("it wrote more than {} to standard {}", size(*limit), stream(*channel))]
    Log {
        /// To which stream.
        channel: Channel,
        /// How many bytes it may.
        limit: u64,
    },
    /// It has too many artifacts.
    #[error("it has more than {0} artifacts")]
    Artifacts(u64),
    /// It put too many bytes.
    #[error("the artifacts that it put have more than {} in all", size(*.0))]
    ArtifactBytes(u64),
    /// One call moved too many bytes.
    #[error("one host call moved more than {} at once", size(*.0))]
    Call(u64),
    /// Its tables are too large.
    #[error("its function tables need more than {0} elements")]
    Tables(u64),
    /// It does not let go of what it opened.
    #[error("it has more than {0} readers, writers and timers open at once")]
    Handles(u32),
}

impl Exceeded {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Fuel(_) => "give it more with --fuel, or leave that out to lift the limit",
            Self::Stack(_) => "raise the limit with --stack, if the recursion comes to an end",
            Self::Log { .. } => "raise the limit with --max-log-size, or write an artifact instead",
            Self::Artifacts(_) => {
                "raise the limit with --max-artifacts, or put what belongs together into one"
            }
            Self::ArtifactBytes(_) => "raise the limit with --max-artifact-size",
            Self::Call(_) => {
                "read and write large artifacts in pieces, or raise the limit with --max-call-size"
            }
            Self::Tables(_) => "raise the limit with --max-table-elements",
            Self::Handles(_) => {
                "drop what is no longer needed, or raise the limit with --max-handles"
            }
        }
    }

    /// The failure as it is kept with the task.
    pub fn failure(self) -> Failure {
        Failure {
            cause: Cause::Limit,
            kind: String::new(),
            message: self.to_string(),
            location: String::new(),
            trace: String::new(),
            hint: self.hint().to_owned(),
        }
    }
}

fn stream(channel: Channel) -> &'static str {
    match channel {
        Channel::Stdout => "output",
        Channel::Stderr => "error",
    }
}

/// A duration as a person reads it: `5 days`, `2 s`, `0.5 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match duration.as_secs() {
        seconds if seconds > DAY && seconds.is_multiple_of(DAY) => {
            format!("{} days", seconds / DAY)
        }
        _ => format!("{} s", duration.as_secs_f64()),
    }
}

/// A number of bytes as a person reads it: `64 MiB`, `1.06 MiB`, `64 KiB`, `100 bytes`.
pub(crate) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..0x400 => return format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" }),
        0x400..0x10_0000 => (1 << 10, "KiB"),
        0x10_0000.. => (1 << 20, "MiB"),
    };
    if bytes.is_multiple_of(unit) {
        format!("{} {name}", bytes / unit)
    } else {
        format!("{:.2} {name}", bytes as f64 / unit as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_units_that_fit() {
        let cases = [
            (1, "1 byte"),
            (100, "100 bytes"),
            (1 << 10, "1 KiB"),
            (1536, "1.50 KiB"),
            (64 << 10, "64 KiB"),
            (1 << 20, "1 MiB"),
            ((4 << 20) + (64 << 10), "4.06 MiB"),
        ];
        for (bytes, told) in cases {
            assert_eq!(size(bytes), told);
        }
    }

    #[test]
    fn times_are_told_in_units_that_fit() {
        let cases = [(500, "0.5 s"), (90_000, "90 s"), (5 * 86_400_000, "5 days")];
        for (milliseconds, told) in cases {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), told);
        }
    }
}
