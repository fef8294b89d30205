//! Flows some of whose tasks are known: a first walk takes those, and sets aside the rest, which a
//! second walk runs.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::properties::Run;
use super::properties::advance;
use super::properties::assert_nothing_is_left;
use super::properties::draw;
use super::properties::run;
use super::properties::started;
use super::random_flow::RandomFlow;
use super::random_flow::random_flow;
use super::*;

/// Takes all tasks that are known, as far as they can be reached.
fn take_known(
    tasks: &mut Tasks,
    graph: &Graph,
    data: u64,
    known: impl Fn(&TaskRef) -> bool,
) -> Run {
    let mut taken = Run::new();
    while let Some(task) = tasks.start() {
        if known(&task.id) {
            let earlier = taken.insert(task.id.clone(), started(graph, &task));
            assert_eq!(earlier, None, "{} is taken twice", name(graph, &task.id));
            let advance = advance(graph, &task.id, data);
            tasks.finish(task, advance);
        } else {
            tasks.defer(task);
        }
    }
    assert_eq!(tasks.in_flight(), 0);
    taken
}

/// Runs what is left, and gives the tasks that were not taken. Those that were may come up again,
/// to be looked up.
fn run_rest(
    tasks: &mut Tasks,
    graph: &Graph,
    data: u64,
    (order, workers): (u64, usize),
    taken: &Run,
) -> Run {
    let (mut run, mut looked_up) = (Run::new(), BTreeSet::new());
    let mut flying: Vec<Task> = Vec::new();
    for moment in 0_u64.. {
        let busy = 1 + draw((order, moment, "busy"), workers);
        while flying.len() < busy {
            let Some(task) = tasks.start() else { break };
            let begins = started(graph, &task);
            match taken.get(&task.id) {
                Some(before) => {
                    assert_eq!(&begins, before, "{} has changed", name(graph, &task.id));
                    assert!(looked_up.insert(task.id.clone()), "it is looked up twice");
                }
                None => {
                    let earlier = run.insert(task.id.clone(), begins);
                    assert_eq!(earlier, None, "{} comes twice", name(graph, &task.id));
                }
            }
            flying.push(task);
        }
        assert_eq!(tasks.in_flight(), flying.len());
        if flying.is_empty() {
            return run;
        }
        let task = flying.swap_remove(draw((order, moment, "ends"), flying.len()));
        let advance = advance(graph, &task.id, data);
        tasks.finish(task, advance);
    }
    unreachable!("it ends before all moments are over")
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_flow_has_the_same_tasks_whichever_of_them_are_known(
        flow in random_flow(),
        data in any::<u64>(),
        // Of a hundred tasks so many are known.
        known in prop_oneof![0_usize..=100, 90_usize..=100],
        which in any::<u64>(),
        order in (any::<u64>(), 1_usize..9),
    ) {
        let RandomFlow { text, depth } = &flow;
        let graph = graph(text);
        let whole = run(&graph, *depth, data, 0, 1);
        let is_known = |id: &TaskRef| draw((id, which), 100) < known;

        let mut tasks = Tasks::new(Arc::clone(&graph));
        let mut both = take_known(&mut tasks, &graph, data, is_known);
        for (id, begins) in &both {
            let sources = begins.inherits.iter().chain(begins.inputs.iter().flatten());
            for source in sources {
                prop_assert!(is_known(source), "{} is not known", name(&graph, source));
            }
            prop_assert!(is_known(id));
        }
        tasks.recall();
        let rest = run_rest(&mut tasks, &graph, data, order, &both);
        assert_nothing_is_left(&tasks);
        for (id, begins) in rest {
            prop_assert_eq!(both.insert(id, begins), None);
        }
        prop_assert_eq!(&both, &whole);
    }
}

/// Everything of which all that comes before is known as well is taken in the first walk.
#[test]
fn what_can_be_taken_is_taken() {
    let graph = graph(
        "start -> a, b\na -> i for xs\ni -> k\nk -> m\nm(inputs) -> j\nb -> c\nc -> j\n\
         j(inputs) -> end\nend",
    );
    let named = |ids: &Run| ids.keys().map(|id| name(&graph, id)).collect::<Vec<_>>().join(" ");
    let data = (0..).find(|&data| {
        let a = TaskRef { step: graph.find("a").unwrap(), task: TaskId::ROOT };
        matches!(advance(&graph, &a, data), Advance::Foreach { width: 3, .. })
    });
    let data = data.unwrap();
    for (unknown, taken, again) in [
        ("k/1", "start/1 a/1 i/0 i/1 i/2 k/0 k/2 b/1 c/1", "k/1 m/1 j/1 end/1"),
        ("i/1", "start/1 a/1 i/0 i/2 k/0 k/2 b/1 c/1", "i/1 k/1 m/1 j/1 end/1"),
        ("m/1", "start/1 a/1 i/0 i/1 i/2 k/0 k/1 k/2 b/1 c/1", "m/1 j/1 end/1"),
        ("b/1", "start/1 a/1 i/0 i/1 i/2 k/0 k/1 k/2 m/1", "b/1 c/1 j/1 end/1"),
        ("start/1", "", "start/1 a/1 i/0 i/1 i/2 k/0 k/1 k/2 m/1 b/1 c/1 j/1 end/1"),
        ("end/1", "start/1 a/1 i/0 i/1 i/2 k/0 k/1 k/2 m/1 b/1 c/1 j/1", "end/1"),
    ] {
        let mut tasks = Tasks::new(Arc::clone(&graph));
        let known = |id: &TaskRef| name(&graph, id) != unknown;
        let first = take_known(&mut tasks, &graph, data, known);
        assert_eq!(named(&first), taken);
        tasks.recall();
        assert_eq!(named(&run_rest(&mut tasks, &graph, data, (0, 1), &first)), again);
    }
}
