use wflow_sdk::prelude::*;

/// A table whose cells are tasks, in a branch beside one that goes round a loop.
#[flow]
struct NestedFlow {
    #[param(help = "The rows, each a list of numbers", default = vec![vec![1, 2], vec![], vec![3, 4, 5]])]
    table: Param<Json<Vec<Vec<i64>>>>,
    #[param(help = "How often to go round", default = 3)]
    rounds: Param<i64>,
    rows: Artifact<Vec<Vec<i64>>>,
    cells: Artifact<Vec<i64>>,
    label: Artifact<String>,
    labels: Artifact<Vec<String>>,
    sum: Artifact<i64>,
    round: Artifact<i64>,
    again: Artifact<bool>,
    parity: Artifact<i64>,
    word: Artifact<String>,
}

#[steps]
impl NestedFlow {
    #[step(next = [rows, round])]
    fn start(&mut self) {
        self.round = 0.into();
    }

    /// One task for each row
    #[step(next = row, foreach = rows)]
    fn rows(&mut self) {
        self.rows = self.table.to_vec().into();
    }

    /// One task for each cell of the row
    #[step(next = cell, foreach = cells)]
    fn row(&mut self, input: Vec<i64>, index: usize) {
        println!("row {index} is {input:?}");
        self.cells = input.into();
    }

    #[step(next = join_row)]
    fn cell(&mut self, input: i64, index: usize) -> Result {
        let stack = self.foreach_stack();
        let places: Vec<String> = stack
            .iter()
            .map(|frame| {
                format!("{}.{}[{}/{}]", frame.step, frame.artifact, frame.index, frame.width)
            })
            .collect();
        let row: Vec<i64> = stack[0].item()?;
        ensure!(row[index] == input, "{row:?} at {index} is not {input}");
        self.label = format!("{} = {input} of {row:?}", places.join(" ")).into();
        self.sum = input.into();
        Ok(())
    }

    #[step(next = join_rows)]
    fn join_row(&mut self, inputs: Inputs<Self>) -> Result {
        println!("{} cells in row {}", inputs.len(), self.index()?);
        self.sum = inputs.iter().map(|input| *input.sum).sum::<i64>().into();
        self.labels = inputs.iter().map(|input| input.label.to_string()).collect::<Vec<_>>().into();
        Ok(())
    }

    #[step(next = meet)]
    fn join_rows(&mut self, inputs: Inputs<Self>) {
        println!("{} rows", inputs.len());
        self.sum = inputs.iter().map(|input| *input.sum).sum::<i64>().into();
        self.labels =
            inputs.iter().flat_map(|input| input.labels.to_vec()).collect::<Vec<_>>().into();
    }

    /// Goes round
    #[step(next = { true => round, false => choose }, switch = again, rounds = 10)]
    fn round(&mut self) {
        *self.round += 1;
        println!("round {} in task {}", self.round, self.identity().task);
        self.again = (*self.round < *self.rounds).into();
    }

    #[step(next = { 0 => even, 1 => odd }, switch = parity)]
    fn choose(&mut self) {
        self.parity = (*self.round % 2).into();
    }

    #[step(next = meet)]
    fn even(&mut self) {
        self.word = "even".into();
    }

    #[step(next = meet)]
    fn odd(&mut self) {
        self.word = "odd".into();
    }

    #[step(next = end)]
    fn meet(&mut self, inputs: Inputs<Self>) -> Result {
        for position in 0..inputs.len() {
            println!("input {position} comes from {}", inputs.step_name(position)?);
        }
        self.merge_artifacts(inputs.include(["sum", "labels", "word", "round"]))
    }

    #[step]
    fn end(&mut self) {
        self.labels.iter().for_each(|label| println!("{label}"));
        println!("the sum is {}, the rounds were {}: {}", self.sum, self.round, self.word);
    }
}
