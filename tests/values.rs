//! Artifacts of all types, what a join does with them, and what flows of all languages have in
//! common.

use serde_json::json;

use crate::support::Place;
use crate::support::own;
use crate::support::settled;

#[test]
fn artifacts_of_all_types() {
    let place = Place::new();
    let run = place.run(&own("artifacts"), "").done();
    assert_eq!(run.printed("check"), ["all is there"]);
    let dumped = place.wflow("dump latest/check/1").done();
    insta::assert_snapshot!("dump", dumped.stdout);
    let json = place.wflow("dump --json latest/start/1").done().json();
    let artifacts = &json["artifacts"];
    assert_eq!(
        artifacts["wine"]["value"],
        json!({"name": "Barolo", "year": 1978, "kind": {"White": {"dry": true}}})
    );
    assert_eq!(artifacts["gone"]["value"], "soon");
    assert_eq!(artifacts["tensor"]["format"], "application/x-npy");
    assert_eq!(artifacts["text"]["format"], "text/plain");
    assert_eq!(artifacts["bytes"]["format"], "application/octet-stream");
    assert_eq!(artifacts["none"]["value"], json!(null));

    // A tensor is what NumPy reads.
    place.wflow("dump latest/check/1/tensor --output tensor.npy").done();
    let npy = std::fs::read(place.path().join("tensor.npy")).unwrap();
    assert_eq!(&npy[..6], b"\x93NUMPY");
    let header = String::from_utf8_lossy(&npy[10..128]).into_owned();
    assert!(header.starts_with("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"));
    let numbers: Vec<f64> = npy[npy.len() - 48..]
        .chunks(8)
        .map(|chunk| f64::from_le_bytes(chunk.try_into().unwrap()))
        .collect();
    assert_eq!(numbers, [-1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn what_was_removed_is_gone() {
    let place = Place::new();
    place.run(&own("artifacts"), "").done();
    assert_eq!(place.value("latest/start/1/gone"), "soon");
    for task in ["change/1", "check/1", "end/1"] {
        let told = place.wflow(&format!("dump latest/{task}/gone")).fails(1);
        assert!(told.stderr.contains("has no artifact `gone`"), "{told}");
    }
}

#[test]
fn what_was_not_touched_is_not_stored_again() {
    let place = Place::new();
    place.run(&own("artifacts"), "").done();
    let digest = |task: &str| {
        let listed = place.lines(&format!("list --json latest/{task}"));
        let find = listed.into_iter().find(|entry| entry["artifact"] == "untouched").unwrap();
        (find["origin"].clone(), find["digest"].clone())
    };
    let (start, change) = (digest("start/1"), digest("change/1"));
    assert_eq!((start.0, change.0), (json!("set here"), json!("inherited")));
    assert_eq!(start.1, change.1);
}

#[test]
fn a_join_merges() {
    let place = Place::new();
    let flow = own("artifacts");
    let names = |merge: &str| place.run(&flow, &format!("--merge {merge}")).done().printed("end");
    let all = "any branch bytes counts list merge none only_left some tensor text untouched wine";
    assert_eq!(names("own"), [all]);
    assert_eq!(place.value("latest/join/1/branch"), "both");
    assert_eq!(names("include"), ["merge only_left some"]);
    assert_eq!(names("exclude"), [all.replace(" branch", "").replace(" tensor", "")]);
    assert_eq!(place.value("latest/end/1/only_left"), 1);
}

#[test]
fn a_join_that_cannot_merge() {
    let place = Place::new();
    let flow = own("artifacts");
    let run = place.run(&flow, "--merge all").fails(1);
    assert!(run.stderr.contains("different values of `branch`: assign what"), "{run}");
    assert!(run.stderr.contains("    at artifacts/src/lib.rs:"), "{run}");
    let run = place.run(&flow, "--merge absent").fails(1);
    assert!(run.stderr.contains("no input of the join has `gone`"), "{run}");
}

#[test]
fn what_flows_of_all_languages_do_alike() {
    let place = Place::new();
    place.file("file.txt", "a file\n");
    place.file("blob", [0xff, 0]);
    let run = place.run(&own("conformance"), "--max-workers 1 --file file.txt --blob blob").done();
    settled(&place, || insta::assert_snapshot!("conformance", run.log().join("\n")));
    let log = place.wflow("logs latest/start/1").done();
    settled(&place, || insta::assert_snapshot!("conformance_log", log.stdout));
    // The digests are the same in every language: the encoding is.
    let mut book = String::new();
    for task in ["start/1", "draw/10", "join/1"] {
        let own = place.lines(&format!("list --json latest/{task}"));
        let own = own.iter().filter(|entry| match entry["origin"].as_str() {
            Some("parameter") => task == "start/1",
            origin => origin == Some("set here"),
        });
        for name in own.map(|entry| entry["artifact"].as_str().unwrap()) {
            // These are up to the language: how often it looks at the clock, how it hashes.
            if ["moment", "order", "drawn"].contains(&name) {
                continue;
            }
            let dumped = place.wflow(&format!("dump --json latest/{task}/{name}")).done().json();
            let artifact = &dumped["artifacts"][name];
            book += &format!(
                "{task}/{name} {} {}\n    {}\n",
                artifact["format"].as_str().unwrap(),
                artifact["digest"].as_str().unwrap(),
                artifact["value"],
            );
        }
    }
    insta::assert_snapshot!("conformance_artifacts", book);
}
