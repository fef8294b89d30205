//! Values that cross between guest and host: huge, absurd, or not what they claim to be.

use crate::arena::Case;
use crate::arena::limits;
use crate::guest::Guest;

const BREAKS: &str = "what it passed to the host breaks the contract";

/// A text as long as the memory.
const HUGE: &str = "(i32.const 65536) (i32.const 50000000)";

/// With a memory that has room for that, filled with letters.
fn large(run: &str) -> Guest {
    Guest::running(format!(
        "(drop (memory.grow (i32.const 900)))
         (memory.fill (i32.const 65536) (i32.const 97) (i32.const 50000000)) {run}"
    ))
}

const TELL: &str = "(if (call $refused) (then (return (call $problem))))";

#[test]
fn names_that_are_no_names() {
    let put = |name: &str| {
        format!(
            "(call $put {name} (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 1)
            (i32.const 1024)) {TELL}"
        )
    };
    let (long, told) = ("a".repeat(129), "is not a name: letters, digits and underscores");
    let names = ["", "1a", "a b", "../../etc/passwd", "a/b", "a\0b", "\u{1b}[2J", "ä", &long];
    for name in names {
        let mut guest = Guest::default();
        guest.run = put(&guest.text(name));
        Case::of(guest).fails(&[told]);
    }
    Case::of(large(&put(HUGE))).fails(&[told]);
}

#[test]
fn names_that_nobody_has() {
    let calls = ["$get", "$remove", "$open"];
    for call in calls {
        let asked = format!("(call {call} {HUGE} (i32.const 1024)) {TELL}");
        Case::of(large(&asked)).fails(&["aaaaaaaa"]);
    }
}

#[test]
fn formats_that_are_no_formats() {
    let put = |format: &str, at: &str| {
        format!("(call $put {at} {format} (i32.const 0) (i32.const 1) (i32.const 1024)) {TELL}")
    };
    for format in ["", "a\nb", &"x".repeat(129)] {
        let mut guest = Guest::default();
        let at = guest.text("a");
        guest.run = put(&guest.text(format), &at);
        Case::of(guest).fails(&["is no format for artifact `a`: a media type, at most 128 bytes"]);
    }
    let huge = put(HUGE, "(i32.const 65536) (i32.const 1)");
    Case::of(large(&huge)).fails(&["is no format for artifact `a`"]);
}

#[test]
fn texts_that_are_not_utf8() {
    let bad = "(i32.store (i32.const 5000) (i32.const 0xfffefdfc))";
    let text = "(i32.const 5000) (i32.const 4)";
    let fine = "(i32.const 0) (i32.const 0)";
    let calls = [
        format!("(call $get {text} (i32.const 1024))"),
        format!("(call $put {text} {fine} {fine} (i32.const 1024))"),
        format!("(call $put {fine} {text} {fine} (i32.const 1024))"),
        format!("(call $remove {text} (i32.const 1024))"),
        format!("(call $open {text} (i32.const 1024))"),
        format!("(call $create {text} {fine} (i32.const 1024))"),
        format!("(call $get_all {text} (i32.const 0) (i32.const 1) (i32.const 1024))"),
        format!("(call $open_of (i32.const 0) {text} (i32.const 1024))"),
        format!("(call $fail {fine} {text} {fine} {fine})"),
        "(i32.store (i32.const 6000) (i32.const 5000)) (i32.store (i32.const 6004) (i32.const 4))
         (call $merge (i32.const 6000) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 1024))"
            .to_owned(),
    ];
    for call in calls {
        Case::of(Guest::running(format!("{bad} {call}"))).fails(&[BREAKS, "utf-8"]);
    }
    // A log is bytes: it may be anything.
    Case::of(Guest::running(format!("{bad} (call $log (i32.const 0) {text})"))).passes();
}

