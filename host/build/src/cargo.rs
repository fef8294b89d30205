//! Runs cargo, and finds what it built.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;
use wflow_model::Digest;

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

/// What a release is like whatever the profile of its crate says: a trap can name its line, and
/// a number that grows too large is an error instead of another number.
const PROFILE: [(&str, &str); 2] = [
    ("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
];

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
    for (variable, value) in PROFILE {
        if std::env::var_os(variable).is_none() {
            command.env(variable, value);
        }
    }
    if let Some(folder) = own_target(manifest, toolchain) {
        command.arg("--target-dir").arg(folder);
    }
    let program = PathBuf::from(command.get_program());
    let start = |error| BuildError::Start { program: program.clone(), error };
    let mut cargo = command.spawn().map_err(start)?;
    // Cargo may name it by another way through links.
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let wanted = canonical(manifest);
    let mut product = None;
    if let Some(stdout) = cargo.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(start)?;
            // Lines of other kinds than we know are none of our business.
            let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
            if message.reason == "compiler-artifact" && canonical(&message.manifest_path) == wanted
            {
                product = find(message).or(product);
            }
        }
    }
    if !cargo.wait().map_err(start)?.success() {
        return Err(BuildError::Compile(folder.to_owned()));
    }
    product.ok_or_else(|| BuildError::NoProduct(folder.to_owned()))
}

/// What is of interest in the description that cargo gives of a workspace.
#[derive(Deserialize)]
struct Workspace {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

/// A folder for what is built, where several workspaces share the one that cargo would take. There
/// two crates of one name overwrite each other, and cargo does not notice.
fn own_target(manifest: &Path, toolchain: &Toolchain) -> Option<PathBuf> {
    let output = toolchain
        .cargo()
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    // If this fails so does the build, which tells why.
    let workspace: Workspace = serde_json::from_slice(&output.stdout).ok()?;
    if workspace.target_directory.starts_with(&workspace.workspace_root) {
        return None;
    }
    let root = workspace.workspace_root.to_string_lossy().into_owned();
    let digest = Digest::of(root.as_bytes()).to_string();
    Some(workspace.target_directory.join(format!("flow-{}", &digest[..16])))
}

fn find(message: Message) -> Option<Product> {
    let target =
        message.target.filter(|target| target.crate_types.iter().any(|t| t == "cdylib"))?;
    let wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    let file = message.filenames.into_iter().find(wasm)?;
    Some(Product { name: target.name, file })
}
