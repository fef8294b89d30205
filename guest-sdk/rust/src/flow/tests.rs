use super::*;
use crate::host::fake::{self, Artifacts, Fake};
use crate::host::{Frame, Raw};
use crate::prelude::*;
use crate::{codec, describe};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// All that a flow may have.
#[flow]
struct Sample {
    name: Artifact<String>,
    count: Artifact<i64>,
    items: Artifact<Vec<String>>,
    kind: Artifact<String>,
    blob: Artifact<Bytes>,
    /// How many
    #[param(default = 1)]
    number: Param<i64>,
    #[param(name = "the-map", help = "A map", default = json!({"a": 1}))]
    map: Param<Json>,
    ratio: Param<Option<f64>>,
    #[param(required)]
    file: Param<Text>,
    #[param(default = -0.5)]
    low: Param<f32>,
    #[param(default = "x.csv")]
    data: Param<Bytes>,
}

#[steps]
impl Sample {
    /// The first.
    ///
    /// It has two paragraphs.
    #[step(next = [one, two])]
    fn start(&mut self) {}

    #[step(next = [join])]
    fn one(&self) {}

    #[step(next = join)]
    fn two(&mut self) -> Result {
        let number: i64 = self.name.parse()?;
        ensure!(number > 0, "{number} is not positive");
        Ok(())
    }

    #[step(next = each, foreach = items)]
    fn join(&mut self, _inputs: Inputs<Self>) {}

    #[step(next = pick)]
    fn each(&mut self, input: String, index: usize) {
        self.name = format!("{input} {index}").into();
    }

    #[step(next = { "again" => pick, "on" => end }, switch = kind, rounds = 10)]
    fn pick(&mut self, inputs: Inputs<Self>) -> Result {
        let same = inputs.iter().all(|input| input.count == *inputs[0].count);
        self.count = inputs.iter().map(|input| *input.count).max().unwrap_or(0).into();
        self.kind = if same { "same" } else { "different" }.into();
        self.name = inputs[0].name.clone();
        Ok(())
    }

    #[step]
    fn end(&mut self) -> std::result::Result<(), std::num::ParseIntError> {
        "x".parse::<i64>().map(|_| ())
    }

    /// Not a step.
    fn helper(&self) -> i64 {
        *self.count
    }
}

fn raw(value: &impl Serialize) -> Raw {
    codec::encode(value).unwrap()
}

