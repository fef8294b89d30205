//! What a join reads.

use crate::error::Result;
use crate::flow::{Flow, Steps};
use crate::source::{Joined, Source};
use std::cell::OnceCell;
use std::ops::{Deref, Index, Range};

/// The tasks that a join joins: the argument `inputs` of a step.
///
/// They are in the order of the branches, or of the items of the foreach. Each is seen as the
/// flow was when that task was done:
///
/// ```no_run
/// # use wflow_sdk::prelude::*;
/// # #[flow] struct F { count: Artifact<i64>, best: Artifact<i64> }
/// # #[steps] impl F {
/// # #[step(next = [add_one, add_two])] fn start(&mut self) {}
/// # #[step(next = join)] fn add_one(&mut self) {}
/// # #[step(next = join)] fn add_two(&mut self) {}
/// #[step(next = end)]
/// fn join(&mut self, inputs: Inputs<Self>) -> Result {
///     let best = inputs.iter().map(|input| *input.count).max();
///     self.best = best.context("no inputs")?.into();
///     println!("{} {}", inputs[0].count, inputs.add_two.count);
///     self.merge_artifacts(inputs.exclude(["count"]))
/// }
/// # #[step] fn end(&mut self) {}
/// # }
/// ```
///
/// Nothing is read before it is looked at, and then in batches. [`iter`](Self::iter) keeps
/// only the latest of these, so that it serves for a million inputs; those got by position
/// stay in memory.
pub struct Inputs<F: Steps> {
    joined: Joined,
    /// One place for every input, made when the first is asked for by position.
    views: OnceCell<Box<[OnceCell<Box<F>>]>>,
    branches: F::Branches,
}

impl<F: Steps> Inputs<F> {
    /// The inputs of the task that runs; none if it is no join.
    pub fn open() -> Self {
        let joined = Joined::open();
        Self { branches: F::branches(&joined), views: OnceCell::new(), joined }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.joined.count() as usize
    }

    /// Whether there are none, as after a foreach over an empty list.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs, one after the other.
    pub fn iter(&self) -> InputsIter<F> {
        InputsIter {
            joined: self.joined.clone(),
            rest: 0..self.joined.count(),
            flow: Default::default(),
        }
    }

    /// The input at that position.
    pub fn get(&self, position: usize) -> Option<&F> {
        let views = self.views.get_or_init(|| (0..self.len()).map(|_| OnceCell::new()).collect());
        let view = views.get(position)?;
        let source = || Source::Input(self.joined.clone(), position as u32);
        Some(view.get_or_init(|| Box::new(F::bind(&source()))))
    }

    /// The step that the input at that position is a task of.
    ///
    /// # Errors
    ///
    /// If there is no such input.
    #[track_caller]
    pub fn step_name(&self, position: usize) -> Result<String> {
        let location = std::panic::Location::caller();
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        self.joined.step(position).map_err(|error| error.at(location))
    }

    /// To merge only these artifacts: see [`Task::merge_artifacts`](crate::Task::merge_artifacts).
    pub fn include<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Merge {
        Merge { include: names.into_iter().map(Into::into).collect(), exclude: Vec::new() }
    }

    /// To merge all but these artifacts: see [`Task::merge_artifacts`](crate::Task::merge_artifacts).
    pub fn exclude<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Merge {
        Merge { include: Vec::new(), exclude: names.into_iter().map(Into::into).collect() }
    }
}

impl<F: Steps> Index<usize> for Inputs<F> {
    type Output = F;

    #[track_caller]
    fn index(&self, position: usize) -> &F {
        match self.get(position) {
            Some(input) => input,
            None => panic!("there is no input {position}: the join has {}", self.len()),
        }
    }
}

/// By the name of the step: `inputs.add_one`.
impl<F: Steps> Deref for Inputs<F> {
    type Target = F::Branches;

    fn deref(&self) -> &F::Branches {
        &self.branches
    }
}

impl<F: Steps> IntoIterator for Inputs<F> {
    type Item = F;
    type IntoIter = InputsIter<F>;

    fn into_iter(self) -> InputsIter<F> {
        self.iter()
    }
}

impl<F: Steps> IntoIterator for &Inputs<F> {
    type Item = F;
    type IntoIter = InputsIter<F>;

    fn into_iter(self) -> InputsIter<F> {
        self.iter()
    }
}

/// The inputs of a join, one after the other.
pub struct InputsIter<F> {
    joined: Joined,
    rest: Range<u32>,
    flow: std::marker::PhantomData<F>,
}

impl<F: Flow> InputsIter<F> {
    fn view(&self, index: u32) -> F {
        F::bind(&Source::Input(self.joined.clone(), index))
    }
}

impl<F: Flow> Iterator for InputsIter<F> {
    type Item = F;

    fn next(&mut self) -> Option<F> {
        self.rest.next().map(|index| self.view(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<F> {
        self.rest.nth(n).map(|index| self.view(index))
    }
}

impl<F: Flow> DoubleEndedIterator for InputsIter<F> {
    fn next_back(&mut self) -> Option<F> {
        self.rest.next_back().map(|index| self.view(index))
    }
}

impl<F: Flow> ExactSizeIterator for InputsIter<F> {}

/// The first input that is a task of a certain step.
pub struct Branch<F> {
    joined: Joined,
    step: &'static str,
    view: OnceCell<F>,
}

impl<F> Branch<F> {
    /// The input from `step`.
    pub fn new(joined: &Joined, step: &'static str) -> Self {
        Self { joined: joined.clone(), step, view: OnceCell::new() }
    }
}

impl<F: Flow> Deref for Branch<F> {
    type Target = F;

    #[track_caller]
    fn deref(&self) -> &F {
        if let Some(view) = self.view.get() {
            return view;
        }
        match self.joined.find(self.step) {
            Ok(Some(index)) => {
                let view = F::bind(&Source::Input(self.joined.clone(), index));
                self.view.get_or_init(|| view)
            }
            Ok(None) => panic!("no input of this join comes from step `{}`", self.step),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Which artifacts to merge.
#[derive(Clone, Debug, Default)]
pub struct Merge {
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
}

/// All of them.
impl<F: Steps> From<&Inputs<F>> for Merge {
    fn from(_: &Inputs<F>) -> Self {
        Self::default()
    }
}
