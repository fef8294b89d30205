//! `wasi:io/streams`: standard input is at its end, standard output and error go to the task's
//! log. This is the hot path of a task that prints.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::StreamResult;
use wasmtime_wasi::p2::bindings::sync::io;

use crate::Channel;
use crate::contract::Violation;
use crate::state::State;

/// Bytes that a stream takes at once. Also the greatest run of zeroes.
const WRITE_PERMIT: u64 = 1 << 20;

// The three standard streams are all the streams there are, so a handle is just a number and
// needs no table.
pub(super) const STDIN: u32 = 0;
pub(super) const STDOUT: u32 = 1;
pub(super) const STDERR: u32 = 2;

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
