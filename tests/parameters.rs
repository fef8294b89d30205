//! Parameters: from the command line and the environment to artifacts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value as Json;
use serde_json::json;

use crate::guest::Guest;
use crate::notation::document;
use crate::support::Place;
use crate::support::example;
use crate::support::outcome;
use crate::support::own;
use crate::support::settled;

#[test]
fn help_lists_the_parameters_of_the_flow_first() {
    let place = Place::new();
    let help = place.run(&example("parameters"), "--help").done();
    assert_eq!(help.stderr, "");
    settled(&place, || insta::assert_snapshot!(help.stdout));
    // Without a flow, there are none.
    let help = place.wflow("run --help").done();
    assert!(help.stdout.contains("--max-num-splits") && !help.stdout.contains("--creature"));
    let help = place.run(&own("conformance"), "-h").done();
    settled(&place, || {
        let (own, _) = help.stdout.split_once("Options of every run").unwrap();
        insta::assert_snapshot!("help_on_all_types", own);
    });
}

#[test]
fn what_is_missing_wrong_or_unknown() {
    let place = Place::new();
    let flow = example("parameters");
    let variable = |name, value| [(name, value)];
    let cases: [(&str, &[(&str, &str)]); 12] = [
        ("", &[]),
        ("--creature", &[]),
        ("--creature seal --count ten", &[]),
        ("--creature seal --count 1.5", &[]),
        ("--creature seal --count 9223372036854775808", &[]),
        ("--creature seal --ratio half", &[]),
        ("--creature seal", &variable("WFLOW_RUN_COUNT", "abc")),
        ("--creature seal", &variable("WFLOW_RUN_RATIO", "")),
        ("--creature seal --color red", &[]),
        ("--creature seal --creture seal", &[]),
        ("--creature seal --creature dog", &[]),
        ("--creature seal more", &[]),
    ];
    let mut book = String::new();
    for (words, env) in cases {
        let told = place.run_with(&flow, env, words).fails(2);
        assert_eq!(told.stdout, "");
        book += &format!("# {words} {env:?}\n{}\n", told.stderr);
    }
    let told = place.wflow("list").fails(1);
    assert!(told.stderr.contains("there is no store"), "nothing has begun: {told}");
    settled(&place, || insta::assert_snapshot!(book));
}

#[test]
fn options_of_the_run_are_checked_too() {
    let place = Place::new();
    let flow = example("helloworld");
    for (words, part) in [
        ("--max-workers 0", "--max-workers"),
        ("--max-workers many", "--max-workers"),
        ("--timeout soon", "--timeout"),
        ("--memory 5X", "--memory"),
        ("--max-num-splits x", "--max-num-splits"),
        ("--seed x", "--seed"),
        ("--now yesterday", "--now"),
    ] {
        let told = place.run(&flow, words).fails(2);
        assert!(told.stderr.contains(part), "{part} is not in {told}");
    }
    let told = place.run_with(&flow, &[("WFLOW_RUN_MAX_WORKERS", "0")], "").fails(2);
    assert!(told.stderr.contains("--max-workers"), "{told}");
    let told = place.wflow("nosuch").fails(2);
    assert!(told.stderr.contains("nosuch"), "{told}");
    place.wflow("run").fails(2);
    place.wflow("").fails(2);
}

