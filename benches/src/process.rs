//! What a process has used, as the kernel counts it: whole threads' time and resident memory. Linux alone.

use std::fs;
use std::time::Duration;

use crate::error::Error;

/// How long one tick of `/proc/PID/stat` is. The kernel's own clock may run at any rate; what it tells programs
/// is in hundredths of a second on every architecture that Rust's standard library runs the hub on.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The time of all its threads, in the program and in the kernel for it.
    pub cpu: Duration,
    /// Its resident memory, in KiB.
    pub resident_kib: u64,
    /// The most that was ever resident, in KiB.
    pub peak_kib: u64,
}

impl Usage {
    /// What `pid` has used so far.
    ///
    /// # Errors
    /// [`Error::NoProcess`] where the kernel tells of no such process.
    pub fn of(pid: u32) -> Result<Usage, Error> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let told = || {
            let (stat, status) = (read("stat")?, read("status")?);
            Some(Usage {
                cpu: cpu(&stat)?,
                resident_kib: kib(&status, "VmRSS:")?,
                peak_kib: kib(&status, "VmHWM:")?,
            })
        };
        told().ok_or(Error::NoProcess { pid })
    }
}

/// The time in `stat`: its 14th and 15th field. The second is the program's name in brackets, which may itself
/// hold spaces and brackets.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let program: u32 = fields.next()?.parse().ok()?;
    let kernel: u32 = fields.next()?.parse().ok()?;
    TICK.checked_mul(program.checked_add(kernel)?)
}

/// The value of a line `name   123 kB`.
fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Usage, cpu, kib};
    use std::time::Duration;

    #[test]
    fn time_is_found_behind_whatever_name_the_program_has() {
        let stat =
            "42 (tak) mil) x) S 1 42 42 0 -1 4194560 900 0 3 0 731 269 5 6 20 0 9 0 77 1 2 3";
        assert_eq!(cpu(stat), Some(Duration::from_secs(10)));
        assert_eq!(cpu("42 (takmil) S 1"), None);
    }

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "Name:\ttakmil\nVmHWM:\t  90112 kB\nVmRSS:\t   81920 kB\n";
        assert_eq!(
            (kib(status, "VmRSS:"), kib(status, "VmHWM:")),
            (Some(81920), Some(90112))
        );
        assert_eq!(kib(status, "VmSwap:"), None);
    }

    #[test]
    fn this_very_process_uses_memory_and_the_next_to_none_is_told_as_missing() {
        let own = Usage::of(std::process::id()).unwrap();
        assert!(own.resident_kib > 0 && own.peak_kib >= own.resident_kib);
        assert!(Usage::of(u32::MAX).is_err());
    }
}
