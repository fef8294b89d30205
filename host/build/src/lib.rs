//! Builds the source of a flow into a component.
//!
//! A Rust flow is a crate whose library is a `cdylib`. It is built by cargo for WebAssembly, by
//! the first of the toolchains that this machine offers; see [`Toolchain`].

#![deny(missing_docs)]

mod cargo;
mod toolchain;

use std::path::Path;
use std::path::PathBuf;

pub use toolchain::Toolchain;

/// A flow could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder holds no crate.
    #[error("'{0}' holds no Cargo.toml: name the folder of a Rust crate")]
    NoCrate(PathBuf),
    /// No toolchain can build for WebAssembly.
    #[error(
        "no Rust toolchain here can build for WebAssembly. Either add the target with `rustup \
         target add wasm32-wasip2`, or on Debian install rustc-web, cargo-web, rust-web-src, \
         lld-19 and wasi-libc"
    )]
    NoToolchain,
    /// The standard library could not be built for WebAssembly.
    #[error("the Rust standard library could not be built for WebAssembly: {0}")]
    StandardLibrary(String),
    /// A program could not be started.
    #[error("cannot start {program}: {error}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The compiler found errors, and has told them.
    #[error("the flow in '{0}' does not compile")]
    Compile(PathBuf),
    /// The crate is not a flow.
    #[error(
        "the crate in '{0}' yields no WebAssembly: add `[lib] crate-type = [\"cdylib\"]` to its \
         Cargo.toml"
    )]
    NoProduct(PathBuf),
    /// A file could not be read.
    #[error("cannot read '{path}': {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// What was built is no flow.
    #[error("what was built cannot be made a component: {0}")]
    Encode(#[from] wflow_sandbox::LoadError),
}

/// A flow that was built.
#[derive(Debug)]
pub struct Built {
    /// The name of its crate.
    pub name: String,
    /// The component.
    pub component: Vec<u8>,
}

/// Builds the crate in a folder. The compiler's messages go to standard error.
///
/// # Errors
///
/// If there is no crate, it does not compile, or is no flow.
pub fn build(folder: &Path, toolchain: &Toolchain) -> Result<Built, BuildError> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(BuildError::NoCrate(folder.to_owned()));
    }
    let product = cargo::build(folder, &manifest, toolchain)?;
    let module = std::fs::read(&product.file)
        .map_err(|error| BuildError::Read { path: product.file, error })?;
    let component = wflow_sandbox::encode_component(&module)?.into_owned();
    Ok(Built { name: product.name, component })
}
