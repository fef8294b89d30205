//! Records as a store may hold them after damage, or by somebody's ill will.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use wflow_model::lookup;
use wflow_model::record;
use wflow_model::record::Record;
use wflow_model::record::RunEnd;
use wflow_model::record::RunRecord;
use wflow_model::record::TaskRecord;

fuzz_target!(|bytes: &[u8]| {
    again::<RunRecord>(bytes);
    again::<RunEnd>(bytes);
    let record = again::<TaskRecord>(bytes);
    let asked = lookup::answer(bytes, "a");
    if let Some(record) = record {
        let (id, _) = asked.expect("what is whole can be asked");
        assert_eq!(id, record.id);
        let mut names: Vec<&str> = record.artifacts.keys().map(|name| &**name).collect();
        names.extend(record.removed.iter().map(|name| &**name));
        names.extend(record.inherited.keys().map(|name| &**name));
        names.push("nobody");
        for name in names {
            let answer = lookup::answer(bytes, name).map(|(_, answer)| answer);
            assert_eq!(answer, Ok(record.answer(name)), "the answers about `{name}` differ");
        }
    }
});

/// A record that is read says the same when it was written again.
fn again<T: Record + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let record: T = record::decode(bytes).ok()?;
    let written = record::encode(&record).expect("a record can be written");
    assert_eq!(record::decode(&written).as_ref(), Ok(&record));
    Some(record)
}
