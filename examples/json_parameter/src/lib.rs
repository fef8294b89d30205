use wflow_sdk::prelude::*;

/// A parameter that is any JSON object.
#[flow]
struct JSONParameterFlow {
    #[param(help = "Specify a mapping", default = json!({"some": "default"}))]
    mapping: Param<Json>,
}

#[steps]
impl JSONParameterFlow {
    #[step(next = end)]
    fn start(&mut self) -> Result {
        for (key, value) in self.mapping.as_object().context("the mapping is no JSON object")? {
            match value {
                Value::String(text) => println!("key {key} value {text}"),
                other => println!("key {key} value {other}"),
            }
        }
        Ok(())
    }

    #[step]
    fn end(&mut self) {
        println!("done!");
    }
}
