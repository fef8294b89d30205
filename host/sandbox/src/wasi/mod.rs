//! WASI 0.2 as a task sees it: there is nothing outside but what was granted.
//!
//! Files, sockets and HTTP come from `wasmtime-wasi` and `wasmtime-wasi-http`. With nothing granted no
//! folder is open and no socket can be made, so hardly any of it is ever reached. Everything else
//! is implemented here against its bindings, for three reasons: nothing of the host's clocks,
//! entropy or environment is even constructed; no call enters an async runtime, which would
//! start threads and cost more than the rest of a `println!`; and a wait costs no time.
//!
//! What comes in through a grant is noted with the import through which it came.

mod cli;
mod clocks;
mod files;
mod http;
mod no_http;
mod random;
mod sockets;
mod streams;

use wasmtime::component::HasData;
use wasmtime::component::HasSelf;
use wasmtime::component::Linker;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystem;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::p2::bindings::sync;
use wasmtime_wasi::sockets::WasiSockets;
use wasmtime_wasi::sockets::WasiSocketsCtxView;
use wasmtime_wasi_http::WasiHttp;
use wasmtime_wasi_http::WasiHttpCtxView;
use wasmtime_wasi_http::p2::bindings::sync::http as http_bindings;

pub(crate) use self::cli::Exit;
use self::files::Folders;
use self::files::FoldersView;
pub(crate) use self::http::Http;
pub(crate) use self::no_http::NoHttp;
pub(crate) use self::no_http::link_no_http;
use crate::state::State;

/// The version of WASI that [`link`] provides, for messages.
pub(crate) const VERSION: &str = "0.2.12";
/// The names of the interfaces that [`link`] provides.
pub(crate) const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Provides WASI 0.2 to guests, all but HTTP.
pub(crate) fn link(l: &mut Linker<State>) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;
    bindings::cli::environment::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::exit::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::stdin::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::stdout::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::stderr::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::terminal_input::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::terminal_output::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::terminal_stdin::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::terminal_stdout::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::cli::terminal_stderr::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::clocks::monotonic_clock::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::clocks::wall_clock::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::random::random::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::random::insecure::add_to_linker::<_, Own>(l, |s| s)?;
    bindings::random::insecure_seed::add_to_linker::<_, Own>(l, |s| s)?;
    sync::io::poll::add_to_linker::<_, Own>(l, |s| s)?;
    sync::io::streams::add_to_linker::<_, Own>(l, |s| s)?;
    sync::io::error::add_to_linker::<_, Table>(l, |s| &mut s.table)?;

    sync::filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, State::preopens)?;
    sync::filesystem::types::add_to_linker::<_, Folders>(l, |s| FoldersView(s.files_at_work()))?;

    let options = sync::sockets::network::LinkOptions::default();
    sync::sockets::network::add_to_linker::<_, Own>(l, &options, |s| s)?;
    bindings::sockets::instance_network::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    bindings::sockets::ip_name_lookup::add_to_linker::<_, Own>(l, |s| s)?;
    sync::sockets::tcp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    bindings::sockets::tcp_create_socket::add_to_linker::<_, Own>(l, |s| s)?;
    sync::sockets::udp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sync::sockets::udp_create_socket::add_to_linker::<_, Own>(l, |s| s)?;
    Ok(())
}

/// Provides HTTP.
pub(crate) fn link_http(l: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = wasmtime_wasi_http::p2::bindings::LinkOptions::default();
    http_bindings::types::add_to_linker::<_, WasiHttp>(l, &(&options).into(), State::http)?;
    http_bindings::outgoing_handler::add_to_linker::<_, WasiHttp>(l, State::http_at_work)?;
    Ok(())
}

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

impl State {
    fn files(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: &mut self.files, table: &mut self.table }
    }

    fn preopens(&mut self) -> WasiFilesystemCtxView<'_> {
        if self.access.has_files() {
            self.let_in("wasi:filesystem/preopens");
        }
        self.files()
    }

    fn files_at_work(&mut self) -> WasiFilesystemCtxView<'_> {
        if self.access.has_files() {
            self.let_in("wasi:filesystem/types");
        }
        self.files()
    }

    fn sockets(&mut self) -> WasiSocketsCtxView<'_> {
        let ctx = self.sockets.get_or_insert_with(|| self.access.sockets(&self.denied));
        WasiSocketsCtxView { ctx, table: &mut self.table }
    }

    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let http = self.http.get_or_insert_with(|| Box::new(Http::new(&self.access, &self.denied)));
        let Http { context, hooks } = &mut **http;
        WasiHttpCtxView { ctx: context, hooks, table: &mut self.table }
    }

    fn http_at_work(&mut self) -> WasiHttpCtxView<'_> {
        if self.access.has_http() {
            self.let_in("wasi:http/outgoing-handler");
        }
        self.http()
    }
}
