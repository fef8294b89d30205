//! The listings of chapter 3 of the book, with the outcomes that it describes.

use std::fs;

use serde_json::json;

use crate::support::Place;
use crate::support::example;
use crate::support::own;
use crate::support::settled;

#[test]
fn helloworld_3_1() {
    let place = Place::new();
    let run = place.run(&example("helloworld"), "--max-workers 1").done();
    assert_eq!(run.stderr, "");
    settled(&place, || insta::assert_snapshot!(run.stdout));

    let logs = place.wflow("logs latest/hello/1").done();
    assert_eq!(logs.stdout, "Hello World!\n");
    let shown = place.command(["show"]).arg(example("helloworld")).output().unwrap();
    assert_eq!(
        String::from_utf8(shown.stdout).unwrap(),
        "HelloWorldFlow
    Three steps, one after the other.
Step start
    Starting point
    => hello
Step hello
    Just saying hi
    => end
Step end
    Finish line
"
    );
}

#[test]
fn counter_3_2() {
    let place = Place::new();
    let run = place.run(&example("counter"), "").done();
    assert_eq!(run.printed("add"), ["The count is 0 before incrementing"]);
    assert_eq!(run.printed("end"), ["The final count is 2"]);
    let dumped = place.wflow("dump latest/end").done();
    assert_eq!(dumped.stdout, "count [size: 1 type: int] = 2\n");
    for (step, count) in [("start", 0), ("add", 1), ("end", 2)] {
        assert_eq!(place.value(&format!("latest/{step}/1/count")), count);
    }
}

#[test]
fn parameters_3_3() {
    let place = Place::new();
    let flow = example("parameters");
    let missing = place.run(&flow, "").fails(2);
    assert!(missing.stderr.contains("missing option '--creature'"), "{missing}");
    assert!(missing.stderr.contains("WFLOW_RUN_CREATURE"), "{missing}");

    let lines = |words| place.run(&flow, words).done().printed("start");
    assert_eq!(
        lines("--creature seal"),
        ["seal is a string of 4 characters", "Count is an integer: 1+1=2", "Ratio is None"]
    );
    assert_eq!(
        lines("--creature seal --count 10 --ratio 0.3"),
        [
            "seal is a string of 4 characters",
            "Count is an integer: 10+1=11",
            "Ratio is a float whose value is 0.3"
        ]
    );
    let env = [("WFLOW_RUN_CREATURE", "dinosaur")];
    let run = place.run_with(&flow, &env, "--ratio 0.25").done();
    assert_eq!(run.printed("start")[0], "dinosaur is a string of 8 characters");
    let run = place.run_with(&flow, &env, "--creature otter --count 10").done();
    assert_eq!(run.printed("start")[0], "otter is a string of 5 characters");
    assert_eq!(run.printed("end"), ["done!"]);
    assert_eq!(place.value("latest/end/1/animal"), "otter");
    assert_eq!(place.value("latest/end/1/ratio"), json!(null));
}

