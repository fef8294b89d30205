use wflow_sdk::prelude::*;

/// The branches of listings 3.6 and 3.7, with the mistakes that the book warns of.
#[flow]
struct BranchesFlow {
    #[param(help = "Whether the join keeps the creature", default = true)]
    keep: Param<bool>,
    #[param(help = "Whether the join merges everything", default = false)]
    merge: Param<bool>,
    creature: Artifact<String>,
    count: Artifact<i64>,
    increment: Artifact<i64>,
}

#[steps]
impl BranchesFlow {
    #[step(next = [add_one, add_two])]
    fn start(&mut self) {
        self.creature = "dog".into();
        self.count = 0.into();
    }

    #[step(next = join)]
    fn add_one(&mut self) {
        self.increment = 1.into();
        *self.count += *self.increment;
    }

    #[step(next = join)]
    fn add_two(&mut self) {
        self.increment = 2.into();
        *self.count += *self.increment;
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) -> Result {
        self.count = inputs.iter().map(|input| *input.count).max().unwrap_or(0).into();
        println!("count from add_one {}", inputs.add_one.count);
        println!("count from add_two {}", inputs.add_two.count);
        if *self.merge {
            self.merge_artifacts(&inputs)?;
        } else if *self.keep {
            self.creature = inputs[0].creature.clone();
        }
        Ok(())
    }

    #[step]
    fn end(&mut self) {
        println!("The creature is {}", self.creature);
        println!("The final count is {}", self.count);
    }
}
