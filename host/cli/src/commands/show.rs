//! `wflow show`.

use std::io;
use std::io::Write;

use wflow::HostOptions;
use wflow::model::graph::Graph;
use wflow::model::graph::Step;
use wflow::model::graph::Transition;
use wflow::model::parameter::Parameter;
use wflow::model::task::StepIndex;

use crate::args::ShowArgs;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::DIM;
use crate::output::HEAD;
use crate::output::NAME;
use crate::output::Output;

pub(crate) fn run(args: &ShowArgs, output: &mut Output) -> Result {
    let flow = flows::load(&args.flow.flow, &HostOptions { slots: 1, ..HostOptions::default() })?;
    let out = output.data();
    if args.flow.json {
        writeln!(out, "{}", flow.document())?;
    } else if args.dot {
        dot(flow.graph(), out)?;
    } else if args.mermaid {
        mermaid(flow.graph(), out)?;
    } else {
        text(flow.graph(), out)?;
    }
    Ok(())
}

fn text(graph: &Graph, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{HEAD}{}{HEAD:#}", graph.name())?;
    indented(graph.doc(), out)?;
    for parameter in graph.parameters() {
        writeln!(out, "Parameter {NAME}--{}{NAME:#} {}", parameter.name, traits(parameter))?;
        indented(&parameter.help, out)?;
    }
    for wish in graph.wishes() {
        writeln!(
            out,
            "Asks for {NAME}--allow {}{NAME:#}",
            format::shell_word(&wish.grant.to_string())
        )?;
        indented(&wish.why, out)?;
    }
    for step in graph.steps() {
        write!(out, "Step {NAME}{}{NAME:#}", step.name)?;
        if let Some(split) = step.joins {
            write!(out, " {DIM}(joins {}){DIM:#}", graph.step(split).name)?;
        }
        writeln!(out)?;
        indented(if step.doc.is_empty() { "?" } else { &step.doc }, out)?;
        let name = |index: &StepIndex| graph.step(*index).name.as_str();
        match &step.transition {
            Transition::End => {}
            Transition::Linear(next) => writeln!(out, "    => {}", name(next))?,
            Transition::Split(branches) => {
                let branches: Vec<&str> = branches.iter().map(name).collect();
                writeln!(out, "    => {} {DIM}(split){DIM:#}", branches.join(", "))?;
            }
            Transition::Foreach { over, step } => {
                writeln!(out, "    => {} {DIM}(foreach {over}){DIM:#}", name(step))?;
            }
            Transition::Switch { on, cases, .. } => {
                for case in cases {
                    let (value, next) = (&case.value, name(&case.step));
                    writeln!(out, "    => {next} {DIM}(if {on} is {value}){DIM:#}")?;
                }
            }
        }
    }
    Ok(())
}

fn indented(text: &str, out: &mut impl Write) -> io::Result<()> {
    let text = format::harmless(text);
    text.lines().try_for_each(|line| writeln!(out, "    {}", line.trim_end()))
}

/// The type of a parameter, and whether it needs a value.
fn traits(parameter: &Parameter) -> String {
    let need = match (&parameter.default, parameter.required) {
        (Some(default), _) => format!(", default {default}"),
        (None, true) => ", required".to_owned(),
        (None, false) => String::new(),
    };
    format!("({}{need})", parameter.kind)
}

/// What stands on the arrow to each step that may follow.
fn arrows(graph: &Graph, step: &Step) -> Vec<(String, String)> {
    let name = |index: &StepIndex| graph.step(*index).name.to_string();
    match &step.transition {
        Transition::Foreach { over, step } => vec![(name(step), format!("foreach {over}"))],
        Transition::Switch { on, cases, .. } => {
            cases.iter().map(|case| (name(&case.step), format!("{on} = {}", case.value))).collect()
        }
        other => other.targets().iter().map(|next| (name(next), String::new())).collect(),
    }
}

fn dot(graph: &Graph, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "digraph {} {{", graph.name())?;
    writeln!(out, "  rankdir = LR;\n  node [shape = box, style = rounded];")?;
    for step in graph.steps() {
        let shape = if step.join { " [peripheries = 2]" } else { "" };
        writeln!(out, "  {}{shape};", quoted(&step.name))?;
    }
    for step in graph.steps() {
        for (next, label) in arrows(graph, step) {
            let label = match label.as_str() {
                "" => String::new(),
                label => format!(" [label = {}]", quoted(label)),
            };
            writeln!(out, "  {} -> {}{label};", quoted(&step.name), quoted(&next))?;
        }
    }
    writeln!(out, "}}")
}

/// A string in the language of Graphviz. Step names need it too: `node` is a word there.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn mermaid(graph: &Graph, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "flowchart LR")?;
    // `end` is a word of Mermaid's, so no step is known by its own name.
    for step in graph.steps() {
        let (open, close) = if step.join { ("[[", "]]") } else { ("(", ")") };
        writeln!(out, "    step_{name}{open}\"{name}\"{close}", name = step.name)?;
    }
    for step in graph.steps() {
        for (next, label) in arrows(graph, step) {
            let label = match label.as_str() {
                "" => String::new(),
                label => format!("|\"{}\"|", label.replace('"', "#quot;")),
            };
            writeln!(out, "    step_{} -->{label} step_{next}", step.name)?;
        }
    }
    Ok(())
}
