//! Reading back what runs left: `list`, `logs` and `dump` by pathspec.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Stdio;

use serde_json::json;

use crate::support::Place;
use crate::support::example;
use crate::support::own;
use crate::support::settled;

/// A place with a run of the flow that is wide, and of one that counts.
fn two_runs() -> (Place, String) {
    let place = Place::new();
    let json = place.run(&own("wide"), "--width 12 --json").done().json();
    let run = json["run"].as_str().unwrap().to_owned();
    place.run(&example("counter"), "--quiet").done();
    (place, run)
}

#[test]
fn full_short_and_latest_pathspecs_name_the_same() {
    let (place, run) = two_runs();
    let full = place.wflow(&format!("dump WideFlow/{run}/end/1/total")).done();
    assert_eq!(full.stdout, "total [size: 3 type: int] = 2024\n");
    for spec in [
        format!("{run}/end/1/total"),
        "WideFlow/latest/end/1/total".to_owned(),
        format!("{run}/end --include total"),
        format!("WideFlow/{run}/end/1 --include=total"),
    ] {
        let dumped = place.wflow(&format!("dump {spec}")).done();
        assert_eq!(dumped.stdout, full.stdout, "{spec}");
        assert_eq!(dumped.stderr, format!("Artifacts of WideFlow/{run}/end/1\n"));
    }
    // The latest of all is the other flow's.
    assert_eq!(place.wflow("dump latest/end").done().stdout, "count [size: 1 type: int] = 2\n");
    assert_eq!(
        place.wflow("logs CounterFlow/latest/end/1").done().stdout,
        "The final count is 2\n"
    );
}

#[test]
fn tasks_come_in_their_order() {
    let (place, run) = two_runs();
    let dumped = place.wflow(&format!("dump {run}/square --include position")).done();
    let expected: String =
        (0..12).map(|i| format!("position [size: 1 type: int] = {i}\n")).collect();
    assert_eq!(dumped.stdout, expected);
    let tasks = place.lines(&format!("list --json {run}/square"));
    let ids: Vec<_> = tasks.iter().map(|task| task["task"].as_str().unwrap()).collect();
    let expected: Vec<_> = (0..12).map(|i| format!("WideFlow/{run}/square/{i}")).collect();
    assert_eq!(ids, expected);
    let json = place.lines(&format!("dump --json {run}/square"));
    assert_eq!(json.len(), 12);
    assert_eq!(json[10]["artifacts"]["square"]["value"], 400);

    // A limit is told of.
    let some = place.wflow(&format!("list --limit 5 {run}/square")).done();
    assert_eq!(some.stdout.lines().count(), 5);
    assert_eq!(some.stderr, "and more: --after 4 begins behind this one\n");
    let next = place.wflow(&format!("list --limit 5 --after 4 {run}/square")).done();
    assert!(next.stdout.starts_with("square/5  done"), "{next}");
    let last = place.wflow(&format!("list --limit 5 --after 9 {run}/square")).done();
    assert_eq!((last.stdout.lines().count(), last.stderr.as_str()), (2, ""));
    let page = place.lines(&format!("dump --json --limit 2 --after 9 {run}/square"));
    let ids: Vec<_> = page.iter().map(|task| task["task"].as_str().unwrap()).collect();
    assert_eq!(ids, expected[10..]);
    assert_eq!(place.lines(&format!("logs --json --limit 3 {run}/square")).len(), 3);
    place.wflow(&format!("list --after 3.1 {run}/square")).fails(1);

    place.run(&own("wide"), "--quiet --width 1").done();
    let runs = place.wflow("list --limit 1 WideFlow").done();
    assert_eq!(runs.stdout.lines().count(), 1);
    let newest = runs.stdout.split(' ').next().unwrap();
    assert_eq!(runs.stderr, format!("and more: --after {newest} begins behind this one\n"));
    let rest = place.lines(&format!("list --json --after {newest} WideFlow"));
    assert_eq!((rest.len(), rest[0]["run"].as_str().unwrap()), (1, &*run));
}

