//! Every rule for the graph of a flow, and what its author reads when it is broken.

#[path = "../../../tests/notation.rs"]
mod notation;

use notation::document;
use serde_json::Value;
use serde_json::json;
use wflow_model::graph::Graph;

/// What is wrong with a flow; `ok` if nothing is.
fn verdict(document: &Value) -> String {
    match Graph::parse(&document.to_string()) {
        Ok(_) => "ok".to_owned(),
        Err(invalid) => invalid.to_string(),
    }
}

/// The cases, as Metaflow's behaviour was measured on them, and some of our own.
const CASES: &[(&str, &str)] = &[
    ("linear", "start -> a\na -> end\nend"),
    ("one step", "start"),
    ("one step named end", "end"),
    ("no steps", ""),
    ("no start", "begin -> end\nend"),
    ("no end", "start -> a\na"),
    ("neither", "a -> b\nb"),
    ("unreachable step", "start -> end\norphan -> end\nend"),
    ("loop", "start -> a\na -> b\nb -> a\nend"),
    ("loop with itself", "start -> a\na -> a\nend"),
    ("split without join", "start -> a, b\na -> end\nb -> end\nend"),
    ("foreach without join", "start -> a for xs\na -> end\nend"),
    (
        "nested foreach with one join",
        "start -> a for xs\na -> b for ys\nb -> j\nj(inputs) -> end\nend",
    ),
    ("join without inputs", "start -> a, b\na -> j\nb -> j\nj -> end\nend"),
    ("end is the join", "start -> a, b\na -> end\nb -> end\nend(inputs)"),
    (
        "crossing joins",
        "start -> a, b\na -> a1, a2\nb -> b1, b2\na1 -> j1\na2 -> j2\nb1 -> j1\nb2 -> j2\n\
         j1(inputs) -> j\nj2(inputs) -> j\nj(inputs) -> end\nend",
    ),
    (
        "join of two of three",
        "start -> a, b, c\na -> j\nb -> j\nc -> k\nj(inputs) -> k\nk(inputs) -> end\nend",
    ),
    (
        "join of a foreach and a branch",
        "start -> w, v\nw -> b for xs\nb -> j\nv -> j\nj(inputs) -> end\nend",
    ),
    ("the same branch twice", "start -> a, a\na -> j\nj(inputs) -> end\nend"),
    ("join without split", "start -> j\nj(inputs) -> end\nend"),
    ("start as join", "start(inputs) -> end\nend"),
    (
        "join that splits",
        "start -> a, b\na -> j\nb -> j\nj(inputs) -> c, d\nc -> k\nd -> k\nk(inputs) -> end\nend",
    ),
    ("end leads on", "start -> end\nend -> start"),
    ("back to start", "start -> a\na -> ? c x:start y:end\nend"),
    ("no transition", "start\na -> end\nend"),
    ("dead end on a branch", "start -> a, b\na -> j\nb\nj(inputs) -> end\nend"),
    ("unknown target", "start -> nosuch\nend"),
    ("mistyped target", "start -> mutliply\nmultiply -> end\nend"),
    ("split into nothing", "start -> \nend"),
    ("split straight into its join", "start -> j, b\nb -> j\nj(inputs) -> end\nend"),
    ("foreach straight into a join", "start -> j for xs\nj(inputs) -> end\nend"),
    ("reserved name", "start -> input\ninput -> end\nend"),
    ("names against the rule", "start -> Big\nBig -> _priv\n_priv -> end\nend"),
    ("two steps of one name", "start -> a\na -> end\na -> end\nend"),
    ("switch with one case", "start -> ? c x:a\na -> end\nend"),
    ("switch with a value twice", "start -> ? c x:a x:b\na -> end\nb -> end\nend"),
    ("switch into a join", "start -> ? c x:j y:end\nj(inputs) -> end\nend"),
    ("switch", "start -> ? c x:a y:b\na -> end\nb -> end\nend"),
    ("switch back to itself", "start -> loop\nloop -> ? c more:loop done:end\nend"),
    ("switch that never leaves", "start -> a\na -> ? c x:a y:b\nb -> a\nend"),
    (
        "switch within a branch",
        "start -> a, b\na -> ? c x:p y:q\np -> j\nq -> j\nb -> j\nj(inputs) -> end\nend",
    ),
    ("switch out of a branch", "start -> a, b\na -> ? c x:j y:end\nb -> j\nj(inputs) -> end\nend"),
    (
        "foreach within a loop",
        "start -> a\na -> b for xs\nb -> j\nj(inputs) -> k\nk -> ? c more:a done:end\nend",
    ),
    (
        "nested foreach",
        "start -> a for xs\na -> b for ys\nb -> j\nj(inputs) -> k\nk(inputs) -> end\nend",
    ),
    (
        "foreach within a branch",
        "start -> a, b\na -> c for xs\nc -> j\nj(inputs) -> k\nb -> k\nk(inputs) -> end\nend",
    ),
    ("several at once", "start -> strat, nosuch\nBig -> end\na -> a\nend -> a"),
];

#[test]
fn diagnostics() {
    let mut book = String::new();
    for (title, text) in CASES {
        book += &format!("# {title}\n{}\n\n", verdict(&document(text)));
    }
    insta::assert_snapshot!(book);
}

