//! The flows that are measured, built and compiled.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use wflow::Host;
use wflow::HostOptions;
use wflow_build::Toolchain;

use crate::floor;

/// The flows, and where everything is that the measurements make.
pub(crate) struct Flows {
    /// For stores and files that are measured and thrown away.
    pub(crate) scratch: PathBuf,
    /// The cache of compiled code of wflow.
    pub(crate) cache: PathBuf,
    /// As little work as a task can have.
    pub(crate) tiny: PathBuf,
    /// The code of the same, compiled, for a program that uses the engine alone.
    pub(crate) tiny_code: PathBuf,
    /// A large artifact.
    pub(crate) bulk: PathBuf,
    /// Listing 3.9 of the book.
    pub(crate) wide_foreach: PathBuf,
}

impl Flows {
    /// Builds them in a folder of their own.
    pub(crate) fn build(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let toolchain = Toolchain::find(&folder)?;
        let component = |name: &str, source: &str| -> Result<PathBuf> {
            let built = wflow_build::build(Path::new(source), &toolchain)?;
            let path = folder.join(name).with_extension("wasm");
            fs::write(&path, built.component)?;
            Ok(path)
        };
        let tiny = component("tiny", "bench/flows/tiny")?;
        let bulk = component("bulk", "bench/flows/bulk")?;
        let wide_foreach = component("wide_foreach", "examples/wide_foreach")?;
        let tiny_code = folder.join("tiny.cwasm");
        floor::compile(&tiny, &tiny_code)?;
        // What is measured finds its code compiled.
        let cache = folder.join("compiled");
        let host = Host::new(HostOptions { cache: Some(cache.clone()), ..HostOptions::default() })?;
        for flow in [&tiny, &bulk, &wide_foreach] {
            host.load(flow)?;
        }
        Ok(Self { scratch: folder, cache, tiny, tiny_code, bulk, wide_foreach })
    }
}