/// A new task with these artifacts, and the flow as it sees it.
fn task(artifacts: impl IntoIterator<Item = (&'static str, Raw)>) -> Sample {
    let artifacts = artifacts.into_iter().map(|(name, raw)| (name.to_owned(), raw)).collect();
    fake::with(|fake| *fake = Fake { artifacts, ..Fake::default() });
    Sample::bind(&Source::Task)
}

/// A join of inputs of which number n has the count n.
fn join(width: i64) -> Inputs<Sample> {
    let input = |count: i64| {
        let artifacts: Artifacts =
            BTreeMap::from([("count".to_owned(), raw(&count)), ("name".to_owned(), raw(&"dog"))]);
        (if count == 0 { "one" } else { "two" }.to_owned(), artifacts)
    };
    let inputs = (0..width).map(input).collect();
    fake::with(|fake| *fake = Fake { inputs, ..Fake::default() });
    Inputs::open()
}

/// The calls of the host since the last time.
fn calls() -> Vec<String> {
    fake::with(|fake| std::mem::take(&mut fake.calls))
}

fn stored<T: DeserializeOwned>(name: &str) -> T {
    let raw = fake::with(|fake| fake.artifacts[name].clone());
    codec::decode(&raw.format, raw.data.into()).unwrap()
}

#[test]
fn what_is_not_touched_is_not_moved() {
    let mut flow = task([("count", raw(&1)), ("name", raw(&"dog"))]);
    assert_eq!(calls(), [""; 0]);
    assert_eq!(flow.name, "dog");
    assert_eq!(flow.name.len(), 3);
    commit(&mut flow).unwrap();
    assert_eq!(calls(), ["get name"]);
}

#[test]
fn what_was_changed_is_put_once() {
    let mut flow = task([("count", raw(&1))]);
    *flow.count += 1;
    flow.count.set(*flow.count + 1);
    flow.name = "cat".into();
    flow.items = ["a", "b"].into();
    commit(&mut flow).unwrap();
    assert_eq!(calls(), ["get count", "put name", "put count", "put items"]);
    assert_eq!((stored::<i64>("count"), stored::<String>("name")), (3, "cat".to_owned()));
    commit(&mut flow).unwrap();
    assert_eq!(calls(), [""; 0]);
}

#[test]
fn artifacts_come_and_go() {
    let mut flow = task([("count", raw(&1))]);
    assert!(flow.count.is_set() && !flow.name.is_set());
    assert_eq!(calls(), ["open count", "open name"]);
    flow.count.unset();
    flow.name.unset();
    assert!(!flow.count.is_set() && flow.count.load().is_err());
    commit(&mut flow).unwrap();
    assert_eq!(calls(), ["remove name", "remove count"]);
    flow.count = 5.into();
    assert_eq!(flow.helper(), 5);
    assert_eq!(flow.count.into_value().unwrap(), 5);
}

#[test]
fn fields_can_change_places() {
    let mut flow = task([("name", raw(&"a")), ("kind", raw(&"b"))]);
    std::mem::swap(&mut flow.name, &mut flow.kind);
    commit(&mut flow).unwrap();
    assert_eq!((stored::<String>("name"), stored::<String>("kind")), ("b".into(), "a".into()));
    let copy = flow.name.clone();
    flow.name.push('!');
    flow.kind = copy;
    commit(&mut flow).unwrap();
    assert_eq!((stored::<String>("name"), stored::<String>("kind")), ("b!".into(), "b".into()));
}

#[test]
fn a_missing_artifact_is_told_at_the_line_that_looks() {
    let flow = task([]);
    let line = line!() + 1;
    let error = flow.name.load().unwrap_err();
    assert_eq!(error.location().unwrap().line(), line);
    assert_eq!(error.to_string(), "no earlier step has set `name`");
    let wrong = task([("count", raw(&"text"))]);
    let error = wrong.count.load().unwrap_err().to_string();
    assert!(error.starts_with("artifact `count` cannot be read as i64: "), "{error}");

    let seen = std::panic::catch_unwind(|| task([]).name.len()).unwrap_err();
    assert!(panicked(&*seen, None).message.contains("`name`"));
    let seen = std::panic::catch_unwind(|| task([]).name.to_string()).unwrap_err();
    assert!(panicked(&*seen, None).message.contains("`name`"));
    assert_eq!(format!("{:?}", task([]).name), format!("<{}>", flow.name.load().unwrap_err()));
}

#[test]
fn parameters_are_read_when_looked_at() {
    let flow = task([
        ("number", raw(&7)),
        ("map", raw(&json!({"k": "v"}))),
        ("ratio", raw(&None::<f64>)),
        ("file", raw(&Text("a,b".into()))),
    ]);
    assert_eq!(calls(), [""; 0]);
    assert_eq!((*flow.number + 1, flow.ratio.is_none(), flow.file.len()), (8, true, 3));
    assert_eq!(flow.map["k"], "v");
    assert_eq!(calls().len(), 4);
    assert!(flow.low.load().is_err() && flow.data.load().is_err());
}

#[test]
fn inputs_are_read_in_batches() {
    let inputs = join(10_000);
    calls();
    assert_eq!(inputs.iter().map(|input| *input.count).sum::<i64>(), 49_995_000);
    // 16, 32, ... 4096, and then 4096 at a time.
    assert_eq!(calls().len(), 10);
    let best = inputs.iter().max_by_key(|input| *input.count).unwrap();
    calls();
    let mut flow = Sample::bind(&Source::Task);
    flow.name = best.name;
    commit(&mut flow).unwrap();
    assert_eq!(calls(), ["input_get name 9999 16", "put name"]);
    assert_eq!(stored::<String>("name"), "dog");
}

#[test]
fn inputs_by_position_and_by_step() {
    let inputs = join(3);
    assert_eq!((inputs.len(), inputs.is_empty()), (3, false));
    assert_eq!((*inputs[2].count, *inputs.one.count, *inputs.two.count), (2, 0, 1));
    assert_eq!(inputs.step_name(2).unwrap(), "two");
    assert!(inputs.get(3).is_none() && inputs.step_name(3).is_err());
    assert_eq!(inputs.iter().rev().map(|input| *input.count).collect::<Vec<_>>(), [2, 1, 0]);
    let error = inputs[1].kind.load().unwrap_err().to_string();
    assert_eq!(error, "artifact `kind` is missing in input 1 (step two)");
    assert!(std::panic::catch_unwind(|| join(1).each.count.to_string()).is_err());
}

#[test]
fn a_clone_of_an_input_is_taken_over_as_it_is() {
    let inputs = join(1);
    // In a format that no type here can be.
    let odd = Raw { format: "application/x-odd".into(), data: vec![1, 2] };
    fake::with(|fake| fake.inputs[0].1.insert("blob".into(), odd.clone()));
    let mut flow = Sample::bind(&Source::Task);
    flow.blob = inputs[0].blob.clone();
    flow.name = inputs[0].name.clone();
    flow.name.push_str("gy");
    commit(&mut flow).unwrap();
    let stored_blob = fake::with(|fake| fake.artifacts["blob"].clone());
    assert_eq!((stored_blob.format, stored_blob.data), (odd.format, odd.data));
    assert_eq!(stored::<String>("name"), "doggy");
}

#[test]
fn what_is_too_large_to_cross_at_once_is_read_in_pieces() {
    let large = "dog".repeat(9);
    let sample = task([("name", raw(&large))]);
    fake::with(|fake| fake.limit = Some(20));
    assert_eq!(*sample.name, large);
    assert_eq!(calls(), ["get name", "open name", "read 0 4194304"]);

    let inputs = join(3);
    fake::with(|fake| {
        fake.inputs[1].1.insert("name".to_owned(), raw(&large));
        fake.limit = Some(20);
    });
    let names: Vec<String> = inputs.iter().map(|input| input.name.to_string()).collect();
    assert_eq!(names, ["dog", &large, "dog"]);
}

#[test]
fn merge_knows_what_was_set() {
    let inputs = join(2);
    let mut flow = Sample::bind(&Source::Task);
    let line = line!() + 1;
    let error = flow.merge_artifacts(&inputs).unwrap_err();
    assert_eq!(error.location().unwrap().line(), line);
    assert_eq!(error.to_string(), "the inputs disagree about `count`");
    flow.merge_artifacts(inputs.exclude(["count"])).unwrap();
    assert_eq!(flow.name, "dog");
    flow.count = 9.into();
    flow.merge_artifacts(&inputs).unwrap();
    assert_eq!(flow.count, 9);
    flow.merge_artifacts(inputs.include(["name"])).unwrap();
}

#[test]
fn steps_get_the_arguments_that_they_name() {
    task([]);
    let error = run::<Sample>("each").unwrap_err();
    assert_eq!(error.message, "step `step` runs in no foreach here");
    let frame = |index| Frame { step: "s".into(), artifact: "xs".into(), index, width: 3 };
    let frames = vec![(frame(2), raw(&5)), (frame(1), raw(&"b"))];
    fake::with(|fake| fake.frames = frames);
    run::<Sample>("each").unwrap();
    assert_eq!(stored::<String>("name"), "b 1");
    let flow = Sample::bind(&Source::Task);
    let stack = flow.foreach_stack();
    assert_eq!((stack[0].index, stack[0].width, stack[0].item::<i64>().unwrap()), (2, 3, 5));
    assert_eq!((flow.index().unwrap(), flow.input::<String>().unwrap()), (1, "b".to_owned()));
    assert!(flow.input::<i64>().unwrap_err().to_string().contains("item 1 of `xs`"));

    join(3);
    run::<Sample>("pick").unwrap();
    assert_eq!((stored::<String>("kind"), stored::<i64>("count")), ("different".into(), 2));
}

#[test]
fn failures_say_what_and_where() {
    task([("name", raw(&"x"))]);
    let failure = run::<Sample>("two").unwrap_err();
    assert_eq!(failure.kind, "ParseIntError");
    assert_eq!(failure.message, "invalid digit found in string");
    let place: Vec<_> = failure.location.split(':').collect();
    assert!(place[0].ends_with("tests.rs") && place.len() == 3, "{}", failure.location);

    task([("name", raw(&"-1"))]);
    let failure = run::<Sample>("two").unwrap_err();
    assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("", "-1 is not positive"));

    // Where it came up is not known here, but the step is.
    let failure = run::<Sample>("end").unwrap_err();
    let end = Sample::STEPS.iter().find(|step| step.name == "end").unwrap();
    assert_eq!(failure.location, format!("{}:{}", end.file, end.line));
    assert!(run::<Sample>("nowhere").unwrap_err().message.contains("no step `nowhere`"));
}

