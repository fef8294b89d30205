//! Which Rust builds for WebAssembly on this machine.

use std::env;
use std::fmt;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use rustc_build_sysroot::BuildMode;
use rustc_build_sysroot::SysrootBuilder;
use rustc_build_sysroot::SysrootConfig;
use rustc_version::VersionMeta;

use crate::BuildError;

/// The target of rustup's toolchain: it yields components.
const RUSTUP_TARGET: &str = "wasm32-wasip2";

/// The target of Debian's: it yields core modules, which are made components afterwards.
/// `wasm32-wasip2` needs a C library that Debian does not have.
const DEBIAN_TARGET: &str = "wasm32-wasip1";

/// Where Debian puts the C library for WebAssembly (package wasi-libc).
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";

/// Where cargo takes flags for the compiler from; the first wins.
const FLAGS: [&str; 2] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"];

/// A Rust that builds for WebAssembly.
#[derive(Debug, Clone)]
pub enum Toolchain {
    /// The Rust on the path has the target installed.
    Installed,
    /// Debian's own Rust, with its standard library built from Debian's source.
    Debian {
        /// The folder with the standard library.
        sysroot: PathBuf,
        /// The linker for WebAssembly.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds a toolchain: the Rust on the path, if it has the target or rustup can add it; else
    /// Debian's, whose standard library is built once and kept in the folder `cache`.
    ///
    /// # Errors
    ///
    /// If there is neither, or the standard library cannot be built.
    pub fn find(cache: &Path) -> Result<Self, BuildError> {
        if is_installed() || add_target() {
            return Ok(Self::Installed);
        }
        Self::debian(cache)
    }

    /// Debian's toolchain, whatever else there is.
    ///
    /// # Errors
    ///
    /// If it is not there, or the standard library cannot be built.
    pub fn debian(cache: &Path) -> Result<Self, BuildError> {
        let rustc = || Command::new("/usr/bin/rustc");
        let source = rustc_build_sysroot::rustc_sysroot_src(rustc()).ok();
        let source = source.filter(|source| source.join("std").is_dir());
        let (Some(source), Some(linker)) = (source, find_linker()) else {
            return Err(BuildError::NoToolchain);
        };
        if !Path::new(DEBIAN_LIBC).is_dir() {
            return Err(BuildError::NoToolchain);
        }
        let failed = |error: anyhow::Error| BuildError::StandardLibrary(format!("{error:#}"));
        let version = VersionMeta::for_command(rustc()).map_err(|error| failed(error.into()))?;
        // Cargo takes what was built with one library for good with another of the same path.
        let sysroot = cache.join(format!("sysroot-{}", version.semver));
        let lock = lock(cache).map_err(|error| failed(error.into()))?;
        let mut cargo = debian_cargo();
        // The library uses features that only the compiler it belongs to may use.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        SysrootBuilder::new(&sysroot, DEBIAN_TARGET)
            .build_mode(BuildMode::Build)
            .sysroot_config(SysrootConfig::WithStd { std_features: Vec::new() })
            // So that flows can be optimised together with it.
            .rustflags(["-Cembed-bitcode=yes"])
            .rustc_version(version)
            .cargo(cargo)
            .build_from_source(&source)
            .map_err(failed)?;
        drop(lock);
        Ok(Self::Debian { sysroot, linker })
    }

    /// The target that is built for.
    pub(crate) fn target(&self) -> &'static str {
        match self {
            Self::Installed => RUSTUP_TARGET,
            Self::Debian { .. } => DEBIAN_TARGET,
        }
    }

    /// A cargo that builds for the target.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Installed => {
                let mut cargo = Command::new("cargo");
                if FLAGS.iter().all(|variable| env::var_os(variable).is_none()) {
                    let flags: Vec<String> = portable_paths().into_iter().collect();
                    cargo.env(FLAGS[0], flags.join("\x1f"));
                }
                cargo
            }
            Self::Debian { sysroot, linker } => {
                let mut flags = vec![
                    format!("--sysroot={}", sysroot.display()),
                    "-Clink-self-contained=no".to_owned(),
                    format!("-Lnative={DEBIAN_LIBC}"),
                ];
                flags.extend(portable_paths());
                let mut cargo = debian_cargo();
                cargo
                    .env("CARGO_TARGET_WASM32_WASIP1_LINKER", linker)
                    .env(FLAGS[0], flags.join("\x1f"));
                cargo
            }
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed => write!(f, "the Rust on the path, target {RUSTUP_TARGET}"),
            Self::Debian { .. } => write!(f, "Debian's Rust, target {DEBIAN_TARGET}"),
        }
    }
}

/// Keeps the folder in which this machine has its crates out of what is built.
fn portable_paths() -> Option<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")))?;
    Some(format!("--remap-path-prefix={}=/cargo", home.display()))
}

/// Debian's cargo, free of what the environment says about other Rusts.
fn debian_cargo() -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.env("RUSTC", "/usr/bin/rustc");
    for variable in
        ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"]
    {
        cargo.env_remove(variable);
    }
    cargo
}

/// Whether the Rust on the path has the standard library for the target.
fn is_installed() -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", RUSTUP_TARGET])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success()
            && fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some())
    })
}

/// Asks rustup for the target. It may have no way to the server.
fn add_target() -> bool {
    let status = Command::new("rustup")
        .args(["target", "add", RUSTUP_TARGET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success()) && is_installed()
}

/// The linker, which Debian names with the version of LLVM: the newest there is.
fn find_linker() -> Option<PathBuf> {
    let name = |path: &PathBuf| path.file_name()?.to_str().map(ToOwned::to_owned);
    let version = |path: &PathBuf| -> Option<u32> {
        name(path)?.strip_prefix("wasm-ld")?.trim_start_matches('-').parse().ok()
    };
    let files = fs::read_dir("/usr/bin").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .filter(|path| name(path).is_some_and(|name| name.starts_with("wasm-ld")))
        .max_by_key(version)
}

/// Lets one process at a time build the standard library.
fn lock(cache: &Path) -> std::io::Result<fs::File> {
    fs::create_dir_all(cache)?;
    let file = fs::File::create(cache.join("sysroot.lock"))?;
    file.lock()?;
    Ok(file)
}
