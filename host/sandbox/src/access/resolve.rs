//! What the names of granted hosts stand for.

use std::io;
use std::net::IpAddr;

use super::address::is_public;

/// The most addresses of one name that are of interest.
pub(super) const MOST: usize = 1000;

/// The name that means this machine, wherever it is asked for (RFC 6761, section 6.3).
const LOCALHOST: &str = "localhost";

/// The addresses that a host may be reached at. An address that was granted as such is meant,
/// wherever it leads; a name leads to the public network alone, whatever whoever owns the name
/// says, except for `localhost`.
///
/// # Errors
///
/// If the name cannot be resolved.
pub(super) async fn allowed(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![address.to_canonical()]);
    }
    let found = tokio::net::lookup_host((host, 0)).await?;
    let meant = |address: &IpAddr| match host {
        LOCALHOST => address.is_loopback(),
        _ => is_public(*address),
    };
    Ok(found.map(|address| address.ip().to_canonical()).filter(meant).take(MOST).collect())
}
