use wflow_sdk::prelude::*;

/// One task for each creature of a list. The longest name wins.
#[flow]
struct ForeachFlow {
    creatures: Artifact<Vec<String>>,
    creature: Artifact<String>,
    score: Artifact<usize>,
    best: Artifact<String>,
}

#[steps]
impl ForeachFlow {
    #[step(next = analyze_creatures, foreach = creatures)]
    fn start(&mut self) {
        self.creatures = ["bird", "mouse", "dog"].into();
    }

    #[step(next = join)]
    fn analyze_creatures(&mut self, input: String) {
        println!("Analyzing {input}");
        self.score = input.len().into();
        self.creature = input.into();
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) -> Result {
        let best = inputs.iter().max_by_key(|input| *input.score);
        self.best = best.context("no creatures")?.creature;
        Ok(())
    }

    #[step]
    fn end(&mut self) {
        println!("{} won!", self.best);
    }
}
