//! Content digests.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

/// A BLAKE3 digest: the identity of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; Self::LENGTH]);

impl Digest {
    /// The number of bytes in a digest.
    pub const LENGTH: usize = 32;

    /// The digest of plain bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of an artifact: over its format, a zero byte, and its bytes. A format holds
    /// no zero byte, so no two artifacts share an input.
    pub fn of_artifact(format: &str, bytes: &[u8]) -> Self {
        // Most artifacts are small, and one call for all of it costs half as much as three.
        let mut small = [0; 512];
        let begin = format.len() + 1;
        if let Some(whole) = small.get_mut(..begin + bytes.len()) {
            whole[..format.len()].copy_from_slice(format.as_bytes());
            whole[begin..].copy_from_slice(bytes);
            return Self::of(whole);
        }
        let mut hasher = ArtifactHasher::new(format);
        hasher.update(bytes);
        hasher.finish()
    }

    /// A digest from its bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// Computes [`Digest::of_artifact`] from content that arrives in pieces.
pub struct ArtifactHasher(blake3::Hasher);

impl ArtifactHasher {
    /// Starts the digest of an artifact of this format.
    pub fn new(format: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format.as_bytes());
        hasher.update(&[0]);
        Self(hasher)
    }

    /// Takes in the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 hexadecimal digits")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| InvalidDigest)?;
        Ok(Self(*hash.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_part_of_the_digest() {
        assert_ne!(
            Digest::of_artifact("text/plain", b"x"),
            Digest::of_artifact("application/octet-stream", b"x")
        );
    }

    #[test]
    fn pieces_and_whole_agree() {
        for size in [0, 1, 500, 501, 502, 2000] {
            let bytes: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
            let mut hasher = ArtifactHasher::new("text/plain");
            bytes.chunks(300).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), Digest::of_artifact("text/plain", &bytes), "{size}");
        }
    }

    #[test]
    fn text_round_trips() {
        let digest = Digest::of(b"wflow");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("12".parse::<Digest>(), Err(InvalidDigest));
    }
}
