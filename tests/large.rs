//! Artifacts that are larger than is comfortable in memory.

use std::fs;

use crate::support::Place;
use crate::support::flow;

/// The files of large artifacts in a store.
/// The sizes of the blobs that are files, without that of the component.
fn blobs(place: &Place) -> Vec<u64> {
    let shards = fs::read_dir(place.path().join(".wflow/blobs")).unwrap();
    let files = shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    let mut sizes: Vec<u64> = files.map(|file| file.unwrap().metadata().unwrap().len()).collect();
    sizes.sort_unstable();
    sizes.remove(0);
    sizes
}

/// Of an artifact 64 MiB cross at once; the SDK reads this one in pieces.
#[test]
fn one_that_is_handed_over_at_once_or_in_pieces_is_the_same() {
    let place = Place::new();
    let bulk = flow("bench/flows/bulk");
    place.run(&bulk, "--size 80 --whole true").done();
    place.run(&bulk, "--size 80").done();
    assert_eq!(blobs(&place).len(), 1);
    let steps = place.lines("dump --json latest/start --include data");
    assert_eq!(steps[0]["artifacts"]["data"]["size"], 80 << 20);
    place.wflow("fsck").done();

    // Saved, it is what the store says it is.
    place.wflow("dump latest/start/1/data --output data.bin").done();
    assert_eq!(fs::metadata(place.path().join("data.bin")).unwrap().len(), 80 << 20);
    // With half of that memory the pieces still go through, and the whole does not.
    place.run(&bulk, "--size 80 --memory 50M").done();
    let failed = place.run(&bulk, "--size 80 --whole true --memory 50M").fails(1);
    assert!(failed.stderr.contains("--memory"), "{failed}");
}

#[test]
fn one_that_shrinks_takes_less_room_and_is_read_all_the_same() {
    let place = Place::new();
    let bulk = flow("bench/flows/bulk");
    place.run(&bulk, "--size 12 --content integers").done();
    assert!(blobs(&place)[0] < 9 << 20, "{:?}", blobs(&place));
    let whole = place.run(&bulk, "--size 12 --content integers --whole true").done();
    assert_eq!(blobs(&place).len(), 1, "{whole}");
    place.wflow("fsck").done();
}
