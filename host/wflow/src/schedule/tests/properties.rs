//! What holds for every flow, with any number of workers, in whichever order tasks end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::bounds::most_ready;
use super::random_flow::RandomFlow;
use super::random_flow::random_flow;
use super::*;

/// From this round on a switch leads on and no longer back.
const LAST_ROUND: u32 = 3;

/// A number below `bound` that depends on nothing but `of`.
pub(super) fn draw(of: impl Hash, bound: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    usize::try_from(hasher.finish() % bound as u64).unwrap()
}

/// How a task goes on. It depends on who it is, and not on when it ends.
pub(super) fn advance(graph: &Graph, id: &TaskRef, data: u64) -> Advance<TaskRef, TaskRef> {
    let hands_on = id.clone();
    match &graph.step(id.step).transition {
        Transition::Foreach { .. } => {
            let width = u32::try_from(draw((id, data), 5)).unwrap();
            Advance::Foreach { hands_on, items: id.clone(), width }
        }
        Transition::Switch { cases, .. } => {
            let bound = if id.task.round < LAST_ROUND { cases.len() } else { 1 };
            Advance::Case { hands_on, step: cases[draw((id, data), bound)].step }
        }
        _ => Advance::Next(hands_on),
    }
}

/// The steps of the tasks that are to follow.
fn followers(graph: &Graph, id: &TaskRef, data: u64) -> Vec<StepIndex> {
    match advance(graph, id, data) {
        Advance::Foreach { width, .. } => {
            vec![graph.step(id.step).transition.targets()[0]; width as usize]
        }
        Advance::Case { step, .. } => vec![step],
        Advance::Next(_) => graph.step(id.step).transition.targets(),
    }
}

/// What a task started with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) inherits: Option<TaskRef>,
    pub(super) inputs: Option<Vec<TaskRef>>,
    /// The task that opened each foreach, the index, and the width.
    frames: Vec<(TaskRef, u32, u32)>,
}

pub(super) type Run = BTreeMap<TaskRef, Started>;

/// Runs a flow. `order` decides when tasks are started, and which of them ends first.
pub(super) fn run(graph: &Arc<Graph>, depth: usize, data: u64, order: u64, workers: usize) -> Run {
    let mut tasks = Tasks::new(Arc::clone(graph));
    let mut run = Run::new();
    let mut finished = BTreeSet::new();
    let mut flying: Vec<Task> = Vec::new();
    for moment in 0_u64.. {
        let busy = 1 + draw((order, moment, "busy"), workers);
        while flying.len() < busy {
            let Some(task) = tasks.start() else { break };
            let started = started(graph, &task);
            let sources = started.inherits.iter().chain(started.inputs.iter().flatten());
            for source in sources {
                assert!(finished.contains(source), "it starts before a task it follows has ended");
            }
            let earlier = run.insert(task.id.clone(), started);
            assert_eq!(earlier, None, "{} comes twice", name(graph, &task.id));
            flying.push(task);
        }
        assert_eq!(tasks.in_flight(), flying.len());
        assert!(tasks.ready.len() <= most_ready(workers, depth), "{} are ready", tasks.ready.len());
        if flying.is_empty() {
            break;
        }
        assert!(!tasks.is_done(), "it is done before the last task has ended");
        let task = flying.swap_remove(draw((order, moment, "ends"), flying.len()));
        finished.insert(task.id.clone());
        let advance = advance(graph, &task.id, data);
        tasks.finish(task, advance);
    }
    assert_nothing_is_left(&tasks);
    run
}

/// The flow is done, and nothing of it is held.
pub(super) fn assert_nothing_is_left(tasks: &Tasks) {
    assert!(tasks.is_done());
    assert!(tasks.ready.is_empty() && tasks.deferred.is_empty());
    assert!(tasks.splits.iter().all(Option::is_none), "a split is still open");
    assert_eq!(tasks.free.len(), tasks.splits.len());
}