#[test]
fn pointers_that_lead_nowhere() {
    let fine = "(i32.const 0) (i32.const 0)";
    for text in [
        "(i32.const 0) (i32.const -1)",
        "(i32.const -1) (i32.const 1)",
        "(i32.const -8) (i32.const 16)",
        "(i32.const 0x7fffffff) (i32.const 0x7fffffff)",
    ] {
        let calls = [
            format!("(call $log (i32.const 0) {text})"),
            format!("(call $get {text} (i32.const 1024))"),
            format!("(call $put {fine} {fine} {text} (i32.const 1024))"),
            format!("(call $merge {text} {fine} (i32.const 1024))"),
            format!("(call $fail {fine} {fine} {fine} {text})"),
        ];
        for call in calls {
            Case::of(Guest::running(call)).fails(&[BREAKS]);
        }
    }
    // Where the result is to go.
    for at in ["-1", "1025", "0x7ffffffc"] {
        let call = format!("(call $get {fine} (i32.const {at}))");
        Case::of(Guest::running(call)).fails(&[BREAKS]);
    }
    Case::of(Guest::running(
        "(call $merge (i32.const 6001) (i32.const 1) (i32.const 0)
        (i32.const 0) (i32.const 1024))",
    ))
    .fails(&[BREAKS, "align"]);
    Case::of(Guest::running("(call $log (i32.const 7) (i32.const 0) (i32.const 1))"))
        .fails(&[BREAKS]);
}

#[test]
fn a_few_bytes_that_stand_for_very_many() {
    // A list of names that all lie in the same place: 2^20 times 64 KiB.
    let list = "(loop
        (i32.store (i32.add (i32.const 65536) (i32.mul (local.get $i) (i32.const 8)))
          (i32.const 0))
        (i32.store (i32.add (i32.const 65540) (i32.mul (local.get $i) (i32.const 8)))
          (i32.const 65536))
        (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.const 1048576))))";
    let merge = |lists: &str| {
        format!(
            "(drop (memory.grow (i32.const 900))) {list}
        (call $merge {lists} (i32.const 1024)) {TELL}"
        )
    };
    let many = "(i32.const 65536) (i32.const 1048576)";
    let none = "(i32.const 0) (i32.const 0)";
    let told = &["merge_artifacts was given 1048576 names; at most 100000"];
    Case::of(Guest::running(merge(&format!("{many} {none}")))).fails(told);
    Case::of(Guest::running(merge(&format!("{none} {many}")))).fails(told);
    // As many as are taken, each of them far too long.
    let some = merge(&format!("(i32.const 65536) (i32.const 100000) {none}"));
    Case::of(Guest::running(some)).fails(&["one host call moved more than 64 MiB at once"]);
    // Four texts, each of which is all of the memory, for a failure that nobody would read.
    let four = format!("(call $fail {HUGE} {HUGE} {HUGE} {HUGE}) unreachable");
    Case::of(large(&four))
        .limits(wflow::Limits { hostcall_bytes: 1 << 40, ..limits() })
        .fails(&["one host call moved more than 64 MiB at once", "--max-call-size"]);
    let one = format!(
        "(call $fail {HUGE} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0)) unreachable"
    );
    Case::of(large(&one)).fails(&["it gave up"]);
    let returned = "(i32.store (i32.const 2052) (i32.const 65536))
        (i32.store (i32.const 2056) (i32.const 50000000))
        (i64.store (i32.const 2068) (i64.load (i32.const 2052)))
        (return (call $failed (i32.const 65536) (i32.const 50000000)))";
    Case::of(large(returned)).fails(&["one host call moved more than 64 MiB at once"]);
}

