use wflow_sdk::prelude::*;

/// As little work as a task can have: two artifacts in, two out.
#[flow]
struct TinyFlow {
    #[param(default = 1000)]
    width: Param<i64>,
    items: Artifact<Vec<i64>>,
    factor: Artifact<i64>,
    label: Artifact<String>,
    product: Artifact<i64>,
    text: Artifact<String>,
    total: Artifact<i64>,
}

#[steps]
impl TinyFlow {
    #[step(next = work, foreach = items)]
    fn start(&mut self) {
        self.items = Vec::from_iter(0..*self.width).into();
        self.factor = 3.into();
        self.label = "product".into();
    }

    #[step(next = join)]
    fn work(&mut self, index: usize) {
        self.product = (*self.factor * index as i64).into();
        self.text = format!("{} {index}", *self.label).into();
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        self.total = inputs.iter().map(|input| *input.product).sum::<i64>().into();
    }

    #[step]
    fn end(&mut self) {
        println!("{}", self.total);
    }
}
