//! How often servers wait for the disk: their calls of `fsync` and `fdatasync`, counted by the kernel itself. `perf`
//! asks it to, which costs the servers a fraction of a microsecond for each call of the system.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// What is counted.
const CALLS: &str = "syscalls:sys_enter_fdatasync,syscalls:sys_enter_fsync";

/// Runs beside the counters: it says that they count, and ends when it is told so.
const BESIDE: &str = "echo on; exec cat >/dev/null";

/// A count that goes on until it is asked for. Dropped, it ends.
#[derive(Debug)]
pub struct Counting {
    perf: Child,
}

impl Counting {
    /// Counts from now on what these processes do, and those that they start. `None` where the kernel or this
    /// account's rights do not allow it, or there is no `perf`.
    pub async fn start(processes: &[u32]) -> Option<Counting> {
        let pids: Vec<String> = processes.iter().map(u32::to_string).collect();
        let mut perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", CALLS, "-p", &pids.join(",")])
            .args(["--", "sh", "-c", BESIDE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut on = [0; 2];
        perf.stdout.as_mut()?.read_exact(&mut on).await.ok()?;
        Some(Counting { perf })
    }

    /// How many there were, in all processes together.
    pub async fn stop(mut self) -> Option<u64> {
        drop(self.perf.stdin.take());
        let output = self.perf.wait_with_output().await.ok()?;
        counted(&String::from_utf8_lossy(&output.stderr))
    }
}

/// The sum of the lines `123,,syscalls:…`. What did not run at all while it was counted is "not counted".
fn counted(lines: &str) -> Option<u64> {
    let counts: Vec<u64> = lines
        .lines()
        .filter(|line| line.contains("syscalls:sys_enter_f"))
        .map(|line| match line.split(',').next()? {
            "<not counted>" => Some(0),
            count => count.parse().ok(),
        })
        .collect::<Option<_>>()?;
    (!counts.is_empty()).then(|| counts.iter().sum())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Counting, counted};
    use std::io::Write as _;

    #[test]
    fn both_calls_are_summed_and_what_cannot_be_counted_is_no_figure() {
        let lines = "867,,syscalls:sys_enter_fdatasync,1519,100.00,,\n3,,syscalls:sys_enter_fsync,1518,100.00,,\n";
        assert_eq!(counted(lines), Some(870));
        let idle = "<not counted>,,syscalls:sys_enter_fdatasync,0,100.00,,\n";
        assert_eq!(counted(idle), Some(0));
        let refused = "<not supported>,,syscalls:sys_enter_fdatasync,0,100.00,,\n";
        assert_eq!(counted(refused), None);
        assert_eq!(counted("Access to performance monitoring is limited"), None);
    }

    /// Where the kernel lets this account count, every single call is counted.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_wait_for_the_disk_is_counted() {
        let Some(counting) = Counting::start(&[std::process::id()]).await else {
            return;
        };
        let mut file = tempfile::tempfile().unwrap();
        for _ in 0..7 {
            file.write_all(b"page").unwrap();
            file.sync_data().unwrap();
            file.sync_all().unwrap();
        }
        let counted = counting.stop().await.unwrap();
        // Other tests of this process may wait for the disk, too.
        assert!(counted >= 14, "{counted}");
    }
}
