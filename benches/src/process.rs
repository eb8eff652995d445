//! What processes have used, as the kernel counts it: whole threads' time and resident memory. Linux alone.

use std::fs;
use std::time::Duration;

use crate::error::Error;

/// How long one tick of `/proc/PID/stat` is. The kernel's own clock may run at any rate; what it tells programs
/// is in hundredths of a second on every architecture that Rust's standard library runs the hub on.
const TICK: Duration = Duration::from_millis(10);

/// The processes under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Servers {
    /// The hub, or whatever answers in its place.
    pub hub: u32,
    /// The first process of its database's server, where it has one.
    pub database: Option<u32>,
}

impl Servers {
    /// A server without a database beside it.
    pub fn alone(hub: u32) -> Servers {
        Servers {
            hub,
            database: None,
        }
    }

    /// What they have used so far.
    ///
    /// # Errors
    /// [`Error::NoProcess`] where the kernel does not tell of one of them.
    pub fn usage(self) -> Result<Used, Error> {
        Ok(Used {
            hub: Usage::of(self.hub)?,
            database: self.database.map(Family::of).transpose()?,
        })
    }

    /// All their processes that run now.
    pub fn processes(self) -> Vec<u32> {
        let database = self.database.into_iter().flat_map(|first| {
            let children = children(first).unwrap_or_default();
            [first].into_iter().chain(children)
        });
        [self.hub].into_iter().chain(database).collect()
    }
}

/// What a hub and its database have used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The hub.
    pub hub: Usage,
    /// Its database's server.
    pub database: Option<Family>,
}

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

/// What a process and its children have used so far: a server that gives each connection a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The time of all of them, those that have ended among them.
    pub cpu: Duration,
    /// The memory of those that run, in KiB: of what several share, each has its part, so that it counts once.
    pub resident_kib: u64,
}

impl Usage {
    /// What `pid` has used so far.
    ///
    /// # Errors
    /// [`Error::NoProcess`] where the kernel tells of no such process.
    pub fn of(pid: u32) -> Result<Usage, Error> {
        let told = || {
            let (stat, status) = (read(pid, "stat")?, read(pid, "status")?);
            Some(Usage {
                cpu: Cpu::of(&stat)?.own,
                resident_kib: kib(&status, "VmRSS:")?,
                peak_kib: kib(&status, "VmHWM:")?,
            })
        };
        told().ok_or(Error::NoProcess { pid })
    }
}

impl Family {
    /// What `pid` and its children have used so far.
    ///
    /// # Errors
    /// [`Error::NoProcess`] where the kernel does not tell: its memory is told to its own account and to root alone.
    pub fn of(pid: u32) -> Result<Family, Error> {
        let told = || {
            // Children first: one that ends meanwhile is counted among the ended then, and never lost.
            let children = children(pid)?;
            let running = children.into_iter().filter_map(|child| {
                let Cpu { own, ended } = Cpu::of(&read(child, "stat")?)?;
                Some((own.saturating_add(ended), proportional(child)))
            });
            let (cpu, memory): (Vec<Duration>, Vec<Option<u64>>) = running.unzip();
            let Cpu { own, ended } = Cpu::of(&read(pid, "stat")?)?;
            Some(Family {
                cpu: cpu.into_iter().sum::<Duration>() + own + ended,
                resident_kib: memory.into_iter().flatten().sum::<u64>() + proportional(pid)?,
            })
        };
        told().ok_or(Error::NoProcess { pid })
    }
}

fn read(pid: u32, file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/{file}")).ok()
}

/// The children of a process whose first thread makes them, as a server of processes does.
fn children(pid: u32) -> Option<Vec<u32>> {
    let told = read(pid, &format!("task/{pid}/children"))?;
    Some(
        told.split_ascii_whitespace()
            .filter_map(|child| child.parse().ok())
            .collect(),
    )
}

fn proportional(pid: u32) -> Option<u64> {
    kib(&read(pid, "smaps_rollup")?, "Pss:")
}

/// The times in `stat`.
struct Cpu {
    own: Duration,
    /// Of children that have ended and were waited for.
    ended: Duration,
}

impl Cpu {
    /// Its 14th to 17th field. The second is the program's name in brackets, which may itself hold spaces and
    /// brackets.
    fn of(stat: &str) -> Option<Cpu> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let mut both = || {
            let program: u32 = fields.next()?.parse().ok()?;
            let kernel: u32 = fields.next()?.parse().ok()?;
            TICK.checked_mul(program.checked_add(kernel)?)
        };
        Some(Cpu {
            own: both()?,
            ended: both()?,
        })
    }
}

/// The value of a line `name   123 kB`.
fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Cpu, Family, Servers, Usage, kib};
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn time_is_found_behind_whatever_name_the_program_has() {
        let stat =
            "42 (tak) mil) x) S 1 42 42 0 -1 4194560 900 0 3 0 731 269 50 60 20 0 9 0 77 1 2 3";
        let found = Cpu::of(stat).unwrap();
        let expected = (Duration::from_secs(10), Duration::from_millis(1_100));
        assert_eq!((found.own, found.ended), expected);
        assert!(Cpu::of("42 (takmil) S 1").is_none());
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
        let servers = Servers {
            hub: std::process::id(),
            database: Some(u32::MAX),
        };
        assert!(servers.usage().is_err());
    }

    /// A shell with a child that works and ends, and one that works and stays.
    #[test]
    fn a_familys_time_is_that_of_all_its_processes_dead_or_alive() {
        let work = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let script = format!("sh -c '{work}'; sh -c '{work}; echo; sleep 60' & wait");
        let mut shell = Command::new("sh")
            .args(["-c", &script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut worked = String::new();
        let mut said = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut worked).unwrap();
        let family = Family::of(shell.id()).unwrap();
        let alone = Usage::of(shell.id()).unwrap();
        let processes = Servers {
            hub: std::process::id(),
            database: Some(shell.id()),
        }
        .processes();
        for pid in processes.iter().skip(2) {
            Command::new("kill").arg(pid.to_string()).status().unwrap();
        }
        shell.wait().unwrap();
        assert_eq!(processes.len(), 3);
        assert!(family.cpu >= alone.cpu + 2 * super::TICK, "{family:?}");
        assert!(family.resident_kib > 0);
    }
}
