use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;
use wflow_sdk::prelude::*;

/// What a flow of every language has to do alike: the names of its steps and artifacts, the
/// values, and the lines that it prints.
#[flow]
struct ConformanceFlow {
    #[param(help = "A string", default = "grün")]
    text: Param<String>,
    #[param(help = "An integer", default = -3)]
    int: Param<i64>,
    #[param(help = "A float", default = 0.5)]
    float: Param<f64>,
    #[param(help = "A truth", default = true)]
    truth: Param<bool>,
    #[param(help = "Any JSON", default = json!({"a": [1, 2.5, null]}))]
    any: Param<Json>,
    #[param(help = "A text file")]
    file: Param<Option<Text>>,
    #[param(help = "Any file")]
    blob: Param<Option<Bytes>>,
    #[param(name = "may-be-missing", help = "An integer that may be left out")]
    maybe: Param<Option<i64>>,
    null: Artifact<Option<i64>>,
    no: Artifact<bool>,
    small: Artifact<i64>,
    large: Artifact<i64>,
    half: Artifact<f64>,
    whole: Artifact<f64>,
    string: Artifact<String>,
    bytes: Artifact<Bytes>,
    list: Artifact<Vec<i64>>,
    map: Artifact<BTreeMap<String, i64>>,
    hashed: Artifact<HashMap<String, i64>>,
    order: Artifact<Vec<String>>,
    moment: Artifact<u64>,
    drawn: Artifact<Vec<u64>>,
    items: Artifact<Vec<i64>>,
    place: Artifact<String>,
    kept: Artifact<i64>,
    all: Artifact<Vec<String>>,
    which: Artifact<String>,
}

#[steps]
impl ConformanceFlow {
    /// Sets artifacts of all types
    #[step(next = draw, foreach = items)]
    fn start(&mut self) {
        println!(
            "text {}, int {}, float {}, truth {}",
            self.text, self.int, self.float, self.truth
        );
        println!("any {}", self.any);
        println!("file {:?}", self.file.as_ref().map(|file| file.trim_end().to_owned()));
        println!("blob {:?}", self.blob.as_ref().map(|blob| blob.len()));
        println!("may-be-missing {:?}", self.maybe);
        eprintln!("to standard error");
        print!("no end of line");
        self.null = None.into();
        self.no = false.into();
        self.small = 23.into();
        self.large = i64::MIN.into();
        self.half = 0.5.into();
        self.whole = 2.0.into();
        self.string = "two\nlines".into();
        self.bytes = Bytes(vec![0, 1, 255]).into();
        self.list = [1, -1, 256].into();
        self.map = BTreeMap::from([("b".to_owned(), 1), ("aa".to_owned(), 2)]).into();
        self.items = Vec::from_iter(0..12).into();
        self.kept = 1.into();
    }

    /// Draws numbers, each task its own
    #[step(next = join)]
    fn draw(&mut self, input: i64, index: usize) {
        let mut bytes = [0; 16];
        wflow_sdk::task::random(&mut bytes);
        self.drawn = bytes
            .chunks(8)
            .map(|chunk| chunk.iter().fold(0, |n, &b| n << 8 | u64::from(b)))
            .collect::<Vec<_>>()
            .into();
        let hashed: HashMap<String, i64> = (0..50).map(|n| (format!("key {n}"), n)).collect();
        self.order = hashed.keys().cloned().collect::<Vec<_>>().into();
        self.hashed = hashed.into();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.moment = now.map_or(0, |since| since.as_nanos() as u64).into();
        let identity = self.identity();
        self.place = format!(
            "{} {} {} attempt {}, {} of {}",
            identity.flow,
            identity.step,
            identity.task,
            identity.attempt,
            index,
            identity.frames[0].width
        )
        .into();
        println!("item {input}");
    }

    /// Joins a foreach
    #[step(next = choose)]
    fn join(&mut self, inputs: Inputs<Self>) -> Result {
        self.all = inputs.iter().map(|input| input.place.to_string()).collect::<Vec<_>>().into();
        println!("{} inputs, first {}, last {}", inputs.len(), inputs[0].place, inputs[11].place);
        self.merge_artifacts(inputs.exclude(["place", "drawn", "order"]))
    }

    /// Goes on by a value
    #[step(next = { "left" => left, "right" => right }, switch = which)]
    fn choose(&mut self) {
        self.which = "right".into();
    }

    #[step(next = end)]
    fn left(&mut self) {}

    #[step(next = end)]
    fn right(&mut self) {
        self.string.unset();
    }

    #[step]
    fn end(&mut self) {
        println!("{}", wflow_sdk::artifacts::names().join(" "));
    }
}
