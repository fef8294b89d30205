//! What a committed task costs. Run by hand:
//! `cargo test --release -p wflow-store --test cost -- --ignored --nocapture`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, printed")]

mod common;

use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use common::*;
use wflow_model::record::RunStatus;
use wflow_model::task::StepIndex;

/// The processor time of this process, in the kernel and outside of it, to a hundredth of a
/// second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
#[ignore = "a measurement, of use on a quiet machine only"]
fn cost_of_a_task() {
    let threads = 2;
    for count in [10_000u32, 100_000, 1_000_000] {
        let (_folder, store) = store();
        let writer = store.begin(&flow("Cost")).unwrap();
        let (wall, cpu) = (Instant::now(), processor_time());
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let writer = &writer;
                scope.spawn(move || {
                    for index in (thread..count).step_by(threads as usize) {
                        let mut task = done(at(1, index));
                        task.inherits = Some(common::at(0, 1));
                        let square = u64::from(index).pow(2).to_le_bytes();
                        task.artifacts.insert(name("square"), writer.put(FORMAT, &square).unwrap());
                        task.artifacts.insert(name("text"), writer.put(FORMAT, &[7; 100]).unwrap());
                        writer.append(&task).unwrap();
                    }
                });
            }
        });
        writer.flush().unwrap();
        let (wall, cpu) = (wall.elapsed(), processor_time() - cpu);
        let finish = Instant::now();
        writer.finish(&ended(RunStatus::Done)).unwrap();
        let finish = finish.elapsed();
        let read = Instant::now();
        let ids: Vec<_> = (0..count).map(|index| at(1, index).task).collect();
        for ids in ids.chunks(512) {
            let found = store.tasks_by_id(writer.run(), StepIndex(1), ids).unwrap();
            assert!(found.iter().all(Option::is_some));
        }
        let read = read.elapsed();
        let bytes: u64 = std::fs::read_dir(store.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        println!(
            "{count:8} tasks: wall {:6.2} us, cpu {:6.2} us, lookup {:5.2} us each; finish {finish:?}; {} bytes each",
            wall.as_secs_f64() * 1e6 / f64::from(count),
            cpu.as_secs_f64() * 1e6 / f64::from(count),
            read.as_secs_f64() * 1e6 / f64::from(count),
            bytes / u64::from(count),
        );
    }
}

#[test]
#[ignore = "a measurement, of use on a quiet machine only"]
fn cost_of_a_small_run() {
    let (_folder, first) = store();
    let path = first.path().to_path_buf();
    drop(first);
    for _ in 0..5 {
        let mut marks = vec![("", Instant::now())];
        let store = wflow_store::Store::create_or_open(&path).unwrap();
        marks.push(("open", Instant::now()));
        let writer = store.begin(&flow("Small")).unwrap();
        marks.push(("begin", Instant::now()));
        for index in 0..4 {
            writer.append(&done(at(1, index))).unwrap();
        }
        writer.flush().unwrap();
        marks.push(("4 tasks", Instant::now()));
        writer.finish(&ended(RunStatus::Done)).unwrap();
        marks.push(("finish", Instant::now()));
        drop(writer);
        drop(store);
        marks.push(("close", Instant::now()));
        for pair in marks.windows(2) {
            print!("{} {:?}  ", pair[1].0, pair[1].1 - pair[0].1);
        }
        println!();
    }
}

#[test]
#[ignore = "a measurement, of use on a quiet machine only"]
fn cost_of_a_large_artifact() {
    let (folder, store) = store();
    let piece: Vec<u8> = (0..1 << 20).map(|place: u32| (place >> 3) as u8).collect();
    let pieces = 1024;
    let bare = Instant::now();
    let mut hasher = wflow_model::digest::ArtifactHasher::new(FORMAT);
    let mut file = std::fs::File::create(folder.path().join("bare")).unwrap();
    for _ in 0..pieces {
        hasher.update(&piece);
        file.write_all(&piece).unwrap();
    }
    let hashed_and_written = bare.elapsed();
    file.sync_all().unwrap();
    let (bare, _digest) = (bare.elapsed(), hasher.finish());
    std::fs::remove_file(folder.path().join("bare")).unwrap();

    let writer = store.begin(&flow("Large")).unwrap();
    let stored = Instant::now();
    let mut stream = writer.stream(FORMAT);
    for _ in 0..pieces {
        stream.push(&piece).unwrap();
    }
    let artifact = stream.finish().unwrap();
    let put = stored.elapsed();
    let mut task = done(at(0, 0));
    task.artifacts.insert(name("large"), artifact.clone());
    writer.append(&task).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
    let stored = stored.elapsed();
    let verify = Instant::now();
    store.verify(&artifact).unwrap();
    println!(
        "1 GiB: hashed and written {hashed_and_written:?}, synced {bare:?}; put {put:?}, committed {stored:?}; verified {:?}",
        verify.elapsed(),
    );
}

#[test]
#[ignore = "a measurement, of use on a quiet machine only"]
fn cost_of_collecting() {
    let (_folder, store) = store();
    let count = 1_000_000;
    for _ in 0..2 {
        let writer = store.begin(&flow("Cost")).unwrap();
        for index in 0..count {
            let mut task = done(at(1, index));
            task.inherits = Some(common::at(0, 1));
            let square = u64::from(index).pow(2).to_le_bytes();
            task.artifacts.insert(name("square"), writer.put(FORMAT, &square).unwrap());
            task.artifacts.insert(name("text"), writer.put(FORMAT, &[7; 100]).unwrap());
            writer.append(&task).unwrap();
        }
        writer.finish(&ended(RunStatus::Done)).unwrap();
    }
    let selection = wflow_store::Selection { keep: Some(1), ..Default::default() };
    for dry_run in [true, false] {
        let mut stages = vec![("selecting", Instant::now())];
        store
            .collect(&selection, dry_run, &mut |progress| {
                if stages.last().is_none_or(|(doing, _)| *doing != progress.doing) {
                    stages.push((progress.doing, Instant::now()));
                }
            })
            .unwrap();
        stages.push(("", Instant::now()));
        for pair in stages.windows(2) {
            print!("{} {:?}  ", pair[0].0, pair[1].1 - pair[0].1);
        }
        println!();
    }
}
