//! A flow that reaches for the outside in every way there is, as its parameters tell it, and
//! leaves what it saw: so that many tests need one build.

mod files;
mod net;
mod web;

use std::fmt::Debug;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use wflow_sdk::bindings::wflow::flow::task as contract;
use wflow_sdk::prelude::*;

/// What came of one line.
type Answer = std::result::Result<String, String>;

/// Does what the lines say.
#[flow]
struct OutsideFlow {
    #[param(help = "What to do, a line for each thing", default = "")]
    act: Param<String>,
    #[param(help = "What to do beside that, in another task", default = "")]
    beside: Param<String>,
    seen: Artifact<Vec<String>>,
}

#[steps]
impl OutsideFlow {
    #[step(next = [act, beside])]
    fn start(&mut self) {}

    #[step(next = join)]
    fn act(&mut self) -> Result {
        self.seen = obey(&self.act)?.into();
        Ok(())
    }

    #[step(next = join)]
    fn beside(&mut self) -> Result {
        self.seen = obey(&self.beside)?.into();
        Ok(())
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        self.seen = inputs.act.seen.clone();
    }

    #[step]
    fn end(&mut self) {}
}

/// Does what each line says, and tells what came of it. A line that begins with `must` fails the
/// task if it cannot be done.
fn obey(lines: &str) -> Result<Vec<String>> {
    let mut seen = Vec::new();
    for line in lines.lines() {
        let answer = match line.strip_prefix("must ") {
            Some(line) => Ok(try_to(line).map_err(Error::msg)?),
            None => try_to(line),
        };
        let answer = match answer {
            Ok(text) => text,
            Err(why) => format!("error: {why}"),
        };
        println!("{line}: {answer}");
        seen.push(answer);
    }
    Ok(seen)
}

fn try_to(line: &str) -> Answer {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split(' ').collect();
    match (word, words.as_slice()) {
        ("env", [name]) => std::env::var(name).map_err(told),
        ("envs", _) => Ok(format!("{:?}", std::env::vars().collect::<Vec<_>>())),
        ("args", _) => Ok(format!("{:?}", std::env::args().collect::<Vec<_>>())),
        ("now", _) => Ok(since_1970(SystemTime::now())),
        ("contract-now", _) => Ok(contract::now().to_string()),
        ("monotonic", _) => Ok(wasip2::clocks::monotonic_clock::now().to_string()),
        ("sleep", [milliseconds]) => {
            let begun = Instant::now();
            std::thread::sleep(Duration::from_millis(milliseconds.parse().map_err(told)?));
            Ok(format!("{} ms", begun.elapsed().as_millis()))
        }
        ("random", _) => Ok(wasip2::random::random::get_random_u64().to_string()),
        ("insecure", _) => Ok(wasip2::random::insecure::get_insecure_random_u64().to_string()),
        ("seed", _) => Ok(format!("{:?}", wasip2::random::insecure_seed::insecure_seed())),
        ("contract-random", _) => Ok(format!("{:?}", contract::random(8))),
        ("fail", _) => Err(rest.to_owned()),
        _ => files::try_to(word, &words)
            .or_else(|| net::try_to(word, &words))
            .or_else(|| web::try_to(word, &words))
            .unwrap_or_else(|| panic!("what is `{line}`?")),
    }
}

fn since_1970(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or_else(told, |since| since.as_secs().to_string())
}

/// An error in words; for the errors of WASI those are their names.
fn told(error: impl Debug) -> String {
    format!("{error:?}")
}
