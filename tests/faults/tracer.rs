//! Runs a command and decides about each of its system calls that change a folder.
//!
//! A library loaded before the others would not see them: not all go through the C library.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::ptrace;
use super::ptrace::Event;
use super::ptrace::Pid;
use super::ptrace::Registers;

/// A command that takes longer than so many seconds is ended by `SIGALRM`. A hang is an error.
const DEADLINE: u32 = 30;

/// A system call that is about to change something in the folder.
pub(crate) struct Change {
    /// The name of the call.
    pub(crate) call: &'static str,
    /// What it is about to change.
    pub(crate) path: PathBuf,
    /// Whether it needs space on the disk.
    pub(crate) grows: bool,
    /// Whether it changes something at all, rather than opens a file to read it.
    changes: bool,
}

/// What becomes of a system call.
pub(crate) enum Verdict {
    /// It is carried out.
    Pass,
    /// It fails with this number, and nothing is done.
    Fail(i32),
    /// It writes half of what it should. Only for `write` and `pwrite64`.
    Halve,
}

/// How a command ended.
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

/// Runs a command to its end. Every change that it makes in the folder, whose path is canonical,
/// is judged before.
///
/// # Errors
///
/// If this machine does not let one process trace another.
pub(crate) fn trace(
    command: Command,
    folder: &Path,
    judge: impl FnMut(&Change) -> Verdict,
) -> io::Result<Exit> {
    follow(command, Tracer { folder, opens: false, judge, threads: BTreeMap::new() })
}

/// Runs a command to its end, and tells of every file that it opens or changes, wherever that is.
///
/// # Errors
///
/// As [`trace`].
pub(crate) fn watch(command: Command, mut tell: impl FnMut(&Path)) -> io::Result<Exit> {
    let judge = |change: &Change| {
        tell(&change.path);
        Verdict::Pass
    };
    let folder = Path::new("/");
    follow(command, Tracer { folder, opens: true, judge, threads: BTreeMap::new() })
}

fn follow<J: FnMut(&Change) -> Verdict>(
    command: Command,
    mut tracer: Tracer<'_, J>,
) -> io::Result<Exit> {
    let child = ptrace::start(command, &CALLS, DEADLINE)?;
    ptrace::go_on(child, 0)?;
    tracer.threads.insert(child, None);
    tracer.follow(child)
}

struct Tracer<'a, J> {
    folder: &'a Path,
    /// Whether files that are opened to be read are of interest as well.
    opens: bool,
    judge: J,
    /// What the third argument was of the call that a thread is in, if it was halved.
    threads: BTreeMap<Pid, Option<u64>>,
}

impl<J: FnMut(&Change) -> Verdict> Tracer<'_, J> {
    fn follow(mut self, child: Pid) -> io::Result<Exit> {
        loop {
            let (thread, event) = ptrace::wait_any()?;
            match event {
                Event::Exited(code) if thread == child => return Ok(Exit::Code(code)),
                Event::Signaled(signal) if thread == child => return Ok(Exit::Signal(signal)),
                Event::Exited(_) | Event::Signaled(_) => {}
                Event::Call => self.call(thread)?,
                Event::Return => self.returns(thread)?,
                // The first stop of a thread is how it says that it is there.
                Event::Signal(_) if !self.threads.contains_key(&thread) => {
                    self.threads.insert(thread, None);
                    ptrace::go_on(thread, 0)?;
                }
                Event::Signal(signal) => ptrace::go_on(thread, signal)?,
                Event::Other => ptrace::go_on(thread, 0)?,
            }
        }
    }

    /// A thread stands before a system call.
    fn call(&mut self, thread: Pid) -> io::Result<()> {
        let Some(mut registers) = ptrace::registers(thread)? else { return Ok(()) };
        let change = change(thread, &registers);
        let wanted = |change: &Change| {
            (change.changes || self.opens) && change.path.starts_with(self.folder)
        };
        let verdict = match change.filter(wanted) {
            Some(change) => (self.judge)(&change),
            None => Verdict::Pass,
        };
        match verdict {
            Verdict::Pass => {}
            Verdict::Fail(error) => {
                // There is no such system call, so that none is made and the result stays.
                registers.orig_rax = u64::MAX;
                registers.rax = i64::from(-error).cast_unsigned();
                ptrace::set_registers(thread, &registers)?;
            }
            Verdict::Halve => {
                self.threads.insert(thread, Some(registers.rdx));
                registers.rdx = registers.rdx.div_ceil(2);
                ptrace::set_registers(thread, &registers)?;
                return ptrace::go_on_to_return(thread);
            }
        }
        ptrace::go_on(thread, 0)
    }

    /// A thread stands behind a system call that was halved. All registers but that of the
    /// result have to be as they were before.
    fn returns(&mut self, thread: Pid) -> io::Result<()> {
        if let Some(third) = self.threads.insert(thread, None).flatten()
            && let Some(mut registers) = ptrace::registers(thread)?
        {
            registers.rdx = third;
            ptrace::set_registers(thread, &registers)?;
        }
        ptrace::go_on(thread, 0)
    }
}