#[test]
fn logs_of_several_tasks_come_in_their_order_and_by_stream() {
    let place = Place::new();
    place.run(&own("conformance"), "--max-workers 8").done();
    let logs = place.wflow("logs latest/draw").done();
    let expected: String = (0..12).map(|i| format!("item {i}\n")).collect();
    assert_eq!(logs.stdout, expected);
    let heads: Vec<_> = logs.stderr.lines().collect();
    assert_eq!(heads.len(), 12);
    assert!(heads[10].starts_with("Logs of ConformanceFlow/") && heads[10].ends_with("/draw/10"));

    let stderr = place.wflow("logs --stderr latest/start").done();
    assert_eq!(stderr.stdout, "to standard error\n");
    let stdout = place.wflow("logs --stdout latest/start").done();
    assert!(stdout.stdout.ends_with("no end of line\n"), "{stdout}");
    assert!(!stdout.stdout.contains("to standard error"), "{stdout}");
    place.wflow("logs --stdout --stderr latest/start").fails(2);
    let json = place.lines("logs --json latest/draw");
    assert_eq!(json[11]["stdout"], "item 11\n");
    assert_eq!(json[11]["failure"], json!(null));
}

#[test]
fn what_is_not_there_is_told_with_what_was_meant() {
    let (place, run) = two_runs();
    let other = run.replacen(&run[15..], if run.ends_with('1') { "2" } else { "1" }, 1);
    let mut book = String::new();
    for words in [
        "dump WodeFlow/latest/end",
        "list CounterFlw",
        "logs Nothing/latest/start",
        "dump latest/sart",
        "dump latest/strat/1",
        "logs latest/nothing_like_it",
        "dump latest/start/2",
        "dump latest/start/1.1",
        "dump latest/start/x",
        "dump WideFlow/latest/square/12",
        "dump WideFlow/latest/square/99999999999",
        "dump latest/end/1/coutn",
        "dump latest/end/1 --include count,nothing",
        "dump 17/start",
        "logs 1/start/1",
        "list latest/nosuch",
        "list latest/start/7",
        "list 12",
    ] {
        let told = place.wflow(words).fails(1);
        assert_eq!(told.stdout, "", "{words}");
        assert_eq!(told.stderr.lines().count(), 1, "{told}");
        book += &format!("# {words}\n{}\n", told.stderr);
    }
    settled(&place, || insta::assert_snapshot!(book));
    let told = place.wflow(&format!("dump WideFlow/{other}/end")).fails(1);
    assert!(told.stderr.contains(&format!("did you mean `{run}`?")), "{told}");
    // A run of another flow.
    place.wflow(&format!("dump CounterFlow/{run}/end")).fails(1);
}

#[test]
fn malformed_pathspecs_are_told_as_such() {
    let (place, _) = two_runs();
    let mut book = String::new();
    for words in [
        "dump latst/end",
        "dump latest//start",
        "dump /latest/start",
        "dump CounterFlow/start/1",
        "dump CounterFlow/latest/start/1/count/more",
        "dump latest/st-art",
        "logs 99999999999999999999/start",
        "list ../../etc",
    ] {
        let told = place.wflow(words).fails(1);
        book += &format!("# {words}\n{}\n", told.stderr);
    }
    for words in ["dump", "logs", "dump latest/end --output x.bin"] {
        let told = place.wflow(words).fails(2);
        book += &format!("# {words}\n{}\n", told.stderr);
    }
    // Too short for the command.
    for words in ["dump latest", "logs latest", "dump CounterFlow", "logs CounterFlow"] {
        let told = place.wflow(words);
        assert_ne!(told.code, Some(0), "{told}");
        book += &format!("# {words} (exit {})\n{}\n", told.code.unwrap(), told.stderr);
    }
    settled(&place, || insta::assert_snapshot!(book));
}

