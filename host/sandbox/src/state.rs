//! What the host keeps for one instance while it lives.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::sockets::WasiSocketsCtx;

use crate::CancelToken;
use crate::Channel;
use crate::Limits;
use crate::TaskContext;
use crate::TaskIo;
use crate::clock::VirtualClock;
use crate::contract::GuestFailure;
use crate::limits::Limiter;
use crate::limits::Watch;
use crate::random::Random;

/// The state of one instance. Everything in it is cheap to make, or made when it is first
/// needed: a task that asks for nothing pays for nothing.
pub(crate) struct State {
    /// Who the task is; none while a flow is described.
    pub(crate) task: Option<TaskContext>,
    /// What the task reads and writes; none while a flow is described, and for the moment in
    /// which a call works with it.
    pub(crate) io: Option<Box<dyn TaskIo>>,
    pub(crate) clock: VirtualClock,
    random: Option<Random>,
    /// Readers, writers and timers.
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) watch: Watch,
    /// Whether the instance was made, so that what happens now happens in the guest.
    pub(crate) started: bool,
    /// The last that the guest said with `task.fail`.
    pub(crate) failure: Option<GuestFailure>,
    /// The end of standard error, for the report of a trap.
    pub(crate) stderr: Tail,
    /// No folders. WASI wants to see that for itself.
    pub(crate) no_files: WasiFilesystemCtx,
    /// No sockets. Made when somebody asks.
    pub(crate) no_sockets: Option<WasiSocketsCtx>,
}

impl State {
    /// For one task.
    pub(crate) fn of_task(
        task: TaskContext,
        io: Box<dyn TaskIo>,
        limits: &Limits,
        cancel: &CancelToken,
    ) -> Self {
        let clock = VirtualClock::new(task.logical_time);
        Self { task: Some(task), io: Some(io), ..Self::bare(clock, limits, cancel) }
    }

    /// For the description of a flow: nobody, with nothing, in 1970.
    pub(crate) fn of_describe(limits: &Limits) -> Self {
        Self::bare(VirtualClock::new(0), limits, &CancelToken::new())
    }

    fn bare(clock: VirtualClock, limits: &Limits, cancel: &CancelToken) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        Self {
            task: None,
            io: None,
            clock,
            random: None,
            table,
            limiter: Limiter::new(limits),
            watch: Watch::start(limits.timeout, cancel),
            started: false,
            failure: None,
            stderr: Tail::default(),
            no_files: WasiFilesystemCtx::default(),
            no_sockets: None,
        }
    }

    /// The generator of this task.
    pub(crate) fn random(&mut self) -> &mut Random {
        let task = &self.task;
        self.random
            .get_or_insert_with(|| task.as_ref().map_or_else(Random::of_describe, Random::of))
    }

    /// Takes text that the guest wrote, by whichever way. A flow that is being described has
    /// nobody who would read it.
    pub(crate) fn log(&mut self, channel: Channel, text: &[u8]) {
        if channel == Channel::Stderr {
            self.stderr.push(text);
        }
        if let Some(io) = &mut self.io {
            io.log(channel, text);
        }
    }
}

/// The last bytes of a stream.
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    /// How many bytes are of interest.
    const KEPT: usize = 4096;

    fn push(&mut self, text: &[u8]) {
        let text = &text[text.len().saturating_sub(Self::KEPT)..];
        self.0.extend_from_slice(text);
        // Cut in larger steps than a line, so that a byte is moved once at most.
        if self.0.len() > 4 * Self::KEPT {
            self.0.drain(..self.0.len() - Self::KEPT);
        }
    }

    /// The text, without white space at its ends, what is not UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        let start = self.0.len().saturating_sub(Self::KEPT);
        String::from_utf8_lossy(&self.0[start..]).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let text = tail.text();
        assert!(text.ends_with("line 9999"));
        assert!(text.len() <= Tail::KEPT);
        assert!(tail.0.len() <= 4 * Tail::KEPT);

        tail.push(&vec![b'x'; 100_000]);
        assert_eq!(tail.text(), "x".repeat(Tail::KEPT));
    }
}
