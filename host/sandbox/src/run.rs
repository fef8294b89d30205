//! Calls into a component: one fresh instance for each, thrown away afterwards.

use std::thread;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::StoreContextMut;
use wasmtime::UpdateDeadline;
use wasmtime::component::Instance;

use crate::CancelToken;
use crate::Component;
use crate::Limits;
use crate::TaskContext;
use crate::TaskIo;
use crate::contract::GuestFailure;
use crate::error::DescribeError;
use crate::error::TaskError;
use crate::exceeded::Exceeded;
use crate::state::State;
use crate::trap;

/// How long `describe` may take.
const DESCRIBE_TIME: Duration = Duration::from_secs(1);
/// How much memory `describe` may use: an interpreter has to fit.
const DESCRIBE_MEMORY: u64 = 256 << 20;
/// How long the answer of `describe` may be.
const DESCRIBE_ANSWER: usize = 16 << 20;

/// What is left of a task when it has ended.
pub struct Ended {
    /// What it read and wrote through, handed back.
    pub io: Box<dyn TaskIo>,
    /// How it ended. What was put must be forgotten if that is an error.
    pub outcome: Result<(), TaskError>,
    /// The imports through which something came in that a second run may see differently, in
    /// order: those of grants that let the outside in, and [`RUN_ID`](crate::RUN_ID).
    pub outside: Vec<&'static str>,
    /// Whether it was refused memory or a larger table, so that with a higher limit it may have
    /// done something else.
    pub refused: bool,
    /// What it was last denied for lack of a grant, and how that is granted.
    pub denied: Option<String>,
}
/// Bytes of the stack that the host's own calls take, on top of the guest's.
const HOST_STACK: usize = 3 << 20;

impl Component {
    /// Asks the flow what it is: its graph as a JSON document, not looked at here.
    ///
    /// Asks twice, in two instances, since a graph that changes from call to call would make
    /// nonsense of a run.
    ///
    /// # Errors
    ///
    /// If the flow does not answer within a second, 256 MiB of memory and 16 MiB of text,
    /// or answers differently.
    pub fn describe(&self) -> Result<String, DescribeError> {
        // On a thread of its own, since the guest may use more of a stack than the caller has.
        thread::scope(|scope| {
            let twice = || agreed(self.describe_once()?, &self.describe_once()?);
            let thread = thread::Builder::new().stack_size(self.thread_stack());
            let described = thread
                .name("wflow-describe".to_owned())
                .spawn_scoped(scope, twice)
                .map(thread::ScopedJoinHandle::join);
            let broken = |why: &str| DescribeError::Failed(TaskError::Host(why.to_owned()));
            match described {
                Ok(Ok(described)) => described,
                Ok(Err(_)) => Err(broken("the thread that asks the flow what it is panicked")),
                Err(error) => Err(broken(&format!("no thread could be started: {error}"))),
            }
        })
    }

    fn describe_once(&self) -> Result<String, DescribeError> {
        let limits = Limits {
            memory: DESCRIBE_MEMORY,
            timeout: Some(DESCRIBE_TIME),
            stack: self.inner.stack,
            hostcall_bytes: DESCRIBE_ANSWER as u64,
            ..Limits::default()
        };
        let mut store = self.store(State::of_describe(&limits), &limits);
        let called = self.call_describe(&mut store);
        let too_large = |size| DescribeError::TooLarge { size, limit: DESCRIBE_ANSWER };
        match called {
            Ok(answer) if answer.len() > DESCRIBE_ANSWER => Err(too_large(answer.len())),
            Ok(answer) => Ok(answer),
            Err(error) => match trap::explain(&error, store.data(), &limits) {
                TaskError::Exceeded { limit: Exceeded::Call(_), .. } => {
                    Err(too_large(DESCRIBE_ANSWER + 1))
                }
                error => Err(DescribeError::Failed(error)),
            },
        }
    }

    fn call_describe(&self, store: &mut Store<State>) -> wasmtime::Result<String> {
        let instance = self.instance(store)?;
        let describe =
            instance.get_typed_func::<(), (String,)>(&mut *store, &self.inner.describe)?;
        Ok(describe.call(store, ())?.0)
    }

    /// Bytes of the stack that a thread needs which calls [`Self::run`]: the guest's, and what the
    /// host's own calls take.
    pub fn thread_stack(&self) -> usize {
        usize::try_from(self.inner.stack).unwrap_or(usize::MAX).saturating_add(HOST_STACK)
    }

