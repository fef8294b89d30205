//! The rules for what a flow would like to be granted.

use super::document::WishEntry;
use super::problems::Problems;
use crate::grant::Grant;
use crate::grant::Wish;
use crate::name::excerpt;

/// The most wishes of a flow: a person has to read them.
const MAX_WISHES: usize = 100;

/// The most bytes of the reason for a wish.
const MAX_WHY: usize = 1000;

/// Checks the wishes; returns those that can be made out.
pub(super) fn check(entries: Vec<WishEntry>, problems: &mut Problems) -> Vec<Wish> {
    if entries.len() > MAX_WISHES {
        problems.flow(
            format!("the flow has {} wishes, at most {MAX_WISHES} are allowed", entries.len()),
            "wish for a folder or a host as a whole",
        );
        return Vec::new();
    }
    let mut wishes: Vec<Wish> = Vec::new();
    for WishEntry { grant, why } in entries {
        let shown = excerpt(&grant);
        match grant.parse::<Grant>() {
            Ok(_) if why.len() > MAX_WHY => problems.flow(
                format!("the reason for the wish for `{shown}` has {} bytes", why.len()),
                format!("say it in {MAX_WHY}"),
            ),
            Ok(grant) if !grant.names_host() => {
                if wishes.iter().all(|wish| wish.grant != grant) {
                    wishes.push(Wish { grant, why });
                }
            }
            Ok(_) => problems.flow(
                format!("the wish for `{shown}` says how it is to be granted"),
                "a flow wishes for what it sees, as in `read=data` or `env=NAME`; where that is \
                 on the host is decided by who runs it",
            ),
            Err(error) => {
                problems.flow(
                    format!("the wish for `{shown}` cannot be granted: {error}"),
                    "correct it",
                );
            }
        }
    }
    wishes
}
