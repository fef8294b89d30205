//! What a file is, by its first bytes: for the message when it is not a flow.

use crate::error::LoadError;

/// The first bytes of anything in WebAssembly's binary format.
const WASM_MAGIC: &[u8] = b"\0asm";
/// The version that follows in a core module, and in a component.
const MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];

/// What a binary holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

/// Tells modules and components from everything else.
///
/// # Errors
///
/// Says what the file looks like, if it is neither.
pub(crate) fn kind(bytes: &[u8]) -> Result<Kind, LoadError> {
    if bytes.is_empty() {
        return Err(LoadError::Empty);
    }
    let size = bytes.len();
    let Some(rest) = bytes.strip_prefix(WASM_MAGIC) else {
        return Err(if WASM_MAGIC.starts_with(bytes) {
            LoadError::Truncated { size }
        } else if let Some(format) = native(bytes) {
            LoadError::Native(format)
        } else {
            LoadError::NotWasm(looks_like(bytes))
        });
    };
    match rest.get(..4) {
        Some(MODULE) => Ok(Kind::Module),
        Some(COMPONENT) => Ok(Kind::Component),
        Some(version) => {
            Err(LoadError::Invalid(format!("unknown version {version:02x?} of the binary format")))
        }
        None => Err(LoadError::Truncated { size }),
    }
}

/// The name of a machine's own program format.
fn native(bytes: &[u8]) -> Option<&'static str> {
    const FORMATS: &[(&[u8], &str)] = &[
        (b"\x7fELF", "a Linux program (ELF)"),
        (b"MZ", "a Windows program (PE)"),
        (b"\xcf\xfa\xed\xfe", "a macOS program (Mach-O)"),
        (b"\xce\xfa\xed\xfe", "a macOS program (Mach-O)"),
        (b"\xca\xfe\xba\xbe", "a macOS program (Mach-O) or a Java class"),
        (b"!<arch>\n", "a static library"),
    ];
    FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|&(_, name)| name)
}

/// A guess at what else it could be.
fn looks_like(bytes: &[u8]) -> String {
    const FORMATS: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "gzip-compressed data"),
        (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
        (b"BZh", "bzip2-compressed data"),
        (b"\xfd7zXZ", "xz-compressed data"),
        (b"%PDF", "a PDF document"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x89PNG", "a PNG image"),
        (b"BC\xc0\xde", "LLVM bitcode"),
    ];
    if let Some((_, name)) = FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return (*name).to_owned();
    }
    // A prefix is enough to tell, and may cut a character in two.
    let head = &bytes[..bytes.len().min(1024)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return "binary data".to_owned(),
    };
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return "binary data".to_owned();
    }
    let start = text.trim_start();
    let has_line = |prefixes: &[&str]| {
        text.lines().any(|line| prefixes.iter().any(|prefix| line.starts_with(prefix)))
    };
    if start.starts_with("(module") || start.starts_with("(component") || start.starts_with(";;") {
        "WebAssembly text (compile it to binary first)".to_owned()
    } else if start.starts_with("#!") {
        format!("a script that starts with `{}`", start.lines().next().unwrap_or_default().trim())
    } else if start.starts_with('<') {
        "HTML or XML (a download that failed?)".to_owned()
    } else if has_line(&["import ", "from ", "def ", "class ", "@"])
        && has_line(&["def ", "class "])
        || has_line(&["from wflow", "import wflow"])
    {
        "Python source".to_owned()
    } else if has_line(&["use ", "fn ", "pub fn ", "#[", "#!["]) && text.contains('{') {
        "Rust source".to_owned()
    } else if has_line(&["import ", "export ", "const ", "function "]) {
        "JavaScript source".to_owned()
    } else {
        "text".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        kind(bytes).unwrap_err().to_string()
    }

    #[test]
    fn modules_and_components_are_told_apart() {
        assert_eq!(kind(b"\0asm\x01\0\0\0"), Ok(Kind::Module));
        assert_eq!(kind(b"\0asm\x0d\0\x01\0"), Ok(Kind::Component));
    }

    #[test]
    fn whatever_else_is_named() {
        assert_eq!(message(b""), "the file is empty: build the flow again");
        assert!(message(b"\0as").starts_with("the file is cut off: it ends after 3 bytes"));
        assert!(message(b"\0asm\x01").starts_with("the file is cut off: it ends after 5 bytes"));
        assert!(message(b"\0asm\x07\0\0\0").contains("unknown version [07, 00, 00, 00]"));
        assert!(message(b"\x7fELF\x02\x01").starts_with("this is a Linux program (ELF), not Web"));
        assert!(message(b"MZ\x90\0").contains("Windows"));
        assert!(message(b"\xcf\xfa\xed\xfe\x07").contains("macOS"));
        for (bytes, what) in [
            (&b"PK\x03\x04rest"[..], "a zip archive"),
            (b"\x1f\x8b\x08", "gzip-compressed data"),
            (b"(module)", "WebAssembly text"),
            (b"#!/bin/sh\necho", "a script that starts with `#!/bin/sh`"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"from wflow import flow\n", "Python source"),
            (b"import os\nclass F:\n  pass\n", "Python source"),
            (b"use wflow::*;\nfn main() {}\n", "Rust source"),
            (b"export function run() {}", "JavaScript source"),
            (b"hello", "text"),
            ("h\u{e4}llo".as_bytes(), "text"),
            (b"\x01\x02\xff\xfe", "binary data"),
        ] {
            let text = message(bytes);
            let start = format!("this is not WebAssembly but looks like {what}");
            assert!(text.starts_with(&start), "{text}");
        }
    }
}