pub(super) fn started(graph: &Graph, task: &Task) -> Started {
    let foreachs: Vec<StepIndex> = task.frames.iter().map(|frame| frame.step).collect();
    assert_eq!(foreachs, graph.step(task.id.step).foreachs);
    let indices: Vec<u32> = task.frames.iter().map(|frame| frame.index).collect();
    assert_eq!(indices, task.id.task.indices);
    let frames = task.frames.iter().map(|frame| (frame.items.clone(), frame.index, frame.width));
    Started { inherits: task.inherits.clone(), inputs: inputs(task), frames: frames.collect() }
}

/// Each task that ended is followed by what its transition says, and by nothing else.
fn check_followers(graph: &Graph, run: &Run, data: u64) {
    let mut actual: BTreeMap<&TaskRef, Vec<StepIndex>> = BTreeMap::new();
    for (id, started) in run {
        let first = id.step == graph.start();
        let is_join = graph.step(id.step).join;
        assert_eq!(started.inputs.is_some(), is_join);
        assert_eq!(started.inherits.is_some(), !is_join && !first);
        for source in started.inherits.iter().chain(started.inputs.iter().flatten()) {
            actual.entry(source).or_default().push(id.step);
        }
    }
    for id in run.keys() {
        let mut expected = followers(graph, id, data);
        let mut actual = actual.remove(id).unwrap_or_default();
        expected.sort();
        actual.sort();
        assert_eq!(actual, expected, "what follows {}", name(graph, id));
    }
}

/// The inputs of each join are the branches of one task that split, each in its place.
fn check_joins(graph: &Graph, run: &Run, data: u64) {
    let tasks_of = |step| run.keys().filter(move |id| id.step == step).count();
    for (join, step) in graph.indexed_steps() {
        if let Some(split) = step.joins {
            assert_eq!(tasks_of(split), tasks_of(join), "every split has a join");
        }
    }
    for (id, started) in run {
        let (Some(inputs), Some(split)) = (&started.inputs, graph.step(id.step).joins) else {
            continue;
        };
        match &graph.step(split).transition {
            Transition::Split(targets) => {
                assert_eq!(inputs.len(), targets.len());
                for (input, target) in inputs.iter().zip(targets) {
                    assert_eq!(input.task.indices, id.task.indices);
                    assert!(branch(graph, *target, id.step).contains(&input.step));
                }
            }
            _ => {
                for (index, input) in (0..).zip(inputs) {
                    assert_eq!(input.task.indices, id.task.child(index).indices);
                    let (opener, _, width) = run[input].frames.last().unwrap();
                    assert_eq!(*width as usize, inputs.len());
                    assert_eq!(Some(opener), run[&inputs[0]].frames.last().map(|frame| &frame.0));
                    assert_eq!(followers(graph, opener, data).len(), inputs.len());
                }
            }
        }
    }
}

/// The steps that can be reached from `first` without passing `join`.
fn branch(graph: &Graph, first: StepIndex, join: StepIndex) -> BTreeSet<StepIndex> {
    let mut found = BTreeSet::from([first]);
    let mut open = vec![first];
    while let Some(step) = open.pop() {
        let targets = graph.step(step).transition.targets();
        open.extend(targets.into_iter().filter(|&target| target != join && found.insert(target)));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_flow_has_the_same_tasks_in_whichever_order_they_end(
        flow in random_flow(),
        data in any::<u64>(),
        others in prop::collection::vec((any::<u64>(), 1_usize..9), 3),
    ) {
        let RandomFlow { text, depth } = &flow;
        let graph = graph(text);
        let alone = run(&graph, *depth, data, 0, 1);
        check_followers(&graph, &alone, data);
        check_joins(&graph, &alone, data);
        for (order, workers) in others {
            prop_assert_eq!(&run(&graph, *depth, data, order, workers), &alone);
        }
    }
}
