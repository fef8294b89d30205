use std::collections::BTreeMap;
use std::fs;

use wflow_sdk::prelude::*;

/// Counts the rows of all tables in a folder, each in a task of its own. The folder is not the
/// flow's: whoever runs it says which one it gets, with `--allow read=FOLDER:data`.
#[flow]
#[wants("read=data", "the tables, files with names that end in .csv")]
struct CSVFolderFlow {
    tables: Artifact<Vec<String>>,
    table: Artifact<String>,
    count: Artifact<usize>,
    rows: Artifact<BTreeMap<String, usize>>,
}

#[steps]
impl CSVFolderFlow {
    #[step(next = read, foreach = tables)]
    fn start(&mut self) -> Result {
        let mut tables = Vec::new();
        for entry in fs::read_dir("data").context("data")? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            if name.ends_with(".csv") {
                tables.push(name);
            }
        }
        self.tables = tables.into();
        Ok(())
    }

    #[step(next = join)]
    fn read(&mut self, input: String) -> Result {
        let mut table = csv::Reader::from_path(format!("data/{input}")).context(&input)?;
        let mut count = 0;
        for row in table.records() {
            row.context(&input)?;
            count += 1;
        }
        self.count = count.into();
        self.table = input.into();
        Ok(())
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        let rows = inputs.iter().map(|input| (input.table.clone(), *input.count));
        self.rows = rows
            .map(|(table, count)| (table.to_string(), count))
            .collect::<BTreeMap<_, _>>()
            .into();
    }

    #[step]
    fn end(&mut self) {
        println!("{} tables, {} rows", self.rows.len(), self.rows.values().sum::<usize>());
    }
}
