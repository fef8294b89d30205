//! Tags: words by which people find their runs.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::name::excerpt;

/// A word that somebody attached to a run: any text that is not empty, has no control characters
/// and no more than 500 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag(String);

/// The text breaks the rule for tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTag {
    /// There is no text.
    #[error("a tag cannot be empty")]
    Empty,
    /// It is too long.
    #[error("the tag `{0}` has more than {max} characters", max = Tag::MAX_LENGTH)]
    TooLong(String),
    /// It holds what cannot be seen or printed.
    #[error("the tag `{0}` holds a control character")]
    Control(String),
}

impl Tag {
    /// The greatest length of a tag in characters.
    pub const MAX_LENGTH: usize = 500;
    /// The greatest number of tags of one run.
    pub const MAX_PER_RUN: usize = 50;

    /// Checks a text and makes it a tag.
    ///
    /// # Errors
    ///
    /// If the text breaks the rule for tags; the error quotes no more than its beginning.
    pub fn new(text: &str) -> Result<Self, InvalidTag> {
        if text.is_empty() {
            Err(InvalidTag::Empty)
        } else if text.chars().nth(Self::MAX_LENGTH).is_some() {
            Err(InvalidTag::TooLong(excerpt(text)))
        } else if text.contains(char::is_control) {
            Err(InvalidTag::Control(excerpt(text)))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        Self::new(text)
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_holds() {
        for good in ["x", "nightly build", "größe:1", &"ü".repeat(500)] {
            assert_eq!(Tag::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Tag::new(""), Err(InvalidTag::Empty));
        assert!(matches!(Tag::new(&"x".repeat(501)), Err(InvalidTag::TooLong(_))));
        assert!(matches!(Tag::new("a\nb"), Err(InvalidTag::Control(_))));
        assert!(matches!(Tag::new("\u{9b}2J"), Err(InvalidTag::Control(_))));
    }
}
