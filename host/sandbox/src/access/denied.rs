//! What a task was denied, so that whoever reads of its failure knows what to grant.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use wflow_model::Grant;

/// The last thing outside that a task reached for and was not granted. Shared by all that denies.
#[derive(Clone, Default)]
pub(crate) struct Denied(Arc<Mutex<Option<String>>>);

impl Denied {
    /// It wanted to connect somewhere, and nobody knows where.
    pub(crate) fn note_network(&self) {
        self.note("it was denied the network: `--allow net=HOST:PORT` grants one place".to_owned());
    }

    /// It wanted to connect to this address or name.
    pub(crate) fn note_net(&self, host: &str, port: Option<u16>) {
        let granted = |port: u16| plain(&format!("net={}:{port}", bracketed(host)));
        match port {
            Some(port) => {
                if let Some(grant) = granted(port) {
                    self.note(format!(
                        "it was denied a connection to {host}: `--allow {grant}` grants it"
                    ));
                }
            }
            // The port stands for any, to see whether the name can be part of a grant.
            None if granted(1).is_some() => self.note(format!(
                "it was denied to look up {host}: `--allow net={}:PORT` grants that, and to connect",
                bracketed(host)
            )),
            None => {}
        }
    }

    /// It wanted to use HTTP, and nobody knows where to.
    pub(crate) fn note_any_http(&self) {
        self.note(
            "it was granted no HTTP: `--allow http=HOST` grants requests to a host".to_owned(),
        );
    }

    /// It wanted to send a request to this host.
    pub(crate) fn note_http(&self, host: &str, port: u16) {
        let port = if matches!(port, 80 | 443) { String::new() } else { format!(":{port}") };
        if let Some(grant) = plain(&format!("http={}{port}", bracketed(host))) {
            self.note(format!("it was denied a request to {host}: `--allow {grant}` grants it"));
        }
    }

    /// It wanted to send a request to a name that was granted, and leads into a private network.
    pub(crate) fn note_private(&self, host: &str) {
        self.note(format!(
            "the name {host} stands for no public address, and to a private one no name leads but \
             `localhost`: use the address itself, and grant it with `--allow http=ADDRESS`"
        ));
    }

    fn note(&self, hint: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hint);
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A literal address of version 6 has colons of its own.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// The grant, if it is one: the words are the guest's.
fn plain(text: &str) -> Option<Grant> {
    text.parse().ok()
}
