//! Fields of a flow.
use wflow_sdk::prelude::*;

#[flow]
struct Fields {
    plain: i64,
    #[param(default = 1)]
    artifact: Artifact<i64>,
    bare: Param<i64>,
    #[param(requierd)]
    typo: Param<Option<i64>>,
    #[param(required, default = 1)]
    both: Param<i64>,
    #[param(default = 1, default = 2)]
    twice: Param<i64>,
    #[param(required)]
    #[param(required)]
    attributes: Param<i64>,
    #[param(name = "1st", required)]
    name: Param<i64>,
    #[param(name = "plain", required)]
    first: Param<i64>,
    #[param(name = "plain", required)]
    second: Param<i64>,
}

#[steps]
impl Fields {
    #[step]
    fn end(&mut self) {}
}

fn main() {}
