//! Foreach within foreach, within a branch, over nothing; switches and loops.

use serde_json::json;

use crate::support::Place;
use crate::support::own;
use crate::support::settled;

#[test]
fn a_table_of_tasks_beside_a_loop() {
    let place = Place::new();
    let run = place.run(&own("nested"), "--max-workers 1").done();
    settled(&place, || insta::assert_snapshot!(run.log().join("\n")));
    let list = place.wflow("list latest").done();
    assert_eq!(
        list.stdout,
        "start  1 task\nrows  1 task\nrow  3 tasks\ncell  5 tasks\njoin_row  3 tasks\n\
         join_rows  1 task\nround  3 tasks\nchoose  1 task\neven  0 tasks\nodd  1 task\n\
         meet  1 task\nend  1 task\n"
    );
    let tasks: Vec<_> =
        place.lines("list --json latest/cell").iter().map(|task| task["task"].clone()).collect();
    let run = tasks[0].as_str().unwrap().split('/').nth(1).unwrap().to_owned();
    let id = |id: &str| json!(format!("NestedFlow/{run}/cell/{id}"));
    assert_eq!(tasks, ["0.0", "0.1", "2.0", "2.1", "2.2"].map(id));
    assert_eq!(place.value("latest/join_row/2/sum"), 12);
    assert_eq!(place.value("latest/round/1~2/round"), 2);
}

#[test]
fn workers_make_no_difference() {
    let place = Place::new();
    let flow = own("nested");
    let one = place.run(&flow, "--max-workers 1").done();
    for _ in 0..3 {
        let many = place.run(&flow, "--max-workers 8").done();
        assert_eq!(many.printed("end"), one.printed("end"));
        let (mut many, mut one) = (many.log(), one.log());
        for log in [&mut many, &mut one] {
            log.retain(|line| !line.starts_with("Workflow "));
            log.sort();
        }
        assert_eq!(many, one);
    }
}

#[test]
fn nothing_at_all_to_do() {
    let place = Place::new();
    let run = place.run(&own("nested"), "--table [] --rounds 1").done();
    assert_eq!(run.printed("join_rows"), ["0 rows"]);
    assert_eq!(run.printed("end"), ["the sum is 0, the rounds were 1: odd"]);
    let run = place.run(&own("nested"), "--table [[],[]] --rounds 2").done();
    let mut lines = run.printed("join_row");
    lines.sort();
    assert_eq!(lines, ["0 cells in row 0", "0 cells in row 1"]);
    assert_eq!(run.printed("end"), ["the sum is 0, the rounds were 2: even"]);
}

#[test]
fn rounds_are_bounded() {
    let place = Place::new();
    let run = place.run(&own("nested"), "--rounds 10").done();
    assert_eq!(run.printed("end").last().unwrap(), "the sum is 15, the rounds were 10: even");
    let run = place.run(&own("nested"), "--rounds 11 --max-workers 1").fails(1);
    settled(&place, || insta::assert_snapshot!(run.told()));
}

#[test]
fn inner_loops_are_bounded_by_max_num_splits_too() {
    let place = Place::new();
    let run = place.run(&own("nested"), "--max-num-splits 3").done();
    assert_eq!(run.printed("join_rows"), ["3 rows"]);
    let run = place.run(&own("nested"), "--max-num-splits 2 --max-workers 1").fails(1);
    assert!(run.stderr.contains("foreach over `rows`: it yields 3 tasks"), "{run}");
    let run = place.run(&own("nested"), "--table [[1],[1,2,3]] --max-num-splits 2").fails(1);
    assert!(run.stderr.contains("Step row (task 1) failed"), "{run}");
    assert!(run.stderr.contains("foreach over `cells`: it yields 3 tasks"), "{run}");
}

#[test]
fn all_forms_of_show() {
    let place = Place::new();
    std::fs::copy(own("nested"), place.path().join("nested.wasm")).unwrap();
    let text = place.wflow("show nested.wasm").done().stdout;
    let dot = place.wflow("show --dot nested.wasm").done().stdout;
    let mermaid = place.wflow("show --mermaid nested.wasm").done().stdout;
    let json = place.wflow("show --json nested.wasm").done().json();
    insta::assert_snapshot!("show", text);
    insta::assert_snapshot!("show_dot", dot);
    insta::assert_snapshot!("show_mermaid", mermaid);
    assert_eq!(json["name"], "NestedFlow");
    assert_eq!(json["steps"][1]["next"], json!({"foreach": "rows", "step": "row"}));
    assert_eq!(json["steps"][4]["join"], true);
    let file = json["steps"][0]["file"].as_str().unwrap();
    assert!(file.ends_with("src/lib.rs"), "{file}");
    place.wflow("show --dot --json nested.wasm").fails(2);
}