#[test]
fn counts_without_measure() {
    let calls = [
        ("(call $random (i32.const -1) (i32.const 1024))", "at most 65536"),
        ("(call $item (i32.const -1) (i32.const 1024))", "this task is inside 0 foreach"),
        ("(call $step_of (i32.const -1) (i32.const 1024))", "is no join and has no inputs"),
        ("(call $names_of (i32.const -1) (i32.const 1024))", "is no join and has no inputs"),
        (
            "(call $get_all (i32.const 0) (i32.const 1) (i32.const -1) (i32.const -1)
               (i32.const 1024))",
            "is no join and has no inputs",
        ),
        (
            "(call $open_of (i32.const -1) (i32.const 0) (i32.const 1) (i32.const 1024))",
            "is no join and has no inputs",
        ),
    ];
    for (call, told) in calls {
        Case::of(Guest::running(format!("{call} {TELL}"))).fails(&[told]);
    }
    // A reader at the end of the world.
    let mut guest = Guest::default();
    let (put, name) = (guest.put("a", "text/plain", b"hello"), guest.text("a"));
    guest.run = format!(
        "{put} (call $open {name} (i32.const 1024)) (local.set $j (i32.load (i32.const 1028)))
         (call $read (local.get $j) (i64.const -1) (i32.const 100) (i32.const 1024)) {TELL}
         (if (i32.load (i32.const 1032)) (then unreachable))
         (call $read (local.get $j) (i64.const 0) (i32.const -1) (i32.const 1024)) {TELL}"
    );
    Case::of(guest).fails(&["4294967295 bytes were asked for at once; at most 16777216"]);
}

#[test]
fn a_realloc_that_cannot_be_trusted() {
    // Something has to be handed over for it to be called.
    let ask = "(call $identify (i32.const 1024))";
    let cases = [
        ("(i32.const -1)", "alloc"),
        ("(i32.const 0x7ffffff0)", "alloc"),
        ("unreachable", "it gave up"),
        ("(loop (br 0)) unreachable", "it ran longer than its limit of 0.3 s"),
        ("(drop (call $now)) (i32.const 4096)", "cannot leave component instance"),
        ("(call $identify (i32.const 1024)) (i32.const 4096)", "cannot leave component instance"),
        (
            "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
            "it needs more memory than its limit of 64 MiB",
        ),
    ];
    for (realloc, told) in cases {
        let guest = Guest { realloc: realloc.to_owned(), ..Guest::running(ask) };
        let limits =
            wflow::Limits { timeout: Some(std::time::Duration::from_millis(300)), ..limits() };
        Case::of(guest).limits(limits).fails(&[told]);
    }
    // What lies anywhere is what it asked for: it harms nobody but itself.
    let anywhere = Guest { realloc: "(i32.const 1)".to_owned(), ..Guest::running(ask) };
    Case::of(anywhere).fails(&["align"]);
}

#[test]
fn results_that_are_none() {
    let cases = [
        ("(return (i32.const -4))", "out of bounds"),
        ("(return (i32.const 3073))", "not aligned"),
        ("(i32.store8 (i32.const 2048) (i32.const 9)) (return (i32.const 2048))", "invalid"),
        ("(return (call $failed (i32.const 0) (i32.const -1)))", "out of bounds"),
        (
            "(i32.store (i32.const 5000) (i32.const -1))
          (return (call $failed (i32.const 5000) (i32.const 4)))",
            "utf-8",
        ),
    ];
    for (run, told) in cases {
        Case::of(Guest::running(run)).fails(&["what it returned breaks the contract", told]);
    }
}

#[test]
fn what_runs_after_the_task_is_part_of_it() {
    let after = |body: &str| {
        Guest::default().with(&format!(r#"(func (export "cabi_post_run") (param i32) {body})"#))
    };
    Case::of(after("unreachable")).fails(&["it gave up"]);
    let limits = wflow::Limits { timeout: Some(std::time::Duration::from_millis(300)), ..limits() };
    Case::of(after("(loop (br 0))")).limits(limits).fails(&["it ran longer than its limit"]);
    Case::of(after("(call $identify (i32.const 1024))"))
        .fails(&["cannot leave component instance"]);
}
