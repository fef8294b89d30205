//! Small flows: which tasks there are, in which order they start, and what they join.

use super::*;

/// What is drawn at run time: `a=3` is the width of the foreach of `a`, or the step that its
/// switch leads to; `a/0=3` that of one task, which goes before.
struct Choices(&'static str);

impl Choices {
    fn of(&self, graph: &Graph, id: &TaskRef) -> &'static str {
        let task = name(graph, id);
        let find = |who: &str| {
            let mut choices = self.0.split_whitespace().filter_map(|word| word.split_once('='));
            choices.find(|(of, _)| *of == who).map(|(_, what)| what)
        };
        let step = &graph.step(id.step).name;
        find(&task).or_else(|| find(step)).unwrap_or_else(|| panic!("no choice for {task}"))
    }

    fn advance(&self, graph: &Graph, id: &TaskRef) -> Advance<TaskRef, TaskRef> {
        let hands_on = id.clone();
        match &graph.step(id.step).transition {
            Transition::Foreach { .. } => {
                let width = self.of(graph, id).parse().unwrap();
                Advance::Foreach { hands_on, items: id.clone(), width }
            }
            Transition::Switch { .. } => {
                Advance::Case { hands_on, step: graph.find(self.of(graph, id)).unwrap() }
            }
            _ => Advance::Next(hands_on),
        }
    }
}

/// A task with all that it starts with: `a/3.2`, then `@ start 3/5, b 2/4` for the foreach loops
/// around it, then `<- b/0 b/1` for what it joins.
fn describe(graph: &Graph, task: &Task) -> String {
    let mut text = name(graph, &task.id);
    for (position, frame) in task.frames.iter().enumerate() {
        let step = &graph.step(frame.step).name;
        assert_eq!(frame.step, frame.items.step, "the list is of another step");
        text += if position == 0 { " @ " } else { ", " };
        text += &format!("{step} {}/{}", frame.index, frame.width);
    }
    if let Some(inputs) = inputs(task) {
        text += " <-";
        for input in inputs {
            text += &format!(" {}", name(graph, &input));
        }
    }
    text
}

/// Runs a flow with one worker, and compares the tasks in the order in which they start.
#[track_caller]
fn check(flow: &str, choices: &'static str, expected: &[&str]) {
    let graph = graph(flow);
    let mut tasks = Tasks::new(Arc::clone(&graph));
    let mut started = Vec::new();
    while let Some(task) = tasks.start() {
        assert!(started.len() < expected.len(), "one more than expected after {started:#?}");
        started.push(describe(&graph, &task));
        assert_eq!((tasks.in_flight(), tasks.is_done()), (1, false));
        let advance = Choices(choices).advance(&graph, &task.id);
        tasks.finish(task, advance);
    }
    assert_eq!(started, expected);
    assert_eq!((tasks.in_flight(), tasks.is_done()), (0, true));
}

#[test]
fn a_single_step() {
    check("start", "", &["start/1"]);
}

#[test]
fn one_step_after_the_other() {
    check("start -> a\na -> end\nend", "", &["start/1", "a/1", "end/1"]);
}

#[test]
fn a_split_starts_its_branches_in_order_and_joins_them_in_order() {
    check(
        "start -> a, b, c\na -> a2\na2 -> j\nb -> j\nc -> j\nj(inputs) -> end\nend",
        "",
        &["start/1", "a/1", "a2/1", "b/1", "c/1", "j/1 <- a2/1 b/1 c/1", "end/1"],
    );
}

#[test]
fn a_split_within_a_branch() {
    check(
        "start -> a, b\na -> p, q\np -> j\nq -> j\nj(inputs) -> k\nb -> k\nk(inputs) -> end\nend",
        "",
        &["start/1", "a/1", "p/1", "q/1", "j/1 <- p/1 q/1", "b/1", "k/1 <- j/1 b/1", "end/1"],
    );
}

const FOREACH: &str = "start -> a for xs\na -> b\nb -> j\nj(inputs) -> end\nend";

#[test]
fn a_foreach_over_nothing_goes_on_with_its_join() {
    check(FOREACH, "start=0", &["start/1", "j/1 <-", "end/1"]);
}

