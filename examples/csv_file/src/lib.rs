use wflow_sdk::prelude::*;

/// A file as a parameter: it is kept with the run, whatever becomes of the file.
#[flow]
struct CSVFileFlow {
    #[param(name = "csv", help = "CSV file to be parsed")]
    data: Param<Option<Text>>,
    #[param(help = "delimiter", default = ",")]
    delimiter: Param<String>,
}

#[steps]
impl CSVFileFlow {
    #[step(next = end)]
    fn start(&mut self) -> Result {
        let &[delimiter] = self.delimiter.as_bytes() else {
            bail!("the delimiter is one character of ASCII, not {:?}", *self.delimiter);
        };
        let text = self.data.as_ref().map_or("", |data| data.as_str());
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        for (i, row) in reader.records().enumerate() {
            println!("row {i}: {:?}", row?.iter().collect::<Vec<_>>());
        }
        Ok(())
    }

    #[step]
    fn end(&mut self) {
        println!("done!");
    }
}
