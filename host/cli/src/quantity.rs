//! Times, sizes and moments as people type them.

use std::time::Duration;

use wflow::Limits;

use crate::commands::limits::Deadline;

/// Splits `10ms` into its number and its unit.
fn quantity(text: &str) -> std::result::Result<(f64, &str), String> {
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    match number.trim().parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok((number, unit)),
        _ => Err("a number greater than zero is needed".to_owned()),
    }
}

pub(crate) fn time(text: &str) -> std::result::Result<Duration, String> {
    let (number, unit) = quantity(text)?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1e3,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86400.0,
        _ => return Err("units of time are ms, s, m, h and d".to_owned()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A time, or none.
pub(crate) fn deadline(text: &str) -> std::result::Result<Deadline, String> {
    match text {
        "none" => Ok(Deadline(None)),
        text => time(text).map(|time| Deadline(Some(time))),
    }
}

/// A size as [`size`] reads it, but a number without a unit counts megabytes.
pub(crate) fn megabytes(text: &str) -> std::result::Result<u64, String> {
    match quantity(text)? {
        (_, "") => size(&format!("{text}M")),
        _ => size(text),
    }
}

/// The size of a stack.
pub(crate) fn stack(text: &str) -> std::result::Result<u64, String> {
    const LEAST: u64 = 64 << 10;
    match size(text)? {
        size @ LEAST..=Limits::MAX_STACK => Ok(size),
        _ => Err("a stack has between 64K and 64M".to_owned()),
    }
}

pub(crate) fn size(text: &str) -> std::result::Result<u64, String> {
    let (number, unit) = quantity(text)?;
    let factor = match unit.trim_end_matches('B').trim_end_matches('i') {
        "" => 1.0,
        "K" | "k" => 1024.0,
        "M" => 1024.0 * 1024.0,
        "G" => 1024.0 * 1024.0 * 1024.0,
        "T" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err("units of size are K, M, G and T".to_owned()),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    Ok((number * factor) as u64)
}

/// A share of a whole, as `5%`.
pub(crate) fn percent(text: &str) -> std::result::Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err("a percentage is needed, more than 0% and at most 100%".to_owned()),
    }
}

/// Nanoseconds since 1970 of a time as RFC 3339 writes it.
pub(crate) fn moment(text: &str) -> std::result::Result<u64, String> {
    let at: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(at.as_nanosecond()).map_err(|_| "it must be between 1970 and 2554".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units() {
        assert_eq!(time("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(time("30d"), Ok(Duration::from_secs(30 * 24 * 3600)));
        assert!(time("0").is_err() && time("fast").is_err() && time("1y").is_err());
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(percent("5%"), Ok(0.05));
        assert_eq!(percent("100"), Ok(1.0));
        assert!(percent("0%").is_err() && percent("101%").is_err() && percent("all").is_err());
        assert_eq!(size("1T"), Ok(1 << 40));
        assert_eq!((megabytes("32"), megabytes("64K")), (Ok(32 << 20), Ok(64 << 10)));
        assert_eq!(deadline("none"), Ok(Deadline(None)));
        assert_eq!(stack("64M"), Ok(64 << 20));
        assert!(stack("65M").is_err() && stack("1K").is_err());
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(1_000_000_000));
    }
}
