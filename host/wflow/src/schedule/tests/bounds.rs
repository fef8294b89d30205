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

/// The most that is ready at once when every item of a foreach is a foreach as wide, three deep,
/// and the tasks in flight end in an order that leaves behind as many open splits as it can:
/// the deepest of them last.
fn most_ready(width: u32, workers: usize) -> usize {
    let graph = graph(
        "start -> a for xs\na -> b for xs\nb -> c for xs\nc -> j\nj(inputs) -> k\n\
         k(inputs) -> l\nl(inputs) -> end\nend",
    );
    let mut tasks = Scheduler::<u32, ()>::new(Arc::clone(&graph));
    let mut flying: Vec<Start<u32, ()>> = Vec::new();
    let mut most = 0;
    for _ in 0..5_000 {
        while flying.len() < workers {
            let Some(task) = tasks.start() else { break };
            flying.push(task);
        }
        //
        let next = (0..flying.len()).max_by_key(|&at| flying[at].frames.len()).unwrap();
        let task = flying.swap_remove(next);
        let advance = match graph.step(task.id.step).transition {
            Transition::Foreach { .. } => Advance::Foreach { hands_on: 0, items: (), width },
            _ => Advance::Next(0),
        };
        tasks.finish(task, advance);
        most = most.max(tasks.ready.len());
    }
    most
}
