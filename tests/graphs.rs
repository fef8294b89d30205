//! Invalid and odd graphs: each has a diagnostic or runs; none is a panic, none hangs.

use std::fmt::Write;

use serde_json::Value as Json;
use serde_json::json;

use crate::guest::Guest;
use crate::notation::document;
use crate::notation::steps;
use crate::support::Outcome;
use crate::support::Place;
use crate::support::settled;

/// The programs that Metaflow's rules were measured on, by their numbers, as far as a document
/// can say them: what is an error of the language in a flow's source comes to no document.
const PROGRAMS: &[(&str, &str)] = &[
    ("01 no start", "begin -> end\nend"),
    ("02 no end", "start -> a\na"),
    ("03 unreachable step", "start -> end\norphan -> end\nend"),
    ("04 loop", "start -> a\na -> b\nb -> a\nend"),
    ("05 split, no join", "start -> a, b\na -> end\nb -> end\nend"),
    ("05b end is the join", "start -> a, b\na -> end\nb -> end\nend(inputs)"),
    (
        "06 crossing joins",
        "start -> a, b\na -> a1, a2\nb -> b1, b2\na1 -> j1\na2 -> j2\nb1 -> j1\nb2 -> j2\n\
         j1(inputs) -> j\nj2(inputs) -> j\nj(inputs) -> end\nend",
    ),
    (
        "06b join of two of three",
        "start -> a, b, c\na -> j\nb -> j\nc -> k\nj(inputs) -> k\nk(inputs) -> end\nend",
    ),
    ("07 foreach, no join", "start -> a for xs\na -> end\nend"),
    (
        "08 join of a foreach and a branch",
        "start -> w, v\nw -> b for xs\nb -> j\nv -> j\nj(inputs) -> end\nend",
    ),
    (
        "09 nested foreach, one join",
        "start -> a for xs\na -> b for xs\nb -> j\nj(inputs) -> end\nend",
    ),
    ("10 self transition", "start -> a\na -> a\nend"),
    ("11 end to start", "start -> end\nend -> start"),
    ("12 no transition", "start\na -> end\nend"),
    ("13 unknown target", "start -> nosuch\nend"),
    ("13b target is almost a step", "start -> mutliply\nmultiply -> end\nend"),
    ("19 join without split", "start -> j\nj(inputs) -> end\nend"),
    ("20 join without inputs", "start -> a, b\na -> j\nb -> j\nj -> end\nend"),
    ("22 foreach straight into a join", "start -> j for xs\nj(inputs) -> end\nend"),
    ("split straight into its join", "start -> a, j\na -> j\nj(inputs) -> end\nend"),
    ("24 split into nothing", "start -> \nend"),
    ("25 reserved name", "start -> input\ninput -> end\nend"),
    ("25b invalid name", "start -> _priv\n_priv -> end\nend"),
    ("27 two steps of one name", "start -> a\na -> end\na -> end\nend"),
    ("28 dead end in a branch", "start -> a, b\na -> j\nb\nj(inputs) -> end\nend"),
    ("29 back to start", "start -> a\na -> start\nend"),
    ("30 start as join", "start(inputs) -> end\nend"),
    ("31 only start", "start"),
    ("31b only end", "end"),
    ("32 no steps", ""),
    ("33 the same branch twice", "start -> a, a\na -> j\nj(inputs) -> end\nend"),
    (
        "51 two splits that share targets",
        "start -> x, y\nx -> a, b\ny -> b, c\na -> j\nb -> j\nc -> k\nj(inputs) -> k\n\
         k(inputs) -> end\nend",
    ),
    (
        "52 join that splits",
        "start -> a, b\na -> j\nb -> j\nj(inputs) -> c, d\nc -> k\nd -> k\nk(inputs) -> end\nend",
    ),
    ("54 switch into a join", "start -> ? kind x:j y:end\nj(inputs) -> end\nend"),
    ("55 switch with one case", "start -> ? kind x:a\na -> end\nend"),
    ("56 upper case", "start -> Big\nBig -> end\nend"),
    ("57 end leads on", "start -> a\na -> end\nend -> a"),
    ("end before end", "start -> a\na -> end\nend\nend"),
    ("a loop that never ends", "start -> a\na -> ? kind x:a y:b\nb -> a\nend"),
    (
        "a case out of a branch",
        "start -> a, b\na -> ? kind x:j y:end\nb -> j\nj(inputs) -> end\nend",
    ),
    ("all at once", "start -> strat, nosuch\nBig -> end\na -> a\nend -> a"),
    // What is odd, and runs.
    ("linear", "start -> a\na -> end\nend"),
    ("start leads to end", "start -> end\nend"),
    ("a split into one and a join", "start -> a, b\na -> j\nb -> j\nj(inputs) -> end\nend"),
    (
        "a branch that is nothing but its join",
        "start -> a, b\na -> j\nb -> c\nc -> j\nj(inputs) -> end\nend",
    ),
    ("foreach", "start -> a for xs\na -> j\nj(inputs) -> end\nend"),
    ("foreach over nothing", "start -> a for none\na -> j\nj(inputs) -> end\nend"),
    (
        "nested foreach over nothing",
        "start -> a for xs\na -> b for none\nb -> j\nj(inputs) -> k\nk(inputs) -> end\nend",
    ),
    (
        "foreach over nothing around a split",
        "start -> a for none\na -> b, c\nb -> j\nc -> j\nj(inputs) -> k\nk(inputs) -> end\nend",
    ),
    (
        "split within a foreach within a split",
        "start -> a, z\na -> b for xs\nb -> c, d\nc -> j\nd -> j\nj(inputs) -> k\n\
         k(inputs) -> l\nz -> l\nl(inputs) -> end\nend",
    ),
    ("switch", "start -> ? kind x:a y:b\na -> end\nb -> end\nend"),
    ("switch, both ways to one step", "start -> ? kind x:a y:a\na -> end\nend"),
    ("switch that skips a step", "start -> ? kind y:a x:end\na -> end\nend"),
    (
        "switch within a branch",
        "start -> a, b\na -> ? kind x:p y:q\np -> j\nq -> j\nb -> j\nj(inputs) -> end\nend",
    ),
    // What only shows when it runs.
    ("14 foreach over a number", "start -> a for number\na -> j\nj(inputs) -> end\nend"),
    ("50 foreach over null", "start -> a for null\na -> j\nj(inputs) -> end\nend"),
    ("foreach over a string", "start -> a for kind\na -> j\nj(inputs) -> end\nend"),
    ("foreach over a map", "start -> a for map\na -> j\nj(inputs) -> end\nend"),
    ("foreach over text", "start -> a for text\na -> j\nj(inputs) -> end\nend"),
    ("foreach over JSON", "start -> a for json\na -> j\nj(inputs) -> end\nend"),
    ("foreach over what is no CBOR", "start -> a for broken\na -> j\nj(inputs) -> end\nend"),
    ("foreach over what nobody sets", "start -> a for nobody\na -> j\nj(inputs) -> end\nend"),
    ("foreach over too much", "start -> a for many\na -> j\nj(inputs) -> end\nend"),
    ("switch on what is no case", "start -> ? kind y:a z:end\na -> end\nend"),
    ("switch on a number", "start -> ? number y:a z:end\na -> end\nend"),
    ("switch on a list", "start -> ? xs y:a z:end\na -> end\nend"),
    ("switch on what nobody sets", "start -> ? nobody y:a z:end\na -> end\nend"),
    ("switch that goes round for ever", "start -> a\na -> ? kind x:a y:end\nend"),
    ("a loop of two that goes round for ever", "start -> a\na -> b\nb -> ? kind x:a y:end\nend"),
];