#[test]
fn lists_of_all_levels() {
    let (place, run) = two_runs();
    let flows = place.wflow("list").done();
    let runs = place.wflow("list WideFlow").done();
    let steps = place.wflow("list WideFlow/latest").done();
    let tasks = place.wflow("list latest/add").done();
    let artifacts = place.wflow("list latest/add/1").done();
    settled(&place, || {
        insta::assert_snapshot!(format!("{flows}\n{runs}\n{steps}\n{tasks}\n{artifacts}"));
    });
    let flows = place.lines("list --json");
    let mut names: Vec<_> = flows.iter().map(|flow| flow["flow"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["CounterFlow", "WideFlow"]);
    let runs = place.lines("list --json WideFlow");
    assert_eq!((&runs[0]["run"], &runs[0]["state"]), (&json!(run), &json!("done")));
    assert!(runs[0]["finished"].as_i64().unwrap() >= runs[0]["created"].as_i64().unwrap());
}

#[test]
fn without_a_store_there_is_nothing_to_read() {
    let place = Place::new();
    for words in ["list", "dump latest/start", "logs latest/start"] {
        let told = place.wflow(words).fails(1);
        assert!(told.stderr.contains("there is no store (.wflow)"), "{told}");
        let told = place.wflow(&format!("--store nowhere {words}")).fails(1);
        assert!(told.stderr.contains("nowhere"), "{told}");
        assert!(!place.path().join("nowhere").exists());
    }
    // An empty one has no runs.
    place.run(&example("helloworld"), "--nosuch").fails(2);
    place.run(&example("helloworld"), "--quiet --store other").done();
    let told = place.wflow("--store other dump latest/end/1/x").fails(1);
    assert!(told.stderr.contains("has no artifact `x`"), "{told}");
}

#[test]
fn the_store_is_here_or_above_or_where_it_is_said_to_be() {
    let place = Place::new();
    place.run(&example("counter"), "--quiet").done();
    let below = place.path().join("deep/below");
    std::fs::create_dir_all(&below).unwrap();
    let list = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!(list(place.command(["list", "CounterFlow"]).current_dir(&below)), 1);
    // A run from there goes there, too.
    let mut run = place.command(["run"]);
    run.arg(example("counter")).current_dir(&below);
    assert!(run.output().unwrap().status.success());
    assert!(!below.join(".wflow").exists());
    assert_eq!(list(&mut place.command(["list", "CounterFlow"])), 2);

    let other = place.path().join("other");
    let mut run = place.command(["run"]);
    assert!(
        run.arg(example("counter")).env("WFLOW_STORE", &other).output().unwrap().status.success()
    );
    assert_eq!(list(place.command(["list", "CounterFlow"]).env("WFLOW_STORE", &other)), 1);
    assert_eq!(list(place.command(["list", "CounterFlow", "--store"]).arg(&other)), 1);
    assert_eq!(list(&mut place.command(["list", "CounterFlow"])), 2);
}

#[test]
fn whoever_stops_reading_has_read_enough() {
    let place = Place::new();
    place.run(&own("failures"), "--how log --quiet").done();
    for words in [&["logs", "latest/bad"][..], &["dump", "latest/bad/1", "--json"]] {
        let mut command = place.command(words.iter().copied());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        drop(reader);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn a_run_goes_on_when_nobody_reads_its_log() {
    let place = Place::new();
    let mut command = place.command(["run"]);
    command.arg(own("failures")).args(["--how", "log"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("Workflow FailingFlow starting"), "{line}");
    drop(reader);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
    assert_eq!(place.lines("list --json")[0]["state"], "done");
    assert_eq!(place.value("latest/end/1/count"), 2);
}

#[test]
fn a_run_tells_machines_how_it_ended() {
    let place = Place::new();
    let run = place.run(&example("counter"), "--json --run-id-file id.txt").done();
    let json = run.json();
    let id = std::fs::read_to_string(place.path().join("id.txt")).unwrap();
    assert_eq!(
        json,
        json!({"flow": "CounterFlow", "run": id.trim(), "status": "done", "tasks": 3, "reused": 0, "failed": null})
    );
    assert!(run.stderr.contains("The final count is 2"), "the log goes to standard error: {run}");

    let run = place.run(&own("failures"), "--json --quiet --how panic --max-workers 1").fails(1);
    let json = run.json();
    assert_eq!(json["status"], "failed");
    assert_eq!(json["failed"]["step"], "bad");
    assert_eq!(json["failed"]["task"], "1");
    assert_eq!(json["failed"]["failure"]["message"], "the wine is corked");
    assert_eq!(json["failed"]["failure"]["location"], "failures/src/lib.rs:31:24");

    let run = place.run(&example("counter"), "--json --quiet").done();
    assert_eq!(run.stderr, "");
    let run = place.run(&example("counter"), "-q").done();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    // Without a file for it, nothing is run.
    let told = place.run(&example("counter"), "--run-id-file no/such/folder").fails(1);
    assert!(told.stderr.contains("cannot write 'no/such/folder'"), "{told}");
    assert_eq!(told.printed("end"), Vec::<String>::new());
    // The id is there even if the run fails.
    place.run(&own("failures"), "-q --how panic --run-id-file failed.txt").fails(1);
    let id = std::fs::read_to_string(place.path().join("failed.txt")).unwrap();
    assert_eq!(place.lines("list --json FailingFlow")[0]["run"], id.trim());
}
