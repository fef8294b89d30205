//! Files: through the standard library, which looks at paths before it asks the host, and through
//! WASI itself, which does not.

use std::fs;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::Descriptor;
use wasip2::filesystem::types::DescriptorFlags;
use wasip2::filesystem::types::ErrorCode;
use wasip2::filesystem::types::NewTimestamp;
use wasip2::filesystem::types::OpenFlags;
use wasip2::filesystem::types::PathFlags;

use crate::Answer;

type Result<T> = std::result::Result<T, ErrorCode>;

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const EXACT: PathFlags = PathFlags::empty();

pub(crate) fn try_to(word: &str, words: &[&str]) -> Option<Answer> {
    let done = |()| "done".to_owned();
    Some(match (word, words) {
        ("std-read", [path]) => fs::read_to_string(path).map_err(|error| error.to_string()),
        ("std-list", [path]) => {
            let names = fs::read_dir(path).map(|all| {
                all.map(|entry| entry.map(|entry| entry.file_name())).collect::<Vec<_>>()
            });
            names.map(|names| format!("{names:?}")).map_err(|error| error.to_string())
        }
        ("folders", _) => {
            Ok(get_directories().into_iter().map(|(_, path)| path).collect::<Vec<_>>().join(" "))
        }
        (_, [folder, rest @ ..]) => {
            let known = [
                "read",
                "list",
                "open",
                "stat",
                "write",
                "truncate",
                "resize",
                "mkdir",
                "remove",
                "rmdir",
                "times",
                "readlink",
                "link",
                "symlink",
                "rename",
                "read-through",
            ];
            if !known.contains(&word) {
                return None;
            }
            let all = get_directories();
            let Some((folder, _)) = all.into_iter().find(|(_, path)| path == folder) else {
                return Some(Err("no such folder".to_owned()));
            };
            match (word, rest) {
                ("read", [path]) => read(&folder, path),
                ("list", [path]) => list(&folder, path),
                ("open", [path]) => open(&folder, path).map(|_| "done".to_owned()),
                ("stat", [path]) => stat(&folder, path),
                ("readlink", [path]) => folder.readlink_at(path),
                ("write", [path, text]) => write(&folder, path, text).map(done),
                ("truncate", [path]) => truncate(&folder, path).map(done),
                ("resize", [path]) => open(&folder, path).and_then(|f| f.set_size(1)).map(done),
                ("mkdir", [path]) => folder.create_directory_at(path).map(done),
                ("remove", [path]) => folder.unlink_file_at(path).map(done),
                ("rmdir", [path]) => folder.remove_directory_at(path).map(done),
                ("times", [path]) => times(&folder, path).map(done),
                ("link", [from, to]) => folder.link_at(EXACT, from, &folder, to).map(done),
                ("symlink", [from, to]) => folder.symlink_at(from, to).map(done),
                ("rename", [from, to]) => folder.rename_at(from, &folder, to).map(done),
                // Opens a folder on the way, and from there a file.
                ("read-through", [way, path]) => {
                    open(&folder, way).and_then(|way| read(&way, path))
                }
                _ => return None,
            }
            .map_err(|error| error.name().to_owned())
        }
        _ => return None,
    })
}

fn open(folder: &Descriptor, path: &str) -> Result<Descriptor> {
    folder.open_at(FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)
}

fn read(folder: &Descriptor, path: &str) -> Result<String> {
    let file = open(folder, path)?;
    let mut text = Vec::new();
    loop {
        let (more, at_end) = file.read(1 << 16, text.len() as u64)?;
        text.extend(more);
        if at_end {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

fn list(folder: &Descriptor, path: &str) -> Result<String> {
    let folder = folder.open_at(FOLLOW, path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
    let entries = folder.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(entry.name);
    }
    Ok(names.join(" "))
}

fn stat(folder: &Descriptor, path: &str) -> Result<String> {
    let stat = folder.stat_at(FOLLOW, path)?;
    Ok(format!("{:?} of {} bytes", stat.type_, stat.size))
}

fn write(folder: &Descriptor, path: &str, text: &str) -> Result<()> {
    let how = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let file = folder.open_at(FOLLOW, path, how, DescriptorFlags::WRITE)?;
    file.write(text.as_bytes(), 0).map(drop)
}

fn truncate(folder: &Descriptor, path: &str) -> Result<()> {
    folder.open_at(FOLLOW, path, OpenFlags::TRUNCATE, DescriptorFlags::READ).map(drop)
}

fn times(folder: &Descriptor, path: &str) -> Result<()> {
    folder.set_times_at(FOLLOW, path, NewTimestamp::Now, NewTimestamp::Now)
}