/// What every task of the programs puts.
fn program(document: &Json) -> Guest {
    let cbor = "application/cbor";
    let many: Vec<u8> = [0x98, 101].into_iter().chain([0; 101]).collect();
    Guest::saying(document)
        .putting("xs", cbor, &[0x82, 1, 2])
        .putting("none", cbor, &[0x80])
        .putting("number", cbor, &[5])
        .putting("null", cbor, &[0xf6])
        .putting("kind", cbor, &[0x61, b'x'])
        .putting("map", cbor, &[0xa1, 1, 2])
        .putting("text", "text/plain", b"one\ntwo")
        .putting("json", "application/json", b"[1, {\"a\": [2]}]")
        .putting("broken", cbor, &[0x9f, 1, 2])
        .putting("many", cbor, &many)
}

/// What is said of a flow by `check`, and how it runs if nothing is.
fn verdict(place: &Place, guest: &Guest) -> String {
    guest.file(place);
    let checked = place.wflow("check guest.wasm");
    let run = place.run("guest.wasm".as_ref(), "--quiet --max-workers 2 --timeout 60");
    if checked.code == Some(1) {
        assert_eq!(checked.stdout, "", "data where there is none: {checked}");
        assert_eq!(run.to_string(), checked.to_string(), "`run` says what `check` says");
        return checked.stderr;
    }
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{checked}");
    match run.code {
        Some(0) => steps_of_the_run(place),
        Some(1) => failure(&run),
        _ => panic!("{run}"),
    }
}

