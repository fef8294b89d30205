use wflow_sdk::prelude::*;

/// Leaves artifacts of every tier: in the records of tasks, in rows of the catalog, and in files.
#[flow]
struct SizesFlow {
    #[param(help = "How many tasks", default = 10)]
    width: Param<i64>,
    #[param(help = "One of so many tasks leaves an artifact for a row", default = 1)]
    rows: Param<i64>,
    #[param(help = "One of so many tasks leaves an artifact for a file", default = 3)]
    files: Param<i64>,
    #[param(help = "How many thousand numbers each task draws", default = 0)]
    effort: Param<i64>,
    #[param(help = "Something to hand through", default = "")]
    note: Param<String>,
    items: Artifact<Vec<i64>>,
    side: Artifact<String>,
    square: Artifact<i64>,
    row: Artifact<Bytes>,
    file: Artifact<Bytes>,
    total: Artifact<i64>,
    sizes: Artifact<Vec<usize>>,
}

#[steps]
impl SizesFlow {
    #[step(next = [left, right])]
    fn start(&mut self) {
        println!("a note of {} bytes", self.note.len());
    }

    #[step(next = both)]
    fn left(&mut self) {
        self.side = "left".into();
        self.file = filled(1, 200_000).into();
    }

    #[step(next = both)]
    fn right(&mut self) {
        self.side = "right".into();
        self.row = filled(2, 10_000).into();
    }

    #[step(next = list)]
    fn both(&mut self, inputs: Inputs<Self>) {
        self.sizes = vec![inputs.left.file.len(), inputs.right.row.len()].into();
    }

    #[step(next = work, foreach = items)]
    fn list(&mut self) {
        self.items = (0..*self.width).collect::<Vec<_>>().into();
    }

    #[step(next = gather)]
    fn work(&mut self, input: i64) {
        println!("item {input}");
        let mut number = input as u64;
        for _ in 0..1000 * *self.effort {
            number = std::hint::black_box(next(number));
        }
        self.square = (input * input).into();
        if input % *self.rows == 0 {
            self.row = filled(input, 10_000).into();
        }
        // Each second one has the content of another, so that it is there already.
        if input % *self.files == 0 {
            self.file = filled(input / *self.files / 2, 200_000).into();
        }
    }

    #[step(next = end)]
    fn gather(&mut self, inputs: Inputs<Self>) {
        self.total = inputs.iter().map(|input| *input.square).sum::<i64>().into();
        self.sizes = inputs
            .iter()
            .map(|input| input.row.load().map_or(0, |row| row.len()))
            .collect::<Vec<_>>()
            .into();
    }

    #[step]
    fn end(&mut self) {
        println!("the total is {}", self.total);
    }
}

fn next(number: u64) -> u64 {
    number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// So many bytes, as the seed has it.
fn filled(seed: i64, count: usize) -> Bytes {
    let mut number = seed as u64;
    Bytes(
        (0..count)
            .map(|_| {
                number = next(number);
                (number >> 56) as u8
            })
            .collect(),
    )
}
