//! Artifacts in CBOR and JSON: split into items, chosen by, shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wflow_model::cbor;
use wflow_model::cbor::CborError;

fuzz_target!(|bytes: &[u8]| {
    list(bytes);
    json_list(bytes);
    let shown = cbor::to_json(bytes);
    match &shown {
        // The text of a byte string is twice as long, and keys within keys are escaped.
        Ok(json) => assert!(json.to_string().len() < 1000 + 1000 * bytes.len(), "it swells"),
        Err(CborError::TooDeep) => {}
        Err(_) => assert!(cbor::case_value(cbor::FORMAT, bytes).is_none(), "{shown:?} is a case"),
    }
    if let (Ok(json), Some(value)) = (shown, cbor::case_value(cbor::FORMAT, bytes)) {
        assert_eq!(serde_json::to_value(value).ok(), Some(json), "a case is what it looks like");
    }
    drop(cbor::case_value(cbor::JSON_FORMAT, bytes));
    let _ = cbor::kind(bytes);
});

/// A list is split where another reader, below, says that its items end.
fn list(bytes: &[u8]) {
    let items = cbor::items(cbor::FORMAT, bytes);
    let expected = expected(bytes);
    assert_eq!(items.as_ref().ok(), expected.as_ref(), "{items:?}");
}

/// The items of a JSON list are themselves JSON, in order, and nothing but white space and commas
/// is between them.
fn json_list(bytes: &[u8]) {
    let Ok(items) = cbor::items(cbor::JSON_FORMAT, bytes) else { return };
    let mut end = 0;
    for item in items {
        let between = &bytes[end..item.start];
        assert!(between.iter().all(|byte| b" \t\r\n[,".contains(byte)));
        let item = &bytes[item.clone()];
        assert!(!item.is_empty() && item == item.trim_ascii());
        end += between.len() + item.len();
    }
    assert!(bytes[end..].iter().all(|byte| b" \t\r\n[]".contains(byte)));
}

/// The items of a list, by the letter of RFC 8949; none if it is no list or is not well-formed.
fn expected(bytes: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    let mut reader = Reader { bytes, at: 0 };
    let (mut major, mut count) = reader.head()?;
    while major == 6 {
        count?;
        (major, count) = reader.head()?;
    }
    if major != 4 {
        return None;
    }
    let mut items = Vec::new();
    while count.is_none_or(|count| (items.len() as u64) < count) {
        if count.is_none() && reader.takes_break() {
            break;
        }
        let start = reader.at;
        reader.item()?;
        items.push(start..reader.at);
    }
    (reader.at == bytes.len()).then_some(items)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The major type and the number of a head; no number where the length is indefinite.
    fn head(&mut self) -> Option<(u8, Option<u64>)> {
        let first = *self.bytes.get(self.at)?;
        self.at += 1;
        let (major, short) = (first >> 5, first & 31);
        let size = match short {
            0..=23 => return Some((major, Some(short.into()))),
            24..=27 => 1 << (short - 24),
            31 if (2..=5).contains(&major) => return Some((major, None)),
            _ => return None,
        };
        let number = self.bytes.get(self.at..self.at + size)?;
        self.at += size;
        Some((major, Some(number.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))))
    }

    fn takes_break(&mut self) -> bool {
        let found = self.bytes.get(self.at) == Some(&0xff);
        self.at += usize::from(found);
        found
    }

    fn string(&mut self, is_text: bool, length: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let content = self.bytes.get(self.at..end)?;
        self.at = end;
        (!is_text || std::str::from_utf8(content).is_ok()).then_some(())
    }

    /// One whole value. Of each list and map around what is read: how many values it still has,
    /// none if a break ends it; and whether a break may stand here, which it may not between the
    /// key of a map and its value.
    fn item(&mut self) -> Option<()> {
        let mut open: Vec<(Option<u64>, bool, bool)> = vec![(Some(1), false, false)];
        loop {
            match open.last_mut() {
                None => return Some(()),
                Some((Some(0), ..)) => {
                    open.pop();
                    continue;
                }
                Some((Some(left), ..)) => *left -= 1,
                Some((None, is_map, between)) => {
                    if !*between && self.takes_break() {
                        open.pop();
                        continue;
                    }
                    *between = *is_map && !*between;
                }
            }
            let mut head = self.head()?;
            while head.0 == 6 {
                head = self.head()?;
            }
            match head {
                (0 | 1 | 7, Some(_)) => {}
                (major @ (2 | 3), Some(length)) => self.string(major == 3, length)?,
                (major @ (2 | 3), None) => {
                    while !self.takes_break() {
                        match self.head()? {
                            (part, Some(length)) if part == major => {
                                self.string(major == 3, length)?;
                            }
                            _ => return None,
                        }
                    }
                }
                (4, count) => open.push((count, false, false)),
                (5, Some(count)) => open.push((Some(count.checked_mul(2)?), true, false)),
                (5, None) => open.push((None, true, false)),
                _ => return None,
            }
        }
    }
}