#[test]
fn a_foreach_over_one_item() {
    let expected = ["start/1", "a/0 @ start 0/1", "b/0 @ start 0/1", "j/1 <- b/0", "end/1"];
    check(FOREACH, "start=1", &expected);
}

#[test]
fn a_foreach_finishes_an_item_before_it_starts_the_next() {
    check(
        FOREACH,
        "start=3",
        &[
            "start/1",
            "a/0 @ start 0/3",
            "b/0 @ start 0/3",
            "a/1 @ start 1/3",
            "b/1 @ start 1/3",
            "a/2 @ start 2/3",
            "b/2 @ start 2/3",
            "j/1 <- b/0 b/1 b/2",
            "end/1",
        ],
    );
}

#[test]
fn a_foreach_in_a_foreach_some_of_them_over_nothing() {
    check(
        "start -> a for xs\na -> b for ys\nb -> j\nj(inputs) -> k\nk(inputs) -> end\nend",
        "start=3 a/0=2 a/1=0 a/2=1",
        &[
            "start/1",
            "a/0 @ start 0/3",
            "b/0.0 @ start 0/3, a 0/2",
            "b/0.1 @ start 0/3, a 1/2",
            "j/0 @ start 0/3 <- b/0.0 b/0.1",
            "a/1 @ start 1/3",
            "j/1 @ start 1/3 <-",
            "a/2 @ start 2/3",
            "b/2.0 @ start 2/3, a 0/1",
            "j/2 @ start 2/3 <- b/2.0",
            "k/1 <- j/0 j/1 j/2",
            "end/1",
        ],
    );
}

#[test]
fn a_foreach_within_a_branch() {
    check(
        "start -> a, b\na -> c for xs\nc -> j\nj(inputs) -> k\nb -> k\nk(inputs) -> end\nend",
        "a=2",
        &[
            "start/1",
            "a/1",
            "c/0 @ a 0/2",
            "c/1 @ a 1/2",
            "j/1 <- c/0 c/1",
            "b/1",
            "k/1 <- j/1 b/1",
            "end/1",
        ],
    );
}

#[test]
fn a_split_within_a_foreach() {
    check(
        "start -> a for xs\na -> p, q\np -> j\nq -> j\nj(inputs) -> k\nk(inputs) -> end\nend",
        "start=2",
        &[
            "start/1",
            "a/0 @ start 0/2",
            "p/0 @ start 0/2",
            "q/0 @ start 0/2",
            "j/0 @ start 0/2 <- p/0 q/0",
            "a/1 @ start 1/2",
            "p/1 @ start 1/2",
            "q/1 @ start 1/2",
            "j/1 @ start 1/2 <- p/1 q/1",
            "k/1 <- j/0 j/1",
            "end/1",
        ],
    );
}

#[test]
fn a_switch_starts_one_of_its_cases() {
    let flow = "start -> ? kind x:a y:b\na -> end\nb -> end\nend";
    check(flow, "start=a", &["start/1", "a/1", "end/1"]);
    check(flow, "start=b", &["start/1", "b/1", "end/1"]);
}

#[test]
fn a_join_knows_which_step_each_branch_came_from() {
    check(
        "start -> a for xs\na -> ? kind x:b y:c z:j\nb -> j\nc -> j\nj(inputs) -> end\nend",
        "start=3 a/0=c a/1=j a/2=b",
        &[
            "start/1",
            "a/0 @ start 0/3",
            "c/0 @ start 0/3",
            "a/1 @ start 1/3",
            "a/2 @ start 2/3",
            "b/2 @ start 2/3",
            "j/1 <- c/0 a/1 b/2",
            "end/1",
        ],
    );
}

#[test]
fn a_switch_back_to_itself_counts_its_rounds() {
    check(
        "start -> loop\nloop -> ? c more:loop done:end\nend",
        "loop=loop loop/1~3=end",
        &["start/1", "loop/1", "loop/1~2", "loop/1~3", "end/1"],
    );
}