#[test]
fn boxes_of_errors_are_errors() {
    type Any = dyn std::error::Error;
    type Sent = dyn std::error::Error + Send;
    type Shared = dyn std::error::Error + Send + Sync;
    fn parsed<E: From<std::num::ParseIntError>>() -> std::result::Result<i64, E> {
        Ok("x".parse()?)
    }
    fn sent() -> std::result::Result<(), Box<Sent>> {
        Err(Box::new("x".parse::<i64>().unwrap_err()))
    }
    fn step(which: u8) -> Result {
        match which {
            0 => parsed::<Box<Any>>().map(drop)?,
            1 => sent().context("reading")?,
            _ => parsed::<Box<Shared>>().map(drop).context("reading")?,
        }
        Ok(())
    }
    assert_eq!(step(0).unwrap_err().to_string(), "invalid digit found in string");
    for which in [1, 2] {
        let line = line!() + 1;
        let error = parsed::<Box<Shared>>().context("reading").unwrap_err();
        assert_eq!(error.location().unwrap().line(), line);
        let error = step(which).unwrap_err();
        assert_eq!(error.to_string(), "reading: invalid digit found in string");
        assert_eq!(error.kind(), "");
        assert!(error.location().unwrap().file().ends_with("tests.rs"));
    }
    // As a step may return them.
    let error = Outcome::into_result(sent()).unwrap_err();
    assert_eq!(error.to_string(), "invalid digit found in string");
    assert!(error.location().is_none());
    assert!(Outcome::into_result(parsed::<Box<Shared>>().map(drop)).is_err());
    assert!(Outcome::into_result(parsed::<Box<Any>>().map(drop)).is_err());
}

