//! The scheduler: which task may start now, and what follows when one has ended.
//!
//! A pure state machine. It knows the graph and what was reported to it, and no clock, thread,
//! store or guest; whoever drives it asks [`Scheduler::start`] for a task when there is room for
//! one, and reports each end to [`Scheduler::finish`].
//!
//! The tasks of a foreach are made one by one as they are asked for, the newest split first, so
//! that what it holds grows with the tasks in flight and not with the width of a foreach. All
//! that is kept for each task of a foreach is which one arrived at the join: eight bytes.
//!
//! `E` is what a task hands on to the next, `I` the list that a foreach goes over; both are
//! opaque here.

use std::sync::Arc;

use wflow_model::TaskId;
use wflow_model::graph::Graph;
use wflow_model::graph::Transition;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;

/// A task that may start.
#[derive(Debug, Clone)]
pub(crate) struct Start<E, I> {
    /// Which task.
    pub(crate) id: TaskRef,
    /// What the task before it hands on; none for the first task and for a join.
    pub(crate) inherits: Option<E>,
    /// The foreach loops around it, outermost first.
    pub(crate) frames: Vec<Frame<I>>,
    /// The tasks that it joins, if it is a join.
    pub(crate) inputs: Option<Arc<Inputs>>,
    /// Where it stands in the splits around it.
    place: Place,
}

/// One foreach around a task.
#[derive(Debug, Clone)]
pub(crate) struct Frame<I> {
    /// The step whose foreach it is.
    pub(crate) step: StepIndex,
    /// The list.
    pub(crate) items: I,
    /// Which item of the list is this task's.
    pub(crate) index: u32,
    /// How many there are.
    pub(crate) width: u32,
}

/// The tasks that a join joins, in the order of branches or items.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// The foreach indices of the split.
    indices: Vec<u32>,
    /// Whether each input has an index more: its item's.
    foreach: bool,
    arrived: Vec<Arrival>,
}

/// The task that arrived at a join: all of its identity that does not follow from its place.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    step: StepIndex,
    /// 0 until one arrives.
    round: u32,
}

impl Inputs {
    /// How many tasks are joined.
    pub(crate) fn len(&self) -> usize {
        self.arrived.len()
    }

    /// The input at a position, if there are so many.
    pub(crate) fn get(&self, position: usize) -> Option<TaskRef> {
        let arrival = self.arrived.get(position)?;
        let mut indices = Vec::with_capacity(self.indices.len() + 1);
        indices.extend_from_slice(&self.indices);
        if self.foreach {
            indices.push(u32::try_from(position).ok()?);
        }
        Some(TaskRef { step: arrival.step, task: TaskId { indices, round: arrival.round } })
    }
}

/// How a task that returned goes on: its transition, decided.
#[derive(Debug)]
pub(crate) enum Advance<E, I> {
    /// To the step or the steps that follow.
    Next(E),
    /// To one task for each of `width` items.
    Foreach {
        /// What the task hands on.
        hands_on: E,
        /// The items.
        items: I,
        /// How many there are.
        width: u32,
    },
    /// To the step of one case of its switch.
    Case {
        /// What the task hands on.
        hands_on: E,
        /// The step.
        step: StepIndex,
    },
}

/// A branch of an open split; none stands outside all splits.
#[derive(Debug, Clone, Copy)]
struct Place {
    split: Option<SplitKey>,
    branch: u32,
}

/// An open split by its position among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SplitKey(usize);

/// A split or foreach whose join has not started.
#[derive(Debug)]
struct OpenSplit<E, I> {
    /// The task that split.
    task: TaskRef,
    /// Where that task stands, and so does the join.
    place: Place,
    /// What it hands on to its branches.
    hands_on: E,
    /// The items, if it is a foreach.
    items: Option<I>,
    /// How many of the branches were started.
    started: u32,
    /// Those of them that were set aside.
    deferred: Vec<u32>,
    /// Those of them that are to be begun again, the last one first.
    recalled: Vec<u32>,
    /// How many did not arrive yet.
    missing: u32,
    arrived: Vec<Arrival>,
}

/// What can be started next.
#[derive(Debug)]
enum Ready<E> {
    /// One task.
    Task { id: TaskRef, inherits: Option<E>, inputs: Option<Arc<Inputs>>, place: Place },
    /// The next branch of a split.
    Branch(SplitKey),
}