#[test]
fn a_loop_counts_at_its_first_step_and_the_others_follow() {
    check(
        "start -> a\na -> b\nb -> ? c more:a done:end\nend",
        "b=a b/1~2=end",
        &["start/1", "a/1", "b/1", "a/1~2", "b/1~2", "end/1"],
    );
}

#[test]
fn each_item_of_a_foreach_goes_round_as_often_as_it_likes() {
    check(
        "start -> a for xs\na -> ? c more:a done:j\nj(inputs) -> end\nend",
        "start=2 a=a a/0~2=j a/1=j",
        &[
            "start/1",
            "a/0 @ start 0/2",
            "a/0~2 @ start 0/2",
            "a/1 @ start 1/2",
            "j/1 <- a/0~2 a/1",
            "end/1",
        ],
    );
}

#[test]
fn a_join_counts_on_from_the_loops_in_its_branches_so_that_no_id_comes_twice() {
    // The outer loop goes by `s`, the inner stays at `a`. Were `j` to go on with the round of
    // `s`, the second `s` would be `s/1~2`, and the `a/0~2` of its foreach would be there twice.
    check(
        "start -> s\ns -> a for xs\na -> ? c more:a done:j\nj(inputs) -> k\n\
         k -> ? c more:s done:end\nend",
        "s=2 a=j a/0=a k=end k/1~2=s",
        &[
            "start/1",
            "s/1",
            "a/0 @ s 0/2",
            "a/0~2 @ s 0/2",
            "a/1 @ s 1/2",
            "j/1~2 <- a/0~2 a/1",
            "k/1~2",
            "s/1~3",
            "a/0~3 @ s 0/2",
            "a/1~3 @ s 1/2",
            "j/1~3 <- a/0~3 a/1~3",
            "k/1~3",
            "end/1",
        ],
    );
}

#[test]
fn each_loop_begins_with_its_first_round_whatever_came_before() {
    check(
        "start -> a\na -> ? c more:a done:b\nb -> ? c more:b done:s\ns -> c for xs\n\
         c -> ? c more:c done:j\nj(inputs) -> end\nend",
        "a=a a/1~2=b b=b b/1~2=s s=1 c=c c/0~2=j",
        &[
            "start/1",
            "a/1",
            "a/1~2",
            "b/1",
            "b/1~2",
            "s/1",
            "c/0 @ s 0/1",
            "c/0~2 @ s 0/1",
            "j/1 <- c/0~2",
            "end/1",
        ],
    );
}

#[test]
fn inputs_are_in_the_order_of_items_whichever_ends_first() {
    let graph = graph(FOREACH.replace("a -> b\nb ->", "a ->").as_str());
    let choices = Choices("start=3");
    let mut tasks = Tasks::new(Arc::clone(&graph));
    let finish = |tasks: &mut Tasks, task: Task| {
        let advance = choices.advance(&graph, &task.id);
        tasks.finish(task, advance);
    };
    let start = tasks.start().unwrap();
    assert!(tasks.start().is_none(), "its successors have to wait");
    finish(&mut tasks, start);
    let items: Vec<Task> = std::iter::from_fn(|| tasks.start()).collect();
    assert_eq!((items.len(), tasks.in_flight()), (3, 3));
    for item in items.into_iter().rev() {
        assert!(tasks.start().is_none(), "the join has to wait");
        finish(&mut tasks, item);
    }
    assert_eq!(describe(&graph, &tasks.start().unwrap()), "j/1 <- a/0 a/1 a/2");
}

#[test]
fn nothing_follows_a_task_that_was_abandoned() {
    let graph = graph("start -> a, b\na -> j\nb -> j\nj(inputs) -> end\nend");
    let mut tasks = Tasks::new(Arc::clone(&graph));
    let start = tasks.start().unwrap();
    let id = start.id.clone();
    tasks.finish(start, Advance::Next(id));
    let (a, b) = (tasks.start().unwrap(), tasks.start().unwrap());
    drop(a);
    tasks.abandon();
    assert_eq!(tasks.in_flight(), 1);
    let id = b.id.clone();
    tasks.finish(b, Advance::Next(id));
    assert!(tasks.start().is_none(), "the join lacks a branch");
    assert_eq!((tasks.in_flight(), tasks.is_done()), (0, false));
}
