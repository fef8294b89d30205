//! What a flow asks for, and what it gets: nothing that was not granted.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value as Json;
use serde_json::json;

use crate::guest::Guest;
use crate::notation::document;
use crate::outside::Outside;
use crate::support::Outcome;
use crate::support::Place;
use crate::support::example;
use crate::support::outcome;
use crate::support::settled;

/// A flow of two steps that asks for these things.
pub(crate) fn asking(wants: &Json) -> Guest {
    let mut document = document("start -> end\n end");
    document["wants"] = wants.clone();
    Guest::saying(&document)
}

#[test]
fn without_a_grant_nothing_is_seen() {
    let outside = Outside::new();
    outside.place.file("a", "alpha");
    let here = outside.place.path().display().to_string();
    let mut command = outside.command(
        &[
            "folders",
            "envs",
            "env HOME",
            "args",
            "std-read a",
            &format!("std-read {here}/a"),
            "std-list .",
            "std-list /",
            "udp",
        ],
        &["--quiet"],
    );
    outcome(command.env("SECRET", "1")).done();
    let nothing = "error: No such file or directory";
    let seen = outside.seen();
    assert_eq!(seen[..4], ["", "[]", "error: NotPresent", "[]"]);
    assert!(seen[4..8].iter().all(|answer| answer.starts_with(nothing)), "{seen:?}");
    assert_eq!(seen[8], "error: access-denied");
    assert!(outside.imports().is_empty());
}

#[test]
fn variables_are_seen_if_they_are_granted() {
    let outside = Outside::new().allow("env=GREETING").allow("env=WORD=a=b").allow("env=EMPTY=");
    let mut command = outside.command(&["envs", "env GREETING", "env HOME"], &[]);
    outcome(command.env("GREETING", "hello there").env("WORD", "of the host")).done();
    assert_eq!(
        outside.seen(),
        [
            r#"[("EMPTY", ""), ("GREETING", "hello there"), ("WORD", "a=b")]"#,
            "hello there",
            "error: NotPresent"
        ]
    );
    let failed = outside.run(&[], &[]).fails(2);
    assert!(failed.stderr.contains(
        "cannot grant `env=GREETING`: environment variable not found. Give a value with \
         `env=GREETING=VALUE`"
    ));
}

#[test]
fn values_that_the_host_has_make_a_task_impure() {
    let outside = Outside::new().allow("env=PATH");
    outside.act(&["env PATH"]);
    assert_eq!(outside.imports()["act"], ["wasi:cli/environment"]);
}

#[test]
fn grants_that_contradict_each_other_are_refused() {
    let outside = Outside::new();
    for (one, other) in [
        ("env=A=1", "env=A=2"),
        ("env=A", "env=A=2"),
        ("read=.:x", "read=/:x"),
        ("read=.", "write=."),
    ] {
        let outside = Outside::new().allow(one).allow(other);
        let failed = outside.run(&[], &[]).fails(2);
        assert!(failed.stderr.contains("are granted as the same thing"), "{failed}");
    }
    for grant in ["disk", "read", "net=here", "env=", "clock=now", "read=a:/../b"] {
        let failed = outside.run(&[], &["--allow", grant]).fails(2);
        assert!(failed.stderr.contains(grant), "{failed}");
    }
    assert!(!outside.place.path().join(".wflow").exists(), "nothing was made");
}

/// What a person reads of a flow that asks for everything.
#[test]
fn a_flow_that_asks_is_told_of_before_it_runs() {
    let place = Place::new();
    let wants = json!([
        {"grant": "read=data/wines", "why": "the measures of the wines"},
        {"grant": "write=out", "why": ""},
        {"grant": "env=API_KEY", "why": "to be let in at wines.example"},
        {"grant": "net=db.wines.example:5432", "why": "more measures"},
        {"grant": "http=wines.example", "why": "the names of the wines"},
        {"grant": "clock", "why": ""},
        {"grant": "random", "why": "to choose a wine"}
    ]);
    asking(&wants).file(&place);
    settled(&place, || {
        let failed = place.wflow("run guest.wasm --allow clock").fails(2);
        assert_eq!(failed.stdout, "");
        assert_snapshot!("asking", failed.stderr);
        let failed = place.wflow("resume guest.wasm --allow clock --allow random").fails(2);
        assert_snapshot!("asking_to_resume", failed.stderr);
        assert_snapshot!("asking_shown", place.wflow("show guest.wasm").done().stdout);
    });
    let shown = place.wflow("show guest.wasm --json").done().json();
    assert_eq!(shown["wants"], wants);
    assert!(!place.path().join(".wflow").exists(), "nothing was made");
}