#[test]
fn json_parameter_3_4() {
    let place = Place::new();
    let flow = example("json_parameter");
    let run = place.run(&flow, "").done();
    assert_eq!(run.printed("start"), ["key some value default"]);
    let run = place.run(&flow, r#"--mapping {"mykey":"myvalue"}"#).done();
    assert_eq!(run.printed("start"), ["key mykey value myvalue"]);
    let bad = place.run(&flow, "--mapping {bad").fails(2);
    assert!(bad.stderr.contains("--mapping") && bad.stderr.contains("{bad"), "{bad}");
    let run = place.run(&flow, "--mapping [1]").fails(1);
    assert!(run.stderr.contains("the mapping is no JSON object"), "{run}");
}

#[test]
fn csv_file_3_5() {
    let place = Place::new();
    let flow = example("csv_file");
    place.file("test.csv", "first,second,third\na,b,c\n");
    let run = place.run(&flow, "--csv test.csv").done();
    let rows = [r#"row 0: ["first", "second", "third"]"#, r#"row 1: ["a", "b", "c"]"#];
    assert_eq!(run.printed("start"), rows);
    // It was taken when the run began.
    fs::remove_file(place.path().join("test.csv")).unwrap();
    let file = place.wflow("dump latest/end/1/data").done();
    assert_eq!(file.stdout, "data [size: 25 type: text] = first,second,third\na,b,c\n\n");

    place.file("test.csv", "first,second,third\n");
    let run = place.run(&flow, "--csv test.csv --delimiter ;").done();
    assert_eq!(run.printed("start"), [r#"row 0: ["first,second,third"]"#]);
    let missing = place.run(&flow, "--csv nope.csv").fails(2);
    assert!(missing.stderr.contains("cannot read the file 'nope.csv'"), "{missing}");
    let without = place.run(&flow, "").done();
    assert_eq!(without.printed("start"), Vec::<String>::new());
}

#[test]
fn counter_branch_3_6() {
    let place = Place::new();
    let run = place.run(&example("counter_branch"), "").done();
    assert_eq!(run.printed("join"), ["count from add_one 1", "count from add_two 2"]);
    assert_eq!(run.printed("end"), ["The creature is dog", "The final count is 2"]);
}

#[test]
fn counter_branch_3_6_without_the_line_that_keeps_the_creature() {
    let place = Place::new();
    let run = place.run(&own("branches"), "--keep false").fails(1);
    assert_eq!(run.printed("join"), ["count from add_one 1", "count from add_two 2"]);
    settled(&place, || insta::assert_snapshot!(run.told()));
    // The join went well, and is there to be looked at.
    assert_eq!(place.value("latest/join/1/count"), 2);
    place.wflow("dump latest/join/1/creature").fails(1);

    let run = place.run(&own("branches"), "--keep true").done();
    assert_eq!(run.printed("end"), ["The creature is dog", "The final count is 2"]);
}

#[test]
fn counter_branch_helper_3_7() {
    let place = Place::new();
    let run = place.run(&example("counter_branch_helper"), "").done();
    assert_eq!(run.printed("end"), ["The creature is dog", "The final count 2"]);
    place.wflow("dump latest/end/1/increment").fails(1);
}

#[test]
fn counter_branch_helper_3_7_without_exclude() {
    let place = Place::new();
    let run = place.run(&own("branches"), "--merge true").fails(1);
    settled(&place, || insta::assert_snapshot!(run.told()));
}

#[test]
fn foreach_3_8() {
    let place = Place::new();
    let run = place.run(&example("foreach"), "--max-workers 1").done();
    let lines = run.printed("analyze_creatures");
    assert_eq!(lines, ["Analyzing bird", "Analyzing mouse", "Analyzing dog"]);
    assert!(run.log().contains(&"start/1 Foreach yields 3 child tasks.".to_owned()), "{run}");
    assert_eq!(run.printed("end"), ["mouse won!"]);
}

#[test]
fn wide_foreach_3_9() {
    let place = Place::new();
    let flow = example("wide_foreach");
    let refused = place.run(&flow, "").fails(1);
    settled(&place, || insta::assert_snapshot!(refused.stderr));
    // It was refused before any child started.
    let counts = place.lines("list --json latest");
    assert_eq!(counts[0], json!({"step": "start", "done": 0, "failed": 1}));
    assert_eq!(counts[1], json!({"step": "multiply", "done": 0, "failed": 0}));

    for (env, words) in [
        (None, "--max-num-splits 10000"),
        (None, "--max-num-splits 1000 --max-workers 8"),
        (Some(("WFLOW_RUN_MAX_NUM_SPLITS", "100000")), "--max-workers 64"),
    ] {
        let run = place.run_with(&flow, env.as_slice(), words).done();
        assert_eq!(run.printed("end"), ["Total sum is 499500000"]);
    }
    place.run(&flow, "--max-num-splits 999").fails(1);
}