/// The other trait takes the place of the one in the prelude.
mod beside_anyhow {
    use crate::prelude::*;
    use anyhow::Context;

    pub(super) fn step(text: Option<&str>) -> Result<i64> {
        let number = text.context("no text")?.parse().context("no number")?;
        ensure!(number > 0, "{number} is not positive");
        Ok(number)
    }
}

#[test]
fn contexts_of_anyhow_can_be_used() {
    let error = |text| beside_anyhow::step(text).unwrap_err().to_string();
    assert_eq!((error(None), error(Some("x"))), ("no text".into(), "no number".into()));
    assert_eq!(error(Some("0")), "0 is not positive");
    assert_eq!(beside_anyhow::step(Some("1")).unwrap(), 1);
    let anyhow = anyhow::anyhow!("first").context("second");
    assert_eq!(Error::from(anyhow).chain(), "caused by: first\n");
}

#[test]
fn a_panic_amid_formatting_leaves_its_place_to_the_host() {
    let flow = task([]);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| flow.name.to_string()));
    let failure = panicked(&*panic.unwrap_err(), None);
    assert_eq!((&*failure.kind, &*failure.location), ("panic", ""));
    assert!(failure.message.contains("`name`"), "{}", failure.message);
}

#[test]
fn what_would_be_read_as_none_is_not_set() {
    #[flow]
    struct Options {
        unit: Artifact<Option<()>>,
        nested: Artifact<Vec<Option<Option<i64>>>>,
        bytes: Artifact<Option<Bytes>>,
    }
    task([]);
    let mut flow = Options::bind(&Source::Task);
    flow.unit = None.into();
    flow.nested = vec![None, Some(Some(1))].into();
    flow.bytes = Some(Bytes(vec![0xf6])).into();
    commit(&mut flow).unwrap();
    assert_eq!(stored::<Vec<Option<Option<i64>>>>("nested"), [None, Some(Some(1))]);
    flow.nested.push(Some(None));
    let error = commit(&mut flow).unwrap_err().to_string();
    assert!(error.starts_with("artifact `nested`: a `Some` that holds nothing"), "{error}");
    flow.nested.pop();
    flow.unit = Some(()).into();
    let error = commit(&mut flow).unwrap_err().to_string();
    assert!(error.starts_with("artifact `unit`: "), "{error}");
}

