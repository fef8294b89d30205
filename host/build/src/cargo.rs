//! Runs cargo, and finds what it built.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;

use crate::BuildError;
use crate::Toolchain;

/// A module or component that cargo built.
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// What is of interest in the messages of cargo.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

/// How cargo is told how much debug information a release has.
const DEBUG: &str = "CARGO_PROFILE_RELEASE_DEBUG";

/// Builds the library of one crate.
pub(crate) fn build(
    folder: &Path,
    manifest: &Path,
    toolchain: &Toolchain,
) -> Result<Product, BuildError> {
    let mut command = toolchain.cargo();
    command
        .args(["build", "--release", "--lib", "--message-format", "json-render-diagnostics"])
        .args(["--target", toolchain.target()])
        .arg("--manifest-path")
        .arg(manifest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if std::env::var_os(DEBUG).is_none() {
        // So that a trap can name the line, whatever the crate's profile says.
        command.env(DEBUG, "line-tables-only");
    }
    let program = PathBuf::from(command.get_program());
    let start = |error| BuildError::Start { program: program.clone(), error };
    let mut cargo = command.spawn().map_err(start)?;
    let wanted = manifest.canonicalize().unwrap_or_else(|_| manifest.to_owned());
    let mut product = None;
    if let Some(stdout) = cargo.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(start)?;
            // Lines of other kinds than we know are none of our business.
            let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
            if message.reason == "compiler-artifact" && message.manifest_path == wanted {
                product = find(message).or(product);
            }
        }
    }
    if !cargo.wait().map_err(start)?.success() {
        return Err(BuildError::Compile(folder.to_owned()));
    }
    product.ok_or_else(|| BuildError::NoProduct(folder.to_owned()))
}

fn find(message: Message) -> Option<Product> {
    let target =
        message.target.filter(|target| target.crate_types.iter().any(|t| t == "cdylib"))?;
    let wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    let file = message.filenames.into_iter().find(wasm)?;
    Some(Product { name: target.name, file })
}
