//! Flows that do harm by what their tasks leave behind: lists that are none, switches that lead
//! nowhere, joins that ask for too much.

use wflow::Limits;

use crate::arena::Case;
use crate::arena::limits;
use crate::guest::Guest;

const CBOR: &str = "application/cbor";
const JSON: &str = "application/json";

/// A foreach over `xs`, which each task sets.
fn foreach(format: &str, list: &[u8]) -> Guest {
    let mut guest = Guest::saying(
        r#"{"contract": "0.1", "name": "SpreadingFlow", "steps": [
            {"name": "start", "next": {"foreach": "xs", "step": "each"}},
            {"name": "each", "next": {"step": "join"}},
            {"name": "join", "join": true, "next": {"step": "end"}}, {"name": "end"}]}"#,
    );
    guest.run = guest.put("xs", format, list);
    guest
}

#[test]
fn lists_that_are_none() {
    let long = |head: &[u8], byte: u8, count: usize| [head, &vec![byte; count][..]].concat();
    let cases: [(&str, Vec<u8>, &str); 20] = [
        (CBOR, vec![], "damaged"),
        // 2^60 items, and 2^64 - 1, that nobody has seen; an item of 2^60 bytes.
        (CBOR, vec![0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0], "damaged"),
        (CBOR, vec![0x9b, 255, 255, 255, 255, 255, 255, 255, 255, 1], "damaged"),
        (CBOR, vec![0x81, 0x5b, 0x10, 0, 0, 0, 0, 0, 0, 0, 1], "damaged"),
        (CBOR, vec![0x81, 0xbb, 0x10, 0, 0, 0, 0, 0, 0, 0, 1], "damaged"),
        // Without a length and without an end; cut off; followed by more.
        (CBOR, vec![0x9f, 1, 2], "damaged"),
        (CBOR, vec![0x83, 1, 2], "damaged"),
        (CBOR, vec![0x81, 1, 1], "is followed by 1 more bytes"),
        (CBOR, vec![0x9f, 0xff, 0xff], "is followed by 1 more bytes"),
        (CBOR, vec![0x81, 0x1c], "damaged"),
        // Nested a hundred thousand deep, with and without lengths; tags of tags.
        (CBOR, long(&[], 0x81, 100_000), "damaged"),
        (CBOR, long(&[], 0x9f, 100_000), "damaged"),
        (CBOR, long(&[], 0xc1, 100_000), "damaged"),
        (CBOR, vec![0xa1, 1, 2], "is map, not a list"),
        (CBOR, long(&[0x9a, 0, 1, 0, 0], 1, 1 << 16), "it yields 65536 tasks, and at most 100"),
        (JSON, long(&[], b'[', 100_000), "damaged"),
        (JSON, [b"[".as_slice(), &[b'9'; 100_000], b"]]"].concat(), "damaged"),
        (JSON, b"[1e999999999999, {".to_vec(), "damaged"),
        (JSON, b"{\"a\": [1]}".to_vec(), "not a list"),
        ("text/plain", b"[1]".to_vec(), "a foreach goes over a list in CBOR or JSON"),
    ];
    for (format, list, told) in cases {
        Case::of(foreach(format, &list)).fails(&["foreach over `xs`", told]);
    }
    Case::of(Guest { run: String::new(), ..foreach(CBOR, &[]) })
        .fails(&["foreach over `xs`", "sets an artifact `xs`"]);
}

#[test]
fn deep_lists_that_are_well_formed_do_no_harm() {
    let deep = |depth: usize| [vec![0x81; depth], vec![0x80]].concat();
    Case::of(foreach(CBOR, &deep(100_000))).passes();
    let json = [vec![b'['; 100], vec![b']'; 100]].concat();
    Case::of(foreach(JSON, &json)).passes();
}

