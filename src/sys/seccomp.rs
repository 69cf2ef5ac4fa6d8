//! The seccomp filter that stops a traced program before the calls that a tracer asks for; seccomp(2).

use super::raw::call;

/// A filter program, to be installed between fork and exec.
#[derive(Clone, Debug)]
pub(crate) struct Filter(Vec<libc::sock_filter>);

/// What a stop's event message says when the call is of another architecture, 32-bit code for instance.
pub(crate) const FOREIGN: u16 = 0xffff;

const AUDIT_ARCH: u32 = if cfg!(target_arch = "aarch64") { 0xc000_00b7 } else { 0xc000_003e };

/// Where `struct seccomp_data` has them, in bytes.
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;
const ARGS_AT: u32 = 16;

/// With which arguments a call is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Always.
    Any,
    /// The int that is its argument of that number, from 0, is greater than 0.
    Positive(u32),
    /// The pointer that is its argument of that number is not null.
    Given(u32),
    /// The argument of that number is a clock that does not count how long somebody has computed.
    WallClock(u32),
    /// futex(2): it waits, and there is a timeout.
    TimedFutex,
}

/// The operations of futex(2) that wait, and that a timeout ends.
const FUTEX_WAITS: [i32; 4] =
    [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET, libc::FUTEX_LOCK_PI, FUTEX_LOCK_PI2];

/// The last clock that is not one of a process.
const LAST_CLOCK: i32 = libc::CLOCK_TAI;

/// Not in libc yet.
pub(crate) const FUTEX_LOCK_PI2: i32 = 13;

impl Filter {
    /// Traces each of `calls`, and an mmap(2) that is both shared and writable; lets everything else pass.
    pub(crate) fn tracing(calls: &[i64]) -> Self {
        let mut program = Self::calls(calls.iter().map(|&call| (call, When::Any)));
        program.extend([
            jump(libc::BPF_JEQ, libc::SYS_mmap as u32, 0, 5),
            load(ARGS_AT + 8 * 2),
            jump(libc::BPF_JSET, libc::PROT_WRITE as u32, 0, 3),
            load(ARGS_AT + 8 * 3),
            jump(libc::BPF_JSET, libc::MAP_SHARED as u32, 0, 1),
            returning(libc::SECCOMP_RET_TRACE),
            returning(libc::SECCOMP_RET_ALLOW),
        ]);
        Filter(program)
    }

    /// Traces each of these calls if its arguments are such; lets everything else pass.
    pub(crate) fn tracing_when(calls: &[(i64, When)]) -> Self {
        let mut program = Self::calls(calls.iter().copied());
        program.push(returning(libc::SECCOMP_RET_ALLOW));
        Filter(program)
    }

    /// What is behind it finds the number of the call loaded.
    fn calls(calls: impl Iterator<Item = (i64, When)>) -> Vec<libc::sock_filter> {
        let mut program = vec![
            load(ARCH_AT),
            jump(libc::BPF_JEQ, AUDIT_ARCH, 1, 0),
            returning(libc::SECCOMP_RET_TRACE | u32::from(FOREIGN)),
            load(NUMBER_AT),
        ];
        for (call, when) in calls {
            let decision = decision(when);
            program.push(jump(libc::BPF_JEQ, call as u32, 0, decision.len() as u8));
            program.extend(decision);
        }
        // x32 shares the architecture of x86-64 and marks its calls with a bit.
        program.push(jump(libc::BPF_JGE, 0x4000_0000, 0, 1));
        program.push(returning(libc::SECCOMP_RET_TRACE | u32::from(FOREIGN)));
        program
    }

    /// Installs the filter in the calling thread, and what it executes keeps it. Async-signal-safe, and calls no C library.
    ///
    /// The thread and what it executes can gain no privileges afterwards, unless it may have CAP_SYS_ADMIN.
    pub(crate) fn install(&self) -> nix::Result<()> {
        let program =
            libc::sock_fprog { len: self.0.len() as libc::c_ushort, filter: self.0.as_ptr().cast_mut() };
        let set = || {
            // SAFETY: the kernel copies the program, which outlives the call, and writes nothing.
            unsafe { call!(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) }
        };
        if set().is_err() {
            // SAFETY: integers only.
            unsafe { call!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }?;
            set()?;
        }
        Ok(())
    }
}

/// What ends in either verdict, and is the end of the program for a call of that number.
fn decision(when: When) -> Vec<libc::sock_filter> {
    let verdicts = [returning(libc::SECCOMP_RET_TRACE), returning(libc::SECCOMP_RET_ALLOW)];
    let mut program = match when {
        When::Any => return vec![returning(libc::SECCOMP_RET_TRACE)],
        When::Positive(arg) => vec![
            load(ARGS_AT + 8 * arg),
            jump(libc::BPF_JGT, i32::MAX as u32, 2, 0),
            jump(libc::BPF_JEQ, 0, 1, 0),
        ],
        When::Given(arg) => given(arg).to_vec(),
        When::WallClock(arg) => vec![
            load(ARGS_AT + 8 * arg),
            jump(libc::BPF_JGT, LAST_CLOCK as u32, 3, 0),
            jump(libc::BPF_JEQ, libc::CLOCK_PROCESS_CPUTIME_ID as u32, 2, 0),
            jump(libc::BPF_JEQ, libc::CLOCK_THREAD_CPUTIME_ID as u32, 1, 0),
        ],
        When::TimedFutex => {
            let mut program = vec![load(ARGS_AT + 8), and(libc::FUTEX_CMD_MASK as u32)];
            for (index, operation) in FUTEX_WAITS.into_iter().enumerate() {
                let rest = (FUTEX_WAITS.len() - 1 - index) as u8;
                // Past the other comparisons, and past the one verdict that follows them.
                program.push(jump(libc::BPF_JEQ, operation as u32, rest + 1, 0));
            }
            program.push(returning(libc::SECCOMP_RET_ALLOW));
            program.extend(given(3));
            program
        }
    };
    program.extend(verdicts);
    program
}

