//! One step of a run as it is watched.

use std::sync::OnceLock;

use anyhow::Context;
use anyhow::Result;
use wflow::event::Event;
use wflow::event::Observer;

use crate::cost::Moment;

/// Notices when the one task of a step begins and ends.
#[derive(Debug)]
pub(crate) struct Stage {
    step: &'static str,
    begun: OnceLock<Moment>,
    ended: OnceLock<Moment>,
}

impl Stage {
    /// The stage that this step is.
    pub(crate) fn of(step: &'static str) -> Self {
        Self { step, begun: OnceLock::new(), ended: OnceLock::new() }
    }

    /// When it began and ended.
    pub(crate) fn moments(&self) -> Result<(Moment, Moment)> {
        let both = self.begun.get().copied().zip(self.ended.get().copied());
        both.with_context(|| format!("step {} did not run", self.step))
    }
}

impl Observer for Stage {
    fn event(&self, event: &Event<'_>) {
        let moment = match event {
            Event::TaskStarted { step, .. } if *step == self.step => &self.begun,
            Event::TaskFinished { step, .. } if *step == self.step => &self.ended,
            _ => return,
        };
        moment.get_or_init(Moment::now);
    }
}
