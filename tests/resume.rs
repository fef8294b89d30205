//! `wflow resume` of a flow that is as it was, or has been mended.

use crate::script::Version;
use crate::script::latest;
use crate::script::origin;
use crate::script::sorted;
use crate::script::started;
use crate::script::told;
use crate::support::Place;
use crate::support::settled;

const LINE: &str = "start -> load\nload -> fit\nfit -> choose\nchoose -> end\nend";

/// A loop in a branch beside a foreach.
const ALL: &str = "start -> turn, each
    turn -> ? again on:turn off:meet
    each -> item for xs
    item -> more
    more -> gathered
    gathered(inputs) -> meet
    meet(inputs) -> end
    end";

fn all() -> Version {
    Version::of(ALL).with("each lists xs 3").with(r#"turn turns again "on" "on" "off""#)
}

#[test]
fn a_failed_run_goes_on_when_the_flow_is_mended() {
    let place = Place::new();
    let flow = Version::of(LINE).with("load prints all is loaded").with("load puts rows [1,2]");
    let failed = flow.clone().with("fit fails").run(&place, "").fails(1);
    settled(&place, || insta::assert_snapshot!("failed", failed.told()));
    let origin = latest(&place);

    let resumed = flow.resumes(&place, "", "fit/1 choose/1 end/1");
    settled(&place, || insta::assert_snapshot!("mended", resumed.to_string()));
    assert_ne!(latest(&place), origin);
    let quiet = flow.resume(&place, &format!("--quiet --origin {origin}")).done();
    settled(&place, || insta::assert_snapshot!("mended_quietly", quiet.to_string()));
}

#[test]
fn a_run_that_is_done_is_reused_whole() {
    let place = Place::new();
    all().run(&place, "").done();
    let resumed = all().resumes(&place, "--max-workers 1", "");
    settled(&place, || insta::assert_snapshot!(resumed.to_string()));
    let json = all().resume(&place, "--json --quiet").done();
    settled(&place, || insta::assert_snapshot!("done_json", json.to_string()));
}

#[test]
fn a_step_is_executed_again_with_all_that_follows() {
    let place = Place::new();
    all().run(&place, "").done();
    let first = latest(&place);
    let turns = "turn/1 turn/1~2 turn/1~3";
    let items = "item/0 item/1 item/2";
    let mores = "more/0 more/1 more/2";
    for (step, executed) in [
        ("end", String::new()),
        ("meet", "meet/1".to_owned()),
        ("gathered", "gathered/1 meet/1".to_owned()),
        ("more", format!("{mores} gathered/1 meet/1")),
        ("item", format!("{items} {mores} gathered/1 meet/1")),
        ("each", format!("each/1 {items} {mores} gathered/1 meet/1")),
        ("turn", format!("{turns} meet/1")),
        ("start", format!("start/1 {turns} each/1 {items} {mores} gathered/1 meet/1")),
    ] {
        let resumed = all().resumes(
            &place,
            &format!("{step} --origin {first}"),
            &format!("{executed} end/1"),
        );
        assert!(!resumed.stderr.contains("on trust"), "{resumed}");
    }
    let list = place.wflow("list latest").done();
    settled(&place, || insta::assert_snapshot!("list_from_start", list.to_string()));
}

#[test]
fn a_foreach_keeps_the_items_that_were_done() {
    let place = Place::new();
    let flow = all().without("each lists xs 3").with("each lists xs 6");
    let broken = flow.clone().with("more fails 3");
    broken.run(&place, "--max-workers 1").fails(1);
    let failed = latest(&place);
    let words = format!("--origin {failed}");
    let executed = "more/3 item/4 more/4 item/5 more/5 gathered/1 meet/1 end/1";
    for workers in [1, 2, 8] {
        flow.resumes(&place, &format!("{words} --max-workers {workers}"), executed);
    }
}

#[test]
fn foreach_in_foreach_keeps_the_items_that_were_done() {
    let place = Place::new();
    let flow = Version::of(
        "start -> row for rows
        row -> cell for cells
        cell -> more
        more -> joined
        joined(inputs) -> all
        all(inputs) -> end
        end",
    )
    .with("start lists rows 3")
    .with("row lists cells 2 0 3");
    flow.clone().with("more fails 2.1").run(&place, "--max-workers 1").fails(1);
    flow.resumes(&place, "--max-workers 3", "more/2.1 cell/2.2 more/2.2 joined/2 all/1 end/1");
    let resumed = flow.resumes(
        &place,
        "cell",
        "cell/0.0 cell/0.1 cell/2.0 cell/2.1 cell/2.2
        more/0.0 more/0.1 more/2.0 more/2.1 more/2.2 joined/0 joined/2 all/1 end/1",
    );
    assert!(resumed.stdout.contains("1 task of step joined"), "an empty row is reused: {resumed}");
}

#[test]
fn a_split_keeps_the_branches_that_were_done() {
    let place = Place::new();
    let flow = Version::of(
        "start -> a, b, c
        a -> aa
        aa -> j
        b -> bb
        bb -> j
        c -> j
        j(inputs) -> end
        end",
    );
    flow.clone().with("bb fails").run(&place, "--max-workers 1").fails(1);
    flow.resumes(&place, "--max-workers 2", "bb/1 c/1 j/1 end/1");
}

#[test]
fn a_loop_goes_on_in_the_round_that_failed() {
    let place = Place::new();
    all().with("turn fails 1~3").run(&place, "--max-workers 1").fails(1);
    let items = "each/1 item/0 item/1 item/2 more/0 more/1 more/2 gathered/1";
    all().resumes(&place, "", &format!("turn/1~3 {items} meet/1 end/1"));
}

#[test]
fn a_loop_around_a_foreach() {
    let place = Place::new();
    let flow = Version::of(
        "start -> each
        each -> item for xs
        item -> j
        j(inputs) -> ? again on:each off:end
        end",
    )
    .with("each lists xs 2")
    .with(r#"j turns again "on" "on" "off""#);
    flow.clone().with("item fails 1~2").run(&place, "--max-workers 1").fails(1);
    flow.resumes(&place, "", "item/1~2 j/1~2 each/1~3 item/0~3 item/1~3 j/1~3 end/1");
    flow.resumes(&place, "", "");
}

/// Whichever task fails, and whatever has finished beside it: a task is executed if and only if it
/// was not done.
#[test]
fn every_task_may_be_the_one_that_fails() {
    let place = Place::new();
    let whole = all().run(&place, "").done();
    let tasks = started(&whole);
    assert_eq!(tasks.len(), 14);
    for task in &tasks {
        let (step, id) = task.split_once('/').unwrap();
        let broken = all().with(&format!("{step} fails {id}"));
        let failed = broken.run(&place, "--max-workers 3").fails(1);
        let done = told(&failed, "Task finished successfully.");
        let left: Vec<&str> =
            tasks.iter().filter(|task| !done.contains(task)).map(String::as_str).collect();
        all().resumes(&place, "--max-workers 3", &left.join(" "));
    }
}

#[test]
fn by_default_the_latest_is_resumed_be_it_resumed_itself() {
    let place = Place::new();
    let flow = Version::of(LINE);
    flow.clone().with("load fails").run(&place, "").fails(1);
    let first = latest(&place);
    let second = flow.clone().with("choose fails").resume(&place, "").fails(1);
    settled(&place, || insta::assert_snapshot!("resume_failed", second.to_string()));
    let second = latest(&place);
    flow.resumes(&place, "", "choose/1 end/1");
    // Provenance is where a task was executed, however often it was reused.
    assert_eq!(origin(&place, "latest/start/1"), Some(first.clone()));
    assert_eq!(origin(&place, "latest/fit/1"), Some(second.clone()));
    assert_eq!(origin(&place, "latest/end/1"), None);
    let runs = place.lines("list --json TestFlow");
    let resumes: Vec<_> = runs.iter().map(|run| run["resumes"]["run"].as_str()).collect();
    assert_eq!(resumes, [Some(&*second), Some(&*first), None]);
    let list = place.wflow("list latest/fit").done();
    settled(&place, || insta::assert_snapshot!("list_of_tasks", list.to_string()));
}

#[test]
fn a_foreach_over_nothing() {
    let place = Place::new();
    let flow = all().without("each lists xs 3").with("each puts xs []");
    flow.clone().with("meet fails").run(&place, "").fails(1);
    flow.resumes(&place, "", "meet/1 end/1");
    flow.resumes(&place, "gathered", "gathered/1 meet/1 end/1");
    flow.resumes(&place, "", "");
}

#[test]
fn a_limit_that_was_too_low() {
    let place = Place::new();
    all().run(&place, "--max-num-splits 2 --max-workers 1").fails(1);
    // The very same component has executed what is reused.
    let resumed = all().resume(&place, "--only-unchanged").done();
    let executed = started(&resumed);
    assert!(executed.contains(&"each/1".to_owned()), "{resumed}");
    assert!(!executed.contains(&"start/1".to_owned()), "{resumed}");
    let refused = all().resume(&place, "--max-num-splits 2").fails(1);
    assert_eq!(started(&refused), sorted("each/1"));
    settled(&place, || insta::assert_snapshot!(refused.stderr));
}

#[test]
fn workers_make_no_difference() {
    let place = Place::new();
    let flow = all().without("each lists xs 3").with("each lists xs 40");
    flow.clone().with("item fails 20").run(&place, "--max-workers 4").fails(1);
    let failed = latest(&place);
    let executed = started(&flow.resume(&place, "--max-workers 1").done()).join(" ");
    for workers in [2, 16] {
        let words = format!("--origin {failed} --max-workers {workers}");
        flow.resumes(&place, &words, &executed);
    }
}
