//! Values, times and sizes as people read them.

use std::borrow::Cow;
use std::env;
use std::fs;
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;
use wflow::client::RunState;
use wflow::model::name::is_harmful;
use wflow::model::record;

use crate::output::BAD;
use crate::output::GOOD;
use crate::output::NAME;

/// A moment in local time, to the millisecond.
pub(crate) fn moment(at: record::Timestamp) -> String {
    match Timestamp::from_microsecond(at.0) {
        Ok(at) => at.to_zoned_datetime(zone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => "at no time".to_owned(),
    }
}

/// The zone of local time.
pub(crate) fn zone() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let find = || {
        // The library finds it by its name, and walks through all zones of the system for that.
        // The file has everything in it, unless the environment says something else.
        let file = if env::var_os("TZ").is_none() { fs::read("/etc/localtime").ok() } else { None };
        let zone = file.and_then(|bytes| TimeZone::tzif("local", &bytes).ok());
        zone.unwrap_or_else(TimeZone::system)
    };
    ZONE.get_or_init(find).clone()
}

/// A span between two moments.
pub(crate) fn span(from: record::Timestamp, to: record::Timestamp) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let seconds = to.0.saturating_sub(from.0).max(0) as f64 / 1e6;
    match seconds {
        ..0.001 => format!("{:.0} us", seconds * 1e6),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        ..120.0 => format!("{seconds:.1} s"),
        _ => format!("{:.0} min", seconds / 60.0),
    }
}

/// A value for a person: text as it is, everything else as JSON.
pub(crate) fn value(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text of a guest without what could take over a terminal: escape sequences go, other control
/// characters but tabs and ends of lines become spaces, and so does what turns the order around.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| is_harmful(c) && c != '\t' && c != '\n';
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let text = anstream::adapter::strip_str(text).to_string();
    Cow::Owned(text.replace(harmful, " "))
}

/// A word as it is typed into a shell.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How a run stands, in a word and its style.
pub(crate) fn state(state: RunState) -> (&'static str, anstyle::Style) {
    match state {
        RunState::Running => ("running", NAME),
        RunState::Interrupted => ("interrupted", BAD),
        RunState::Done => ("done", GOOD),
        RunState::Failed => ("failed", BAD),
        RunState::Cancelled => ("cancelled", BAD),
    }
}

/// A number of things: `1 task`, `3 tasks`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// A number of bytes in a unit that fits: `600 bytes`, `1.5 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    if number < 1024 {
        return count(number, "byte");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = number as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB"].iter().peekable();
    let mut unit = "";
    while let Some(next) = units.next() {
        unit = next;
        if value < 1000.0 || units.peek().is_none() {
            break;
        }
        value /= 1024.0;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_do_not_take_over_the_terminal() {
        assert_eq!(harmless("a\tb\n"), "a\tb\n");
        assert_eq!(harmless("a\x1b[2J\x1b]0;title\x07b\x1b[31mred"), "abred");
        assert_eq!(harmless("over\rwritten\u{9b}2J"), "over written 2J");
        assert_eq!(harmless("gnp.\u{202e}exe"), "gnp. exe");
    }

    #[test]
    fn words_of_a_shell_are_quoted_where_they_need_it() {
        assert_eq!(shell_word("flows/a-b.wasm"), "flows/a-b.wasm");
        assert_eq!(shell_word("my flow.wasm"), "'my flow.wasm'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1 << 30), "1.0 GiB");
        assert_eq!(bytes(1 << 60), "1048576.0 TiB");
    }

    #[test]
    fn spans_have_a_unit_that_fits() {
        let span = |micros| span(record::Timestamp(0), record::Timestamp(micros));
        assert_eq!(span(17), "17 us");
        assert_eq!(span(17_400), "17 ms");
        assert_eq!(span(1_740_000), "1.7 s");
        assert_eq!(span(600_000_000), "10 min");
        assert_eq!(span(-5), "0 us");
    }
}