#[test]
fn a_list_that_is_larger_than_the_memory_of_the_task_that_wrote_it() {
    // 80 MiB of zeroes in pieces: a list of bytes that says so.
    let mut guest = foreach(CBOR, &[]);
    let (name, format) = (guest.text("xs"), guest.text(CBOR));
    let head = guest.text([0x9a, 0x05, 0, 0, 0]);
    guest.run = format!(
        "(call $create {name} {format} (i32.const 1024))
         (local.set $j (i32.load (i32.const 1028)))
         (call $write (local.get $j) {head} (i32.const 1024))
         (memory.fill (i32.const 131072) (i32.const 0) (i32.const 65536))
         (loop (call $write (local.get $j) (i32.const 131072) (i32.const 65536) (i32.const 1024))
           (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
             (i32.const 1280))))
         (call $finish (local.get $j) (i32.const 1024))"
    );
    Case::of(guest.clone()).fails(&["more than the 67108864 that a task may use", "--memory"]);
    // Within the memory, each of its items would need sixteen times its byte to be remembered.
    let limits = Limits { memory: 128 << 20, ..limits() };
    Case::of(guest)
        .limits(limits)
        .beside(256 << 20)
        .fails(&["it yields 83886080 tasks, and at most 100", "--max-num-splits"]);
}

#[test]
fn a_foreach_within_a_foreach() {
    // 10^5 times 10^5 tasks.
    let mut guest = Guest::saying(
        r#"{"contract": "0.1", "name": "ExplodingFlow", "steps": [
            {"name": "start", "next": {"foreach": "xs", "step": "outer"}},
            {"name": "outer", "next": {"foreach": "xs", "step": "inner"}},
            {"name": "inner", "next": {"step": "join"}},
            {"name": "join", "join": true, "next": {"step": "rejoin"}},
            {"name": "rejoin", "join": true, "next": {"step": "end"}}, {"name": "end"}]}"#,
    );
    let list = [&[0x9a, 0, 1, 0x86, 0xa0][..], &[1; 100_000]].concat();
    guest.run = guest.put("xs", CBOR, &list);
    Case::of(guest.clone()).fails(&["it yields 100000 tasks, and at most 100", "--max-num-splits"]);
    // Allowed, it begins, and stops as soon as one of them fails: nobody has made the others.
    guest.run = format!(
        "{} (if (i32.eq (i32.load8_u (local.get $step)) (i32.const 105)) (then unreachable))",
        guest.run
    );
    Case::of(guest).options(|options| options.max_num_splits(100_000)).fails(&["it gave up"]);
}

#[test]
fn switches_that_lead_nowhere() {
    let switch = |format: &str, value: &[u8]| {
        let mut guest = Guest::saying(
            r#"{"contract": "0.1", "name": "SwitchingFlow", "steps": [
                {"name": "start", "next": {"step": "turn"}},
                {"name": "turn", "next": {"switch": "way", "rounds": 50,
                    "cases": [{"value": 1, "step": "turn"}, {"value": "out", "step": "end"}]}},
                {"name": "end"}]}"#,
        );
        guest.run = guest.put("way", format, value);
        guest
    };
    let huge = vec![b'x'; 17 << 20];
    let cases = [
        (CBOR, &[][..], "the value is a damaged, which names no case"),
        (CBOR, &[0x1b, 255, 255, 255, 255, 255, 255, 255, 255], "which names no case"),
        (CBOR, &[0x7b, 0x10, 0, 0, 0, 0, 0, 0, 0, 1], "which names no case"),
        (CBOR, &[0x62, 0xff, 0xff], "which names no case"),
        (CBOR, &[0xf9, 0x7e, 0], "the value is a float, which names no case"),
        (CBOR, &[2], "the value is 2, for which there is no case"),
        (JSON, b"[[[[", "which names no case"),
        ("text/plain", &huge, "the value has 17825792 bytes, which names no case"),
        ("text/plain", &huge[..1 << 16], "for which there is no case"),
        ("text/plain", b"\x1b[2J", "for which there is no case"),
    ];
    for (format, value, told) in cases {
        Case::of(switch(format, value)).fails(&["switch on `way`", told]);
    }
    Case::of(switch(CBOR, &[1]))
        .fails(&["it leads back to step `turn` for round 51, and the loop may have 50"]);
}