#[test]
fn causes_are_the_trace() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = Error::from(Outer("x".parse::<i64>().unwrap_err())).context("reading");
    assert_eq!(error.to_string(), "reading: outer");
    assert_eq!(
        (&*error.kind(), &*error.chain()),
        ("Outer", "caused by: invalid digit found in string\n")
    );
    let none = None::<i64>.context("nothing there").unwrap_err();
    assert_eq!((&*none.to_string(), &*none.kind()), ("nothing there", ""));
}

#[test]
fn the_description_is_what_was_written() {
    let described: serde_json::Value =
        serde_json::from_str(&describe::describe::<Sample>()).unwrap();
    assert_eq!(described["name"], "Sample");
    assert_eq!(described["doc"], "All that a flow may have.");
    let parameters = json!([
        {"name": "number", "artifact": "number", "type": "int", "help": "How many", "required": false, "default": 1},
        {"name": "the-map", "artifact": "map", "type": "json", "help": "A map", "required": false, "default": {"a": 1}},
        {"name": "ratio", "artifact": "ratio", "type": "float", "help": "", "required": false, "default": null},
        {"name": "file", "artifact": "file", "type": "text", "help": "", "required": true, "default": null},
        {"name": "low", "artifact": "low", "type": "float", "help": "", "required": false, "default": -0.5},
        {"name": "data", "artifact": "data", "type": "bytes", "help": "", "required": false, "default": "x.csv"},
    ]);
    assert_eq!(described["parameters"], parameters);
    let steps = described["steps"].as_array().unwrap();
    let next: Vec<_> =
        steps.iter().map(|step| (step["name"].as_str().unwrap(), &step["next"])).collect();
    let cases = json!([{"value": "again", "step": "pick"}, {"value": "on", "step": "end"}]);
    let expected = [
        ("start", json!({"split": ["one", "two"]})),
        ("one", json!({"step": "join"})),
        ("two", json!({"step": "join"})),
        ("join", json!({"foreach": "items", "step": "each"})),
        ("each", json!({"step": "pick"})),
        ("pick", json!({"switch": "kind", "cases": cases, "rounds": 10})),
        ("end", json!(null)),
    ];
    assert_eq!(next, expected.iter().map(|(name, next)| (*name, next)).collect::<Vec<_>>());
    assert_eq!(steps[0]["doc"], "The first.\n\nIt has two paragraphs.");
    assert_eq!((&steps[2]["join"], &steps[3]["join"]), (&json!(false), &json!(true)));
    assert!(steps[0]["file"].as_str().unwrap().ends_with("flow/tests.rs"));
    assert!(steps[0]["line"].as_u64() < steps[1]["line"].as_u64());
    assert!(steps[6].get("next").is_none());
}
