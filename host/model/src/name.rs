//! Names of flows, steps and artifacts.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

/// The name of a flow, a step or an artifact: `[A-Za-z_][A-Za-z0-9_]*`, at most 128 bytes.
///
/// Cheap to clone: names are shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The text breaks the rule for names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: letters, digits and underscores, not a digit first, at most 128")]
pub struct InvalidName(String);

impl Name {
    /// The greatest length of a name in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// Checks a text and makes it a name.
    ///
    /// # Errors
    ///
    /// If the text breaks the rule for names; the error quotes no more than its beginning.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if is_name(text) { Ok(Self(text.into())) } else { Err(InvalidName(excerpt(text))) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= Name::MAX_LENGTH
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a character could take over a terminal, or have text around it shown in another order
/// than it is written in.
pub fn is_harmful(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    c.is_control() || directs
}

/// The beginning of a text that a guest chose, made harmless for a message: at most 64
/// characters, control characters escaped.
pub fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() {
        short.push('…');
    }
    short
}

/// The candidate that a mistyped text was probably meant to be, if one is near enough.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &&str| {
        let longest = text.chars().count().max(candidate.chars().count());
        // A third of the letters may differ: enough for a slip, too little for another word. Of
        // one or two letters none may: they are all near each other.
        text != *candidate && strsim::damerau_levenshtein(text, candidate) <= longest / 3
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= Name::MAX_LENGTH && text.len() <= Name::MAX_LENGTH)
        .filter(near)
        .min_by_key(|candidate| strsim::damerau_levenshtein(text, candidate))
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_holds() {
        for good in ["a", "_x1", "ForeachFlow", &"n".repeat(128)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "a-b", "a b", "ä", "a\0", &"n".repeat(129)] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_slip_finds_its_name() {
        let names = ["start", "add_one", "add_two", "end"];
        assert_eq!(nearest("add_on", names), Some("add_one"));
        assert_eq!(nearest("strat", names), Some("start"));
        assert_eq!(nearest("multiply", names), None);
    }

    #[test]
    fn an_excerpt_is_short_and_harmless() {
        assert_eq!(excerpt("a\x1b[2J"), "a\\u{1b}[2J");
        assert_eq!(excerpt(&"x".repeat(1000)).chars().count(), 65);
    }
}
