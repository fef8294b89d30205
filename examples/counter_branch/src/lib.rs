use wflow_sdk::prelude::*;

/// Two branches that run side by side and disagree about the count.
#[flow]
struct CounterBranchFlow {
    creature: Artifact<String>,
    count: Artifact<i64>,
}

#[steps]
impl CounterBranchFlow {
    #[step(next = [add_one, add_two])]
    fn start(&mut self) {
        self.creature = "dog".into();
        self.count = 0.into();
    }

    #[step(next = join)]
    fn add_one(&mut self) {
        *self.count += 1;
    }

    #[step(next = join)]
    fn add_two(&mut self) {
        *self.count += 2;
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        self.count = inputs.iter().map(|input| *input.count).max().unwrap_or(0).into();
        println!("count from add_one {}", inputs.add_one.count);
        println!("count from add_two {}", inputs.add_two.count);
        self.creature = inputs[0].creature.clone();
    }

    #[step]
    fn end(&mut self) {
        println!("The creature is {}", self.creature);
        println!("The final count is {}", self.count);
    }
}