/// Goes on at what follows, or one further if the pointer is null.
fn given(arg: u32) -> [libc::sock_filter; 4] {
    [
        load(ARGS_AT + 8 * arg),
        jump(libc::BPF_JEQ, 0, 0, 2),
        load(ARGS_AT + 8 * arg + 4),
        jump(libc::BPF_JEQ, 0, 1, 0),
    ]
}

fn and(mask: u32) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16, jt: 0, jf: 0, k: mask }
}

fn load(offset: u32) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

fn jump(comparison: u32, with: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | comparison | libc::BPF_K) as u16, jt, jf, k: with }
}

fn returning(what: u32) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: what }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program of the instructions that are used here, on little-endian `struct seccomp_data`.
    fn verdict(filter: &Filter, call: i64, args: [u64; 6]) -> u32 {
        let mut data = [0_u8; 64];
        data[..4].copy_from_slice(&(call as u32).to_le_bytes());
        data[4..8].copy_from_slice(&AUDIT_ARCH.to_le_bytes());
        for (index, arg) in args.into_iter().enumerate() {
            data[16 + 8 * index..][..8].copy_from_slice(&arg.to_le_bytes());
        }
        let (mut at, mut value) = (0, 0_u32);
        loop {
            let step = filter.0[at];
            let code = u32::from(step.code);
            at += 1;
            let holds = match code & 0x07 {
                libc::BPF_LD => {
                    value = u32::from_le_bytes(data[step.k as usize..][..4].try_into().unwrap());
                    continue;
                }
                libc::BPF_ALU => {
                    value &= step.k;
                    continue;
                }
                libc::BPF_RET => return step.k,
                _ => match code & 0xf0 {
                    libc::BPF_JEQ => value == step.k,
                    libc::BPF_JGT => value > step.k,
                    libc::BPF_JGE => value >= step.k,
                    _ => value & step.k != 0,
                },
            };
            at += usize::from(if holds { step.jt } else { step.jf });
        }
    }

    #[test]
    fn a_call_is_traced_by_its_arguments() {
        let (poll, ppoll, read, futex) =
            (libc::SYS_poll, libc::SYS_ppoll, libc::SYS_clock_gettime, libc::SYS_futex);
        let filter = Filter::tracing_when(&[
            (poll, When::Positive(2)),
            (ppoll, When::Given(2)),
            (read, When::WallClock(0)),
            (futex, When::TimedFutex),
            (libc::SYS_alarm, When::Any),
        ]);
        let minus_one = u64::from(u32::MAX);
        let private = libc::FUTEX_PRIVATE_FLAG as u64;
        let high = 1 << 40;
        for (call, args, traced) in [
            (poll, [0, 0, 5, 0, 0, 0], true),
            (poll, [0, 0, 0, 0, 0, 0], false),
            (poll, [0, 0, minus_one, 0, 0, 0], false),
            (ppoll, [1, 1, 0, 1, 1, 1], false),
            (ppoll, [0, 0, high, 0, 0, 0], true),
            (ppoll, [0, 0, 1, 0, 0, 0], true),
            (read, [0; 6], true),
            (read, [2, 0, 0, 0, 0, 0], false),
            (read, [3, 0, 0, 0, 0, 0], false),
            (read, [11, 0, 0, 0, 0, 0], true),
            (read, [minus_one - 5, 0, 0, 0, 0, 0], false),
            (futex, [0, private, 0, 8, 0, 0], true),
            (futex, [0, 9 | 0x100 | private, 0, high, 0, 0], true),
            (futex, [0, 6, 0, 8, 0, 0], true),
            (futex, [0, 13, 0, 8, 0, 0], true),
            (futex, [0, 0, 0, 0, 0, 0], false),
            (futex, [0, 1, 0, 8, 0, 0], false),
            (libc::SYS_alarm, [0; 6], true),
            (libc::SYS_getpid, [0; 6], false),
        ] {
            let expected = if traced { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(verdict(&filter, call, args), expected, "{call} {args:?}");
        }
    }

    #[test]
    fn a_shared_writable_mapping_is_traced() {
        let filter = Filter::tracing(&[libc::SYS_open]);
        for (prot, flags, traced) in [(3, 1, true), (1, 1, false), (3, 2, false)] {
            let expected = if traced { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(verdict(&filter, libc::SYS_mmap, [0, 0, prot, flags, 0, 0]), expected);
        }
        assert_eq!(verdict(&filter, libc::SYS_open, [0; 6]), libc::SECCOMP_RET_TRACE);
        assert_eq!(verdict(&filter, 0x4000_0001, [0; 6]), libc::SECCOMP_RET_TRACE | u32::from(FOREIGN));
    }
}
