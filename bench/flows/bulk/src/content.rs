//! What large artifacts hold. The benchmark writes the same bytes by itself, to compare.

/// So many bytes are made, and come again from there on: further back than a compressor looks.
const PERIOD: usize = 32 << 20;

/// One period of the content of that name: `random`, which nothing makes smaller, or `integers`,
/// a column of whole numbers below 1024 in 64 bits each.
pub(super) fn period(name: &str) -> Option<Vec<u8>> {
    let mask = match name {
        "random" => u64::MAX,
        "integers" => 1023,
        _ => return None,
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = vec![0; PERIOD];
    for word in bytes.chunks_exact_mut(8) {
        // xorshift64 by Marsaglia.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&(state & mask).to_le_bytes());
    }
    Some(bytes)
}