/// What the flow found its parameters to be.
fn values(place: &Place) -> Json {
    let json = place.wflow("dump --json latest/start/1").done().json();
    let names = ["text", "int", "float", "truth", "any", "file", "blob", "maybe"];
    let value = |name: &str| (name.to_owned(), json["artifacts"][name]["value"].clone());
    names.into_iter().map(value).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn all_types_from_the_command_line_and_the_environment() {
    let place = Place::new();
    let flow = own("conformance");
    place.run(&flow, "").done();
    assert_eq!(
        values(&place),
        json!({"text": "grün", "int": -3, "float": 0.5, "truth": true,
            "any": {"a": [1, 2.5, null]}, "file": null, "blob": null, "maybe": null})
    );

    place.file("file.txt", "größer\n");
    place.file("blob", [0xff, 0, 0xfe]);
    let words = "--text= --int -7 --float -1e-3 --truth no --any [null,-1] --file file.txt --blob \
                 blob --may-be-missing 5";
    let run = place.run(&flow, words).done();
    assert_eq!(
        values(&place),
        json!({"text": "", "int": -7, "float": -0.001, "truth": false, "any": [null, -1],
            "file": "größer\n", "blob": null, "maybe": 5})
    );
    let lines = run.printed("start");
    assert_eq!(lines[0], "text , int -7, float -0.001, truth false");
    assert!(lines.contains(&r#"file Some("größer")"#.to_owned()), "{run}");
    assert!(lines.contains(&"blob Some(3)".to_owned()), "{run}");
    place.wflow("dump latest/start/1/blob --output blob.out").done();
    assert_eq!(std::fs::read(place.path().join("blob.out")).unwrap(), [0xff, 0, 0xfe]);

    let env = [
        ("WFLOW_RUN_TEXT", "from the environment"),
        ("WFLOW_RUN_INT", "-9"),
        ("WFLOW_RUN_TRUTH", "false"),
        ("WFLOW_RUN_ANY", "{\"b\": 1}"),
        ("WFLOW_RUN_FILE", "file.txt"),
        ("WFLOW_RUN_MAY_BE_MISSING", "6"),
    ];
    place.run_with(&flow, &env, "--int 4").done();
    assert_eq!(
        values(&place),
        json!({"text": "from the environment", "int": 4, "float": 0.5, "truth": false,
            "any": {"b": 1}, "file": "größer\n", "blob": null, "maybe": 6})
    );
    // What is given wins, even over what would be wrong.
    place.run_with(&flow, &[("WFLOW_RUN_INT", "x")], "--int 4").done();
    assert_eq!(values(&place)["int"], 4);
}

#[test]
fn values_that_the_types_do_not_take() {
    let place = Place::new();
    let flow = own("conformance");
    place.file("latin1.txt", b"gr\xfcn");
    let cases = [
        ("--truth maybe", "invalid value for '--truth'"),
        ("--any {", "invalid value for '--any'"),
        ("--float x", "invalid value for '--float'"),
        ("--may-be-missing x", "invalid value for '--may-be-missing'"),
        ("--file nosuch.txt", "cannot read the file 'nosuch.txt'"),
        ("--file .", "cannot read the file '.'"),
        ("--file latin1.txt", "the file 'latin1.txt' is not text in UTF-8 (byte 2)"),
        ("--blob nosuch", "cannot read the file 'nosuch'"),
    ];
    for (words, part) in cases {
        let told = place.run(&flow, words).fails(2);
        assert!(told.stderr.contains(part), "{part} is not in {told}");
    }
    let told = place.run_with(&flow, &[("WFLOW_RUN_FILE", "nosuch")], "").fails(2);
    assert!(told.stderr.contains("WFLOW_RUN_FILE"), "it names the source: {told}");
    place.run(&flow, "--blob latin1.txt").done();

    let word = OsStr::from_bytes(b"\xff\xfe");
    let told = outcome(place.command(["run"]).arg(&flow).arg("--text").arg(word)).fails(2);
    assert!(told.stderr.contains("'--text'") && told.stderr.contains("UTF-8"), "{told}");
    let told = outcome(place.command(["run"]).arg(&flow).env("WFLOW_RUN_TEXT", word)).fails(2);
    assert!(told.stderr.contains("WFLOW_RUN_TEXT"), "it names the source: {told}");
}

#[test]
fn parameters_cannot_be_assigned() {
    let place = Place::new();
    let mut document = document("start -> end\nend");
    document["parameters"] = json!([{"name": "count", "type": "int", "default": 1}]);
    let guest = Guest::saying(&document).putting("count", "application/cbor", &[5]);
    let run = place.run(&guest.file(&place), "").fails(1);
    settled(&place, || insta::assert_snapshot!(run.told()));
    assert_eq!(place.value("latest/start/1/count"), 1);
}

#[test]
fn parameters_are_seen_in_every_task_and_need_no_merge() {
    let place = Place::new();
    place.run(&own("nested"), "--rounds 2 --table [[7]]").done();
    for task in ["start/1", "cell/0.0", "join_row/0", "join_rows/1", "meet/1", "end/1"] {
        assert_eq!(place.value(&format!("latest/{task}/rounds")), 2, "{task}");
    }
    let listed = place.lines("list --json latest/end/1");
    let origin = |name: &str| {
        let entry = listed.iter().find(|entry| entry["artifact"] == name).unwrap();
        entry["origin"].clone()
    };
    assert_eq!(origin("rounds"), "parameter");
    assert_eq!(origin("sum"), "inherited");
}
