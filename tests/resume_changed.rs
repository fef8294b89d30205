//! `wflow resume` of a flow that has another graph, or other code, than its origin.

use crate::script::Version;
use crate::script::latest;
use crate::script::left;
use crate::script::sorted;
use crate::script::started;
use crate::support::Place;
use crate::support::settled;

const LINE: &str = "start -> load\nload -> fit\nfit -> end\nend";

#[test]
fn what_another_component_has_executed_is_told_and_can_be_executed_again() {
    let place = Place::new();
    let old = Version::of(LINE).with("load is old");
    old.clone().with("fit fails").run(&place, "").fails(1);
    let failed = latest(&place);
    let new = Version::of(LINE).with("load is new").with("fit is new");

    // On trust: the task of `load` is what the old code made of it.
    let trusting = new.resume(&place, &format!("--origin {failed}")).done();
    assert_eq!(started(&trusting), sorted("fit/1 end/1"));
    let trace = place.value("latest/end/1/trace");
    assert_eq!(trace, "end/1 (fit/1@new (load/1@old (start/1 ())))");
    settled(&place, || insta::assert_snapshot!("on_trust", trusting.to_string()));

    let words = format!("--origin {failed} --only-unchanged");
    let careful = new.resumes(&place, &words, "start/1 load/1 fit/1 end/1");
    settled(&place, || insta::assert_snapshot!("only_unchanged", careful.to_string()));
}

#[test]
fn what_was_taken_on_trust_before_is_no_more_of_this_component_than_then() {
    let place = Place::new();
    let first = Version::of("start -> a, b\na -> j\nb -> j\nj(inputs) -> c\nc -> end\nend");
    first.clone().with("j fails").run(&place, "").fails(1);
    let second = first.with("c fails");
    // Reuses start, a and b, and executes j itself.
    let resumed = second.resume(&place, "").fails(1);
    assert_eq!(started(&resumed), sorted("j/1 c/1"));
    // The component is that of the latest run, and yet most tasks are of the first.
    let resumed = second.resume(&place, "").fails(1);
    assert_eq!(started(&resumed), sorted("c/1"));
    settled(&place, || insta::assert_snapshot!("still_on_trust", resumed.told()));
    let resumed = second.resume(&place, "--only-unchanged").fails(1);
    assert_eq!(started(&resumed), sorted("start/1 a/1 b/1 j/1 c/1"));
    assert!(!resumed.stderr.contains("on trust"), "{resumed}");
    // From here on all is its own.
    let resumed = second.resume(&place, "--only-unchanged").fails(1);
    assert_eq!(started(&resumed), sorted("c/1"));
    assert!(!resumed.stderr.contains("on trust"), "{resumed}");
}

/// Resumes a done run of the one flow with the other.
#[track_caller]
fn changed(from: &Version, to: &Version, executed: &str) -> String {
    let place = Place::new();
    from.run(&place, "").done();
    let resumed = to.resumes(&place, "--max-workers 1", executed);
    let told = |line: &String| line.starts_with("Reused") || line.starts_with("Steps ");
    let lines: Vec<String> = resumed.log().into_iter().filter(told).collect();
    // What is resumed again is reused whole.
    to.resumes(&place, "", "");
    lines.join("\n").replace(&origin_of(&lines), "[run]") + "\n"
}

fn origin_of(lines: &[String]) -> String {
    let line = lines.iter().find_map(|line| line.strip_prefix("Reused from run "));
    line.map_or("no run", |line| line.split(':').next().unwrap()).to_owned()
}

#[test]
fn steps_are_inserted_removed_renamed_and_moved() {
    let line = Version::of(LINE);
    let mut told = String::new();
    for (what, steps, executed) in [
        (
            "inserted",
            "start -> load\nload -> clean\nclean -> fit\nfit -> end\nend",
            "clean/1 fit/1 end/1",
        ),
        (
            "inserted before the end",
            "start -> load\nload -> fit\nfit -> tell\ntell -> end\nend",
            "tell/1 end/1",
        ),
        ("removed", "start -> fit\nfit -> end\nend", "fit/1 end/1"),
        ("renamed", "start -> load\nload -> train\ntrain -> end\nend", "train/1 end/1"),
        ("moved", "start -> fit\nfit -> load\nload -> end\nend", "fit/1 load/1 end/1"),
        ("in another order in the source", "end\nfit -> end\nload -> fit\nstart -> load", ""),
        (
            "beside each other",
            "start -> load, fit\nload -> j\nfit -> j\nj(inputs) -> end\nend",
            "load/1 fit/1 j/1 end/1",
        ),
    ] {
        told += &format!("{what}:\n{}\n", changed(&line, &Version::of(steps), executed));
    }
    insta::assert_snapshot!(told);
}

const FOREACH: &str = "start -> a for xs\na -> b\nb -> j\nj(inputs) -> end\nend";

