use wflow_sdk::prelude::*;

/// A thousand tasks and their sum.
#[flow]
struct WideForeachFlow {
    ints: Artifact<Vec<i64>>,
    result: Artifact<i64>,
    total: Artifact<i64>,
}

#[steps]
impl WideForeachFlow {
    #[step(next = multiply, foreach = ints)]
    fn start(&mut self) {
        self.ints = Vec::from_iter(0..1000).into();
    }

    #[step(next = join)]
    fn multiply(&mut self, input: i64) {
        self.result = (input * 1000).into();
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        self.total = inputs.iter().map(|input| *input.result).sum::<i64>().into();
    }

    #[step]
    fn end(&mut self) {
        println!("Total sum is {}", self.total);
    }
}
