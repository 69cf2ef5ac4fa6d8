//! The seccomp filter that stops a traced program before the calls that a tracer asks for; seccomp(2).

use nix::errno::Errno;

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

impl Filter {
    /// Traces each of `calls`, and an mmap(2) that is both shared and writable; lets everything else pass.
    pub(crate) fn tracing(calls: &[i64]) -> Self {
        let mut program = vec![
            load(ARCH_AT),
            jump(libc::BPF_JEQ, AUDIT_ARCH, 1, 0),
            returning(libc::SECCOMP_RET_TRACE | u32::from(FOREIGN)),
            load(NUMBER_AT),
        ];
        for &call in calls {
            program.push(jump(libc::BPF_JEQ, call as u32, 0, 1));
            program.push(returning(libc::SECCOMP_RET_TRACE));
        }
        // x32 shares the architecture of x86-64 and marks its calls with a bit.
        program.push(jump(libc::BPF_JGE, 0x4000_0000, 0, 1));
        program.push(returning(libc::SECCOMP_RET_TRACE | u32::from(FOREIGN)));
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

    /// Installs the filter in the calling thread, and what it executes keeps it. Async-signal-safe.
    ///
    /// The thread and what it executes can gain no privileges afterwards, unless it may have CAP_SYS_ADMIN.
    pub(crate) fn install(&self) -> nix::Result<()> {
        let program =
            libc::sock_fprog { len: self.0.len() as libc::c_ushort, filter: self.0.as_ptr().cast_mut() };
        let set = || {
            // SAFETY: the kernel copies the program, which outlives the call, and writes nothing.
            Errno::result(unsafe { libc::syscall(libc::SYS_seccomp, 1, 0, &raw const program) })
        };
        if set().is_err() {
            nix::sys::prctl::set_no_new_privs()?;
            set()?;
        }
        Ok(())
    }
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