    /// Runs one task, in a fresh instance, on this thread, which it blocks. The thread needs
    /// a stack of [`Self::thread_stack`].
    ///
    /// What the task reads and writes goes through `io`, which is handed back whatever
    /// happens.
    pub fn run(
        &self,
        task: TaskContext,
        limits: &Limits,
        cancel: &CancelToken,
        io: Box<dyn TaskIo>,
    ) -> Ended {
        let step = task.step.clone();
        if let Err(why) = self.can_keep(limits) {
            let outcome = Err(TaskError::Host(why));
            return Ended { io, outcome, outside: Vec::new(), refused: false, denied: None };
        }
        let mut store = self.store(State::of_task(task, io, limits, cancel), limits);
        let outcome = match self.call_run(&mut store, &step) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(TaskError::Failed {
                said: Box::new(failure.clipped()),
                refused_memory: store.data().limiter.refused_memory().is_some(),
            }),
            Err(error) => Err(trap::explain(&error, store.data(), limits)),
        };
        let state = store.into_data();
        let outside = state.outside().to_vec();
        let refused = state.limiter.refused_any();
        let denied = state.denied.hint();
        // Host calls that take it out put it back before they return.
        let io = state.io.expect("no host call is running");
        Ended { io, outcome, outside, refused, denied }
    }

    fn call_run(
        &self,
        store: &mut Store<State>,
        step: &str,
    ) -> wasmtime::Result<Result<(), GuestFailure>> {
        store.data().watch.check()?;
        let instance = self.instance(store)?;
        let run = instance
            .get_typed_func::<(&str,), (Result<(), GuestFailure>,)>(&mut *store, &self.inner.run)?;
        Ok(run.call(store, (step,))?.0)
    }

    fn instance(&self, store: &mut Store<State>) -> wasmtime::Result<Instance> {
        let pre = match store.data().access.has_http() {
            true => &self.inner.pre,
            false => &self.inner.without_http,
        };
        let instance = pre.instantiate(&mut *store)?;
        store.data_mut().started = true;
        Ok(instance)
    }

    /// # Errors
    ///
    /// If these limits need another engine than the one that the component was loaded for.
    pub fn can_keep(&self, limits: &Limits) -> Result<(), String> {
        if limits.fuel.is_some() && !self.inner.fuel {
            return Err("the flow was loaded for an engine that counts no fuel".to_owned());
        }
        if limits.stack != self.inner.stack {
            let (asked, has) = (limits.stack, self.inner.stack);
            return Err(format!(
                "the flow was loaded for an engine whose tasks have a stack of {has} bytes, and \
                 {asked} are asked for"
            ));
        }
        Ok(())
    }

    /// What one instance lives in, with every limit in force.
    fn store(&self, state: State, limits: &Limits) -> Store<State> {
        let mut store = Store::new(self.inner.pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.call_bytes()).unwrap_or(usize::MAX));
        // A handle that is lent counts twice, and the standard streams are handles as well. What
        // the host holds for each is counted by the table of the state.
        let handles = (limits.handles as usize).saturating_mul(2).saturating_add(16);
        store.set_max_component_handles(handles);
        if self.inner.fuel {
            // Fails only where fuel is not counted.
            let _ = store.set_fuel(limits.fuel.unwrap_or(u64::MAX));
        }
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|cx: StoreContextMut<'_, State>| {
            cx.data().watch.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        store
    }
}

/// The answer that two calls of `describe` agree on.
fn agreed(first: String, second: &str) -> Result<String, DescribeError> {
    if first == second {
        return Ok(first);
    }
    let offset = first.bytes().zip(second.bytes()).take_while(|(a, b)| a == b).count();
    Err(DescribeError::Changing { first: first.len(), second: second.len(), offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_differ_are_refused() {
        // No flow can do this while the sandbox holds: the check guards the sandbox itself.
        assert_eq!(agreed("same".to_owned(), "same").unwrap(), "same");
        assert_eq!(
            agreed("{1234}".to_owned(), "{12}").unwrap_err().to_string(),
            "`describe` gave two different answers, first 6 bytes and then 4, which differ from \
             byte 3 on: the graph must not depend on anything outside the flow"
        );
    }
}