/// How many tasks of each step there were.
fn steps_of_the_run(place: &Place) -> String {
    let counted = |line: &Json| {
        assert_eq!(line["failed"], 0);
        format!("{} {}", line["step"].as_str().unwrap(), line["done"])
    };
    let steps: Vec<String> = place.lines("list --json latest").iter().map(counted).collect();
    format!("runs: {}\n", steps.join(", "))
}

/// The failure, without where the results are.
fn failure(run: &Outcome) -> String {
    let told = run.told();
    let (failure, _) = told.split_once("\nRun ").unwrap();
    format!("{failure}\n")
}

fn told<'a>(cases: impl IntoIterator<Item = (&'a str, Guest)>) -> (Place, String) {
    let place = Place::new();
    let mut book = String::new();
    for (title, guest) in cases {
        writeln!(book, "# {title}\n{}", verdict(&place, &guest)).unwrap();
    }
    (place, book)
}

#[test]
fn every_graph_is_refused_with_reasons_or_runs() {
    let programs = PROGRAMS.iter().map(|(title, text)| (*title, program(&document(text))));
    let (place, book) = told(programs);
    settled(&place, || insta::assert_snapshot!(book));
}

/// A valid document but for these keys.
fn with(change: &Json) -> Json {
    let mut whole = document("start -> end\nend");
    for (key, value) in change.as_object().unwrap() {
        whole[key] = value.clone();
    }
    whole
}

