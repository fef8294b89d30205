//! Descriptions of flows that no host should choke on.

use crate::arena::Case;
use crate::guest::Guest;

/// A flow with these keys besides the first two.
fn flow(rest: &str) -> String {
    format!(r#"{{"contract": "0.1", "name": "F", {rest}}}"#)
}

/// A flow of so many steps, each of which goes on as `next` says of its number.
fn chain(steps: usize, next: impl Fn(usize) -> String) -> String {
    let steps: Vec<String> = (0..steps)
        .map(|step| format!(r#"{{"name":"{}","next":{}}}"#, name(step), next(step)))
        .collect();
    flow(&format!(r#""steps":[{},{{"name":"end"}}]"#, steps.join(",")))
}

fn name(step: usize) -> String {
    if step == 0 { "start".to_owned() } else { format!("s{step}") }
}

#[test]
fn documents_that_are_none() {
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let cases = [
        (String::new(), "cannot be read"),
        ("{".to_owned(), "cannot be read"),
        ("null".to_owned(), "cannot be read"),
        (deep("[", "]"), "cannot be read"),
        (deep(r#"{"a":"#, "}"), "cannot be read"),
        (
            flow(&format!(
                r#""parameters": [{{"name": "p", "type": "json", "default": {}}}]"#,
                deep("[", "]")
            )),
            "recursion limit",
        ),
        (flow(r#""steps": [], "steps": []"#), "duplicate field `steps`"),
        (flow(r#""name": "G""#), "duplicate field `name`"),
        (flow(r#""surprise": 1"#), "unknown field `surprise`"),
        (flow(&format!(r#""doc": "{}""#, "x".repeat(17 << 20))), "bytes"),
        (flow(r#""steps": [{"name": "start", "line": 1e400}]"#), "cannot be read"),
        (flow(r#""steps": [{"name": "start", "line": 99999999999999999999}]"#), "cannot be read"),
        (r#"{"contract": "99", "name": "F"}"#.to_owned(), "this wflow speaks 0.1"),
        (flow(r#""steps": [{"name": "\u0000"}]"#), "step"),
        (flow(r#""doc": "\ud800""#), "cannot be read"),
    ];
    for (document, told) in cases {
        Case::of(Guest::saying(document)).refused(&[told]);
    }
}

#[test]
fn graphs_of_more_steps_than_anybody_needs() {
    // 10^6 steps do not fit into the description.
    let next = |step: usize| format!(r#"{{"step":"{}"}}"#, name(step + 1));
    Case::of(Guest::saying(chain(1_000_000, next))).refused(&["16777217 bytes"]);
    let short: Vec<String> = (0..1_000_000).map(|_| r#"{"name":"a"}"#.to_owned()).collect();
    Case::of(Guest::saying(flow(&format!(r#""steps":[{}]"#, short.join(",")))))
        .refused(&["1000000 steps"]);
}

#[test]
fn graphs_that_take_long_to_check() {
    const STEPS: usize = 50_000;
    // Every step leads to another one that is not there, and whose name is near all others.
    let lost = chain(STEPS, |step| format!(r#"{{"step":"s{step}x"}}"#));
    Case::of(Guest::saying(lost)).refused(&["more problems"]);
    // A chain as deep as that is a flow, for a host that does not recurse.
    let next = |step: usize| {
        let next = if step + 1 == STEPS { "end".to_owned() } else { name(step + 1) };
        format!(r#"{{"step":"{next}"}}"#)
    };
    let mut long = Guest::saying(chain(STEPS, next));
    long.run = "unreachable".to_owned();
    Case::of(long).fails(&["it gave up"]);
    // Splits within splits that are never joined.
    let splits = chain(2000, |step| format!(r#"{{"split":["s{}","s{}"]}}"#, step + 1, step + 2));
    Case::of(Guest::saying(splits)).refused(&["help:"]);
    // Loops within loops.
    let loops = chain(2000, |step| {
        format!(
            r#"{{"switch":"x","cases":[{{"value":1,"step":"{}"}},{{"value":2,"step":"{}"}}]}}"#,
            name(step / 2 + 1),
            if step + 1 == 2000 { "end".to_owned() } else { name(step + 1) }
        )
    });
    Case::of(Guest::saying(loops)).fails(&["switch on `x`"]);
    // One split into very many, one switch of very many cases.
    let wide: Vec<String> = (1..STEPS).map(|step| format!("\"{}\"", name(step))).collect();
    let wide = chain(STEPS, |step| match step {
        0 => format!(r#"{{"split":[{}]}}"#, wide.join(",")),
        _ => r#"{"step":"end"}"#.to_owned(),
    });
    Case::of(Guest::saying(wide)).refused(&["join"]);
}

#[test]
fn parameters_that_hide_the_options() {
    let parameter = |name: &str| {
        flow(&format!(
            r#""parameters": [{{"name": "{name}", "type": "int"}}],
               "steps": [{{"name": "start", "next": {{"step": "end"}}}}, {{"name": "end"}}]"#
        ))
    };
    for option in ["fuel", "stack", "max-artifacts", "max_call_size", "memory"] {
        Case::of(Guest::saying(parameter(option))).refused(&[option]);
    }
    let many: Vec<String> =
        (0..100_000).map(|n| format!(r#"{{"name":"p{n}","type":"int"}}"#)).collect();
    let many = flow(&format!(r#""parameters": [{}], "steps": []"#, many.join(",")));
    Case::of(Guest::saying(many)).refused(&["start"]);
}
