//! Grants: what of the outside a run lets its tasks see or touch. Nothing is granted by default.
//!
//! The text of a grant is what stands behind `--allow` on the command line, in `wflow.toml`, and
//! in the wishes of a flow:
//!
//! - `read=PATH[:GUEST]`: the files below a folder, which a task sees at `GUEST`;
//! - `write=PATH[:GUEST]`: the same, and to change them;
//! - `env=NAME`: an environment variable of the host; `env=NAME=VALUE`: one with that value;
//! - `net=HOST:PORT`: TCP connections to that place;
//! - `http=HOST[:PORT]`: requests through `wasi:http` to that host;
//! - `clock`: the real time; `random`: real random numbers.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::name::excerpt;
use crate::name::is_harmful;

/// The most bytes that the text of a grant may have.
const MAX_TEXT: usize = 8192;

/// Something of the outside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Grant {
    /// To read the files below a folder.
    Read(Folder),
    /// To read and change the files below a folder.
    Write(Folder),
    /// To see an environment variable.
    Env {
        /// Its name.
        name: String,
        /// Its value; none for the one that it has on the host, which is not written down, since
        /// it may be a secret.
        value: Option<String>,
    },
    /// To connect by TCP.
    Net(Endpoint),
    /// To send HTTP requests.
    Http {
        /// A name or an address.
        host: String,
        /// The port; none for any.
        port: Option<u16>,
    },
    /// To see the real time, and to wait in it.
    Clock,
    /// To draw real random numbers.
    Random,
}

/// A folder of the host, and where a task sees it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Folder {
    /// The path on the host.
    pub host: String,
    /// The path that the task uses.
    pub guest: String,
}

/// A place in the network.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The text is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    /// There is no such kind of grant.
    #[error(
        "`{0}` is nothing that can be granted: grants are read=PATH[:GUEST], write=PATH[:GUEST], \
         env=NAME[=VALUE], net=HOST:PORT, http=HOST, clock and random"
    )]
    Unknown(String),
    /// It lacks what should stand behind the `=`, or has what should not.
    #[error("`{text}` is no grant: it is written `{form}`")]
    Form {
        /// What was given.
        text: String,
        /// How it is written.
        form: &'static str,
    },
    /// A path that leads nowhere certain.
    #[error("`{0}` is no path to see a folder at: one without `..`, such as `data` or `/data`")]
    Guest(String),
}

/// Several grants contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` and `{1}` are granted as the same thing: give one of them another name")]
pub struct Conflict(Grant, Grant);

impl FromStr for Grant {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || InvalidGrant::Unknown(excerpt(text));
        if text.len() > MAX_TEXT || text.contains(is_harmful) {
            return Err(unknown());
        }
        let (kind, rest) = match text.split_once('=') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (text, None),
        };
        let wrong = |form| InvalidGrant::Form { text: excerpt(text), form };
        let given = |form| rest.filter(|rest| !rest.is_empty()).ok_or_else(|| wrong(form));
        match kind {
            "read" => Ok(Self::Read(Folder::parse(given("read=PATH[:GUEST]")?)?)),
            "write" => Ok(Self::Write(Folder::parse(given("write=PATH[:GUEST]")?)?)),
            "env" => {
                let rest = given("env=NAME[=VALUE]")?;
                let (name, value) = match rest.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (rest, None),
                };
                if name.is_empty() {
                    return Err(wrong("env=NAME[=VALUE]"));
                }
                Ok(Self::Env { name: name.to_owned(), value })
            }
            "net" => match host_and_port(given("net=HOST:PORT")?) {
                Some((host, Some(port))) => Ok(Self::Net(Endpoint { host, port })),
                _ => Err(wrong("net=HOST:PORT")),
            },
            "http" => match host_and_port(given("http=HOST[:PORT]")?) {
                Some((host, port)) => Ok(Self::Http { host, port }),
                None => Err(wrong("http=HOST[:PORT]")),
            },
            "clock" if rest.is_none() => Ok(Self::Clock),
            "random" if rest.is_none() => Ok(Self::Random),
            "clock" => Err(wrong("clock")),
            "random" => Err(wrong("random")),
            _ => Err(unknown()),
        }
    }
}

impl Folder {
    fn parse(text: &str) -> Result<Self, InvalidGrant> {
        let (host, guest) = text.split_once(':').unwrap_or((text, text));
        let host = if host.is_empty() { "." } else { host };
        Ok(Self { host: host.to_owned(), guest: plain_path(guest)? })
    }

    /// Whether the guest sees it by the path that it has on the host.
    fn is_one_path(&self) -> bool {
        plain_path(&self.host).is_ok_and(|plain| plain == self.guest)
    }

    /// Whether a path of the guest is this folder or lies below it.
    fn holds(&self, guest: &str) -> bool {
        self.guest == "." && !guest.starts_with('/')
            || match guest.strip_prefix(self.guest.as_str()) {
                Some(rest) => rest.is_empty() || rest.starts_with('/') || self.guest == "/",
                None => false,
            }
    }
}

/// A path without the detours that say nothing: `./data/` is `data`.
fn plain_path(path: &str) -> Result<String, InvalidGrant> {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") && path.starts_with('/') || path.is_empty() {
        return Err(InvalidGrant::Guest(excerpt(path)));
    }
    let joined = parts.join("/");
    Ok(match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    })
}