/// The state of a run, as far as it decides what may start.
#[derive(Debug)]
pub(crate) struct Scheduler<E, I> {
    graph: Arc<Graph>,
    /// A stack: what became ready last starts first, so that a branch is finished before the
    /// next one is opened.
    ready: Vec<Ready<E>>,
    splits: Vec<Option<OpenSplit<E, I>>>,
    free: Vec<SplitKey>,
    /// What was set aside outside all splits.
    deferred: Vec<Ready<E>>,
    in_flight: usize,
    done: bool,
}

impl<E: Clone, I: Clone> Scheduler<E, I> {
    /// A run of this graph, about to begin.
    pub(crate) fn new(graph: Arc<Graph>) -> Self {
        let first = Ready::Task {
            id: TaskRef { step: graph.start(), task: TaskId::ROOT },
            inherits: None,
            inputs: None,
            place: Place { split: None, branch: 0 },
        };
        Self {
            graph,
            ready: vec![first],
            splits: Vec::new(),
            free: Vec::new(),
            deferred: Vec::new(),
            in_flight: 0,
            done: false,
        }
    }

    /// A task that may start now; none if those in flight have to end first, or all is done.
    pub(crate) fn start(&mut self) -> Option<Start<E, I>> {
        let start = match self.ready.pop()? {
            Ready::Task { id, inherits, inputs, place } => {
                Start { id, inherits, inputs, place, frames: self.frames(place) }
            }
            Ready::Branch(key) => self.start_branch(key),
        };
        self.in_flight += 1;
        Some(start)
    }

    /// How many tasks were started and have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether the last task of the flow has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Takes back a task that ended without a way on: nothing follows it.
    pub(crate) fn abandon(&mut self) {
        self.in_flight -= 1;
    }

    /// Takes back a task that returned, and makes ready what follows it.
    pub(crate) fn finish(&mut self, task: Start<E, I>, advance: Advance<E, I>) {
        self.in_flight -= 1;
        let graph = Arc::clone(&self.graph);
        match (&graph.step(task.id.step).transition, advance) {
            (Transition::Linear(step), Advance::Next(hands_on)) => {
                self.arrive(&task.id, task.place, *step, hands_on);
            }
            (_, Advance::Case { hands_on, step }) => {
                self.arrive(&task.id, task.place, step, hands_on);
            }
            (Transition::Split(steps), Advance::Next(hands_on)) => {
                let width = u32::try_from(steps.len()).unwrap_or(u32::MAX);
                self.open(task, hands_on, None, width);
            }
            (_, Advance::Foreach { hands_on, items, width }) => {
                self.open(task, hands_on, Some(items), width);
            }
            (_, Advance::Next(_)) => self.done = true,
        }
    }

    /// Sets aside a task that has not run, until [`Self::recall`]. Of a task within a split the
    /// whole branch is set aside, to be begun again with its first task: that takes four bytes,
    /// and there may be a million.
    pub(crate) fn defer(&mut self, task: Start<E, I>) {
        self.in_flight -= 1;
        let Start { id, inherits, inputs, place, .. } = task;
        match place.split {
            Some(key) => self.split_mut(key).deferred.push(place.branch),
            None => self.deferred.push(Ready::Task { id, inherits, inputs, place }),
        }
    }

    /// Makes ready again what was set aside; the innermost splits are to go on first.
    pub(crate) fn recall(&mut self) {
        self.ready.append(&mut self.deferred);
        let mut open: Vec<(usize, SplitKey)> = Vec::new();
        for (position, split) in self.splits.iter_mut().enumerate() {
            if let Some(split) = split
                && !split.deferred.is_empty()
            {
                split.recalled = std::mem::take(&mut split.deferred);
                split.recalled.reverse();
                open.push((split.task.task.indices.len(), SplitKey(position)));
            }
        }
        open.sort_by_key(|(depth, _)| *depth);
        self.ready.extend(open.into_iter().map(|(_, key)| Ready::Branch(key)));
    }

    /// The next branch of a split that has one, which stays ready while it has more.
    fn start_branch(&mut self, key: SplitKey) -> Start<E, I> {
        let graph = Arc::clone(&self.graph);
        let split = self.split_mut(key);
        let branch = split.recalled.pop().unwrap_or(split.started);
        split.started = split.started.max(branch + 1);
        let more = !split.recalled.is_empty() || (split.started as usize) < split.arrived.len();
        let step = match &graph.step(split.task.step).transition {
            Transition::Split(steps) => steps[branch as usize],
            other => other.targets()[0],
        };
        let mut task = next_id(&graph, &split.task, step);
        if split.items.is_some() {
            task = task.child(branch);
        }
        let inherits = Some(split.hands_on.clone());
        if more {
            self.ready.push(Ready::Branch(key));
        }
        let place = Place { split: Some(key), branch };
        let frames = self.frames(place);
        Start { id: TaskRef { step, task }, inherits, inputs: None, frames, place }
    }

