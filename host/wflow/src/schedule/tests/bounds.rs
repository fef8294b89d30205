//! What a wide foreach costs.

use std::time::Duration;
use std::time::Instant;

use super::*;

const MILLION: u32 = 1_000_000;

#[test]
fn an_item_of_a_foreach_is_kept_in_eight_bytes() {
    assert_eq!(size_of::<Arrival>(), 8);
}

#[test]
fn a_foreach_over_a_million_items_is_scheduled_in_no_time_and_little_is_ready() {
    let graph = graph("start -> a for xs\na -> j\nj(inputs) -> end\nend");
    let (a, j) = (graph.find("a").unwrap(), graph.find("j").unwrap());
    let begin = Instant::now();
    let mut tasks = Scheduler::<u32, ()>::new(graph);
    let start = tasks.start().unwrap();
    tasks.finish(start, Advance::Foreach { hands_on: 7, items: (), width: MILLION });

    let mut flying: Vec<Start<u32, ()>> = Vec::new();
    let mut items = 0;
    let join = loop {
        while flying.len() < 8 {
            let Some(task) = tasks.start() else { break };
            flying.push(task);
        }
        assert!(tasks.ready.len() <= 1, "{} are ready", tasks.ready.len());
        let task = flying.swap_remove(items % flying.len());
        if task.id.step == j {
            break task;
        }
        items += 1;
        tasks.finish(task, Advance::Next(7));
    };
    assert_eq!(items, MILLION as usize);
    let inputs = join.inputs.as_ref().unwrap();
    assert_eq!(inputs.len(), MILLION as usize);
    for index in [0, 1, 7, MILLION / 2, MILLION - 1] {
        let task = TaskId::ROOT.child(index);
        assert_eq!(inputs.get(index as usize), Some(TaskRef { step: a, task }));
    }
    tasks.finish(join, Advance::Next(7));
    let end = tasks.start().unwrap();
    tasks.finish(end, Advance::Next(7));
    assert!(tasks.is_done());
    assert!(begin.elapsed() < Duration::from_secs(2), "it took {:?}", begin.elapsed());
}

#[test]
fn an_item_that_is_set_aside_is_kept_in_four_bytes_more() {
    let graph = graph("start -> a for xs\na -> b\nb -> j\nj(inputs) -> end\nend");
    let (start, a) = (graph.start(), graph.find("a").unwrap());
    let mut tasks = Scheduler::<u32, ()>::new(graph);
    let mut taken = 0;
    while let Some(task) = tasks.start() {
        assert!(tasks.ready.len() <= 1, "{} are ready", tasks.ready.len());
        // Of each item the first task is known, and the second one is not.
        match task.id.step {
            step if step == start => {
                tasks.finish(task, Advance::Foreach { hands_on: 7, items: (), width: MILLION });
            }
            step if step == a => {
                taken += 1;
                tasks.finish(task, Advance::Next(7));
            }
            _ => tasks.defer(task),
        }
    }
    assert_eq!(taken, MILLION);
    tasks.recall();
    assert_eq!((tasks.ready.len(), tasks.deferred.len(), tasks.splits.len()), (1, 0, 1));
    let split = tasks.splits[0].as_ref().unwrap();
    assert_eq!(split.deferred.capacity(), 0);
    let bytes = size_of_val(&*split.arrived) + size_of_val(&*split.recalled);
    assert_eq!(bytes, 12 * MILLION as usize);
    // While it grows, it takes at most twice the room that it needs.
    assert!(split.recalled.capacity() <= 2 * MILLION as usize);

    for expected in 0..1000 {
        let task = tasks.start().unwrap();
        assert_eq!((task.id.step, task.id.task), (a, TaskId::ROOT.child(expected)));
        assert_eq!(tasks.ready.len(), 1);
    }
}

/// How much can be ready at once, however wide a foreach is.
///
/// A branch is started only when nothing above it on the stack is ready, so that of one split no
/// more branches are under way than there are workers. They are the most if one worker leaves a
/// split open in the first branch, then two of them in the second, and so on: `w` workers are
/// at `f(w, d) = f(1, d - 1) + ... + f(w, d - 1)` places `d` splits deep. If one thing is ready
/// at each, that is at all depths together the binomial coefficient of `w + d` over `d`.
pub(super) fn most_ready(workers: usize, depth: usize) -> usize {
    (1..=depth).fold(1, |product, level| product * (workers + level) / level)
}

/// Three foreach loops in each other, all of them as wide.
const NESTED: &str = "start -> a for xs\na -> b for xs\nb -> c for xs\nc -> j\nj(inputs) -> k\n\
                      k(inputs) -> l\nl(inputs) -> end\nend";

/// The most that is ready when tasks end in an order that leaves as many splits open as it can:
/// the deepest task that opens one is the next, and the innermost ones end when that lets more
/// of those start.
fn left_open(width: u32, workers: usize) -> usize {
    let graph = graph(NESTED);
    let opens = |step: StepIndex| matches!(graph.step(step).transition, Transition::Foreach { .. });
    let mut tasks = Scheduler::<u32, ()>::new(Arc::clone(&graph));
    let mut flying: Vec<Start<u32, ()>> = Vec::new();
    let mut most = 0;
    loop {
        while flying.len() < workers {
            let Some(task) = tasks.start() else { break };
            flying.push(task);
        }
        let to_start = match tasks.ready.last() {
            Some(Ready::Branch(key)) => {
                let split = tasks.splits[key.0].as_ref().unwrap();
                graph.step(split.task.step).transition.targets()[0]
            }
            _ => graph.end(),
        };
        let innermost = flying.iter().position(|task| !opens(task.id.step));
        let openers = (0..flying.len()).filter(|&at| opens(flying[at].id.step));
        let deepest = openers.max_by_key(|&at| flying[at].frames.len());
        let Some(at) = innermost.filter(|_| opens(to_start)).or(deepest) else { return most };
        let task = flying.swap_remove(at);
        let advance = match opens(task.id.step) {
            true => Advance::Foreach { hands_on: 7, items: (), width },
            false => Advance::Next(7),
        };
        tasks.finish(task, advance);
        most = most.max(tasks.ready.len());
    }
}

#[test]
fn what_is_ready_grows_with_the_workers_and_not_with_the_width() {
    for (workers, expected) in [(1, 3), (2, 6), (4, 15), (8, 45)] {
        assert_eq!(left_open(100, workers), expected);
        assert_eq!(left_open(10_000, workers), expected);
        assert!(expected <= most_ready(workers, 3));
    }
}
