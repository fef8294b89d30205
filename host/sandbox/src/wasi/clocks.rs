//! `wasi:clocks` and `wasi:io/poll`: waiting for a moment jumps there, unless the real time is
//! granted; waiting for files and sockets waits.

use std::time::Duration;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::clocks::wall_clock;
use wasmtime_wasi::p2::bindings::io::poll as async_poll;
use wasmtime_wasi::p2::bindings::sync::io;

use crate::contract::Violation;
use crate::state::State;

const MONOTONIC: &str = "wasi:clocks/monotonic-clock";
const WALL: &str = "wasi:clocks/wall-clock";

/// A pollable that is ready from a moment of the monotonic clock on. All others are those of
/// `wasmtime-wasi`, for what is granted; they stand in the same table.
struct Timer {
    deadline: u64,
}

/// A pollable in the words of the implementation that it is of.
enum Waiting {
    Timer(u64),
    Other(Resource<DynPollable>),
}

impl State {
    /// A pollable that is ready from a moment of the monotonic clock on.
    pub(super) fn timer(&mut self, deadline: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer { deadline })?;
        Ok(Resource::new_own(timer.rep()))
    }

    fn waiting(&self, pollable: &Resource<DynPollable>) -> Waiting {
        match self.table.get(&Resource::<Timer>::new_borrow(pollable.rep())) {
            Ok(timer) => Waiting::Timer(timer.deadline),
            Err(_) => Waiting::Other(Resource::new_borrow(pollable.rep())),
        }
    }

    /// Waits until one of the others is ready, or the clock shows `deadline`; gives the positions
    /// of those that are.
    fn wait_for(
        &mut self,
        others: Vec<Resource<DynPollable>>,
        deadline: Option<u64>,
    ) -> wasmtime::Result<Vec<u32>> {
        let now = self.clock.monotonic();
        let left = deadline.map(|deadline| Duration::from_nanos(deadline.saturating_sub(now)));
        let real = matches!(self.clock, crate::clock::Clock::Real(_));
        if others.is_empty() && !real {
            // Nothing but time can pass.
            self.clock.wait_until(deadline.unwrap_or_default());
            return Ok(Vec::new());
        }
        let ready = self.wait(async |table| {
            let others = async {
                match others.is_empty() {
                    true => std::future::pending().await,
                    false => async_poll::Host::poll(table, others).await,
                }
            };
            tokio::select! {
                biased;
                ready = others => ready.map(Some),
                () = at_last(left) => Ok(None),
            }
        })??;
        match ready {
            Some(ready) => Ok(ready),
            None => {
                self.clock.wait_until(deadline.unwrap_or_default());
                Ok(Vec::new())
            }
        }
    }
}

/// Waits so long, or for ever.
async fn at_last(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

impl io::poll::Host for State {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.is_empty() {
            return Err(Violation("`poll` was called with no pollable".to_owned()).into());
        }
        let (mut timers, mut others, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for (position, pollable) in (0..).zip(&pollables) {
            match self.waiting(pollable) {
                Waiting::Timer(deadline) => timers.push((position, deadline)),
                Waiting::Other(pollable) => {
                    others.push(pollable);
                    positions.push(position);
                }
            }
        }
        let earliest = timers.iter().map(|&(_, deadline)| deadline).min();
        let ready = self.wait_for(others, earliest)?;
        let now = self.clock.monotonic();
        let due = timers.iter().filter(|&&(_, deadline)| deadline <= now).map(|&(at, _)| at);
        let ready = ready.into_iter().filter_map(|at| positions.get(at as usize).copied());
        let mut all: Vec<u32> = ready.chain(due).collect();
        all.sort_unstable();
        Ok(all)
    }
}

impl io::poll::HostPollable for State {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        match self.waiting(&pollable) {
            Waiting::Timer(deadline) => Ok(deadline <= self.clock.monotonic()),
            Waiting::Other(pollable) => {
                self.wait(async |table| async_poll::HostPollable::ready(table, pollable).await)?
            }
        }
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        match self.waiting(&pollable) {
            Waiting::Timer(deadline) => self.wait_for(Vec::new(), Some(deadline)).map(drop),
            Waiting::Other(pollable) => {
                self.wait(async |table| async_poll::HostPollable::block(table, pollable).await)?
            }
        }
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        match self.waiting(&pollable) {
            Waiting::Timer(_) => {
                self.table.delete(Resource::<Timer>::new_own(pollable.rep()))?;
                Ok(())
            }
            Waiting::Other(_) => async_poll::HostPollable::drop(&mut self.table, pollable),
        }
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock(MONOTONIC).monotonic())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.resolution())
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
        Ok(datetime(self.clock(WALL).wall()))
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(self.clock.resolution()))
    }
}