/// The system calls that may change a file.
const CALLS: [libc::c_long; 25] = [
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_writev,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_fallocate,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_rmdir,
    libc::SYS_utimensat,
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_openat2,
];

/// What a system call is about to change; none if it changes no file.
fn change(thread: Pid, registers: &Registers) -> Option<Change> {
    let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
    let memory = Memory { thread };
    let open = |number: usize| memory.descriptor(arguments[number]);
    let named = |number: usize| memory.resolve(libc::AT_FDCWD, arguments[number]);
    let at =
        |folder: usize, name: usize| memory.resolve(descriptor(arguments[folder]), arguments[name]);
    let (call, grows, path) = match registers.orig_rax.cast_signed() {
        libc::SYS_write => ("write", true, open(0)),
        libc::SYS_pwrite64 => ("pwrite64", true, open(0)),
        libc::SYS_writev => ("writev", true, open(0)),
        libc::SYS_pwritev => ("pwritev", true, open(0)),
        libc::SYS_pwritev2 => ("pwritev2", true, open(0)),
        libc::SYS_sendfile => ("sendfile", true, open(0)),
        libc::SYS_copy_file_range => ("copy_file_range", true, open(2)),
        libc::SYS_fallocate => ("fallocate", true, open(0)),
        libc::SYS_ftruncate => ("ftruncate", true, open(0)),
        libc::SYS_fsync => ("fsync", false, open(0)),
        libc::SYS_fdatasync => ("fdatasync", false, open(0)),
        libc::SYS_mkdir => ("mkdir", true, named(0)),
        libc::SYS_mkdirat => ("mkdirat", true, at(0, 1)),
        libc::SYS_rename => ("rename", false, named(1)),
        libc::SYS_renameat => ("renameat", false, at(2, 3)),
        libc::SYS_renameat2 => ("renameat2", false, at(2, 3)),
        libc::SYS_link => ("link", true, named(1)),
        libc::SYS_linkat => ("linkat", true, at(2, 3)),
        libc::SYS_unlink => ("unlink", false, named(0)),
        libc::SYS_unlinkat => ("unlinkat", false, at(0, 1)),
        libc::SYS_rmdir => ("rmdir", false, named(0)),
        libc::SYS_utimensat if arguments[1] == 0 => ("utimensat", false, open(0)),
        libc::SYS_utimensat => ("utimensat", false, at(0, 1)),
        libc::SYS_open => return opens("open", arguments[1], named(0)?),
        libc::SYS_openat => return opens("openat", arguments[2], at(0, 1)?),
        libc::SYS_openat2 => {
            // A structure, whose first eight bytes are the flags.
            let mut flags = [0; 8];
            memory.read(arguments[2], &mut flags)?;
            return opens("openat2", u64::from_ne_bytes(flags), at(0, 1)?);
        }
        _ => return None,
    };
    Some(Change { call, path: path?, grows, changes: true })
}

/// Opening a file changes something if it makes or empties one.
fn opens(call: &'static str, flags: u64, path: PathBuf) -> Option<Change> {
    let has = |flag: i32| flags & u64::from(flag.cast_unsigned()) != 0;
    let grows = has(libc::O_CREAT) && !path.exists();
    let changes = has(libc::O_CREAT) || has(libc::O_TRUNC);
    Some(Change { call, path, grows, changes })
}

/// A file descriptor is 32 bits of its register.
fn descriptor(register: u64) -> i32 {
    register as u32 as i32
}

/// What the arguments of a thread's system call refer to.
struct Memory {
    thread: Pid,
}

impl Memory {
    /// The path of an open file.
    fn descriptor(&self, register: u64) -> Option<PathBuf> {
        let number = descriptor(register);
        fs::read_link(format!("/proc/{}/fd/{number}", self.thread)).ok()
    }

    /// The path that a name, which stands in memory, has in an open folder.
    fn resolve(&self, folder: i32, name: u64) -> Option<PathBuf> {
        let folder = if folder == libc::AT_FDCWD {
            fs::read_link(format!("/proc/{}/cwd", self.thread)).ok()?
        } else {
            self.descriptor(u64::from(folder.cast_unsigned()))?
        };
        let mut bytes = [0; libc::PATH_MAX as usize];
        let count = self.read(name, &mut bytes)?;
        let end = bytes[..count].iter().position(|&byte| byte == 0)?;
        Some(folder.join(std::str::from_utf8(&bytes[..end]).ok()?))
    }

    /// Reads as much as there is.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Option<usize> {
        File::open(format!("/proc/{}/mem", self.thread)).ok()?.read_at(bytes, address).ok()
    }
}
