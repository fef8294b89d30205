use wflow_sdk::prelude::*;

/// As many tasks as wanted, and a join that reads them all.
#[flow]
struct WideFlow {
    #[param(help = "How many tasks", default = 10_000)]
    width: Param<i64>,
    items: Artifact<Vec<i64>>,
    square: Artifact<i64>,
    position: Artifact<usize>,
    total: Artifact<i64>,
    ordered: Artifact<bool>,
}

#[steps]
impl WideFlow {
    #[step(next = square, foreach = items)]
    fn start(&mut self) {
        self.items = (0..*self.width).map(|item| 2 * item).collect::<Vec<_>>().into();
    }

    #[step(next = join)]
    fn square(&mut self, input: i64, index: usize) {
        self.square = (input * input).into();
        self.position = index.into();
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        println!("{} inputs", inputs.len());
        self.ordered = inputs.iter().enumerate().all(|(at, input)| *input.position == at).into();
        self.total = inputs.iter().map(|input| *input.square).sum::<i64>().into();
    }

    #[step]
    fn end(&mut self) {
        println!("the total is {}, in order: {}", self.total, self.ordered);
    }
}
