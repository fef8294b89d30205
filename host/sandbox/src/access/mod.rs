//! What of the outside tasks may see or touch: grants, opened.

mod address;
mod denied;
mod resolve;

use std::collections::HashMap;
use std::env::VarError;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use wasmtime_wasi::FsPerms;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::sockets::WasiSocketsCtx;
use wflow_model::Grant;
use wflow_model::Grants;
use wflow_model::grant::Folder;

pub(crate) use denied::Denied;

/// Something is granted that is not there.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The folder cannot be opened.
    #[error("cannot grant `{grant}`: the folder '{path}' cannot be opened: {error}")]
    Folder {
        /// The grant.
        grant: Grant,
        /// The path on the host.
        path: String,
        /// Why not.
        error: std::io::Error,
    },
    /// It is a file.
    #[error(
        "cannot grant `{grant}`: '{path}' is no folder. Grant the folder that it is in, or give \
         the file as a parameter of type text or bytes"
    )]
    NoFolder {
        /// The grant.
        grant: Grant,
        /// The path on the host.
        path: String,
    },
    /// The variable has no value, or none that is text.
    #[error("cannot grant `env={name}`: {error}. Give a value with `env={name}=VALUE`")]
    Variable {
        /// Its name.
        name: String,
        /// Why not.
        error: VarError,
    },
}

/// Opened grants, shared by all tasks of a run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Access(Arc<Opened>);

#[derive(Default)]
struct Opened {
    grants: Grants,
    files: WasiFilesystemCtx,
    has_files: bool,
    variables: Vec<(String, String)>,
    /// Whether a variable has the value that it has on the host.
    host_variables: bool,
    clock: bool,
    random: bool,
    network: bool,
    http: bool,
    /// What granted names were found to stand for.
    names: Mutex<HashMap<String, Vec<IpAddr>>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Access").field(&self.0.grants).finish()
    }
}

impl Access {
    /// No access to anything.
    pub fn none() -> Self {
        Self::default()
    }

    /// Opens grants: folders, once for all tasks, so that nobody can put another in their place,
    /// and the values of variables.
    ///
    /// # Errors
    ///
    /// If a folder or a variable is not there.
    pub fn open(grants: &Grants) -> Result<Self, AccessError> {
        let mut opened = Opened { grants: grants.clone(), ..Opened::default() };
        let mut context = WasiCtxBuilder::new();
        context.allow_blocking_current_thread(true);
        for grant in grants {
            match grant {
                Grant::Read(folder) => open(&mut context, grant, folder, FsPerms::ReadOnly)?,
                Grant::Write(folder) => open(&mut context, grant, folder, FsPerms::ReadWrite)?,
                Grant::Env { name, value } => {
                    let value = match value {
                        Some(value) => value.clone(),
                        None => std::env::var(name)
                            .map_err(|error| AccessError::Variable { name: name.clone(), error })?,
                    };
                    opened.variables.push((name.clone(), value));
                }
                Grant::Net(_) => opened.network = true,
                Grant::Http { .. } => opened.http = true,
                Grant::Clock => opened.clock = true,
                Grant::Random => opened.random = true,
            }
            opened.has_files |= matches!(grant, Grant::Read(_) | Grant::Write(_));
            opened.host_variables |= matches!(grant, Grant::Env { value: None, .. });
        }
        if opened.has_files {
            opened.files = context.build().filesystem().clone();
        }
        Ok(Self(Arc::new(opened)))
    }

    /// What was granted.
    pub fn grants(&self) -> &Grants {
        &self.0.grants
    }

    pub(crate) fn files(&self) -> WasiFilesystemCtx {
        self.0.files.clone()
    }

    pub(crate) fn has_files(&self) -> bool {
        self.0.has_files
    }

    /// The environment, in the order of its names.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.0.variables
    }

    pub(crate) fn has_host_variables(&self) -> bool {
        self.0.host_variables
    }

    pub(crate) fn clock(&self) -> bool {
        self.0.clock
    }

    pub(crate) fn random(&self) -> bool {
        self.0.random
    }

    pub(crate) fn network(&self) -> bool {
        self.0.network
    }

    pub(crate) fn has_http(&self) -> bool {
        self.0.http
    }

    /// What sockets may do: connect by TCP to the places that are granted. Those that are not are
    /// noted in `denied`.
    pub(crate) fn sockets(&self, denied: &Denied) -> WasiSocketsCtx {
        let mut context = WasiCtxBuilder::new();
        if self.network() {
            let (access, denied) = (self.clone(), denied.clone());
            context.allow_tcp(true).allow_udp(false).allow_ip_name_lookup(true).socket_addr_check(
                move |address, what| {
                    let (access, denied) = (access.clone(), denied.clone());
                    Box::pin(async move { access.may_use(address, what, &denied).await })
                },
            );
        } else {
            context.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        }
        context.build().sockets().clone()
    }

    /// Whether a name may be looked up: looking one up tells the outside something.
    pub(crate) fn may_look_up(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.0.grants.iter().any(|grant| matches!(grant, Grant::Net(place) if place.host == name))
    }

    async fn may_use(&self, address: SocketAddr, what: SocketAddrUse, denied: &Denied) -> bool {
        match what {
            SocketAddrUse::TcpConnect => {
                let may = self.may_connect(address).await;
                if !may {
                    let host = address.ip().to_canonical().to_string();
                    denied.note_net(&host, Some(address.port()));
                }
                may
            }
            // What the system does by itself before it connects.
            SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
            _ => false,
        }
    }

    async fn may_connect(&self, address: SocketAddr) -> bool {
        for grant in &self.0.grants {
            if let Grant::Net(place) = grant
                && place.port == address.port()
                && let Ok(addresses) = self.addresses(&place.host).await
                && addresses.contains(&address.ip().to_canonical())
            {
                return true;
            }
        }
        false
    }

    /// Whether a request may be sent to that host and port.
    pub(crate) fn may_request(&self, host: &str, port: u16) -> bool {
        self.0.grants.iter().any(|grant| match grant {
            Grant::Http { host: granted, port: at } => {
                granted == host && at.is_none_or(|at| at == port)
            }
            _ => false,
        })
    }

    /// The addresses that a granted name stands for and that it may stand for: a name of the
    /// public network does not lead into a private one. All that were ever seen, since a server
    /// with many addresses answers with some of them at a time.
    ///
    /// # Errors
    ///
    /// If the name stands for nothing, not even for what it may not stand for.
    pub(crate) async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = resolve::allowed(host).await;
        let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.entry(host.to_owned()).or_default();
        if known.is_empty() && found.is_err() {
            return found;
        }
        for address in found.unwrap_or_default() {
            if !known.contains(&address) && known.len() < resolve::MOST {
                known.push(address);
            }
        }
        Ok(known.clone())
    }
}

fn open(
    context: &mut WasiCtxBuilder,
    grant: &Grant,
    folder: &Folder,
    permissions: FsPerms,
) -> Result<(), AccessError> {
    let path = Path::new(&folder.host);
    let failed =
        |error| AccessError::Folder { grant: grant.clone(), path: folder.host.clone(), error };
    // Asked before it is opened: to open a pipe or a device may block or do something.
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Err(AccessError::NoFolder { grant: grant.clone(), path: folder.host.clone() });
    }
    match context.preopened_dir(path, &folder.guest, permissions) {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(std::io::Error::other(format!("{error:#}")))),
    }
}
