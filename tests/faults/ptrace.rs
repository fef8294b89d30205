//! The calls of the operating system by which one process traces another.

use std::io;
use std::mem::MaybeUninit;
use std::mem::offset_of;
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
    /// It stands before one of the system calls that were asked for.
    Call,
    /// It stands behind a system call.
    Return,
    /// It is about to get this signal.
    Signal(i32),
    /// Something else that concerns the tracer alone.
    Other,
}

/// Starts a command that this thread traces, and that ends itself by `SIGALRM` after so many
/// seconds. It stands before its first instruction. To stop it at each system call would make it
/// much slower, so it stops at these alone.
pub(super) fn start(
    mut command: Command,
    calls: &[libc::c_long],
    deadline: u32,
) -> io::Result<Pid> {
    let mut filter = filter(calls);
    let begin = move || {
        // SAFETY: neither call touches memory of this process.
        check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) })?;
        // What follows outlives the start of the program.
        // SAFETY: as above.
        unsafe { libc::alarm(deadline) };
        // SAFETY: as above. A filter may be set only by who cannot gain rights any more.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: the program is `len` instructions long, and is copied before the call returns.
        check(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) }.into())?;
        Ok(())
    };
    // SAFETY: between fork and exec only what a signal handler may do is allowed. These are
    // system calls, and the error is a number: nothing allocates or takes a lock.
    unsafe { command.pre_exec(begin) };
    let child = command.spawn()?.id().cast_signed();
    match wait(child, 0)? {
        (_, Event::Signal(libc::SIGTRAP)) => {}
        _ => return Err(io::Error::other("the command does not stop at its start")),
    }
    // The filter works, returns are told from signals, threads are followed, and if this process
    // ends, so does that one.
    let options = libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_EXITKILL;
    // SAFETY: the request takes numbers alone.
    check(unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, child, 0_usize, options as usize) })?;
    Ok(child)
}

/// A program that lets the tracer decide about these system calls, and allows all others.
fn filter(calls: &[libc::c_long]) -> Vec<libc::sock_filter> {
    let statement = |code, k| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut program = vec![statement(
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        offset_of!(libc::seccomp_data, nr) as u32,
    )];
    for call in calls {
        // Only the next one is left out if it is another call.
        let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        program.push(libc::sock_filter { code, jt: 0, jf: 1, k: *call as u32 });
        program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_TRACE));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    program
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
    } else if status >> 16 == libc::PTRACE_EVENT_SECCOMP {
        Event::Call
    } else if status >> 16 != 0 {
        Event::Other
    } else if libc::WSTOPSIG(status) == libc::SIGTRAP | 0x80 {
        Event::Return
    } else {
        Event::Signal(libc::WSTOPSIG(status))
    };
    Ok((pid, event))
}

/// Lets a thread go on, with a signal or, if it is 0, with none.
pub(super) fn go_on(thread: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: the request takes numbers alone.
    gone(check(unsafe { libc::ptrace(libc::PTRACE_CONT, thread, 0_usize, signal as usize) }))
}

/// Lets a thread that stands before a system call go on until it stands behind it.
pub(super) fn go_on_to_return(thread: Pid) -> io::Result<()> {
    // SAFETY: the request takes numbers alone.
    gone(check(unsafe { libc::ptrace(libc::PTRACE_SYSCALL, thread, 0_usize, 0_usize) }))
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