#[test]
fn parameters_cannot_be_set() {
    let mut guest = Guest::saying(
        r#"{"contract": "0.1", "name": "F", "parameters": [{"name": "p", "type": "int"}],
            "steps": [{"name": "start", "next": {"step": "end"}}, {"name": "end"}]}"#,
    );
    let tell = "(if (call $refused) (then (return (call $problem))))";
    let (put, name) = (guest.put("p", CBOR, &[1]), guest.text("p"));
    guest.run = format!("{put} {tell}");
    Case::of(guest.clone()).fails(&["`p` is a parameter, which cannot be assigned"]);
    guest.run = format!("(call $remove {name} (i32.const 1024)) {tell}");
    Case::of(guest).fails(&["`p` is a parameter, which cannot be removed"]);
}

/// A join of two tasks, which each do `run`; the join, which is told by its name, does `join`.
fn joining(branch: &str, join: &str) -> Guest {
    let mut guest = Guest::saying(
        r#"{"contract": "0.1", "name": "JoiningFlow", "steps": [
            {"name": "start", "next": {"split": ["a", "b"]}},
            {"name": "a", "next": {"step": "join"}}, {"name": "b", "next": {"step": "join"}},
            {"name": "join", "join": true, "next": {"step": "end"}}, {"name": "end"}]}"#,
    );
    let put = guest.put("x", "text/plain", b"x");
    guest.run = format!(
        "(if (i32.eq (i32.load8_u (local.get $step)) (i32.const 106)) (then {join}) (else
           {put} {branch}))"
    );
    guest
}

#[test]
fn joins_that_ask_for_what_is_not_there() {
    let tell = "(if (call $refused) (then (return (call $problem))))";
    let cases = [
        ("(call $step_of (i32.const 2) (i32.const 1024))", "there is no input 2: the join has 2"),
        ("(call $names_of (i32.const -1) (i32.const 1024))", "there is no input 4294967295"),
        (
            "(call $open_of (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 1024))",
            "there is no input 4294967295",
        ),
        (
            "(call $open_of (i32.const 0) (i32.const 0) (i32.const 60000) (i32.const 1024))",
            "input 0 has no artifact",
        ),
        (
            // Both lists, each of one name that is nowhere.
            "(i64.store (i32.const 6000) (i64.const 0x100000000))
             (call $merge (i32.const 6000) (i32.const 1) (i32.const 6000) (i32.const 1)
               (i32.const 1024))",
            "not both",
        ),
        (
            // Ninety thousand times a name that is nowhere.
            "(drop (memory.grow (i32.const 20)))
             (call $merge (i32.const 131072) (i32.const 90000) (i32.const 0) (i32.const 0)
               (i32.const 1024))",
            "and 89980 more",
        ),
    ];
    for (call, told) in cases {
        Case::of(joining("", &format!("{call} {tell}"))).fails(&[told]);
    }
    // From an input on that is not there, there are none.
    let far = "(call $get_all (i32.const 0) (i32.const 1) (i32.const -1) (i32.const -1)
        (i32.const 1024)) (if (i32.load (i32.const 1032)) (then unreachable))";
    Case::of(joining("", far)).passes();
    // As many as there can be asked for, again and again.
    let again = format!(
        "(i32.store8 (i32.const 5000) (i32.const 120))
         (loop (call $get_all (i32.const 5000) (i32.const 1) (i32.const 0) (i32.const -1)
             (i32.const 1024)) {tell} (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i)
             (i32.const 1))) (i32.const 2000))))"
    );
    Case::of(joining("", &again)).passes();
}