#[test]
fn foreach_loops_change() {
    let of = |steps: &str| {
        Version::of(steps).with("start lists xs 2").with("start lists ys 3").with("a lists zs 2")
    };
    let foreach = of(FOREACH);
    let mut told = String::new();
    for (what, steps, executed) in [
        ("over another artifact", FOREACH.replace("xs", "ys"), "a/0 a/1 a/2 b/0 b/1 b/2 j/1 end/1"),
        ("a step more within", FOREACH.replace("b -> j", "b -> c\nc -> j"), "c/0 c/1 j/1 end/1"),
        ("no loop any more", "start -> a\na -> b\nb -> end\nend".to_owned(), "a/1 b/1 end/1"),
        (
            "a loop within the loop",
            FOREACH.replace("a -> b", "a -> b for zs").replace("b -> j", "b -> i\ni(inputs) -> j"),
            "b/0.0 b/0.1 b/1.0 b/1.1 i/0 i/1 j/1 end/1",
        ),
        (
            "a step between the loop and its join",
            FOREACH.replace("j(inputs) -> end", "j(inputs) -> t\nt -> end"),
            "t/1 end/1",
        ),
    ] {
        told += &format!("{what}:\n{}\n", changed(&foreach, &of(&steps), executed));
    }
    insta::assert_snapshot!(told);
}

const SPLIT: &str = "start -> a, b\na -> j\nb -> j\nj(inputs) -> end\nend";

#[test]
fn splits_change() {
    let mut told = String::new();
    for (what, steps, executed) in [
        (
            "a branch more",
            SPLIT.replace("start -> a, b", "start -> a, b, c\nc -> j"),
            "c/1 j/1 end/1",
        ),
        ("branches in another order", SPLIT.replace("a, b", "b, a"), "j/1 end/1"),
        ("a longer branch", SPLIT.replace("b -> j", "b -> c\nc -> j"), "c/1 j/1 end/1"),
        ("no split any more", "start -> a\na -> b\nb -> end\nend".to_owned(), "a/1 b/1 end/1"),
        (
            "a split within a branch",
            SPLIT.replace("a -> j", "a -> x, y\nx -> i\ny -> i\ni(inputs) -> j"),
            "x/1 y/1 i/1 j/1 end/1",
        ),
        (
            "the branch becomes the split",
            SPLIT.replace("start", "begin") + "\nstart -> begin",
            "begin/1 a/1 b/1 j/1 end/1",
        ),
    ] {
        let told_now = changed(&Version::of(SPLIT), &Version::of(&steps), executed);
        told += &format!("{what}:\n{told_now}\n");
    }
    insta::assert_snapshot!(told);
}

const SWITCH: &str = "start -> ? kind x:a y:b\na -> c\nb -> c\nc -> end\nend";

#[test]
fn switches_change() {
    let of = |steps: &str, kind| {
        Version::of(steps)
            .with(&format!("start puts kind \"{kind}\""))
            .with("start puts other \"y\"")
    };
    let mut told = String::new();
    for (what, steps, executed) in [
        ("a case more", SWITCH.replace("y:b", "y:b z:d") + "\nd -> c", "c/1 end/1"),
        ("the case is gone", SWITCH.replace("x:a y:b", "x:b y:a"), "b/1 c/1 end/1"),
        ("over another artifact", SWITCH.replace("kind", "other"), "b/1 c/1 end/1"),
        ("another case leads there", SWITCH.replace("y:b", "y:a z:b"), "a/1 c/1 end/1"),
        ("no switch any more", "start -> a\na -> c\nc -> end\nend".to_owned(), "a/1 c/1 end/1"),
        ("a loop", SWITCH.replace("c -> end", "c -> ? more on:a off:end"), "a/1 c/1 end/1"),
    ] {
        let to = of(&steps, "x").with("c puts more \"off\"");
        let from = of(SWITCH, "x").with("c puts more \"off\"");
        told += &format!("{what}:\n{}\n", changed(&from, &to, executed));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_case_that_is_gone_fails_where_it_was_chosen() {
    let place = Place::new();
    let of = |steps: &str| Version::of(steps).with("start puts kind \"x\"");
    of(SWITCH).run(&place, "").done();
    let resumed = of(&SWITCH.replace("x:a", "z:a")).resume(&place, "").fails(1);
    assert_eq!(started(&resumed), sorted("start/1"));
    settled(&place, || insta::assert_snapshot!(resumed.stderr));
}

#[test]
fn a_loop_begins_where_there_was_none() {
    let place = Place::new();
    let of = |steps: &str| Version::of(steps).with(r#"b turns again "on" "on" "off""#);
    of("start -> a\na -> b\nb -> end\nend").run(&place, "").done();
    // The step that the loop leads back to has one way more that leads there.
    of("start -> a\na -> b\nb -> ? again on:a off:end\nend").resumes(
        &place,
        "",
        "a/1 a/1~2 a/1~3 b/1 b/1~2 b/1~3 end/1",
    );
    // And back again.
    of("start -> a\na -> b\nb -> end\nend").resumes(&place, "", "a/1 b/1 end/1");
}

#[test]
fn a_loop_may_have_fewer_rounds_now() {
    let place = Place::new();
    let flow = |rounds: u32| {
        Version::of("start -> a\na -> ? again on:a off:end\nend")
            .with(r#"a turns again "on" "on" "off""#)
            .rounds(1, rounds)
    };
    flow(9).run(&place, "").done();
    let done = left(&place, "latest");
    let refused = flow(2).resume(&place, "").fails(1);
    assert_eq!(started(&refused), sorted("a/1~2"));
    settled(&place, || insta::assert_snapshot!(refused.stderr));
    // The rounds that were done are there to be resumed.
    flow(9).resumes(&place, "", "a/1~2 a/1~3 end/1");
    assert_eq!(left(&place, "latest"), done);
}
