//! `wasi:io/streams`: standard input is at its end, standard output and error go to the task's
//! log. This is the hot path of a task that prints. All other streams are those of
//! `wasmtime-wasi`, for files, sockets and bodies of requests that are granted.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::StreamResult;
use wasmtime_wasi::p2::bindings::io::streams as async_streams;
use wasmtime_wasi::p2::bindings::sync::io;

use crate::Channel;
use crate::contract::Violation;
use crate::limits::Stop;
use crate::state::State;

/// Bytes that a stream takes at once. Also the greatest run of zeroes.
const WRITE_PERMIT: u64 = 1 << 20;

/// The most bytes that are read at once. A guest that asks for more gets less.
const READ_PERMIT: u64 = 1 << 20;

// A handle of a standard stream is just a number and needs no table. The table counts from 0, and
// has no room for so many.
pub(super) const STDIN: u32 = u32::MAX - 2;
pub(super) const STDOUT: u32 = u32::MAX - 1;
pub(super) const STDERR: u32 = u32::MAX;

/// Whether a handle is that of a standard stream.
fn is_standard<T: 'static>(stream: &Resource<T>) -> bool {
    stream.rep() >= STDIN
}

fn stopped(stop: Stop) -> StreamError {
    StreamError::Trap(stop.into())
}

impl State {
    fn write_log(&mut self, stream: &Resource<DynOutputStream>, text: &[u8]) -> StreamResult<()> {
        let channel = if stream.rep() == STDERR { Channel::Stderr } else { Channel::Stdout };
        self.log(channel, text).map_err(|limit| StreamError::Trap(limit.into()))
    }

    fn log_zeroes(&mut self, stream: &Resource<DynOutputStream>, count: u64) -> StreamResult<()> {
        if count > WRITE_PERMIT {
            let text = format!("{count} zeroes were written at once, more than the stream takes");
            return Err(StreamError::Trap(Violation(text).into()));
        }
        self.write_log(stream, &vec![0; count as usize])
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
    fn read(&mut self, stream: Resource<DynInputStream>, count: u64) -> StreamResult<Vec<u8>> {
        if is_standard(&stream) {
            return Err(StreamError::Closed);
        }
        io::streams::HostInputStream::read(&mut self.table, stream, count.min(READ_PERMIT))
    }

    fn blocking_read(
        &mut self,
        stream: Resource<DynInputStream>,
        count: u64,
    ) -> StreamResult<Vec<u8>> {
        if is_standard(&stream) {
            return Err(StreamError::Closed);
        }
        let count = count.min(READ_PERMIT);
        self.wait(async |table| {
            async_streams::HostInputStream::blocking_read(table, stream, count).await
        })
        .map_err(stopped)?
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, count: u64) -> StreamResult<u64> {
        if is_standard(&stream) {
            return Err(StreamError::Closed);
        }
        io::streams::HostInputStream::skip(&mut self.table, stream, count.min(READ_PERMIT))
    }

    fn blocking_skip(&mut self, stream: Resource<DynInputStream>, count: u64) -> StreamResult<u64> {
        if is_standard(&stream) {
            return Err(StreamError::Closed);
        }
        let count = count.min(READ_PERMIT);
        self.wait(async |table| {
            async_streams::HostInputStream::blocking_skip(table, stream, count).await
        })
        .map_err(stopped)?
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynInputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        if is_standard(&stream) {
            return self.timer(0);
        }
        io::streams::HostInputStream::subscribe(&mut self.table, stream)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        if is_standard(&stream) {
            return Ok(());
        }
        self.wait(async |table| async_streams::HostInputStream::drop(table, stream).await)?
    }
}

impl io::streams::HostOutputStream for State {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        if is_standard(&stream) {
            return Ok(WRITE_PERMIT);
        }
        io::streams::HostOutputStream::check_write(&mut self.table, stream)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, text: Vec<u8>) -> StreamResult<()> {
        if is_standard(&stream) {
            return self.write_log(&stream, &text);
        }
        io::streams::HostOutputStream::write(&mut self.table, stream, text)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        text: Vec<u8>,
    ) -> StreamResult<()> {
        if is_standard(&stream) {
            return self.write_log(&stream, &text);
        }
        self.wait(async |table| {
            async_streams::HostOutputStream::blocking_write_and_flush(table, stream, text).await
        })
        .map_err(stopped)?
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        if is_standard(&stream) {
            return Ok(());
        }
        io::streams::HostOutputStream::flush(&mut self.table, stream)
    }

    fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        if is_standard(&stream) {
            return Ok(());
        }
        self.wait(async |table| {
            async_streams::HostOutputStream::blocking_flush(table, stream).await
        })
        .map_err(stopped)?
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        if is_standard(&stream) {
            return self.timer(0);
        }
        io::streams::HostOutputStream::subscribe(&mut self.table, stream)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, count: u64) -> StreamResult<()> {
        if is_standard(&stream) {
            return self.log_zeroes(&stream, count);
        }
        io::streams::HostOutputStream::write_zeroes(&mut self.table, stream, count)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        count: u64,
    ) -> StreamResult<()> {
        if is_standard(&stream) {
            return self.log_zeroes(&stream, count);
        }
        self.wait(async |table| {
            use async_streams::HostOutputStream;
            HostOutputStream::blocking_write_zeroes_and_flush(table, stream, count).await
        })
        .map_err(stopped)?
    }

    fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        count: u64,
    ) -> StreamResult<u64> {
        if is_standard(&from) {
            return Err(StreamError::Closed);
        }
        let count = count.min(READ_PERMIT);
        if is_standard(&to) {
            let text = io::streams::HostInputStream::read(&mut self.table, from, count)?;
            self.write_log(&to, &text)?;
            return Ok(text.len() as u64);
        }
        io::streams::HostOutputStream::splice(&mut self.table, to, from, count)
    }

    fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        count: u64,
    ) -> StreamResult<u64> {
        if is_standard(&from) {
            return Err(StreamError::Closed);
        }
        let count = count.min(READ_PERMIT);
        if is_standard(&to) {
            let text = io::streams::HostInputStream::blocking_read(self, from, count)?;
            self.write_log(&to, &text)?;
            return Ok(text.len() as u64);
        }
        self.wait(async |table| {
            async_streams::HostOutputStream::blocking_splice(table, to, from, count).await
        })
        .map_err(stopped)?
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        if is_standard(&stream) {
            return Ok(());
        }
        self.wait(async |table| async_streams::HostOutputStream::drop(table, stream).await)?
    }
}