    /// One way leads from a task to a step.
    fn arrive(&mut self, from: &TaskRef, place: Place, step: StepIndex, hands_on: E) {
        match place.split {
            Some(key) if self.graph.step(step).join => self.deliver(from, key, place.branch),
            _ => {
                let id = TaskRef { step, task: next_id(&self.graph, from, step) };
                self.ready.push(Ready::Task { id, inherits: Some(hands_on), inputs: None, place });
            }
        }
    }

    fn open(&mut self, task: Start<E, I>, hands_on: E, items: Option<I>, width: u32) {
        let nobody = Arrival { step: task.id.step, round: 0 };
        let split = OpenSplit {
            task: task.id,
            place: task.place,
            hands_on,
            items,
            started: 0,
            deferred: Vec::new(),
            recalled: Vec::new(),
            missing: width,
            arrived: vec![nobody; width as usize],
        };
        let key = match self.free.pop() {
            Some(key) => {
                self.splits[key.0] = Some(split);
                key
            }
            None => {
                self.splits.push(Some(split));
                SplitKey(self.splits.len() - 1)
            }
        };
        if width == 0 {
            self.close(key);
        } else {
            self.ready.push(Ready::Branch(key));
        }
    }

    /// A branch has come to the join of its split.
    fn deliver(&mut self, from: &TaskRef, key: SplitKey, branch: u32) {
        let split = self.split_mut(key);
        split.arrived[branch as usize] = Arrival { step: from.step, round: from.task.round };
        split.missing -= 1;
        if split.missing == 0 {
            self.close(key);
        }
    }

    /// All branches of a split have arrived: its join is ready.
    fn close(&mut self, key: SplitKey) {
        let Some(split) = self.splits[key.0].take() else { return };
        self.free.push(key);
        let Some(join) = self.graph.join_of(split.task.step) else { return };
        let mut task = next_id(&self.graph, &split.task, join);
        // A loop within a branch has counted on from the round of the split. The join counts on
        // from there, so that in the next round of a loop around it no id comes up again.
        let in_loop = self.graph.step(join).in_loop;
        let within = |arrival: &&Arrival| self.graph.step(arrival.step).in_loop == in_loop;
        if in_loop.is_some() {
            let rounds = split.arrived.iter().filter(within).map(|arrival| arrival.round);
            task.round = rounds.fold(task.round, u32::max);
        }
        let inputs = Inputs {
            indices: split.task.task.indices,
            foreach: split.items.is_some(),
            arrived: split.arrived,
        };
        self.ready.push(Ready::Task {
            id: TaskRef { step: join, task },
            inherits: None,
            inputs: Some(Arc::new(inputs)),
            place: split.place,
        });
    }

    /// The foreach loops around a place, outermost first.
    fn frames(&self, mut place: Place) -> Vec<Frame<I>> {
        let mut frames = Vec::new();
        while let Some(split) = place.split.and_then(|key| self.splits[key.0].as_ref()) {
            if let Some(items) = &split.items {
                frames.push(Frame {
                    step: split.task.step,
                    items: items.clone(),
                    index: place.branch,
                    width: u32::try_from(split.arrived.len()).unwrap_or(u32::MAX),
                });
            }
            place = split.place;
        }
        frames.reverse();
        frames
    }

    fn split_mut(&mut self, key: SplitKey) -> &mut OpenSplit<E, I> {
        #[expect(clippy::expect_used, reason = "a key is used only until its split is closed")]
        self.splits[key.0].as_mut().expect("the split is open")
    }
}

/// The id that a task of `step` has when it follows `from` within the same foreach.
pub(crate) fn next_id(graph: &Graph, from: &TaskRef, step: StepIndex) -> TaskId {
    let (here, there) = (graph.step(from.step), graph.step(step));
    let round = if there.back_edges.contains(&from.step) {
        from.task.round.saturating_add(1)
    } else if there.in_loop.is_some() && there.in_loop == here.in_loop {
        from.task.round
    } else {
        1
    };
    TaskId { indices: from.task.indices.clone(), round }
}

#[cfg(test)]
mod tests;
