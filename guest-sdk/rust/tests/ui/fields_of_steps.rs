//! Fields that a foreach or a switch goes by.
use wflow_sdk::prelude::*;

#[flow]
struct Names {
    items: Artifact<Vec<String>>,
    count: Artifact<i64>,
    ratio: Artifact<f64>,
}

#[steps]
impl Names {
    #[step(next = item, foreach = itmes)]
    fn start(&mut self) {}

    #[step(next = item, foreach = count)]
    fn no_list(&mut self) {}

    #[step(next = end, foreach = items)]
    fn item(&mut self) {}

    #[step(next = { 1 => end }, switch = kind)]
    fn no_field(&mut self) {}

    #[step(next = { 1 => end }, switch = ratio)]
    fn no_value(&mut self) {}

    #[step]
    fn end(&mut self) {}
}

fn main() {}
