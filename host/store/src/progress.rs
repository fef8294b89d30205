//! How far a long piece of work has come.

/// What is being done, and how much of it is behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is being done, such as "reading tasks".
    pub doing: &'static str,
    /// How many of them are done.
    pub done: u64,
    /// How many there are, as far as that is known beforehand; 0 if it is not.
    pub of: u64,
}