#[test]
fn documents() {
    let flow = |change: Value| {
        let mut whole = document("start -> end\nend");
        for (key, value) in change.as_object().unwrap() {
            whole[key] = value.clone();
        }
        whole
    };
    let parameter = |change: Value| {
        let mut whole = json!({"name": "foo", "type": "int"});
        for (key, value) in change.as_object().unwrap() {
            whole[key] = value.clone();
        }
        whole
    };
    let cases = [
        ("nothing", json!(null)),
        ("another contract", flow(json!({"contract": "9.3"}))),
        ("an unknown key", flow(json!({"stpes": []}))),
        ("a name against the rule", flow(json!({"name": "My Flow\u{1b}[2J"}))),
        (
            "mixed transition",
            flow(json!({"steps": [
            {"name": "start", "next": {"step": "end", "split": ["end"]}}, {"name": "end"}]})),
        ),
        (
            "a rounds of zero",
            flow(json!({"steps": [
            {"name": "start", "next": {"switch": "c", "rounds": 0, "cases": [
                {"value": 1, "step": "end"}, {"value": true, "step": "end"}]}},
            {"name": "end"}]})),
        ),
        (
            "a switch on a float",
            flow(json!({"steps": [
            {"name": "start", "next": {"switch": "c", "cases": [{"value": 1.5, "step": "end"}]}},
            {"name": "end"}]})),
        ),
        (
            "parameters",
            flow(json!({"parameters": [
                parameter(json!({"name": "max-workers"})),
                parameter(json!({"name": "foo"})),
                parameter(json!({"name": "Foo"})),
                parameter(json!({"name": "1x"})),
                parameter(json!({"name": "a", "artifact": "not one"})),
                parameter(json!({"name": "b", "artifact": "foo"})),
                parameter(json!({"name": "c", "default": "abc"})),
            ]})),
        ),
    ];
    let mut book = String::new();
    for (title, document) in cases {
        book += &format!("# {title}\n{}\n\n", verdict(&document));
    }
    book += &format!("# not JSON\n{}\n", Graph::parse("{").unwrap_err());
    insta::assert_snapshot!(book);
}

#[test]
fn a_valid_graph_knows_its_structure() {
    let text = "start -> a for xs\na -> b for ys\nb -> j\nj(inputs) -> l\nl -> ? c x:l y:k\n\
                k(inputs) -> end\nend";
    let graph = Graph::parse(&document(text).to_string()).unwrap();
    let find = |name| graph.find(name).unwrap();
    let step = |name| graph.step(find(name));
    assert_eq!(step("b").foreachs, [find("start"), find("a")]);
    assert_eq!(step("j").foreachs, [find("start")]);
    assert_eq!(step("k").foreachs, []);
    assert_eq!((step("j").joins, step("k").joins), (Some(find("a")), Some(find("start"))));
    assert_eq!(step("l").back_edges, [find("l")]);
    assert!(step("l").in_loop.is_some() && step("k").in_loop.is_none());
    assert_eq!(graph.join_of(find("a")), Some(find("j")));
}

#[test]
fn large_and_hostile_graphs_are_checked_in_time() {
    // A chain as long as may be, a split as wide, and nested splits as deep.
    let chain: String = (0..50_000).map(|i| format!("s{i} -> s{}\n", i + 1)).collect();
    let text = format!("start -> s0\n{chain}s50000 -> end\nend");
    assert_eq!(verdict(&document(&text)), "ok");

    let names: Vec<String> = (0..50_000).map(|i| format!("s{i}")).collect();
    let branches: String = names.iter().map(|name| format!("{name} -> j\n")).collect();
    let text = format!("start -> {}\n{branches}j(inputs) -> end\nend", names.join(","));
    assert_eq!(verdict(&document(&text)), "ok");

    let down: String =
        (0..20_000).map(|i| format!("s{i} -> s{}, t{i}\nt{i} -> j{i}\n", i + 1)).collect();
    let up: String = (0..20_000_u32)
        .map(|i| {
            format!(
                "j{i}(inputs) -> {}\n",
                i.checked_sub(1).map_or("end".into(), |p| format!("j{p}"))
            )
        })
        .collect();
    let text = format!("start -> s0\n{down}s20000 -> j19999\n{up}end");
    assert_eq!(verdict(&document(&text)), "ok");

    // Nothing but mistakes.
    let lost: String = (0..50_000).map(|i| format!("s{i} -> nosuch{i}\n")).collect();
    assert!(verdict(&document(&format!("start -> s0\n{lost}end"))).contains("more problems"));
    let loops: String = (0..50_000).map(|i| format!("s{i} -> s{i}\n")).collect();
    assert!(verdict(&document(&format!("start -> s0\n{loops}end"))).contains("more problems"));
}

#[test]
fn what_is_said_of_a_flow_does_not_grow_with_its_mistakes() {
    let name = "x".repeat(1 << 20);
    let branches = vec!["a"; 100_000];
    let steps = json!([{"name": name, "file": name, "next": {"split": branches}}]);
    let document = json!({"contract": "0.1", "name": "F", "steps": steps});
    let invalid = Graph::parse(&document.to_string()).unwrap_err();
    let text = invalid.to_string();
    assert!(text.ends_with("more problems") && text.len() < 50_000, "{} bytes", text.len());
    let said = |d: &wflow_model::graph::Diagnostic| format!("{d:?}").len();
    assert!(invalid.diagnostics().iter().map(said).sum::<usize>() < 10 << 20);
    assert_eq!(invalid.diagnostics().len(), 1000);
}