/// `host`, `host:1`, `1.2.3.4:1`, `[::1]:1`; names in small letters. None if it is none of them.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None if rest.is_empty() => None,
        None => return None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let host = host.trim_end_matches('.');
    let fits = !host.is_empty() && host.len() <= 253 && host.chars().all(plain);
    fits.then(|| (host.to_ascii_lowercase(), port))
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A literal address of version 6 has colons of its own.
        let bracketed = |host: &str| match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        match self {
            Self::Read(folder) => write!(f, "read={folder}"),
            Self::Write(folder) => write!(f, "write={folder}"),
            Self::Env { name, value: None } => write!(f, "env={name}"),
            Self::Env { name, value: Some(value) } => write!(f, "env={name}={value}"),
            Self::Net(Endpoint { host, port }) => write!(f, "net={}:{port}", bracketed(host)),
            Self::Http { host, port: None } => write!(f, "http={}", bracketed(host)),
            Self::Http { host, port: Some(port) } => write!(f, "http={}:{port}", bracketed(host)),
            Self::Clock => f.write_str("clock"),
            Self::Random => f.write_str("random"),
        }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_one_path() {
            f.write_str(&self.host)
        } else {
            write!(f, "{}:{}", self.host, self.guest)
        }
    }
}

impl Grant {
    /// Whether something comes in through it that no record of the run holds, so that a second
    /// run may see something else.
    pub fn lets_in(&self) -> bool {
        !matches!(self, Self::Env { value: Some(_), .. })
    }

    /// Whether a run may be given it again without asking a person: it opens nothing of the
    /// host's that could be stolen or harmed.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Env { value: Some(_), .. } | Self::Clock | Self::Random)
    }

    /// Whether it says where on the host the thing is, or what it is there. A wish does not.
    pub fn names_host(&self) -> bool {
        match self {
            Self::Read(folder) | Self::Write(folder) => !folder.is_one_path(),
            Self::Env { value, .. } => value.is_some(),
            _ => false,
        }
    }

    /// Whether whoever wished for `wish` has it with this.
    pub fn satisfies(&self, wish: &Self) -> bool {
        match (self, wish) {
            (Self::Read(folder) | Self::Write(folder), Self::Read(wished))
            | (Self::Write(folder), Self::Write(wished)) => folder.holds(&wished.guest),
            (Self::Env { name, .. }, Self::Env { name: wished, .. }) => name == wished,
            (Self::Http { host, port }, Self::Http { host: wished, port: at }) => {
                host == wished && (port.is_none() || port == at)
            }
            (granted, wish) => granted == wish,
        }
    }

    /// What of a task's world the grant decides on; two grants of one run differ in it.
    fn subject(&self) -> (u8, &str, Option<u16>) {
        match self {
            Self::Read(folder) | Self::Write(folder) => (0, &folder.guest, None),
            Self::Env { name, .. } => (1, name, None),
            Self::Net(Endpoint { host, port }) => (2, host, Some(*port)),
            Self::Http { host, port } => (3, host, *port),
            Self::Clock => (4, "", None),
            Self::Random => (5, "", None),
        }
    }
}

/// The grants of a run, in order, each once.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// No grants.
    pub const NONE: Self = Self(Vec::new());

    /// These grants.
    ///
    /// # Errors
    ///
    /// If two of them give different things the same name: two folders at one path, two values of
    /// one variable.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Result<Self, Conflict> {
        let mut grants: Vec<Grant> = grants.into_iter().collect();
        grants.sort();
        grants.dedup();
        let mut subjects: Vec<&Grant> = grants.iter().collect();
        subjects.sort_by_key(|grant| grant.subject());
        match subjects.array_windows().find(|[a, b]| a.subject() == b.subject()) {
            Some([a, b]) => Err(Conflict((*a).clone(), (*b).clone())),
            None => Ok(Self(grants)),
        }
    }

    /// These, and of the others those about which these say nothing.
    #[must_use]
    pub fn over(self, others: Self) -> Self {
        let mut all = self.0;
        let ours = all.len();
        for other in others.0 {
            if all[..ours].iter().all(|grant| grant.subject() != other.subject()) {
                all.push(other);
            }
        }
        all.sort();
        Self(all)
    }

    /// The grants, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Grant> {
        self.0.iter()
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that let the outside in; see [`Grant::lets_in`].
    pub fn letting_in(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter().filter(|grant| grant.lets_in())
    }

    /// Whether whoever wished for `wish` has it.
    pub fn satisfy(&self, wish: &Grant) -> bool {
        self.0.iter().any(|grant| grant.satisfies(wish))
    }
}

impl<'a> IntoIterator for &'a Grants {
    type Item = &'a Grant;
    type IntoIter = std::slice::Iter<'a, Grant>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What a flow would like to be granted, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Wish {
    /// What: as if it were granted, with the guest's names for things.
    #[serde(serialize_with = "as_text")]
    pub grant: Grant,
    /// Why, in its author's words; may be empty.
    pub why: String,
}

fn as_text<S: serde::Serializer>(grant: &Grant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(grant)
}

#[cfg(test)]
mod tests;
