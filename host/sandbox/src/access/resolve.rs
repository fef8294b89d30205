//! What the names of granted hosts stand for.

use std::net::IpAddr;

use super::address::is_public;

/// The most addresses of one name that are of interest.
pub(super) const MOST: usize = 1000;

/// The name that means this machine, wherever it is asked for (RFC 6761, section 6.3).
const LOCALHOST: &str = "localhost";

/// The addresses that a host may be reached at. An address that was granted as such is meant,
/// wherever it leads; a name leads to the public network alone, whatever whoever owns the name
/// says, except for `localhost`.
pub(super) async fn allowed(host: &str) -> Vec<IpAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return vec![address.to_canonical()];
    }
    let found = match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => found.map(|address| address.ip().to_canonical()),
        Err(error) => {
            tracing::debug!(%error, "the name {host} cannot be resolved");
            return Vec::new();
        }
    };
    let meant = |address: &IpAddr| match host {
        LOCALHOST => address.is_loopback(),
        _ => is_public(*address),
    };
    found.filter(meant).take(MOST).collect()
}