/// Runs the flow with the flags of the message, in a shell.
fn paste(place: &Place, message: &str) -> Outcome {
    let flags = message.lines().find(|line| line.starts_with("    --allow")).unwrap();
    let line = format!("wflow run guest.wasm {flags}");
    let command = place.command(["--version"]);
    let wflow = Path::new(command.get_program()).parent().unwrap().display().to_string();
    let mut shell = Command::new("sh");
    let path = format!("{wflow}:{}", std::env::var("PATH").unwrap());
    outcome(shell.args(["-c", &line]).current_dir(place.path()).env("PATH", path))
}

#[test]
fn the_flags_of_the_message_are_safe_to_paste() {
    let place = Place::new();
    let folder = "it's $(touch pwned) & `touch pwned`; a \"b\" *";
    fs::create_dir(place.path().join(folder)).unwrap();
    let wants = json!([
        {"grant": format!("read={folder}"), "why": "'; touch pwned; '"},
        {"grant": "env=HOME", "why": "\n    --allow write=/\n"},
        {"grant": "random", "why": "$(touch pwned)"}
    ]);
    asking(&wants).file(&place);
    let failed = place.wflow("run guest.wasm").fails(2);
    let lines: Vec<&str> =
        failed.stderr.lines().filter(|line| line.starts_with("    --allow")).collect();
    assert_eq!(lines.len(), 1, "a reason is no command of ours: {failed}");
    paste(&place, &failed.stderr).done();
    assert!(!place.path().join("pwned").exists());
    // The flow is satisfied by more than it asks for, and not by less.
    let write = format!("write={folder}");
    let mut more = place.command(["run", "guest.wasm", "--allow", "env=HOME=/", "--allow"]);
    outcome(more.args([&write, "--allow", "random"])).done();
    place.wflow("run guest.wasm --allow random --allow env=HOME").fails(2);
}

/// Nothing but text and colours.
#[track_caller]
fn assert_harmless(told: &Outcome) {
    let text = told.to_string();
    for sequence in text.split('\u{1b}').skip(1) {
        let colour = sequence.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        let plain = |(code, _): (&str, &str)| code.chars().all(|c| c.is_ascii_digit() || c == ';');
        assert!(colour.is_some_and(plain), "{text:?}");
    }
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\u{1b}';
    assert!(!text.contains(harmful), "{text:?}");
    assert!(!text.contains(['\u{202e}', '\u{2066}']), "{text:?}");
}

#[test]
fn the_words_of_a_flow_do_no_harm_to_a_terminal() {
    let place = Place::new();
    let why = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31mred\r\u{202e}over\u{2066}\n\u{8}";
    let wants = json!([{"grant": "env=HOME", "why": why}]);
    asking(&wants).file(&place);
    for words in ["run guest.wasm", "show guest.wasm"] {
        let mut command = place.command(words.split(' '));
        let told = outcome(command.env("CLICOLOR_FORCE", "1"));
        assert!(told.to_string().contains("red"), "{told}");
        assert_harmless(&told);
    }
    for wants in [
        json!([{"grant": "read=a\u{1b}[2J", "why": ""}]),
        json!([{"grant": "read=a\u{202e}b", "why": ""}]),
        json!([{"grant": "read=/etc:data", "why": ""}]),
        json!([{"grant": "env=HOME=/root", "why": ""}]),
        json!([{"grant": "everything", "why": ""}]),
        json!([{"grant": "clock", "why": "so ".repeat(10_000)}]),
        json!(vec![json!({"grant": "clock", "why": ""}); 101]),
        json!([{"grant": "clock", "because": ""}]),
    ] {
        asking(&wants).file(&place);
        let failed = place.wflow("run guest.wasm").fails(1);
        assert_harmless(&failed);
        assert!(failed.stderr.len() < 2000, "{failed}");
    }
}

#[test]
fn an_example_asks_for_its_folder() {
    let (place, flow) = (Place::new(), example("csv_folder"));
    let failed = place.run(&flow, "").fails(2);
    assert!(failed.stderr.contains("--allow read=data"), "{failed}");
    fs::create_dir(place.path().join("tables")).unwrap();
    place.file("tables/birds.csv", "name,size\ntit,11\nrobin,14\n");
    place.file("tables/mammals.csv", "name,size\nmouse,9\n");
    place.file("tables/notes.txt", "no table");
    let run = place.run(&flow, "--allow read=tables:data").done();
    assert_eq!(run.printed("end"), ["2 tables, 3 rows"]);
    let rows = place.value("latest/join/1/rows");
    assert_eq!(rows, json!({"birds.csv": 2, "mammals.csv": 1}));
}
