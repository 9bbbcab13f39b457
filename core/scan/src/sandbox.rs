//! What a process that scans takes from itself. Each lock holds for good.

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, Signal, getpid, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// Memory beside what a message takes: rules, and what YARA keeps of matches. Unit: bytes. Source: our own limit; 20,000
/// rules took 280 MB.
const RULES_BYTES: u64 = 1 << 30;
/// How often a message may be in memory: as it came, decoded, and on its way. Unit: copies.
const COPIES: u64 = 4;

/// System calls that scanning needs: memory, its socket, time, an end, and the first steps of a thread that was started before.
/// Found by running, and by what the C library may need in their place.
const CALLS: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rseq,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Calls that give memory, with the place of their argument `prot`.
const MAPPING: &[(libc::c_long, u8)] = &[(libc::SYS_mmap, 2), (libc::SYS_mprotect, 2)];

/// A process whose service was killed must not scan on for ever.
pub(crate) fn end_with_the_service() {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        eprintln!("mailward-scan: this process may outlive its service: {error}");
    }
}

/// Landlock: no file, no TCP, no abstract socket, no signal to others. Call it before threads start, for it holds for those
/// of this thread only.
///
/// # Errors
///
/// If this kernel has none, or not all of it.
pub(crate) fn close_files_and_network() -> Result<(), String> {
    let abi = ABI::V6;
    let text = |error: landlock::RulesetError| error.to_string();
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .map_err(text)?;
    match ruleset.restrict_self().map_err(text)?.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => Err("this kernel has a part of it".to_owned()),
        RulesetStatus::NotEnforced => Err("this kernel has none of it".to_owned()),
    }
}

/// Limits of memory, files and dumps: a dump would be a copy of somebody's mail.
///
/// # Errors
///
/// If the kernel refuses; the text says which.
pub(crate) fn bound_resources(message_bytes: u64) -> Result<(), String> {
    let limits = [
        (Resource::Data, RULES_BYTES + COPIES.saturating_mul(message_bytes)),
        (Resource::Core, 0),
        (Resource::Nofile, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| format!("cannot limit {resource:?} to {most}: {error}"))?;
    }
    Ok(())
}

/// seccomp, for all threads: what is not in [`CALLS`] fails with EPERM, and no memory becomes executable.
///
/// # Errors
///
/// If the kernel has no seccomp.
pub(crate) fn close_calls() -> Result<(), String> {
    let program = calls().map_err(|error| format!("the filter of system calls: {error}"))?;
    seccompiler::apply_filter_all_threads(&program)
        .map_err(|error| format!("the filter of system calls is refused: {error}"))
}

fn calls() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut allowed: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|&call| (call, Vec::new())).collect();
    for &(call, prot) in MAPPING {
        let executable = libc::PROT_EXEC as u64;
        let condition = SeccompCondition::new(prot, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)?;
        allowed.insert(call, vec![SeccompRule::new(vec![condition])?]);
    }
    // To end itself, as abort(3) does, and nobody else: other processes of this user may be the mail filter.
    let own = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    let itself = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, own)?;
    allowed.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![itself])?]);
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(allowed, denied, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?.try_into()
}
