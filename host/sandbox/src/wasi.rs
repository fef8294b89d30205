//! WASI 0.2 as a task sees it: there is nothing outside.
//!
//! Files and sockets come from `wasmtime-wasi`, with nothing granted. Everything else is
//! implemented here against its bindings, for three reasons: nothing of the host's clocks,
//! entropy or environment is even constructed; no call enters an async runtime, which would
//! start threads and cost more than the rest of a `println!`; and a wait costs no time.

use wasmtime::component::HasData;
use wasmtime::component::HasSelf;
use wasmtime::component::Linker;
use wasmtime::component::Resource;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystem;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::StreamResult;
use wasmtime_wasi::p2::bindings::cli;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::clocks::wall_clock;
use wasmtime_wasi::p2::bindings::random;
use wasmtime_wasi::p2::bindings::sockets as plain_sockets;
use wasmtime_wasi::p2::bindings::sync::filesystem;
use wasmtime_wasi::p2::bindings::sync::io;
use wasmtime_wasi::p2::bindings::sync::sockets;
use wasmtime_wasi::sockets::WasiSockets;
use wasmtime_wasi::sockets::WasiSocketsCtxView;

use crate::Channel;
use crate::clock::VirtualClock;
use crate::contract::Violation;
use crate::state::State;

/// Bytes that a stream takes at once. Also the greatest run of zeroes.
const WRITE_PERMIT: u64 = 1 << 20;

/// Random bytes that one call may draw.
const MAX_RANDOM: u64 = 16 << 20;

/// The interfaces that [`link`] provides, for messages, with their version.
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

/// Provides all of WASI 0.2 to guests.
pub(crate) fn link(l: &mut Linker<State>) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;
    cli::environment::add_to_linker::<_, Own>(l, |s| s)?;
    cli::exit::add_to_linker::<_, Own>(l, |s| s)?;
    cli::stdin::add_to_linker::<_, Own>(l, |s| s)?;
    cli::stdout::add_to_linker::<_, Own>(l, |s| s)?;
    cli::stderr::add_to_linker::<_, Own>(l, |s| s)?;
    cli::terminal_input::add_to_linker::<_, Own>(l, |s| s)?;
    cli::terminal_output::add_to_linker::<_, Own>(l, |s| s)?;
    cli::terminal_stdin::add_to_linker::<_, Own>(l, |s| s)?;
    cli::terminal_stdout::add_to_linker::<_, Own>(l, |s| s)?;
    cli::terminal_stderr::add_to_linker::<_, Own>(l, |s| s)?;
    monotonic_clock::add_to_linker::<_, Own>(l, |s| s)?;
    wall_clock::add_to_linker::<_, Own>(l, |s| s)?;
    random::random::add_to_linker::<_, Own>(l, |s| s)?;
    random::insecure::add_to_linker::<_, Own>(l, |s| s)?;
    random::insecure_seed::add_to_linker::<_, Own>(l, |s| s)?;
    io::poll::add_to_linker::<_, Own>(l, |s| s)?;
    io::streams::add_to_linker::<_, Own>(l, |s| s)?;
    io::error::add_to_linker::<_, Table>(l, |s| &mut s.table)?;

    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, State::files)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, State::files)?;

    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(l, &options, State::sockets)?;
    plain_sockets::instance_network::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    plain_sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    plain_sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    Ok(())
}

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

impl State {
    fn files(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: &mut self.no_files, table: &mut self.table }
    }

    fn sockets(&mut self) -> WasiSocketsCtxView<'_> {
        let ctx = self.no_sockets.get_or_insert_default();
        WasiSocketsCtxView { ctx, table: &mut self.table }
    }
}

/// The guest ended itself through `wasi:cli/exit`.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("exited with code {0}")]
pub(crate) struct Exit(pub(crate) u8);

impl cli::exit::Host for State {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        Err(Exit(status.is_err().into()).into())
    }

    fn exit_with_code(&mut self, code: u8) -> wasmtime::Result<()> {
        Err(Exit(code).into())
    }
}

impl cli::environment::Host for State {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

// The three standard streams are all the streams there are, so a handle is just a number and
// needs no table.
const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

impl cli::stdin::Host for State {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        Ok(Resource::new_own(STDIN))
    }
}

impl cli::stdout::Host for State {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        Ok(Resource::new_own(STDOUT))
    }
}

impl cli::stderr::Host for State {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        Ok(Resource::new_own(STDERR))
    }
}

impl cli::terminal_input::Host for State {}

