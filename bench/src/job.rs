//! Measuring in a process of its own, which is this program again: its memory and its time are
//! then those of one measurement, and nothing is warm from the one before.

#![expect(clippy::print_stdout, reason = "the process that started this one reads it")]

use std::env;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::artifact;
use crate::floor;
use crate::resume;
use crate::tasks;
use crate::warm;

/// What a process is started for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// The bare floor.
    Floor(floor::Calls),
    /// A run of many tasks.
    Tasks(tasks::Wide),
    /// A large artifact through wflow.
    Bulk(artifact::Bulk),
    /// The same bytes, hashed and written.
    Written(artifact::Written),
    /// A run and its resume.
    Resume(resume::Resumed),
    /// The bare start.
    Start(warm::Start),
}

impl Job {
    /// Does it in a new process, and returns what it answers.
    pub(crate) fn ask<A: DeserializeOwned>(&self) -> Result<A> {
        let child = Command::new(env::current_exe()?)
            .args(["--job", &serde_json::to_string(self)?])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("{} in the process for {self:?}", output.status);
        }
        serde_json::from_slice(&output.stdout).context("reading what a process answered")
    }
}

/// Does what another process asked for, and answers it on standard output.
pub(crate) fn work(job: &str) -> Result<()> {
    match serde_json::from_str(job)? {
        Job::Floor(job) => answer(&job.work()?),
        Job::Tasks(job) => answer(&job.work()?),
        Job::Bulk(job) => answer(&job.work()?),
        Job::Written(job) => answer(&job.work()?),
        Job::Resume(job) => answer(&job.work()?),
        Job::Start(job) => answer(&job.work()?),
    }
}

fn answer(answer: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(answer)?);
    Ok(())
}
