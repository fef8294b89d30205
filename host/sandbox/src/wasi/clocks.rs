//! `wasi:clocks` and `wasi:io/poll`: waiting jumps to the moment that is waited for.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::clocks::wall_clock;
use wasmtime_wasi::p2::bindings::sync::io;

use crate::clock::VirtualClock;
use crate::contract::Violation;
use crate::state::State;

/// What a pollable is here: ready from a moment of the monotonic clock on.
struct Timer {
    deadline: u64,
}

impl State {
    /// A pollable that is ready from a moment of the monotonic clock on.
    pub(super) fn timer(&mut self, deadline: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer { deadline })?;
        Ok(Resource::new_own(timer.rep()))
    }

    fn deadline(&self, pollable: &Resource<DynPollable>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&Resource::<Timer>::new_borrow(pollable.rep()))?.deadline)
    }
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
