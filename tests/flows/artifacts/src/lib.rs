use std::collections::HashMap;
use wflow_sdk::prelude::*;

#[value]
#[derive(Clone, Debug, PartialEq)]
struct Wine {
    name: String,
    year: Option<u16>,
    kind: Kind,
}

#[value]
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Red,
    White { dry: bool },
}

/// Artifacts of all types, and how a join merges them.
#[flow]
struct ArtifactsFlow {
    #[param(help = "all, include, exclude, absent or own", default = "own")]
    merge: Param<String>,
    some: Artifact<Option<i64>>,
    none: Artifact<Option<i64>>,
    wine: Artifact<Wine>,
    counts: Artifact<HashMap<String, i64>>,
    list: Artifact<Vec<f64>>,
    bytes: Artifact<Bytes>,
    text: Artifact<Text>,
    tensor: Artifact<Tensor<f64>>,
    any: Artifact<Json>,
    gone: Artifact<String>,
    untouched: Artifact<String>,
    branch: Artifact<String>,
    only_left: Artifact<i64>,
}

#[steps]
impl ArtifactsFlow {
    #[step(next = change)]
    fn start(&mut self) -> Result {
        self.some = Some(7).into();
        self.none = None.into();
        self.wine =
            Wine { name: "Barolo".into(), year: Some(1978), kind: Kind::White { dry: true } }
                .into();
        self.counts = HashMap::from(["b", "a", "c"].map(|key| (key.to_owned(), 1))).into();
        self.list = [0.5, -1.0, 1e300].into();
        self.bytes = Bytes(vec![0, 255, 128]).into();
        self.text = Text("Überraschung\n".to_owned()).into();
        self.tensor = Tensor::new([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?.into();
        self.any = Json(json!({"deep": [1, null, {"x": true}]})).into();
        self.gone = "soon".into();
        self.untouched = "as it was".into();
        Ok(())
    }

    #[step(next = check)]
    fn change(&mut self) {
        self.counts.insert("d".to_owned(), 2);
        *self.counts.entry("a".to_owned()).or_default() += 10;
        self.list.push(4.0);
        self.tensor[0] = -1.0;
        self.wine.kind = Kind::Red;
        self.gone.unset();
    }

    #[step(next = [left, right])]
    fn check(&mut self) -> Result {
        ensure!(*self.some == Some(7) && self.none.is_none() && self.none.is_set());
        let wine = Wine { name: "Barolo".into(), year: Some(1978), kind: Kind::Red };
        ensure!(*self.wine == wine, "{:?}", self.wine);
        let mut counts: Vec<_> = self.counts.iter().map(|(key, n)| format!("{key}={n}")).collect();
        counts.sort();
        ensure!(counts == ["a=11", "b=1", "c=1", "d=2"], "{counts:?}");
        ensure!(*self.list == [0.5, -1.0, 1e300, 4.0]);
        ensure!(self.bytes.as_slice() == [0, 255, 128]);
        ensure!(self.text.as_str() == "Überraschung\n");
        ensure!(self.tensor.shape() == [2, 3] && self.tensor.row(0) == [-1.0, 2.0, 3.0]);
        ensure!(self.any["deep"][2]["x"] == true);
        ensure!(!self.gone.is_set() && self.gone.load().is_err());
        println!("all is there");
        Ok(())
    }

    #[step(next = join)]
    fn left(&mut self) {
        self.branch = "left".into();
        self.only_left = 1.into();
    }

    #[step(next = join)]
    fn right(&mut self) {
        self.branch = "right".into();
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) -> Result {
        println!("{} inputs, the right one is {}", inputs.len(), inputs.right.branch);
        match self.merge.as_str() {
            "all" => self.merge_artifacts(&inputs),
            "include" => self.merge_artifacts(inputs.include(["some", "only_left"])),
            "exclude" => self.merge_artifacts(inputs.exclude(["branch", "tensor"])),
            "absent" => self.merge_artifacts(inputs.include(["some", "gone"])),
            _ => {
                self.branch = "both".into();
                self.merge_artifacts(&inputs)
            }
        }
    }

    #[step]
    fn end(&mut self) {
        println!("{}", wflow_sdk::artifacts::names().join(" "));
    }
}