#[test]
fn odd_documents_are_refused_with_reasons() {
    let case = |on: Json| json!([{"name": "start", "next": on}, {"name": "end"}]);
    let parameter = |parameter: Json| json!({"parameters": [parameter]});
    let documents = [
        ("nothing", json!(null)),
        ("a list", json!([])),
        ("no contract", json!({"name": "F", "steps": steps("start -> end\nend")})),
        ("a later contract", with(&json!({"contract": "0.2"}))),
        ("an unknown key", with(&json!({"stpes": []}))),
        ("a name that is none", with(&json!({"name": "../../etc"}))),
        ("a name that is too long", with(&json!({"name": "x".repeat(200)}))),
        ("a name that would clear the screen", with(&json!({"name": "\u{1b}[2J"}))),
        (
            "21 two transitions",
            with(&json!({"steps": case(json!({"step": "end", "split": ["end"]}))})),
        ),
        ("41 a transition of another kind", with(&json!({"steps": case(json!({"goto": "end"}))}))),
        ("a transition that is a string", with(&json!({"steps": case(json!("end"))}))),
        ("58 a switch without cases", with(&json!({"steps": case(json!({"switch": "x"}))}))),
        (
            "a switch on a float",
            with(&json!({"steps": case(json!({"switch": "x", "cases": [
                {"value": 0.5, "step": "end"}, {"value": 1, "step": "end"}]}))})),
        ),
        (
            "no rounds at all",
            with(&json!({"steps": case(json!({"switch": "x", "rounds": 0, "cases": [
                {"value": true, "step": "end"}, {"value": 1, "step": "end"}]}))})),
        ),
        (
            "foreach over no name",
            with(&json!({"steps": case(json!({"foreach": "a b", "step": "end"}))})),
        ),
        (
            "37 a parameter with the name of an option",
            with(&parameter(json!({"name": "max-workers", "type": "int"}))),
        ),
        (
            "38 a parameter twice",
            with(&json!({"parameters": [
                {"name": "foo", "type": "int"}, {"name": "Foo", "artifact": "bar", "type": "int"}]})),
        ),
        (
            "two parameters in one artifact",
            with(&json!({"parameters": [
                {"name": "foo", "type": "int"}, {"name": "bar", "artifact": "foo", "type": "int"}]})),
        ),
        (
            "39 a default of another type",
            with(&parameter(json!({"name": "foo", "type": "int", "default": "abc"}))),
        ),
        ("a parameter of no type", with(&parameter(json!({"name": "foo", "type": "date"})))),
        (
            "a parameter with a name of no option",
            with(&parameter(json!({"name": "1 x", "type": "int"}))),
        ),
    ];
    let guests = documents.iter().map(|(title, document)| (*title, Guest::saying(document)));
    let (place, mut book) = told(guests);
    let more = [("no JSON", "{"), ("nothing at all", ""), ("no UTF-8 in it", "\u{0}")];
    let guests = more.iter().map(|(title, text)| (*title, Guest::saying(text)));
    book += &told(guests).1;
    settled(&place, || insta::assert_snapshot!(book));
}

#[test]
fn all_problems_come_at_once_with_their_places() {
    let place = Place::new();
    let document = json!({"contract": "0.1", "name": "F", "steps": [
        {"name": "start", "file": "flow.py", "line": 7, "next": {"step": "nosuch"}},
        {"name": "orphan", "file": "flow.py", "line": 12, "next": {"step": "end"}},
        {"name": "end", "file": "flow.py", "line": 15}]});
    let path = Guest::saying(&document).file(&place);
    let checked = place.wflow("check guest.wasm").fails(1);
    settled(&place, || insta::assert_snapshot!(checked.to_string()));

    let told = place.wflow("check --json guest.wasm");
    assert_eq!((told.code, told.stderr.as_str()), (Some(1), ""), "{told}");
    let told = told.json();
    assert_eq!(told["valid"], false);
    assert_eq!(told["problems"][0]["line"], 7);
    assert_eq!(told["problems"][1]["step"], "orphan");

    // Nothing has begun.
    place.run(&path, "").fails(1);
    assert!(!place.path().join(".wflow").exists());
}

#[test]
fn a_hostile_size_is_checked_in_time() {
    let place = Place::new();
    let chain: String = (0..20_000).map(|i| format!("s{i} -> s{}\n", i + 1)).collect();
    let chain = format!("start -> s0\n{chain}s20000 -> end\nend");
    Guest::of(&chain).file(&place);
    let checked = place.wflow("check guest.wasm").done();
    assert!(checked.stdout.contains("20003 steps"), "{checked}");
    Guest::of(&chain.replace("s20000 -> end", "s20000 -> s0")).file(&place);
    let checked = place.wflow("check guest.wasm").fails(1);
    assert!(checked.stderr.contains("loop without an exit"), "{checked}");
    assert!(checked.stderr.len() < 100_000, "the message is {} bytes long", checked.stderr.len());
}
