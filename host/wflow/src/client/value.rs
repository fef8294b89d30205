//! Artifacts as people and other programs see them.

use serde_json::Value as Json;
use wflow_model::cbor;
use wflow_model::record::Artifact;

/// What an artifact is, in a word: the type of a CBOR value, else its format.
pub fn kind<'a>(artifact: &'a Artifact, bytes: &[u8]) -> &'a str {
    match &*artifact.format {
        cbor::FORMAT => cbor::kind(bytes),
        "text/plain" => "text",
        "application/octet-stream" => "bytes",
        other => other,
    }
}

/// A value as JSON, if it is of a format that has one: CBOR, JSON and text.
pub fn to_json(format: &str, bytes: &[u8]) -> Option<Json> {
    match format {
        cbor::FORMAT => cbor::to_json(bytes).ok(),
        cbor::JSON_FORMAT => serde_json::from_slice(bytes).ok(),
        "text/plain" => std::str::from_utf8(bytes).ok().map(Json::from),
        _ => None,
    }
}

/// What a value of another format looks like, in a line for people: the shape of an array, the
/// first bytes of anything else.
pub fn outline(format: &str, bytes: &[u8]) -> String {
    const SHOWN: usize = 16;
    // The header of npy, version 1: ten bytes, the last two its length, then a text.
    if format == "application/x-npy"
        && let Some(header) = bytes.get(10..)
        && let Some(end) = header.iter().position(|&byte| byte == b'\n').filter(|&end| end < 1000)
        && let Ok(header) = std::str::from_utf8(&header[..end])
    {
        return format!("array {}", header.trim());
    }
    let shown: String = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{} bytes {shown}{more}", bytes.len())
}
