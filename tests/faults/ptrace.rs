//! The calls of the operating system by which one process traces another.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

pub(super) use libc::user_regs_struct as Registers;

/// The number of a process, or of one of its threads.
pub(super) type Pid = libc::pid_t;

/// Why a wait came to its end.
pub(super) enum Event {
    Exited(i32),
    Signaled(i32),
    /// It stands before or behind a system call.
    SystemCall,
    /// It is about to get this signal.
    Signal(i32),
    /// One of the events that were asked for.
    Other,
}

/// Starts a command that this thread traces, and that ends itself by `SIGALRM` after so many
/// seconds. It stands before its first instruction.
pub(super) fn start(mut command: Command, deadline: u32) -> io::Result<Pid> {
    let begin = move || {
        // SAFETY: neither call touches memory of this process.
        let traced = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        check(traced)?;
        // It outlives the start of the program.
        // SAFETY: as above.
        unsafe { libc::alarm(deadline) };
        Ok(())
    };
    // SAFETY: between fork and exec only what a signal handler may do is allowed. These are two
    // system calls, and the error is a number: nothing allocates or takes a lock.
    unsafe { command.pre_exec(begin) };
    let child = command.spawn()?.id().cast_signed();
    match wait(child, 0)? {
        (_, Event::Signal(libc::SIGTRAP)) => {}
        _ => return Err(io::Error::other("the command does not stop at its start")),
    }
    // System calls are told from signals, threads are followed, and if this process ends, so
    // does that one.
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
    // SAFETY: the request takes numbers alone.
    check(unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, child, 0_usize, options as usize) })?;
    Ok(child)
}

/// Waits for any thread that this thread traces.
pub(super) fn wait_any() -> io::Result<(Pid, Event)> {
    // The children of other threads are none of this one's business.
    wait(-1, libc::__WALL | libc::__WNOTHREAD)
}

fn wait(pid: Pid, flags: i32) -> io::Result<(Pid, Event)> {
    let mut status = 0;
    let pid = loop {
        // SAFETY: the call writes one number to where the pointer leads, a variable.
        match check(unsafe { libc::waitpid(pid, &raw mut status, flags) }.into()) {
            Ok(pid) => break Pid::try_from(pid).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let event = if libc::WIFEXITED(status) {
        Event::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Event::Signaled(libc::WTERMSIG(status))
    } else if status >> 16 != 0 {
        Event::Other
    } else if libc::WSTOPSIG(status) == libc::SIGTRAP | 0x80 {
        Event::SystemCall
    } else {
        Event::Signal(libc::WSTOPSIG(status))
    };
    Ok((pid, event))
}

/// Lets a thread go on to where its next system call begins or ends, with a signal or, if it is
/// 0, with none.
pub(super) fn go_on(thread: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: the request takes numbers alone.
    gone(check(unsafe { libc::ptrace(libc::PTRACE_SYSCALL, thread, 0_usize, signal as usize) }))
}

/// The registers of a thread; none if it is no longer there.
pub(super) fn registers(thread: Pid) -> io::Result<Option<Registers>> {
    let mut registers = MaybeUninit::<Registers>::uninit();
    let data = registers.as_mut_ptr();
    // SAFETY: the request fills the structure to which its last argument leads.
    match check(unsafe {
        libc::ptrace(libc::PTRACE_GETREGS, thread, ptr::null_mut::<Registers>(), data)
    }) {
        // SAFETY: it succeeded, so that the structure is filled.
        Ok(_) => Ok(Some(unsafe { registers.assume_init() })),
        Err(error) => gone(Err(error)).map(|()| None),
    }
}

/// Changes the registers of a thread.
pub(super) fn set_registers(thread: Pid, registers: &Registers) -> io::Result<()> {
    let data = ptr::from_ref(registers);
    // SAFETY: the request reads the structure to which its last argument leads.
    gone(check(unsafe {
        libc::ptrace(libc::PTRACE_SETREGS, thread, ptr::null_mut::<Registers>(), data)
    }))
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A thread may end at any moment, when another one ends them all.
fn gone(result: io::Result<libc::c_long>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result.map(drop),
    }
}
