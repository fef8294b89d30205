//! Compiled code on disk: compiling a large component takes seconds, mapping it into memory a
//! millisecond.
//!
//! Nothing that goes wrong here stops a run: the component is then compiled. An entry is two
//! files, `<component>-<engine>.cwasm` and, beside it, the digest of its bytes as `.digest`.
//! The first part of the name stands for the component, the second a hash of everything
//! about the engine that shapes its code.

use std::fs;
use std::fs::File;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use wasmtime::Engine;
use wasmtime::component::Component;
use wflow_model::Digest;

/// The folder of compiled code, for one configuration of the engine.
pub(crate) struct Cache {
    folder: PathBuf,
    engine: u64,
}

impl Cache {
    /// Opens the cache, making the folder if need be. None, with a warning, if the folder
    /// cannot be used or others could write into it: what lies there is executed.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Option<Self> {
        if let Err(reason) = prepare(folder) {
            let folder = folder.display();
            tracing::warn!("compiled code is not kept: {folder}: {reason}");
            return None;
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Some(Self { folder: folder.to_owned(), engine: hasher.finish() })
    }

    /// The compiled component, if it is here and undamaged.
    pub(crate) fn load(&self, engine: &Engine, component: &Digest) -> Option<Component> {
        let (code, digest) = self.paths(component);
        let expected: Digest = fs::read_to_string(&digest).ok()?.trim().parse().ok()?;
        match digest_of_file(&code) {
            Ok(found) if found == expected => {}
            Ok(_) => {
                tracing::warn!("compiled code is damaged and made anew: {}", code.display());
                return None;
            }
            Err(_) => return None,
        }
        // SAFETY: what is deserialized must be what `Component::serialize` wrote, unchanged
        // while it is mapped. The folder belongs to this user and nobody else can write to it
        // (`prepare`), so the file was written by `store` below, which makes it under another
        // name and renames it when it is complete, and never opens an existing one to write.
        // It is not damaged: its digest was just compared. That it was compiled by an engine
        // of the same version and configuration is checked by wasmtime itself, from the head
        // of the file.
        let loaded = unsafe { Component::deserialize_file(engine, &code) };
        loaded.inspect_err(|error| tracing::debug!("compiled code of no use: {error:#}")).ok()
    }

    /// Keeps a compiled component.
    pub(crate) fn store(&self, component: &Digest, compiled: &Component) {
        let stored = compiled.serialize().map_err(io::Error::other).and_then(|bytes| {
            let (code, digest) = self.paths(component);
            self.write(&code, &bytes)?;
            self.write(&digest, Digest::of(&bytes).to_string().as_bytes())
        });
        if let Err(error) = stored {
            let folder = self.folder.display();
            tracing::warn!("compiled code could not be kept in {folder}: {error}");
        }
    }

    fn paths(&self, component: &Digest) -> (PathBuf, PathBuf) {
        let code = self.folder.join(format!("{component}-{:016x}.cwasm", self.engine));
        let digest = code.with_extension("digest");
        (code, digest)
    }

    /// Another process may write the same file: the last to rename wins, and both are whole.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }
}

fn digest_of_file(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// Makes the folder, and makes sure that only this user can write to it.
#[cfg(unix)]
fn prepare(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    use std::os::unix::fs::MetadataExt;

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("it cannot be made: {error}"))?;
    let metadata = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Err("it is no folder".to_owned());
    }
    // Whoever can write to the folder can have code run by this process.
    // SAFETY: the function takes nothing, touches no memory of ours and cannot fail.
    let us = unsafe { libc::geteuid() };
    if metadata.uid() != us {
        return Err("it belongs to another user".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("others can write to it; take that right away with `chmod 700`".to_owned());
    }
    Ok(())
}

/// Where permissions do not work this way, the folder's place in the user's own profile has
/// to do.
#[cfg(not(unix))]
fn prepare(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("it cannot be made: {error}"))
}
