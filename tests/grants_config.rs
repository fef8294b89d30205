//! Grants in the file `wflow.toml` beside a flow, and grants of runs that are resumed.

use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use serde_json::json;

use crate::grants::asking;
use crate::support::Place;
use crate::support::outcome;
use crate::support::own;
use crate::support::settled;

/// The flow, in a folder with that file.
fn beside(place: &Place, config: &str) -> PathBuf {
    let folder = place.path().join("flows");
    fs::create_dir_all(folder.join("data")).unwrap();
    fs::write(folder.join("data/a"), "alpha").unwrap();
    fs::write(folder.join("wflow.toml"), config).unwrap();
    let flow = folder.join("outside.wasm");
    fs::copy(own("outside"), &flow).unwrap();
    flow
}

fn seen(place: &Place) -> String {
    place.value("latest/act/1/seen")[0].as_str().unwrap().to_owned()
}

#[test]
fn grants_are_taken_from_beside_the_flow() {
    let place = Place::new();
    beside(&place, "allow = [\"read=data\", \"env=WORD=beside\"]\n");
    let run = |words: &[&str]| outcome(place.command(["run", "flows/outside.wasm"]).args(words));
    // The path is seen from the folder of the file, by the flow as it is written.
    let told = run(&["--act", "std-read data/a"]).done();
    assert_eq!(seen(&place), "alpha");
    assert_eq!(told.stderr, "wflow.toml grants read=flows/data:data, env=WORD=beside\n");

    // The command line wins.
    let told = run(&["--act", "env WORD", "--allow", "env=WORD=given"]).done();
    assert_eq!(seen(&place), "given");
    assert_eq!(told.stderr, "wflow.toml grants read=flows/data:data\n");
    run(&["--act", "folders", "--allow", "read=flows:data"]).done();
    run(&["--act", "std-read data/a", "--allow", "read=.:data"]).done();
    assert!(seen(&place).starts_with("error:"));

    let told = run(&["--act", "folders", "--no-config"]).done();
    assert_eq!((seen(&place).as_str(), told.stderr.as_str()), ("", ""));
}

#[test]
fn a_file_that_makes_no_sense_is_told_of_with_its_line() {
    let place = Place::new();
    settled(&place, || {
        for (name, config) in [
            ("unknown_key", "# What the flow gets\nalow = [\"clock\"]\n"),
            ("no_grant", "allow = [\n  \"clock\",\n  \"disk\",\n]\n"),
            ("no_list", "allow = \"clock\"\n"),
            ("no_toml", "allow = [\n"),
            ("conflict", "allow = [\"env=A=1\", \"env=A=2\"]\n"),
        ] {
            beside(&place, config);
            let failed = place.wflow("run flows/outside.wasm").fails(2);
            assert_eq!(failed.stdout, "");
            assert_snapshot!(format!("config_{name}"), failed.stderr);
            place.wflow("run flows/outside.wasm --no-config --quiet").done();
        }
    });
}

#[test]
fn a_run_is_resumed_with_grants() {
    let place = Place::new();
    beside(&place, "");
    fs::remove_file(place.path().join("flows/wflow.toml")).unwrap();
    let failing = |words: &[&str]| {
        let mut command = place.command(words);
        outcome(&mut command).fails(1)
    };
    let failed = failing(&[
        "run",
        "flows/outside.wasm",
        "--act",
        "must std-read my data/a",
        "--allow",
        "read=flows/data:my data",
    ]);
    // `std-read` takes one word, so this fails; the command that goes on has the grants.
    let command = "--allow 'read=flows/data:my data'    goes on from there";
    assert!(failed.stderr.contains(command), "{failed}");

    // What a flow asks for it needs again.
    let asking = asking(&json!([{"grant": "env=WORD", "why": "to say it"}]));
    let asking = asking.putting("no name", "text/plain", b"");
    asking.file(&place);
    failing(&["run", "guest.wasm", "--allow", "env=WORD=a"]);
    let refused = place.wflow("resume guest.wasm").fails(2);
    assert!(refused.stderr.contains("--allow env=WORD"), "{refused}");
}
