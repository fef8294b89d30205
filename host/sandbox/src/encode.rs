//! Core modules become components: whoever can build a plain WebAssembly module, with a C
//! compiler or by hand, can write a flow.

use std::borrow::Cow;

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER;
use wasmparser::Parser;
use wasmparser::Payload;
use wflow_model::Digest;
use wit_component::ComponentEncoder;
use wit_component::StringEncoding;
use wit_component::embed_component_metadata;
use wit_parser::Resolve;
use wit_parser::WorldId;

use crate::bounds::Bounds;
use crate::contract::WIT;
use crate::error::LoadError;
use crate::sniff;
use crate::sniff::Kind;

/// Gives the component that the bytes of a flow stand for: themselves, or what a core module
/// is wrapped into. Public so that a benchmark can give the same to the bare engine.
///
/// # Errors
///
/// If the bytes are neither, or the module does not fit the contract.
pub fn component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, LoadError> {
    let kind = sniff::kind(bytes)?;
    let outline = outline(bytes)?;
    Ok(match kind {
        Kind::Component => Cow::Borrowed(bytes),
        Kind::Module => Cow::Owned(wrap(bytes, &outline)?),
    })
}

/// Changes whenever [`wrap`] makes something else of the same module, be it because
/// `wit-component` does. Compiled code of before is then not used any more.
const RECIPE: u8 = 1;

/// Names what [`component`] makes of a file, from the digest of the file alone: looking for
/// compiled code must not cost the making of a component.
///
/// # Errors
///
/// If the bytes are neither a component nor a module.
pub(crate) fn key(bytes: &[u8], digest: Digest) -> Result<Digest, LoadError> {
    Ok(match sniff::kind(bytes)? {
        Kind::Component => digest,
        Kind::Module => {
            let mut hasher = blake3::Hasher::new_derive_key("wflow component of a module");
            hasher.update(&[RECIPE]);
            hasher.update(blake3::hash(WIT.as_bytes()).as_bytes());
            hasher.update(blake3::hash(ADAPTER).as_bytes());
            hasher.update(digest.as_bytes());
            Digest::from_bytes(*hasher.finalize().as_bytes())
        }
    })
}

/// What is of interest in a binary, beside what it does.
#[derive(Default)]
struct Outline {
    /// It says itself for which world it was built, as modules built with bindings do.
    names_world: bool,
    /// It imports WASI preview 1, the system interface of most compilers for core modules.
    wants_preview1: bool,
}

/// Walks the sections without validating them; the engine does that. What is too much to compile is
/// found here.
fn outline(bytes: &[u8]) -> Result<Outline, LoadError> {
    let mut outline = Outline::default();
    let mut bounds = Bounds::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| damaged(&error, bytes.len()))? {
            Payload::ModuleSection { .. } => bounds.module()?,
            Payload::TypeSection(section) => bounds.types(section.count())?,
            Payload::CoreTypeSection(section) => bounds.types(section.count())?,
            Payload::ComponentTypeSection(section) => bounds.types(section.count())?,
            Payload::CodeSectionEntry(body) => bounds.function(&body)?,
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                outline.names_world = true;
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| damaged(&error, bytes.len()))?;
                    outline.wants_preview1 |= import.module == PREVIEW1;
                }
            }
            _ => {}
        }
    }
    Ok(outline)
}

fn damaged(error: &wasmparser::BinaryReaderError, size: usize) -> LoadError {
    if error.message().contains("unexpected end") {
        LoadError::Truncated { size }
    } else {
        LoadError::Invalid(told(&error.to_string()))
    }
}

/// What a library says of a component, which may quote it at length.
pub(crate) fn told(text: &str) -> String {
    const MOST: usize = 1000;
    let harmless = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(MOST).map(harmless).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

fn wrap(module: &[u8], outline: &Outline) -> Result<Vec<u8>, LoadError> {
    let mut module = Cow::Borrowed(module);
    let mut encode = || {
        if !outline.names_world {
            let (resolve, world) = contract();
            embed_component_metadata(module.to_mut(), &resolve, world, StringEncoding::UTF8)?;
        }
        // The engine validates what comes out; once is enough.
        let mut encoder = ComponentEncoder::default().validate(false).module(&module)?;
        if outline.wants_preview1 {
            encoder = encoder.adapter(PREVIEW1, ADAPTER)?;
        }
        encoder.encode()
    };
    // The causes before the last say what the encoder was doing, not what is wrong.
    encode().map_err(|error| LoadError::Module(told(&error.root_cause().to_string())))
}

/// The contract, parsed.
pub(crate) fn contract() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    // The text is part of this program; a test parses it.
    let package = resolve.push_source("flow.wit", WIT).expect("the contract is valid WIT");
    let world = resolve.select_world(&[package], Some("flow")).expect("the contract has a world");
    (resolve, world)
}