impl cli::terminal_input::HostTerminalInput for State {
    fn drop(&mut self, _: Resource<cli::terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_output::Host for State {}

impl cli::terminal_output::HostTerminalOutput for State {
    fn drop(&mut self, _: Resource<cli::terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_stdin::Host for State {
    fn get_terminal_stdin(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl cli::terminal_stdout::Host for State {
    fn get_terminal_stdout(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl cli::terminal_stderr::Host for State {
    fn get_terminal_stderr(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl State {
    fn write_stream(
        &mut self,
        stream: &Resource<DynOutputStream>,
        text: &[u8],
    ) -> StreamResult<()> {
        let channel = if stream.rep() == STDERR { Channel::Stderr } else { Channel::Stdout };
        self.log(channel, text);
        Ok(())
    }

    fn write_zeroes(&mut self, stream: &Resource<DynOutputStream>, count: u64) -> StreamResult<()> {
        if count > WRITE_PERMIT {
            let text = format!("{count} zeroes were written at once, more than the stream takes");
            return Err(StreamError::Trap(Violation(text).into()));
        }
        self.write_stream(stream, &vec![0; count as usize])
    }

    /// A pollable that is ready from a moment of the monotonic clock on.
    fn timer(&mut self, deadline: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer { deadline })?;
        Ok(Resource::new_own(timer.rep()))
    }

    fn deadline(&self, pollable: &Resource<DynPollable>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&Resource::<Timer>::new_borrow(pollable.rep()))?.deadline)
    }
}

impl io::streams::Host for State {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<io::streams::StreamError> {
        match error {
            StreamError::Closed => Ok(io::streams::StreamError::Closed),
            StreamError::LastOperationFailed(error) => {
                Ok(io::streams::StreamError::LastOperationFailed(self.table.push(error)?))
            }
            StreamError::Trap(error) => Err(error),
        }
    }
}

impl io::streams::HostInputStream for State {
    fn read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn blocking_read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(
        &mut self,
        _: Resource<DynInputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(0)
    }

    fn drop(&mut self, _: Resource<DynInputStream>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl io::streams::HostOutputStream for State {
    fn check_write(&mut self, _: Resource<DynOutputStream>) -> StreamResult<u64> {
        Ok(WRITE_PERMIT)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, text: Vec<u8>) -> StreamResult<()> {
        self.write_stream(&stream, &text)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        text: Vec<u8>,
    ) -> StreamResult<()> {
        self.write_stream(&stream, &text)
    }

    fn flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn subscribe(
        &mut self,
        _: Resource<DynOutputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(0)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, count: u64) -> StreamResult<()> {
        Self::write_zeroes(self, &stream, count)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        count: u64,
    ) -> StreamResult<()> {
        Self::write_zeroes(self, &stream, count)
    }

    fn splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn drop(&mut self, _: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// What a pollable is here: ready from a moment of the monotonic clock on.
struct Timer {
    deadline: u64,
}

impl io::poll::Host for State {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let deadlines =
            pollables.iter().map(|p| self.deadline(p)).collect::<wasmtime::Result<Vec<_>>>()?;
        let Some(&earliest) = deadlines.iter().min() else {
            return Err(Violation("`poll` was called with no pollable".to_owned()).into());
        };
        // Nothing but time can pass: jump to the moment at which something is ready.
        let now = self.clock.monotonic().max(earliest);
        self.clock.wait_until(now);
        Ok((0..).zip(deadlines).filter(|&(_, d)| d <= now).map(|(index, _)| index).collect())
    }
}

impl io::poll::HostPollable for State {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        Ok(self.deadline(&pollable)? <= self.clock.monotonic())
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        let deadline = self.deadline(&pollable)?;
        self.clock.wait_until(deadline);
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Timer>::new_own(pollable.rep()))?;
        Ok(())
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.monotonic())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(VirtualClock::resolution())
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let deadline = self.clock.monotonic().saturating_add(duration);
        self.timer(deadline)
    }
}

fn datetime(nanoseconds: u64) -> wall_clock::Datetime {
    wall_clock::Datetime {
        seconds: nanoseconds / 1_000_000_000,
        nanoseconds: (nanoseconds % 1_000_000_000) as u32,
    }
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(self.clock.wall()))
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(VirtualClock::resolution()))
    }
}

impl State {
    fn random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        if count > MAX_RANDOM {
            let text = format!("{count} random bytes were drawn at once; at most {MAX_RANDOM}");
            return Err(Violation(text).into());
        }
        Ok(self.random().bytes(count as usize))
    }
}

impl random::random::Host for State {
    fn get_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(count)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random().number())
    }
}

impl random::insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(count)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random().number())
    }
}

impl random::insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let random = self.random();
        Ok((random.number(), random.number()))
    }
}
