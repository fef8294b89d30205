use std::collections::{BTreeMap, BTreeSet};
use wflow_sdk::prelude::*;

/// What the columns of the data measure.
const MEASURES: [&str; 13] = [
    "alcohol",
    "malic acid",
    "ash",
    "alcalinity of ash",
    "magnesium",
    "total phenols",
    "flavanoids",
    "nonflavanoid phenols",
    "proanthocyanins",
    "color intensity",
    "hue",
    "OD280/OD315",
    "proline",
];

/// A measure, and how well it tells the classes apart.
#[value]
#[derive(Clone)]
struct Rank {
    measure: String,
    mean: f64,
    /// The standard deviation of the sample, by n - 1.
    spread: f64,
    /// The F statistic of a one-way analysis of variance: the variance between the classes
    /// over the variance within them.
    separation: f64,
}

/// Ranks the measures of wines by how well they tell the classes of the wines apart.
#[flow]
struct WineFlow {
    #[param(help = "Measures and class of each wine, as CSV", required)]
    data: Param<Text>,
    measures: Artifact<Vec<String>>,
    /// One row for each wine, one column for each measure.
    table: Artifact<Tensor<f64>>,
    classes: Artifact<Vec<u32>>,
    rank: Artifact<Rank>,
    ranking: Artifact<Vec<Rank>>,
}

#[steps]
impl WineFlow {
    /// Read the wines
    #[step(next = analyze, foreach = measures)]
    fn start(&mut self) -> Result {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(self.data.as_bytes());
        let (mut table, mut classes) = (Vec::new(), Vec::new());
        for (row, record) in reader.deserialize().enumerate() {
            let (wine, class): ([f64; 13], u32) =
                record.context(format_args!("wine number {}", row + 1))?;
            table.extend(wine);
            classes.push(class);
        }
        println!("{} wines of {} classes", classes.len(), groups(&classes));
        self.table = Tensor::new([classes.len(), MEASURES.len()], table)?.into();
        self.classes = classes.into();
        self.measures = MEASURES.into();
        Ok(())
    }

    /// Look at one measure
    #[step(next = rank)]
    fn analyze(&mut self, input: String, index: usize) {
        let wines = 0..self.classes.len();
        let values: Vec<f64> = wines.map(|wine| self.table.row(wine)[index]).collect();
        let mean = mean(&values);
        let spread = (squares(&values, mean) / (values.len() as f64 - 1.0)).sqrt();
        let separation = separation(&values, &self.classes);
        self.rank = Rank { measure: input, mean, spread, separation }.into();
    }

    /// Rank the measures
    #[step(next = end)]
    fn rank(&mut self, inputs: Inputs<Self>) {
        let mut ranking: Vec<Rank> = inputs.iter().map(|input| (*input.rank).clone()).collect();
        ranking.sort_by(|a, b| b.separation.total_cmp(&a.separation));
        println!("{:20} {:>16} {:>16} {:>16}", "measure", "mean", "spread", "separation");
        for Rank { measure, mean, spread, separation } in &ranking {
            println!("{measure:20} {mean:16.10} {spread:16.10} {separation:16.10}");
        }
        self.ranking = ranking.into();
    }

    /// Name the best
    #[step]
    fn end(&mut self) {
        if let Some(best) = self.ranking.first() {
            println!("{} tells the wines apart best", best.measure);
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sum of the squared distances from `center`.
fn squares(values: &[f64], center: f64) -> f64 {
    values.iter().map(|value| (value - center).powi(2)).sum()
}

/// How many classes there are.
fn groups(classes: &[u32]) -> usize {
    classes.iter().collect::<BTreeSet<_>>().len()
}

/// The F statistic: see [`Rank`].
fn separation(values: &[f64], classes: &[u32]) -> f64 {
    let mut groups: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (&value, &class) in values.iter().zip(classes) {
        groups.entry(class).or_default().push(value);
    }
    let all = mean(values);
    let between: f64 = groups.values().map(|g| g.len() as f64 * (mean(g) - all).powi(2)).sum();
    let within: f64 = groups.values().map(|g| squares(g, mean(g))).sum();
    let (classes, wines) = (groups.len() as f64, values.len() as f64);
    (between / (classes - 1.0)) / (within / (wines - classes))
}
