//! The wine example against a computation of its own.

use std::fs;

use serde_json::Value as Json;

use crate::support::Place;
use crate::support::example;
use crate::support::root;

const MEASURES: usize = 13;

/// What is expected of a measure.
struct Expected {
    mean: f64,
    spread: f64,
    separation: f64,
}

/// By other formulas than the flow's: moments from sums that Kahan's way keeps exact, and the
/// variance between the classes as what the one within them leaves of the whole.
fn expected(values: &[(f64, usize)]) -> Expected {
    let count = values.len() as f64;
    let mean = sum(values.iter().map(|(value, _)| *value)) / count;
    let total = sum(values.iter().map(|(value, _)| (value - mean) * (value - mean)));
    let mut within = Vec::new();
    for class in 0..3 {
        let mine = || values.iter().filter(|(_, of)| *of == class).map(|(value, _)| *value);
        let center = sum(mine()) / mine().count() as f64;
        within.push(sum(mine().map(|value| (value - center) * (value - center))));
    }
    let within = sum(within.into_iter());
    Expected {
        mean,
        spread: (total / (count - 1.0)).sqrt(),
        separation: ((total - within) / 2.0) / (within / (count - 3.0)),
    }
}

/// A sum that does not lose what is small.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for value in values {
        let value = value - lost;
        let next = sum + value;
        lost = (next - sum) - value;
        sum = next;
    }
    sum
}

fn near(got: f64, wanted: f64) -> bool {
    (got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0)
}

#[test]
fn the_table_is_right() {
    let data = root().join("examples/wine/wine.csv");
    let text = fs::read_to_string(&data).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|field| field.trim().parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), 178);
    let columns: Vec<Expected> = (0..MEASURES)
        .map(|column| {
            let value = |row: &Vec<f64>| (row[column], row[MEASURES] as usize);
            expected(&rows.iter().map(value).collect::<Vec<_>>())
        })
        .collect();

    let place = Place::new();
    let run = place.run(&example("wine"), &format!("--data {}", data.display())).done();
    assert_eq!(run.printed("start"), ["178 wines of 3 classes"]);

    // The artifact.
    let names = place.value("latest/start/1/measures");
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let ranking = place.value("latest/end/1/ranking");
    let ranking = ranking.as_array().unwrap();
    assert_eq!(ranking.len(), MEASURES);
    let number = |rank: &Json, key: &str| rank[key].as_f64().unwrap();
    let mut best = f64::INFINITY;
    for rank in ranking {
        let column = names.iter().position(|name| rank["measure"] == *name).unwrap();
        let Expected { mean, spread, separation } = columns[column];
        assert!(near(number(rank, "mean"), mean), "{rank}: mean {mean}");
        assert!(near(number(rank, "spread"), spread), "{rank}: spread {spread}");
        assert!(near(number(rank, "separation"), separation), "{rank}: separation {separation}");
        assert!(separation <= best, "the best comes first");
        best = separation;
    }
    assert_eq!(ranking[0]["measure"], "flavanoids");

    // The table that is printed, to the digits that it shows.
    let printed = run.printed("rank");
    assert_eq!(printed.len(), MEASURES + 1);
    assert!(printed[0].starts_with("measure "), "{}", printed[0]);
    for (line, rank) in printed[1..].iter().zip(ranking) {
        let (name, numbers) = line.split_at(20);
        assert_eq!(rank["measure"], name.trim());
        let numbers: Vec<f64> = numbers.split_whitespace().map(|n| n.parse().unwrap()).collect();
        for (shown, key) in numbers.iter().zip(["mean", "spread", "separation"]) {
            assert!((shown - number(rank, key)).abs() <= 1e-9, "{line}");
        }
        assert_eq!(numbers.len(), 3);
    }
    assert_eq!(run.printed("end"), ["flavanoids tells the wines apart best"]);
    assert_eq!(place.lines("list --json latest/analyze").len(), MEASURES);
}

#[test]
fn wines_that_cannot_be_read() {
    let place = Place::new();
    place.file(
        "wine.csv",
        "2,13\n1,2,3,4,5,6,7,8,9,10,11,12,13,0\n1,2,x,4,5,6,7,8,9,10,11,12,13,1\n",
    );
    let run = place.run(&example("wine"), "--data wine.csv").fails(1);
    assert!(run.stderr.contains("wine number 2"), "{run}");
    assert!(
        run.stderr.contains("examples/wine") || run.stderr.contains("wine/src/lib.rs:"),
        "{run}"
    );
    place.run(&example("wine"), "").fails(2);
}
