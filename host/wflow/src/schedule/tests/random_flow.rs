//! Valid flows, made at random.

use proptest::prelude::*;
use proptest::sample::Index;

/// A valid flow, written as [`super::graph`] reads it.
pub(super) struct RandomFlow {
    pub(super) text: String,
    /// How many splits may be open around a step.
    pub(super) depth: usize,
}

impl std::fmt::Debug for RandomFlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Flows with splits nested up to four deep.
pub(super) fn random_flow() -> impl Strategy<Value = RandomFlow> {
    let leaf = jump().prop_map(|jump| Part::Step { jump });
    let part = leaf.prop_recursive(4, 48, 4, |part| {
        let branch = || prop::collection::vec(part.clone(), 1..4);
        prop_oneof![
            1 => jump().prop_map(|jump| Part::Step { jump }),
            2 => (prop::collection::vec(branch(), 2..5), jump())
                .prop_map(|(branches, jump)| Part::Split { branches, jump }),
            2 => (branch(), jump()).prop_map(|(body, jump)| Part::Foreach { body, jump }),
            1 => prop::collection::vec(prop::collection::vec(part.clone(), 0..3), 2..4)
                .prop_map(|alternatives| Part::Switch { alternatives }),
        ]
    });
    prop::collection::vec(part, 1..6).prop_map(|parts| Writer::flow(&parts))
}

fn jump() -> impl Strategy<Value = Option<Index>> {
    prop::option::weighted(0.25, any::<Index>())
}

/// A part of a flow, with one way in and one way out. A step with a jump has a switch, which
/// leads on or to any step within the same branch: back, so that there is a loop; or forward,
/// perhaps into the midst of a loop or of an alternative.
#[derive(Debug, Clone)]
enum Part {
    Step {
        jump: Option<Index>,
    },
    /// The jump is that of the join, here and in a foreach.
    Split {
        branches: Vec<Vec<Self>>,
        jump: Option<Index>,
    },
    Foreach {
        body: Vec<Self>,
        jump: Option<Index>,
    },
    Switch {
        alternatives: Vec<Vec<Self>>,
    },
}

/// One step; the steps of one scope are on the same branch of the same splits.
struct Line {
    name: String,
    scope: usize,
    next: String,
    jump: Option<Index>,
}

/// Writes the steps down from the last to the first, since each has to know what follows.
struct Writer {
    lines: Vec<Line>,
    scopes: usize,
    depth: usize,
}

const JOIN: &str = "(inputs)";

impl Writer {
    fn flow(parts: &[Part]) -> RandomFlow {
        let mut writer = Self { lines: Vec::new(), scopes: 1, depth: 0 };
        let first = writer.sequence(parts, 0, 0, "end");
        let Self { lines, depth, .. } = writer;
        let mut text = format!("start -> {first}\n");
        for line in lines.iter().rev() {
            let next = match line.jump {
                None => line.next.clone(),
                Some(jump) => {
                    let target = jump.get(&targets(&lines, line.scope)).to_owned();
                    format!("? c on:{} jump:{target}", line.next)
                }
            };
            text += &format!("{} -> {next}\n", line.name);
        }
        RandomFlow { text: text + "end", depth }
    }

    /// Writes parts that follow one another, then `then`. Returns the step to begin with.
    fn sequence(&mut self, parts: &[Part], scope: usize, depth: usize, then: &str) -> String {
        self.depth = self.depth.max(depth);
        let parts = parts.iter().rev();
        parts.fold(then.to_owned(), |then, part| self.part(part, scope, depth, &then))
    }

    fn part(&mut self, part: &Part, scope: usize, depth: usize, then: &str) -> String {
        match part {
            Part::Step { jump } => self.line("s", "", scope, then.to_owned(), *jump),
            Part::Split { branches, jump } => {
                let join = self.line("j", JOIN, scope, then.to_owned(), *jump);
                let targets: Vec<String> =
                    branches.iter().rev().map(|branch| self.branch(branch, depth, &join)).collect();
                let targets: Vec<String> = targets.into_iter().rev().collect();
                self.line("split", "", scope, targets.join(", "), None)
            }
            Part::Foreach { body, jump } => {
                let join = self.line("j", JOIN, scope, then.to_owned(), *jump);
                let target = self.branch(body, depth, &join);
                self.line("each", "", scope, format!("{target} for xs"), None)
            }
            Part::Switch { alternatives } => {
                let mut next = "? c".to_owned();
                for (case, alternative) in alternatives.iter().enumerate() {
                    let target = self.sequence(alternative, scope, depth, then);
                    next += &format!(" {case}:{target}");
                }
                self.line("switch", "", scope, next, None)
            }
        }
    }

    fn branch(&mut self, parts: &[Part], depth: usize, join: &str) -> String {
        let scope = self.scopes;
        self.scopes += 1;
        self.sequence(parts, scope, depth + 1, join)
    }

    fn line(
        &mut self,
        kind: &str,
        join: &str,
        scope: usize,
        next: String,
        jump: Option<Index>,
    ) -> String {
        let name = format!("{kind}{}", self.lines.len());
        self.lines.push(Line { name: format!("{name}{join}"), scope, next, jump });
        name
    }
}

/// Where a jump may lead: to a step on the same branch that is no join.
fn targets(lines: &[Line], scope: usize) -> Vec<&str> {
    let here = lines.iter().filter(|line| line.scope == scope && !line.name.ends_with(JOIN));
    here.map(|line| line.name.as_str()).collect()
}
