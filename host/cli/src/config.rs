//! The file `wflow.toml` beside a flow: what the flow is granted, and what its tasks may use,
//! whenever it is run from there. The command line and the environment win.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use anyhow::anyhow;
use serde::Deserialize;
use toml::Spanned;
use wflow::model::Grant;
use wflow::model::Grants;

use crate::commands::LimitArgs;
use crate::error::CliError;
use crate::error::Result;

/// The name of the file.
pub(crate) const FILE: &str = "wflow.toml";

/// The most bytes of it that are read.
const MAX_FILE: u64 = 1 << 20;

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) grants: Grants,
    pub(crate) limits: LimitArgs,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Grants, as behind `--allow`; paths are seen from the folder of the file.
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    /// Limits, by the names of their options.
    #[serde(default)]
    limits: BTreeMap<Spanned<String>, Amount>,
}

/// The value of a limit, as behind its option.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or a text such as \"2G\" or \"10m\"")]
enum Amount {
    Number(u64),
    Text(String),
}

impl Config {
    /// What the file beside a flow says; nothing if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or says what makes no sense.
    pub(crate) fn beside(flow: &Path) -> Result<Self> {
        let folder = flow.parent().unwrap_or(Path::new(""));
        let file = folder.join(FILE);
        // Asked before it is opened: a flow that has no such file opens nothing but itself.
        if !file.exists() {
            return Ok(Self::default());
        }
        let read = || {
            // A pipe or a device of that name might never end.
            if !fs::metadata(&file)?.is_file() {
                return Err(anyhow!("it is no file"));
            }
            let mut content = String::new();
            File::open(&file)?.take(MAX_FILE).read_to_string(&mut content)?;
            let document: Document = toml::from_str(&content)?;
            let grants = document.allow.iter().map(|text| {
                let line = content[..text.span().start].matches('\n').count() + 1;
                grant(text.get_ref(), folder).with_context(|| format!("line {line}"))
            });
            let grants = grants.collect::<anyhow::Result<Vec<_>>>()?;
            let mut limits = LimitArgs::default();
            for (name, amount) in document.limits {
                let value = match amount {
                    Amount::Number(number) => number.to_string(),
                    Amount::Text(text) => text,
                };
                let line = content[..name.span().start].matches('\n').count() + 1;
                let limit = LimitArgs::of([(name.into_inner(), value)])
                    .map_err(|error| anyhow!("line {line}: {error}"))?;
                limits.fill(&limit);
            }
            Ok(Self { grants: Grants::new(grants)?, limits })
        };
        let read: anyhow::Result<Self> = read();
        read.with_context(|| format!("cannot use '{}'", file.display())).map_err(CliError::usage)
    }
}

/// A grant whose path is seen from that folder.
fn grant(text: &str, folder: &Path) -> anyhow::Result<Grant> {
    let mut grant: Grant = text.parse()?;
    if let Grant::Read(place) | Grant::Write(place) = &mut grant {
        let path = folder.join(&place.host);
        let path = path.to_str().ok_or_else(|| anyhow!("the path of its folder is no UTF-8"))?;
        path.clone_into(&mut place.host);
    }
    Ok(grant)
}
