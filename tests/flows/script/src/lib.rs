//! A flow that does what is written in it. The tests write other graphs and other tasks into the
//! component, so that many versions of a flow need one build.

use wflow_sdk::bindings::Failure;
use wflow_sdk::bindings::Guest;
use wflow_sdk::bindings::export_flow;
use wflow_sdk::bindings::wflow::flow::artifacts;
use wflow_sdk::bindings::wflow::flow::artifacts::Artifact;
use wflow_sdk::bindings::wflow::flow::artifacts::Problem;
use wflow_sdk::bindings::wflow::flow::inputs;
use wflow_sdk::bindings::wflow::flow::task;
use wflow_sdk::bindings::wflow::flow::task::Channel;

/// Where the script is to be written, in place of the one that is there.
static SCRIPT: [u8; ROOM] = padded();
const ROOM: usize = 8192;
const TITLE: &[u8] = b"a script for the tests of wflow:";
const NOTHING: &[u8] = br#"{"contract": "0.1", "name": "ScriptFlow",
    "steps": [{"name": "start", "next": {"step": "end"}}, {"name": "end"}]}"#;

const fn padded() -> [u8; ROOM] {
    let mut room = [b' '; ROOM];
    let (title, rest) = room.split_at_mut(TITLE.len());
    title.copy_from_slice(TITLE);
    rest.split_at_mut(NOTHING.len()).0.copy_from_slice(NOTHING);
    room
}

/// The description of the flow, and behind an empty line the lines that say what its tasks do.
fn script() -> (&'static str, &'static str) {
    // The compiler is not to know what stands there.
    let text = std::str::from_utf8(&std::hint::black_box(&SCRIPT)[TITLE.len()..]).unwrap();
    text.trim_end().split_once("\n\n").unwrap_or((text, ""))
}

struct Script;

impl Guest for Script {
    fn describe() -> String {
        script().0.to_owned()
    }

    /// Does what the lines of the step say: `step word rest`. Whatever they are, it leaves a
    /// `trace` of how the task came about.
    fn run(step: String) -> Result<(), Failure> {
        let me = task::identify();
        println(&format!("this is {step}/{}", me.task));
        let round = me.task.split_once('~').map_or("1", |(_, round)| round);
        let round: usize = round.parse().unwrap();
        let index: usize = me.frames.last().map_or(0, |frame| frame.index as usize);
        let mut trace = format!("{step}/{}", me.task);
        let mut merge = false;
        for line in script().1.lines() {
            let Some((of, what)) = line.split_once(' ') else { continue };
            let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            match word {
                _ if of != step => {}
                "is" => trace += &format!("@{rest}"),
                "prints" => println(rest),
                "warns" => task::log(Channel::Stderr, rest.as_bytes()),
                "puts" => put(name, value.into())?,
                // A list as long as the number says that stands at the index of the task.
                "lists" => put(name, list(nth(value, index)))?,
                // The value that stands at the round of the task.
                "turns" => put(name, nth(value, round - 1).to_owned())?,
                "fills" => {
                    let text = format!("{step}/{} ", me.task).repeat(value.parse().unwrap());
                    artifacts::put(name, "text/plain", text.as_bytes()).map_err(failure)?;
                }
                "removes" => artifacts::remove(name).map_err(failure)?,
                "reads" => trace += &format!(" {name}={}", text(&get(name)?)),
                "gathers" => trace += &format!(" {name}={}", gather(name)?),
                "draws" => trace += &format!(" {:?} at {}", task::random(4), task::now()),
                "merges" => merge = true,
                "fails" if rest.is_empty() || rest == me.task => {
                    return Err(fail(format!("{step} is broken")));
                }
                "hangs" if rest == me.task => loop {
                    std::hint::spin_loop();
                },
                "fails" | "hangs" => {}
                _ => return Err(fail(format!("what is {word}?"))),
            }
        }
        if !me.frames.is_empty() {
            trace += &format!(" item={}", text(&item(me.frames.len())?));
        }
        let before = match artifacts::get("trace") {
            Ok(trace) => text(&trace),
            Err(_) => gather("trace")?,
        };
        trace += &format!(" ({before})");
        artifacts::put("trace", "text/plain", trace.as_bytes()).map_err(failure)?;
        if merge {
            inputs::merge(&[], &[]).map_err(failure)?;
        }
        Ok(())
    }
}

export_flow!(Script);

fn println(text: &str) {
    task::log(Channel::Stdout, format!("{text}\n").as_bytes());
}

fn put(name: &str, json: String) -> Result<(), Failure> {
    artifacts::put(name, "application/json", json.as_bytes()).map_err(failure)
}

fn get(name: &str) -> Result<Artifact, Failure> {
    artifacts::get(name).map_err(failure)
}

/// The item of the innermost of so many loops.
fn item(loops: usize) -> Result<Artifact, Failure> {
    artifacts::item(loops as u32 - 1).map_err(failure)
}

/// The word at a position, or the last one.
fn nth(words: &str, position: usize) -> &str {
    words.split(' ').take(position + 1).last().unwrap()
}

fn list(length: &str) -> String {
    let items: Vec<String> =
        (0..length.parse().unwrap()).map(|item: u32| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

/// An artifact of all inputs.
fn gather(name: &str) -> Result<String, Failure> {
    let mut all = Vec::new();
    while (all.len() as u32) < inputs::count() {
        let more = inputs::get(name, all.len() as u32, u32::MAX).map_err(failure)?;
        all.extend(more);
    }
    let texts: Vec<String> = all.iter().map(|one| one.as_ref().map_or("".into(), text)).collect();
    Ok(texts.join(", "))
}

fn text(artifact: &Artifact) -> String {
    String::from_utf8_lossy(&artifact.data).into_owned()
}

fn fail(message: String) -> Failure {
    Failure { kind: String::new(), message, location: String::new(), trace: String::new() }
}

fn failure(problem: Problem) -> Failure {
    match problem {
        Problem::Missing(why) | Problem::Refused(why) => fail(why),
    }
}
